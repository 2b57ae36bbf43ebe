# SPDX-License-Identifier: MIT
"""Who is connected by WebSocket, and what all of them are told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Iterator

from pypac_obs.control.commands import Reads
from pypac_obs.control.limits import MOST_CLIENTS
from pypac_obs.control.meters import MeterFeed, MeterSampler
from pypac_obs.control.outbox import Entry, Outbox
from pypac_obs.control.replies import error_reply, to_text
from pypac_obs.events import Event, EventBus, ValuesChanged

__all__ = ["Client", "Clients"]

# Those who have not shown the token yet are counted apart.
_MOST_STRANGERS = 16


class Client:
    """One that has shown the token."""

    def __init__(self, name: str, outbox: Outbox, meters: MeterSampler) -> None:
        self.name = name
        self.outbox = outbox
        self.wants_events = False
        self._meters = meters

    def subscribe(self, *, events: bool, hz: float | None) -> None:
        """Chooses what it is sent."""
        self.wants_events = events
        before, self.outbox.meters = self.outbox.meters, None
        if before is not None:
            self._meters.remove(before)
        if hz is not None:
            self.outbox.meters = MeterFeed(hz, self.outbox.wake)
            self._meters.add(self.outbox.meters)


class Clients:
    """All clients, and the events that they are told. [event loop]"""

    def __init__(self, events: EventBus, meters: MeterSampler) -> None:
        self._meters = meters
        self._clients: dict[Client, asyncio.Task[object]] = {}
        self._strangers = 0
        self._numbers = itertools.count(1)
        self._loop = asyncio.get_running_loop()
        self._subscription = events.subscribe(on_event=self._wake)
        self._lost = 0  # events that came too fast for this loop

    @property
    def is_full(self) -> bool:
        """Whether there are as many clients as may be."""
        return len(self._clients) >= MOST_CLIENTS

    @property
    def is_crowded(self) -> bool:
        """Whether as many as may have not shown the token yet."""
        return self._strangers >= _MOST_STRANGERS

    @contextlib.contextmanager
    def stranger(self) -> Iterator[None]:
        """Counts one for as long as it has not shown the token."""
        self._strangers += 1
        try:
            yield
        finally:
            self._strangers -= 1

    def add(
        self, name: str, task: asyncio.Task[object], fetch_state: Callable[[], Awaitable[Reads]]
    ) -> Client:
        """Takes a client in, under a name that no other has had."""
        client = Client(f"{name}-{next(self._numbers)}", Outbox(fetch_state), self._meters)
        self._clients[client] = task
        return client

    def remove(self, client: Client) -> None:
        """Forgets one."""
        client.subscribe(events=False, hz=None)
        self._clients.pop(client, None)

    async def close(self) -> None:
        """Tells no more events, and lets each client have what waits for it."""
        self._tell()
        self._subscription.close()
        for client in self._clients:
            client.outbox.close()
        if self._clients:
            await asyncio.wait(self._clients.values())

    def _wake(self) -> None:
        """Is called on the thread of whoever publishes: only wakes. [any-thread]"""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        """Puts all events that have come into the outboxes."""
        if (lost := self._subscription.lost) != self._lost:
            self._lost = lost
            for client in self._clients:
                client.outbox.make_stale()
        while (event := self._subscription.get(timeout_s=0)) is not None:
            try:
                entry = self._entry(event)
            except Exception as error:
                error_reply(error)  # to the log
                continue
            if entry is None:
                continue
            for client in self._clients:
                if entry.kind == "patch" or client.wants_events:
                    client.outbox.put(entry)

    def _entry(self, event: Event) -> Entry | None:
        values = event.to_json()
        if isinstance(event, ValuesChanged):
            keys = ("number", "revision", "origin", "layer", "values")
            patch = {"type": "patch", **{key: values[key] for key in keys}}
            return Entry("patch", to_text(patch), event.revision)
        if not any(client.wants_events for client in self._clients):
            return None
        return Entry("event", to_text({"type": "event", **values}))
