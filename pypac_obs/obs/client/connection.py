# SPDX-License-Identifier: MIT
"""A connection to OBS's websocket server: obs-websocket 5, which OBS has had since version 28.

obsws-python speaks to OBS; its clients are made to hold what it does not promise. Whatever listens
at the other end is not trusted: it may be late, send garbage, or vanish. Each of these ends in one
of the errors under `ObsError`, in bounded time and memory.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Self

from obsws_python.error import OBSSDKRequestError

from pypac_obs.errors import ObsError, ObsNotAnswering, ObsNotRunning, ObsRefused
from pypac_obs.obs.client.address import ObsAddress, Secret
from pypac_obs.obs.client.events import Events
from pypac_obs.obs.client.messages import not_the_protocol, quoted
from pypac_obs.obs.client.obsws_client import LEAST_S, Client, Requests
from pypac_obs.obs.client.requests import Answer, BatchSizes, Request

__all__ = ["EventGroup", "ObsAddress", "ObsConnection", "ObsVersion", "Secret"]

# OBS answers "not ready" while it starts and while it changes its scene collection.
_NOT_READY = 207
_NOT_READY_PAUSE_S = 0.1
# How long `close` waits for what is to be done as a whole, and for the connection's thread.
_UNDIVIDED_S = 10.0
_ENDS_WITHIN_S = 2.0


class EventGroup(IntFlag):
    """The groups of events that one can subscribe to; obs-websocket's own numbers."""

    NONE = 0
    GENERAL = 1 << 0
    CONFIG = 1 << 1
    SCENES = 1 << 2
    INPUTS = 1 << 3
    TRANSITIONS = 1 << 4
    FILTERS = 1 << 5
    OUTPUTS = 1 << 6
    SCENE_ITEMS = 1 << 7
    MEDIA_INPUTS = 1 << 8
    VENDORS = 1 << 9
    UI = 1 << 10
    ALL = (1 << 11) - 1
    """All but those of high volume, below."""
    INPUT_VOLUME_METERS = 1 << 16
    INPUT_ACTIVE_STATE = 1 << 17
    INPUT_SHOW_STATE = 1 << 18
    SCENE_ITEM_TRANSFORM = 1 << 19


@dataclass(frozen=True, slots=True)
class ObsVersion:
    """What an OBS says of itself: versions such as "29.0.2" and "5.1.0", and its platform.

    ``requests`` are the kinds of request that it knows.
    """

    obs: str
    websocket: str
    platform: str
    requests: frozenset[str] = frozenset()

    @property
    def numbers(self) -> tuple[int, ...]:
        """The OBS version as numbers, to compare.

        >>> ObsVersion("30.2.0-rc1", "5.5.0", "x11").numbers >= (30, 2)
        True
        """
        return tuple(map(int, re.findall(r"\d{1,9}", self.obs.partition("-")[0])[:3]))


