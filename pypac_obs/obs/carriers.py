# SPDX-License-Identifier: MIT
"""What carries a session's tracks to OBS, without Python: shared memory, or virtual devices."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pypac_obs import _core
from pypac_obs.incidents import OUTPUT_FAILED, SHARED_TRACK_LOST, Incident
from pypac_obs.runtime_folder import make_folder

__all__ = ["Carrier", "Carriers", "TrackSource"]


class TrackSource(Protocol):
    """What is needed of a session's graph."""

    @property
    def has_microphone(self) -> bool:
        """False where it is known that there is none."""

    def add_shared_tracks(
        self, output: str, session: str, tracks: Sequence[str]
    ) -> _core.SharedTracks:
        """Adds an output that other programs of this user read."""

    def add_virtual_sources(
        self, output: str, session: str, tracks: Sequence[str]
    ) -> _core.VirtualSources:
        """Adds a virtual microphone for each of these tracks."""


@dataclass(frozen=True)
class Carrier:
    """Some tracks on their way."""

    transport: str
    tracks: tuple[str, ...]
    sink: _core.SharedTracks | _core.VirtualSources


class Carriers:
    """The tracks that are on their way to OBS, by transport: ``plugin`` or ``device``.

    What is carried once is carried to the end, also where the profile has dropped its track: it is
    silence then. ``name_sink`` gives an output its name in the ledger; ``tell`` gets sentences.
    """

    def __init__(
        self,
        name: str,
        session: str,
        *,
        name_sink: Callable[[str, tuple[str, ...]], str],
        tell: Callable[[str], None],
    ) -> None:
        self._name = name
        self._session = session
        self._name_sink = name_sink
        self._tell = tell
        self._lock = threading.Lock()  # who changes them
        self._carriers: tuple[Carrier, ...] = ()  # replaced, never changed

    def __bool__(self) -> bool:
        """True where any track is carried."""
        return bool(self._carriers)

    def carry(self, source: TrackSource, transport: str, tracks: Sequence[str]) -> Carrier | None:
        """Begins to send the tracks that way, as far as they do not go there already.

        Gives what was begun, for `drop`. Raises OutputFailed or PermissionDenied, and what the
        audio system says.
        """
        with self._lock:
            there = set(self._tracks_of(transport))
            new = tuple(track for track in tracks if track not in there)
            if not new or transport == "native":
                return None
            made = Carrier(transport, new, self._make(source, transport, new))
            self._carriers = (*self._carriers, made)
        return made

    def _make(
        self, source: TrackSource, transport: str, new: tuple[str, ...]
    ) -> _core.SharedTracks | _core.VirtualSources:
        if transport == "device":
            if not source.has_microphone:
                self._tell(
                    "There is no microphone: programs that record from the default one may take a "
                    "virtual device of this session for it."
                )
            output = self._name_sink(self._name, new)
            return source.add_virtual_sources(output, self._session, new)
        make_folder("tracks")  # says who owns what is in the way
        output = self._name_sink(self._name, new)
        return source.add_shared_tracks(output, self._session, new)

    def _tracks_of(self, transport: str) -> list[str]:
        return [
            track for one in self._carriers if one.transport == transport for track in one.tracks
        ]

    def drop(self, carrier: Carrier) -> None:
        """Ends what `carry` has begun."""
        with self._lock:
            self._carriers = tuple(one for one in self._carriers if one is not carrier)
        carrier.sink.close()

    def device_status(self) -> Sequence[_core.VirtualSourceStatus]:
        """Tells what becomes of the virtual devices; empty where there are none."""
        found: list[_core.VirtualSourceStatus] = []
        for one in self._carriers:
            if isinstance(one.sink, _core.VirtualSources):
                found += one.sink.status()
        return found

    def has_devices(self) -> bool:
        """Tells whether any track is a virtual device."""
        return bool(self._tracks_of("device"))

    def restore_lost(self) -> list[Incident]:
        """Has files made anew that others have cut off, and gives what that cost."""
        incidents = []
        for one in self._carriers:
            if isinstance(one.sink, _core.SharedTracks):
                for track, begin, frames, error in one.sink.restore_lost():
                    lost = Incident(SHARED_TRACK_LOST, None, self._name, (track,), begin, frames)
                    if error:
                        detail = (
                            f"the shared file of {track} was cut off by another program, and "
                            f"cannot be made anew: {error}"
                        )
                        lost = replace(lost, cause=OUTPUT_FAILED, detail=detail)
                    incidents.append(lost)
        return incidents

    def close(self) -> None:
        """Ends all of it."""
        for one in self._carriers:
            self.drop(one)
