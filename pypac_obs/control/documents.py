# SPDX-License-Identifier: MIT
"""The two big answers, state and status, as models: for the descriptions, and for tests."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pypac_obs.control.messages import Layer, Value

__all__ = ["State", "StateMessage", "Status", "Values"]


class _Document(BaseModel):
    """May get more keys in later versions."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ValueState(_Document):
    """A value: what is heard, where that comes from and, for numbers, what is possible."""

    value: Value
    layer: Layer
    unit: str | None = None
    min: float | None = None
    max: float | None = None
    logarithmic: bool | None = None


class Values(_Document):
    """All values, by address."""

    revision: int
    values: dict[str, ValueState]


class OtherSession(_Document):
    """Another session that runs, and the port that it is controlled by."""

    name: str
    port: int | None


class State(Values):
    """Everything that a client shows at first."""

    session: str
    sample_rate: int
    profile: str
    profile_file: str | None
    tracks: list[str]
    sources: list[Any]
    outputs: list[Any]
    warnings: list[str]
    sessions: list[OtherSession]


class StateMessage(State):
    """The state, after the welcome and where a client was too slow for the patches."""

    type: Literal["state"]


class LevelStatus(_Document):
    """Levels in dBFS; null is silence."""

    peak: float | None
    rms: float | None
    max_peak: float | None


class LoudnessStatus(_Document):
    """Loudness in LUFS, range in LU, true peaks in dBTP; null is silence, or none yet."""

    true_peak: float | None
    max_true_peak: float | None
    momentary: float | None
    short_term: float | None
    integrated: float | None
    range: float
    max_momentary: float | None
    max_short_term: float | None


class SourceStatus(_Document):
    """A source now."""

    name: str
    state: str
    reason: str
    programs: list[Any]
    drift_ppm: float | None
    bit_exact: bool
    captured_frames: int
    late_frames: int
    level: LevelStatus


class TrackStatus(_Document):
    """A track now; ``reduction_db`` is of each filter that makes it quieter."""

    name: str
    frames: int
    level: LevelStatus
    loudness: LoudnessStatus
    reduction_db: dict[str, float]


class OutputStatus(_Document):
    """An output now."""

    name: str
    error: str
    lost_frames: int
    state: str


class Status(_Document):
    """Every source, track and output now."""

    session: str
    sample_rate: int
    frames: int
    seconds: float
    sources: list[SourceStatus]
    tracks: list[TrackStatus]
    outputs: list[OutputStatus]
    incidents: int
    warnings: list[str]
    news: list[str]
    news_total: int
