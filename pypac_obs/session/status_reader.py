# SPDX-License-Identifier: MIT
"""Reads how a session is: its sources, tracks and outputs as they are now."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Mapping

from pypac_obs import _core
from pypac_obs.audio_system import only_zeros
from pypac_obs.errors import NotRunning, PypacError
from pypac_obs.profile.model import DeviceSource
from pypac_obs.session.incident_log import IncidentLog
from pypac_obs.session.notices import Notices
from pypac_obs.session.wiring import Wiring
from pypac_obs.status import (
    BoundProgram,
    Level,
    Loudness,
    OutputStatus,
    SessionStatus,
    SourceStatus,
    TrackStatus,
    dbfs,
)

__all__ = ["StatusReader"]

# A second of captured zeros is worth telling the user.
_SILENT_S = 1.0
# How often a status is begun anew because the profile has changed meanwhile.
_TRIES = 5


class StatusReader:
    """Gives the status of a session, also once its capture has stopped. [any-thread]"""

    def __init__(
        self,
        session: str,
        wiring: Wiring,
        log: IncidentLog,
        notices: Notices,
        outputs: Callable[[], tuple[OutputStatus, ...]],
    ) -> None:
        self._session = session
        self._wiring = wiring
        self._log = log
        self._notices = notices
        self._outputs = outputs
        self._last_captured: dict[str, _core.CaptureStatus] = {}

    def read(self) -> SessionStatus:
        """Tells of everything as it is now; after the end, as it was then."""
        for tries in itertools.count(1):
            try:
                return self._read()
            except NotRunning:
                raise
            except (LookupError, ValueError):
                if tries == _TRIES:  # what it looked at went away just then
                    raise
        raise AssertionError

    def _read(self) -> SessionStatus:
        wiring = self._wiring
        frames = wiring.engine.position
        news, news_total = self._notices.news
        return SessionStatus(
            session=self._session,
            sample_rate=wiring.sample_rate,
            frames=frames,
            sources=tuple(self.source(name) for name in wiring.source_names),
            tracks=tuple(self.track(name, frames) for name in wiring.track_channels),
            outputs=self._outputs(),
            incidents=self._log.total,
            warnings=self._notices.warnings,
            news=news,
            news_total=news_total,
        )

    def track(self, name: str, frames: int) -> TrackStatus:
        """Tells of a track. Raises ValueError where it has just gone."""
        progress = self._wiring.engine.track_progress(name)
        return TrackStatus(
            name,
            frames,
            _level(progress.level),
            Loudness.of(progress.loudness),
            {one.filter: one.db for one in progress.reductions},
        )

    def source(self, name: str) -> SourceStatus:
        """Tells of a source. Raises LookupError where it has just gone."""
        progress = self._wiring.engine.source_progress(name)
        state, reason, programs = self._state(name, progress)
        return SourceStatus(
            name=name,
            state=state,
            reason=reason,
            programs=programs,
            drift_ppm=progress.drift_ppm,
            bit_exact=progress.locked,
            captured_frames=progress.captured_frames,
            late_frames=progress.late_frames,
            level=_level(progress.level),
        )

    def state(self, name: str) -> tuple[str, str, tuple[BoundProgram, ...]]:
        """Tells only a source's state, the reason, and its programs: it is asked for often.

        Raises LookupError where it has just gone.
        """
        return self._state(name, self._wiring.engine.source_progress(name))

    def _state(
        self, name: str, progress: _core.SourceProgress
    ) -> tuple[str, str, tuple[BoundProgram, ...]]:
        wiring = self._wiring
        state, reason = "playing", "computed by this program"
        programs: tuple[BoundProgram, ...] = ()
        if name in wiring.captured_sources:
            bound = self.captured(name)
            state, reason = bound.state, bound.reason
            programs = tuple(map(BoundProgram.of, bound.streams))
        elif (thread := wiring.source_thread(name)) is not None:
            state, reason = thread.status()
        if state == "capturing":
            state = "playing"
            if progress.level.silent_frames > _SILENT_S * wiring.sample_rate:
                device = isinstance(wiring.profile.sources[name], DeviceSource)
                state, reason = "silent", only_zeros(device=device)
        return state, reason, programs

    def captured(self, name: str) -> _core.CaptureStatus:
        """Tells what a source is bound to; once the capture has stopped, what it was bound to."""
        try:
            return self._wiring.capture_status(name)
        except NotRunning:
            if name not in self._last_captured:
                raise
            return self._last_captured[name]

    def remember_captured(self) -> None:
        """Keeps what sources are bound to, for when the capture has stopped."""
        with contextlib.suppress(PypacError):
            self._last_captured = {
                name: self._wiring.capture_status(name) for name in self._wiring.captured_sources
            }

    def for_manifest(self) -> Mapping[str, object]:
        """Gives what outputs are told each second."""
        status, engine = self.read(), self._wiring.engine
        return {
            "frames": status.frames,
            "warnings": list(status.warnings),
            "filter_delay_frames": engine.budget_frames,
            "filter_latency_frames": self._latencies(),
            "mixer_worst_lateness_ms": round(engine.worst_lateness_ns / 1e6, 3),
            "loudness": {
                track.name: track.loudness.to_manifest()
                | {"since_frame": self._wiring.loudness_since.get(track.name, 0)}
                for track in status.tracks
            },
            "sources": {
                source.name: {
                    "state": source.state,
                    "reason": source.reason,
                    "bindings": [program.to_json() for program in source.programs],
                    "drift_ppm": round(source.drift_ppm, 3),
                    "captured_frames": source.captured_frames,
                    "late_frames": source.late_frames,
                }
                for source in status.sources
            },
        }

    def _latencies(self) -> dict[str, int]:
        """How late the filters of each track make it; those that have just gone are left out."""
        found = {}
        for name in self._wiring.profile.tracks:
            with contextlib.suppress(ValueError, LookupError):
                found[name] = self._wiring.engine.track_latency_frames(name)
        return found


def _level(native: _core.Level) -> Level:
    return Level(dbfs(native.peak), dbfs(native.rms), dbfs(native.max_peak))