class ObsConnection:
    """A connection to OBS, from its making until `close` or until the other end goes.

        with ObsConnection(find_server(None)) as obs:
            print(obs.version.obs, obs.request("GetRecordStatus")["outputActive"])

    ``timeout_s`` is how long connecting, and each request, may take as a whole. ``on_event`` is
    called with each event's type and data and its size (its characters, or 100 for each of its
    values where that is more), ``on_closed`` once when the connection is gone, however it ended:
    both on the connection's thread, where they must be quick and must not call `request`.
    ``on_opening`` gets a function that ends the making of the connection, for any thread.

    What may not be the user's own OBS is refused before it gets proof of the password: a program of
    another user of this computer, and one that does not ask for the password that is known.

    Raises ObsNotRunning, ObsDisabled, ObsWrongPassword, ObsUntrusted, ObsTooOld, ObsNotAnswering or
    ObsProtocolError. `request`, `undivided` and `close` are for any thread.
    """

    def __init__(
        self,
        address: ObsAddress,
        *,
        timeout_s: float = 5.0,
        subscriptions: EventGroup = EventGroup.ALL,
        on_event: Callable[[str, Mapping[str, Any], int], None] | None = None,
        on_closed: Callable[[ObsError], None] | None = None,
        on_opening: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._undivided = threading.RLock()
        deadline = time.monotonic() + timeout_s
        self._client = Client(address, deadline, subscriptions, on_opening)
        self._requests = Requests(self._client)
        self._events = Events(self._client, on_event, on_closed)
        try:
            self.version = self._ask_version(deadline)
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """True once the connection is gone, whoever ended it."""
        return self._client.error is not None

    @property
    def error(self) -> ObsError | None:
        """Why the connection is closed; None while it is open."""
        return self._client.error

    def close(self) -> None:
        """Ends the connection: requests that wait raise ObsNotRunning. May be called again.

        Where another thread is in `undivided`, it waits for that first, for 10 s at most. The
        connection's thread is given up if it does not end.
        """
        waited = not self.closed and self._undivided.acquire(timeout=_UNDIVIDED_S)
        try:
            self._client.end(ObsNotRunning(f"the connection to OBS at {self.address} was closed"))
        finally:
            if waited:
                self._undivided.release()
        self._client.ws.end()
        if threading.current_thread() is not self._events.worker:
            self._events.worker.join(_ENDS_WITHIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self, kind: str, /, *, timeout_s: float | None = None, **data: Any
    ) -> dict[str, Any]:
        """Asks OBS for something, with obs-websocket's own names, and gives its answer.

        Waits where OBS says that it is not ready yet. What is in the answer is unchecked. Raises
        ObsRefused if OBS cannot do it, ObsNotAnswering after ``timeout_s`` (the connection's, if
        None), and the reason of the end if the connection is or becomes closed.
        """
        deadline = self._deadline(timeout_s)
        while True:
            self._client.ws.end_by(deadline)
            try:
                return self._requests.send(kind, data, raw=True) or {}
            except OBSSDKRequestError as refusal:
                if refusal.code != _NOT_READY:
                    words = str(refusal).partition(" With message: ")[2]
                    raise ObsRefused(kind, refusal.code, words) from None
            self._wait_until_ready(kind, deadline)

    def request_all(
        self, requests: Sequence[Request], *, timeout_s: float | None = None
    ) -> list[Answer]:
        """Asks OBS for several things at once, which it does in their order, refused ones or not.

        Gives for each its answer, or the ObsRefused that `request` would raise; all else is as with
        `request`, and ``timeout_s`` is for all of them. It takes one round trip; more where OBS is
        not ready, or where the replies to very many would be longer than a message may be.
        """
        deadline = self._deadline(timeout_s)
        answers: list[Answer] = [{} for _ in requests]
        left = list(range(len(requests)))
        sizes = BatchSizes()
        while left:
            count = sizes.fitting([requests[place] for place in left])
            places, left = left[:count], left[count:]
            asked = [requests[place] for place in places]
            self._client.ws.end_by(deadline)
            found = self._client.req_batch(asked)
            if left:
                sizes.learn(asked, found)
            waiting = []
            for place, answer in zip(places, found, strict=True):
                if isinstance(answer, ObsRefused) and answer.code == _NOT_READY:
                    waiting.append(place)
                else:
                    answers[place] = answer
            if waiting:
                self._wait_until_ready(requests[waiting[0]].kind, deadline)
                left = waiting + left
        return answers

    def _deadline(self, timeout_s: float | None) -> float:
        if threading.current_thread() is self._events.worker:
            raise RuntimeError("no requests on the connection's own thread: it takes the answers")
        return time.monotonic() + (self._timeout_s if timeout_s is None else timeout_s)

    def _wait_until_ready(self, kind: str, deadline: float) -> None:
        if time.monotonic() + _NOT_READY_PAUSE_S >= deadline:
            raise ObsNotAnswering(
                f"OBS at {self.address} is not ready to answer {kind}",
                remedy="See whether OBS still loads, or waits for an answer in a dialog.",
            )
        time.sleep(_NOT_READY_PAUSE_S)

    @contextlib.contextmanager
    def undivided(self) -> Iterator[None]:
        """Keeps `close` from coming between requests that leave OBS in between, each alone."""
        with self._undivided:
            yield

    def _ask_version(self, deadline: float) -> ObsVersion:
        left_s = max(LEAST_S, deadline - time.monotonic())
        answer = self.request("GetVersion", timeout_s=left_s)
        words = [answer.get(k) for k in ("obsVersion", "obsWebSocketVersion", "platform")]
        known = answer.get("availableRequests", [])
        if not all(isinstance(word, str) for word in words) or not isinstance(known, list):
            raise not_the_protocol(self.address, "GetVersion has no versions")
        obs, websocket, platform = (quoted(str(word)) for word in words)
        return ObsVersion(
            obs, websocket, platform, frozenset(k for k in known if isinstance(k, str))
        )
