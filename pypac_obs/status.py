# SPDX-License-Identifier: MIT
"""What a running session tells of itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # where the core cannot be loaded, commands have to say so
    from pypac_obs import _core

__all__ = [
    "BoundProgram",
    "Level",
    "Loudness",
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

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {
            "peak": _finite(self.peak),
            "rms": _finite(self.rms),
            "max_peak": _finite(self.max_peak),
        }


@dataclass(frozen=True)
class Loudness:
    """Loudness of a track by EBU R 128 in LUFS, and its true peak in dBTP.

    ``momentary`` is of the last 400 ms, ``short_term`` of the last 3 s, ``integrated`` (gated) and
    ``range`` (LU) since the session's start or the last reset, as the highest ones are. Minus
    infinity stands for silence, and for what there is none of yet.
    """

    true_peak: float = -math.inf
    max_true_peak: float = -math.inf
    momentary: float = -math.inf
    short_term: float = -math.inf
    integrated: float = -math.inf
    range: float = 0.0
    max_momentary: float = -math.inf
    max_short_term: float = -math.inf

    @classmethod
    def of(cls, native: _core.Loudness) -> Loudness:
        """What the engine tells of a track, with the true peak as a level."""
        return cls(
            dbfs(native.true_peak),
            dbfs(native.max_true_peak),
            native.momentary,
            native.short_term,
            native.integrated,
            native.range,
            native.max_momentary,
            native.max_short_term,
        )

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {name: _finite(getattr(self, name)) for name in _LOUDNESS}

    def to_manifest(self) -> dict[str, float | None]:
        """Gives what is worth keeping: of the whole session, or since the last reset."""
        return {
            "integrated_lufs": _finite(self.integrated),
            "range_lu": _finite(self.range),
            "max_true_peak_dbtp": _finite(self.max_true_peak),
        }


_LOUDNESS = tuple(one.name for one in fields(Loudness))


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
        return {
            "pid": self.pid,
            "program": self.program,
            "application_name": self.application_name,
            "devices": list(self.devices),
        }


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

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "programs": [program.to_json() for program in self.programs],
            "drift_ppm": _finite(self.drift_ppm),
            "bit_exact": self.bit_exact,
            "captured_frames": self.captured_frames,
            "late_frames": self.late_frames,
            "level": self.level.to_json(),
        }


@dataclass(frozen=True)
class TrackStatus:
    """A track now; ``frames`` is its length so far.

    ``reduction_db`` tells of each filter that makes things quieter, such as a compressor, by how
    many dB it does so now.
    """

    name: str
    frames: int
    level: Level
    loudness: Loudness = Loudness()
    reduction_db: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {
            "name": self.name,
            "frames": self.frames,
            "level": self.level.to_json(),
            "loudness": self.loudness.to_json(),
            "reduction_db": {name: _finite(db) for name, db in self.reduction_db.items()},
        }


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

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {
            "name": self.name,
            "error": self.error,
            "lost_frames": self.lost_frames,
            "state": self.state,
        }


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
        """Gives the status as plain values; minus infinity becomes None.

        By hand, because `dataclasses.asdict` copies everything twice, and this runs every second.
        """
        return {
            "session": self.session,
            "sample_rate": self.sample_rate,
            "frames": self.frames,
            "sources": [source.to_json() for source in self.sources],
            "tracks": [track.to_json() for track in self.tracks],
            "outputs": [output.to_json() for output in self.outputs],
            "incidents": self.incidents,
            "warnings": list(self.warnings),
            "news": list(self.news),
            "news_total": self.news_total,
            "seconds": round(self.seconds, 3),
        }

    @classmethod
    def from_json(cls, values: object) -> SessionStatus:
        """Makes a status of what `to_json` gives, of a newer version too.

        Raises ValueError for anything else.
        """
        return _read(
            cls,
            values,
            sources=_tuple_of(
                lambda one: _read(
                    SourceStatus,
                    one,
                    programs=_tuple_of(
                        lambda item: _read(BoundProgram, item, devices=_tuple_of(_text))
                    ),
                    level=_level,
                )
            ),
            tracks=_tuple_of(
                lambda one: _read(
                    TrackStatus, one, level=_level, loudness=_loudness, reduction_db=_reductions
                )
            ),
            outputs=_tuple_of(lambda one: _read(OutputStatus, one)),
            warnings=_tuple_of(_text),
            news=_tuple_of(_text),
        )


def _finite(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


T = TypeVar("T")


def _read(kind: type[T], values: object, **readers: Callable[[Any], object]) -> T:
    """Makes a dataclass of plain values; ``readers`` are for fields that are not plain."""
    if not isinstance(values, Mapping):
        raise ValueError(f"expected an object for {kind.__name__}, found {values!r}")
    known: dict[str, object] = {}
    for one in fields(kind):  # type: ignore[arg-type]
        if one.name in values:
            read = readers.get(one.name) or _PLAIN[str(one.type)]
            known[one.name] = read(values[one.name])
    try:
        return kind(**known)
    except TypeError as error:
        raise ValueError(str(error)) from None


def _tuple_of(read: Callable[[Any], T]) -> Callable[[object], tuple[T, ...]]:
    def read_all(values: object) -> tuple[T, ...]:
        if not isinstance(values, list):
            raise ValueError(f"expected a list, found {values!r}")
        return tuple(map(read, values))

    return read_all


def _level(values: object) -> Level:
    return _read(Level, values, peak=_decibels, rms=_decibels, max_peak=_decibels)


def _loudness(values: object) -> Loudness:
    return _read(Loudness, values, **dict.fromkeys(_LOUDNESS, _decibels))


def _reductions(values: object) -> Mapping[str, float]:
    if not isinstance(values, Mapping):
        raise ValueError(f"expected an object for reductions, found {values!r}")
    return {_text(name): _number(db) for name, db in values.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, found {value!r}")
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {value!r}")
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expected a whole number, found {value!r}")
    return value


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"expected a number, found {value!r}")
    return float(value)


def _decibels(value: object) -> float:
    return -math.inf if value is None else _number(value)


_PLAIN: Mapping[str, Callable[[object], object]] = {
    "str": _text,
    "bool": _switch,
    "int": _whole,
    "float": _number,
}
