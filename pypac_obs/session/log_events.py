# SPDX-License-Identifier: MIT
"""Writes a session's events into the log, on a thread of its own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from pypac_obs.events import (
    Event,
    EventBus,
    IncidentNoted,
    Marked,
    NewsTold,
    OutputChanged,
    ProfileApplied,
    ProfileRefused,
    SessionEnding,
    SourceChanged,
    ValuesChanged,
    Warned,
)
from pypac_obs.incidents import DISK_FULL, FILE_GONE, OUTPUT_FAILED, describe, timeline_text
from pypac_obs.log import LOGGER
from pypac_obs.status import BoundProgram

__all__ = ["EventLog"]

_LOG = LOGGER.getChild("session")
_JOIN_S = 2.0
# More incidents than that in ten seconds are counted: ledger.jsonl has them all.
_MOST_INCIDENTS = 20
_WINDOW_S = 10.0
_ALARMING = (OUTPUT_FAILED, DISK_FULL, FILE_GONE)


class EventLog:
    """Subscribes to a session's events, and logs them until the session ends, or `close`.

    What users may not want to give away is left out: the words of marks, and the titles of windows.
    """

    def __init__(
        self,
        events: EventBus,
        sample_rate: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sample_rate = sample_rate
        self._clock = clock
        self._window_ends = 0.0
        self._incidents = 0  # in this window
        self._events = events.subscribe()
        self._thread = threading.Thread(target=self._run, name="event log", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Logs what has come so far, and ends."""
        self._events.close()
        self._thread.join(_JOIN_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        for event in self._events:
            try:
                self._log(event)
            except Exception:
                _LOG.exception("an event could not be logged: %s", event.kind)
        self._end_window()
        if self._events.lost:
            _LOG.warning("%d events came too fast for the log", self._events.lost)

    def _log(self, event: Event) -> None:
        match event:
            case SourceChanged():
                bound = ", ".join(map(_program, event.programs))
                _LOG.info("source %s is %s: %s [%s]", event.name, event.state, event.reason, bound)
            case OutputChanged(error=error) if error:
                _LOG.error("output %s: %s", event.name, error)
            case OutputChanged():
                _LOG.info("output %s: %s", event.name, event.state or "it works")
            case ProfileApplied():
                _LOG.info("profile applied by %s: %s", event.origin, "; ".join(event.lines))
            case ProfileRefused():
                _LOG.warning("profile refused to %s: %s", event.origin, "; ".join(event.problems))
            case ValuesChanged():
                values = ", ".join(f"{address}={value}" for address, value in event.values.items())
                _LOG.debug("%s values by %s: %s", event.layer, event.origin, values)
            case Warned():
                _LOG.warning("%s", event.text)
            case NewsTold():
                _LOG.info("%s", event.text)
            case Marked():
                _LOG.info("marked at %s", timeline_text(event.frame, self._sample_rate))
            case IncidentNoted():
                self._log_incident(event)
            case SessionEnding():
                _LOG.info("the session ends")
            case _:
                _LOG.debug("%s", event.kind)

    def _log_incident(self, event: IncidentNoted) -> None:
        now = self._clock()
        if now >= self._window_ends:
            self._end_window()
            self._window_ends = now + _WINDOW_S
        self._incidents += 1
        alarming = event.incident.cause in _ALARMING
        if self._incidents <= _MOST_INCIDENTS or alarming:
            say = _LOG.warning if alarming else _LOG.info
            say("incident: %s", describe(event.incident, self._sample_rate))

    def _end_window(self) -> None:
        if self._incidents > _MOST_INCIDENTS:
            more = self._incidents - _MOST_INCIDENTS
            _LOG.info("%d more incidents within 10 s, which ledger.jsonl has", more)
        self._incidents = 0


def _program(program: BoundProgram) -> str:
    name = program.program
    if sys.platform == "win32" and not name.casefold().endswith(".exe"):
        name = ""  # where its file is not ours to see, a process is known by its window's title
    return f"{name or 'a program'} (PID {program.pid})" if program.pid else name or "a program"
