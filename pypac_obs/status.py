# SPDX-License-Identifier: MIT
"""What a running session tells of itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # where the core cannot be loaded, commands have to say so
    from pypac_obs import _core

__all__ = [
    "BoundProgram",
    "Level",
    "OutputStatus",
    "SessionStatus",
    "SourceStatus",
    "TrackStatus",
    "dbfs",
]


def dbfs(linear: float) -> float:
    """Level of an amplitude in dBFS: 1.0 is 0, and 0.0 is minus infinity."""
    return 20 * math.log10(linear) if linear > 0 else -math.inf


@dataclass(frozen=True)
class Level:
    """Peak (20 dB fall in 1.7 s) and RMS (300 ms) over all channels, in dBFS.

    A full-scale sine has a peak of 0 and an RMS of -3.01 dBFS. ``max_peak`` is the highest since
    the session's start.
    """

    peak: float
    rms: float
    max_peak: float


@dataclass(frozen=True)
class BoundProgram:
    """A program that a source captures now; ``pid`` is 0 where the system does not tell it.

    ``devices`` are, on Windows, all that it plays to: the capture has what goes to any of them.
    """

    pid: int
    program: str
    application_name: str
    devices: tuple[str, ...] = ()

    @classmethod
    def of(cls, stream: _core.BoundStream) -> BoundProgram:
        """What a capture tells of a stream that it is bound to."""
        return cls(stream.pid, stream.program, stream.application_name, tuple(stream.devices))

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return asdict(self) | {"devices": list(self.devices)}


@dataclass(frozen=True)
class SourceStatus:
    """A source now.

    ``state`` is one of: playing, silent (captured zeros), paused, muted, starting, not_running,
    no_stream, frozen, blind_tap (it plays and hides from capture), refused (it can't be captured
    without something else), stalled, failed (its plugin raised), backend_lost; ``reason`` says it
    in one plain sentence.
    ``drift_ppm`` is its clock against host time, and ``bit_exact`` whether its frames pass
    unchanged. ``captured_frames`` came from the program; the rest of the timeline is silence of
    ours, listed in the ledger. ``late_frames`` came after their time and were dropped.
    """

    name: str
    state: str
    reason: str
    programs: tuple[BoundProgram, ...]
    drift_ppm: float
    bit_exact: bool
    captured_frames: int
    late_frames: int
    level: Level


@dataclass(frozen=True)
class TrackStatus:
    """A track now; ``frames`` is its length so far."""

    name: str
    frames: int
    level: Level


@dataclass(frozen=True)
class OutputStatus:
    """An output now; ``error`` is empty while it works. ``lost_frames`` are its own losses.

    Files that follow a recording keep the error of one that failed, though they write the next.

    ``state`` says in plain words what it is doing, where there is more to tell than that it works.
    """

    name: str
    error: str
    lost_frames: int
    state: str = ""


@dataclass(frozen=True)
class SessionStatus:
    """A session now. ``frames`` is how far the timeline has come, at ``sample_rate`` per second.

    ``incidents`` and ``news_total`` are how many there have been. ``news`` are the latest thousand
    sentences about what an output has done or cannot do, such as in OBS, in order.
    """

    session: str
    sample_rate: int
    frames: int
    sources: tuple[SourceStatus, ...]
    tracks: tuple[TrackStatus, ...]
    outputs: tuple[OutputStatus, ...]
    incidents: int
    warnings: tuple[str, ...]
    news: tuple[str, ...] = ()
    news_total: int = 0

    @property
    def seconds(self) -> float:
        """How long the session is so far."""
        return self.frames / self.sample_rate

    def to_json(self) -> dict[str, object]:
        """Gives the status as plain values; minus infinity becomes None."""
        plain = _finite(asdict(self))
        assert isinstance(plain, dict)
        return plain | {"seconds": round(self.seconds, 3)}


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value
