# SPDX-License-Identifier: MIT
"""The moments that somebody has marked in a session."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from pypac_obs import _core
from pypac_obs.control.controls import TakenMark
from pypac_obs.errors import OutputFailed
from pypac_obs.events import EventBus, Marked
from pypac_obs.outputs.manifest import MOST_MARKERS
from pypac_obs.outputs.output import Marker
from pypac_obs.session_registry import checked_text, frame_at

__all__ = ["Marks"]

# How long before a session's beginning, and ahead of the clock, a mark's time may lie: a command
# may have looked at the clock while the session was starting.
_EARLY_NS = 5 * 10**9
_AHEAD_NS = 10**8


class Marks:
    """Places marks on the timeline, and hands them to the outputs. [any-thread]

    ``deliver`` tells whether a file keeps it.
    """

    def __init__(
        self,
        origin: tuple[int, datetime],
        sample_rate: int,
        events: EventBus,
        deliver: Callable[[Marker], bool],
    ) -> None:
        self._origin_ns, self._origin_wall = origin
        self._sample_rate = sample_rate
        self._events = events
        self._deliver = deliver
        self._lock = threading.Lock()
        self._markers: list[Marker] = []

    def add(self, text: str, host_ns: int | None = None) -> TakenMark:
        """Marks a moment of host time (None: this one) with a text of one line.

        Raises ValueError for a text that is empty or too long, or a time that cannot be one of this
        session; OutputFailed if there are 10,000 marks already.
        """
        text = checked_text(text)
        now_ns = _core.host_now_ns()
        host_ns = now_ns if host_ns is None else host_ns
        if host_ns > now_ns + _AHEAD_NS:
            raise ValueError("the time of the mark is in the future")
        if host_ns < self._origin_ns - _EARLY_NS:
            raise ValueError("the time of the mark is before the session")
        frame = frame_at(host_ns, self._origin_ns, self._sample_rate)
        wall = self._origin_wall + timedelta(seconds=frame / self._sample_rate)
        marker = Marker(frame, wall, text)
        with self._lock:
            if len(self._markers) >= MOST_MARKERS:
                raise OutputFailed(f"it has {MOST_MARKERS} marks already, and keeps no more")
            self._markers.append(marker)
        in_file = self._deliver(marker)
        self._events.publish(Marked(frame, wall, text, in_file))
        return TakenMark(frame, in_file)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The marks so far."""
        with self._lock:
            return tuple(self._markers)
