# SPDX-License-Identifier: MIT
# ruff: noqa: N818 - the classes are named by what happened, as PermissionDenied is
"""What one client is still to be sent, and the task that sends it at the client's own pace."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from pypac_obs.control.commands import Reads
from pypac_obs.control.meters import MeterFeed
from pypac_obs.control.replies import to_text

__all__ = ["Entry", "Outbox", "Sender", "TooSlow"]

_MOST_PUSHED = 500
_MOST_REPLIES = 200


class Sender(Protocol):
    """The sending end of a WebSocket; both wait until the client has room."""

    async def send_text(self, data: str) -> None:
        """Sends a text message."""

    async def send_bytes(self, data: bytes) -> None:
        """Sends a binary message."""


class TooSlow(Exception):
    """The client asks, and does not read the answers."""


@dataclass(frozen=True)
class Entry:
    """A message that waits. ``revision`` is a patch's."""

    kind: Literal["reply", "patch", "event"]
    text: str
    revision: int = 0


class Outbox:
    """Keeps what a client is to be sent; drops what it is too slow for. [event loop]

    Replies are never dropped. Where more than 500 patches and events wait they all go, and the
    client gets the whole state instead. Of levels there is one frame, the newest.
    """

    def __init__(self, fetch_state: Callable[[], Awaitable[Reads]]) -> None:
        self._fetch_state = fetch_state
        self._entries: deque[Entry] = deque()
        self._replies = 0
        self._stale = True
        self._wake = asyncio.Event()
        self._closing = False
        self.meters: MeterFeed | None = None

    def put(self, entry: Entry) -> None:
        """Adds a message. Raises TooSlow where too many replies wait."""
        if self._closing:
            return
        if entry.kind == "reply":
            if self._replies >= _MOST_REPLIES:
                raise TooSlow
            self._replies += 1
        elif len(self._entries) - self._replies >= _MOST_PUSHED:
            self.make_stale()
        self._entries.append(entry)
        self._wake.set()

    def make_stale(self) -> None:
        """Drops patches and events: the client gets the whole state instead."""
        self._entries = deque(one for one in self._entries if one.kind == "reply")
        self._stale = True
        self._wake.set()

    def wake(self) -> None:
        """Has the sender look whether a frame of levels is due."""
        self._wake.set()

    def close(self) -> None:
        """Lets `send_to` return once everything is sent."""
        self._closing = True
        self._wake.set()

    async def send_to(self, sender: Sender) -> None:
        """Sends the state first, then everything else as it comes, until `close`."""
        while True:
            if self._stale:
                await self._send_state(sender)
            elif self._entries:
                entry = self._entries.popleft()
                self._replies -= entry.kind == "reply"
                await sender.send_text(entry.text)
                await self._send_levels(sender)
            elif self._closing:
                return
            else:
                self._wake.clear()
                await self._send_levels(sender)
                if not self._entries:
                    await self._wake.wait()

    async def _send_state(self, sender: Sender) -> None:
        self._stale = False
        state = await self._fetch_state()
        revision = state.get("revision")
        if isinstance(revision, int):
            # What the state has in it already would undo what came after.
            self._entries = deque(
                one for one in self._entries if one.kind != "patch" or one.revision > revision
            )
        await sender.send_text(to_text({"type": "state", **state}))

    async def _send_levels(self, sender: Sender) -> None:
        feed = self.meters
        if feed is None:
            return
        if (layout := feed.take_layout()) is not None:
            message = {
                "type": "meters",
                "sources": list(layout.sources),
                "tracks": list(layout.tracks),
                "filters": list(layout.filters),
            }
            await sender.send_text(to_text(message))
        if (frame := feed.take_frame()) is not None:
            await sender.send_bytes(frame)
