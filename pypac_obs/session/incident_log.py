# SPDX-License-Identifier: MIT
"""The ledger's lines as a session keeps them: with the names of what they concern."""

from __future__ import annotations

import threading
from collections.abc import Callable

from pypac_obs import _core
from pypac_obs.events import EventBus, IncidentNoted
from pypac_obs.incidents import TRACK_MUTED, Incident
from pypac_obs.session.recent import Recent
from pypac_obs.session.wiring import Wiring

__all__ = ["IncidentLog"]

# The ledger on the disk has all.
_MOST_INCIDENTS = 10_000


class IncidentLog:
    """A window of the latest 10,000 incidents; events tell of each as it comes. [any-thread]

    ``deliver`` hands each incident to the outputs; it must not wait.
    """

    def __init__(self, events: EventBus, deliver: Callable[[Incident], None]) -> None:
        self._events = events
        self._deliver = deliver
        self._lock = threading.Lock()
        self._incidents = Recent[Incident](_MOST_INCIDENTS)
        # What the ledger names an output: what the user calls it, and its tracks.
        self._sinks: dict[str, tuple[str, tuple[str, ...]]] = {}
        #: Tells who has muted a track; empty: nobody who has a name.
        self.who_muted: Callable[[str], str] = lambda track: ""
        self._unlisted: dict[str, tuple[int, int]] = {}  # cause: incidents, frames

    def new_sink(self, output: str, tracks: tuple[str, ...]) -> str:
        """Gives an output its name in the ledger."""
        with self._lock:
            sink = f"{output} {len(self._sinks) + 1}"
            self._sinks[sink] = (output, tracks)
        return sink

    def collect(self, wiring: Wiring) -> None:
        """Takes over what the engine's ledger has listed since the last call."""
        for entry in wiring.engine.pop_incidents():
            self.note(self._named(wiring, entry))
        for cause, (count, frames) in wiring.engine.unlisted_incidents().items():
            known_count, known_frames = self._unlisted.get(cause, (0, 0))
            if count > known_count:
                self._unlisted[cause] = (count, frames)
                detail = f"{count - known_count} incidents, too many to list one by one"
                begin = wiring.engine.position
                missing = frames - known_frames
                self.note(Incident(cause, None, None, (), begin, missing, detail))

    def open_incidents(self, wiring: Wiring) -> list[Incident]:
        """What sources and tracks are in now: it comes into the ledger when it is over."""
        return [self._named(wiring, entry) for entry in wiring.engine.open_incidents()]

    def _named(self, wiring: Wiring, entry: _core.NamedIncident) -> Incident:
        source = output = None
        detail = ""
        if entry.kind == "output":
            with self._lock:
                # One that is not known is told of all the same.
                output, tracks = self._sinks.get(entry.subject, (entry.subject, ()))
        elif entry.kind == "source":
            source, tracks = entry.subject, wiring.tracks_of_source.get(entry.subject, ())
        else:
            tracks = (entry.subject,)
            if entry.cause == TRACK_MUTED and (who := self.who_muted(entry.subject)):
                detail = f"by {who}"
        return Incident(entry.cause, source, output, tracks, entry.begin, entry.frames, detail)

    def note(self, incident: Incident) -> None:
        """Adds an incident."""
        with self._lock:
            self._incidents.append(incident)
        self._deliver(incident)
        self._events.publish(IncidentNoted(incident))

    @property
    def total(self) -> int:
        """How many there have been."""
        return self._incidents.total

    @property
    def entries(self) -> tuple[Incident, ...]:
        """The latest 10,000, in the order of their ends."""
        with self._lock:
            return self._incidents.entries
