# SPDX-License-Identifier: MIT
"""What happens in a running session, as typed events that anybody can subscribe to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pypac_obs.host_time import now_ns
from pypac_obs.incidents import Incident
from pypac_obs.status import BoundProgram

if TYPE_CHECKING:  # not loaded by whoever only listens
    from pypac_obs.model import Layer, Value

__all__ = [
    "Event",
    "EventBus",
    "IncidentNoted",
    "Marked",
    "NewsTold",
    "OutputChanged",
    "ProfileApplied",
    "ProfileRefused",
    "SessionEnding",
    "SourceChanged",
    "Subscription",
    "ValuesChanged",
    "Warned",
]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened. The bus fills in its ``number`` and its host time.

    Numbers count from 1 in the order in which a session's events happened.
    """

    kind: ClassVar[str]
    number: int = 0
    host_ns: int = 0

    def to_json(self) -> dict[str, object]:
        """Gives plain values, with ``event`` for the kind."""
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {"event": self.kind, **values}


@dataclass(frozen=True)
class ValuesChanged(Event):
    """Values were set, held or released, or came with a profile; ``origin`` is who did it."""

    kind: ClassVar[str] = "values_changed"
    values: Mapping[str, Value]  # by address: what is heard now
    layer: Layer
    origin: str
    revision: int


@dataclass(frozen=True)
class ProfileApplied(Event):
    """The session follows another profile; ``lines`` say what that changed."""

    kind: ClassVar[str] = "profile_applied"
    lines: tuple[str, ...]
    origin: str
    revision: int


@dataclass(frozen=True)
class ProfileRefused(Event):
    """A profile was refused whole, and the session goes on; ``problems`` are those of `check`."""

    kind: ClassVar[str] = "profile_refused"
    problems: tuple[str, ...]
    origin: str


@dataclass(frozen=True)
class IncidentNoted(Event):
    """The ledger has a line more."""

    kind: ClassVar[str] = "incident"
    incident: Incident


@dataclass(frozen=True)
class Warned(Event):
    """Something is worth the user's attention, and stops nothing."""

    kind: ClassVar[str] = "warning"
    text: str


@dataclass(frozen=True)
class NewsTold(Event):
    """Something was done, or cannot be done, in OBS or elsewhere."""

    kind: ClassVar[str] = "news"
    text: str


@dataclass(frozen=True)
class SourceChanged(Event):
    """A source has another state or other programs."""

    kind: ClassVar[str] = "source_changed"
    name: str
    state: str
    reason: str
    programs: tuple[BoundProgram, ...]


@dataclass(frozen=True)
class OutputChanged(Event):
    """An output has another state, or has failed: then ``error`` says why."""

    kind: ClassVar[str] = "output_changed"
    name: str
    state: str
    error: str


@dataclass(frozen=True)
class Marked(Event):
    """Somebody marked a moment; ``in_file`` tells whether a file keeps it."""

    kind: ClassVar[str] = "marked"
    frame: int
    wall: datetime
    text: str
    in_file: bool


@dataclass(frozen=True)
class SessionEnding(Event):
    """The session ends: the last event."""

    kind: ClassVar[str] = "session_ending"


def _plain(value: Any) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if callable(to_json := getattr(value, "to_json", None)):
        return to_json()
    return value


class EventBus:
    """Hands each event to all who have subscribed. Never waits for any of them. [any-thread]

    >>> bus = EventBus()
    >>> with bus.subscribe(kinds={"news"}) as news:
    ...     bus.publish(NewsTold("OBS has come"))
    ...     bus.publish(SessionEnding())
    ...     event = news.get(timeout_s=1)
    >>> event.number, event.text
    (1, 'OBS has come')
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()
        self._number = 0
        self._closed = False

    def publish(self, event: Event) -> None:
        """Numbers the event, and hands it out."""
        with self._lock:
            self._number += 1
            numbered = replace(event, number=self._number, host_ns=now_ns())
            for one in self._subscriptions:
                one._put(numbered)

    def subscribe(
        self,
        *,
        kinds: Collection[str] | None = None,
        capacity: int = 1000,
        on_event: Callable[[], None] | None = None,
    ) -> Subscription:
        """Gives the events from now on, of these kinds (None: all).

        Who is slower than ``capacity`` events loses the oldest ones, counted. ``on_event`` is
        called on the publisher's thread whenever one is there: it must only wake somebody.
        """
        made = Subscription(self, kinds, capacity, on_event)
        with self._lock:
            if not self._closed:
                self._subscriptions = (*self._subscriptions, made)
                return made
        made.close()
        return made

    def close(self) -> None:
        """Ends all subscriptions, once what they hold has been read, and those that come later."""
        with self._lock:
            self._closed = True
            subscriptions = self._subscriptions
        for one in subscriptions:
            one.close()

    def _remove(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(
                one for one in self._subscriptions if one is not subscription
            )


class Subscription:
    """The events that one subscriber has not read yet. Iterate over it until the session ends."""

    def __init__(
        self,
        bus: EventBus,
        kinds: Collection[str] | None,
        capacity: int,
        on_event: Callable[[], None] | None,
    ) -> None:
        self._bus = bus
        self._kinds = None if kinds is None else frozenset(kinds)
        self._events: deque[Event] = deque(maxlen=capacity)
        self._on_event = on_event
        self._changed = threading.Condition()
        self._lost = 0
        self._closed = False

    @property
    def lost(self) -> int:
        """How many events were dropped because this subscriber was too slow."""
        return self._lost

    def get(self, timeout_s: float | None = None) -> Event | None:
        """Gives the next event; None after ``timeout_s`` seconds, or where it was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._events or self._closed, timeout_s)
            return self._events.popleft() if self._events else None

    def __iter__(self) -> Iterator[Event]:
        while (event := self.get()) is not None:
            yield event
            if isinstance(event, SessionEnding):
                return

    def close(self) -> None:
        """Takes no more events. May be called again."""
        self._bus._remove(self)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, event: Event) -> None:
        ends = isinstance(event, SessionEnding)
        if self._kinds is not None and event.kind not in self._kinds and not ends:
            return
        with self._changed:
            if len(self._events) == self._events.maxlen:
                self._lost += 1
            self._events.append(event)
            self._changed.notify()
        if self._on_event is not None:
            self._on_event()
