# SPDX-License-Identifier: MIT
"""How late filters make tracks: what is told before a run is what the engine does."""

from typing import Any

import pytest

from pypac_obs import Profile, Session
from pypac_obs.errors import ProfileError
from pypac_obs.profile import latency
from pypac_obs.profile.latency import Latencies, TrackLatency, latencies


def profile(**changes: Any) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "sources": {"a": {"synthetic": {"kind": "tone"}}},
            "tracks": {
                "dry": {"from": "a"},
                "wet": {"from": "a", "filters": [{"gain": {"gain_db": -6}}]},
                "late": {
                    "from": "a",
                    "filters": [{"limiter": {"look_ahead_ms": 3}}, {"limiter": {"bypass": True}}],
                    "compare": [{"limiter": {"true_peak": False}}],
                },
                # Waits for what steers it, in front of a filter that makes it late itself.
                "ducked": {"from": "a", "filters": [{"limiter": {}}, {"duck": {"key": "late"}}]},
                "early": {"from": "a", "filters": [{"delay": {"delay_ms": -2}}]},
            },
            **changes,
        }
    )


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"filter_headroom_ms": 25},
        {"filter_headroom_ms": 3.3, "latency_ms": 17, "sample_rate": 44_100},
        {"filter_headroom_ms": 1, "latency_ms": 5, "sample_rate": 8000},
    ],
)
def test_the_delay_that_is_told_is_the_engines(settings: dict[str, Any]):
    one = profile(session=settings)
    told = latencies(one)
    assert told.tracks["wet"].frames == 0
    assert told.tracks["late"].frames > 0.007 * one.session.sample_rate
    assert told.tracks["ducked"].frames == told.tracks["late"].frames
    assert told.tracks["early"].frames == pytest.approx(0.002 * one.session.sample_rate, abs=1)
    with Session(one, offline=True) as session:
        assert session._running is not None
        engine = session._running.wiring.engine
        assert engine.budget_frames == told.budget
        for name, track in told.tracks.items():
            assert engine.track_latency_frames(name) == track.frames


def test_filters_in_python_have_a_latency_that_is_known_when_they_run():
    filters = [{"plugin": {"use": "x.py:X"}}]
    one = profile(tracks={"a": {"from": "a"}, "b": {"from": "a", "filters": filters}})
    told = latencies(one)
    assert told.tracks == {"a": TrackLatency(0), "b": TrackLatency(0, complete=False)}
    assert not told.complete


@pytest.mark.parametrize(
    ("frames", "outputs", "expected"),
    [
        (48_000 * 3, {}, "expected filters that take at most 2000 ms together, found 3000.0 ms"),
        (
            48_000,
            {"obs": {"tracks": {"wet": 2}}},
            "expected filters that take at most 920 ms together, as OBS waits 960 ms with "
            "session.latency_ms and filter_headroom_ms, found 1000.0 ms",
        ),
        (48_000, {}, None),
    ],
)
def test_filters_that_take_too_long_are_a_mistake_of_the_profile(
    monkeypatch: pytest.MonkeyPatch, frames: int, outputs: dict[str, Any], expected: str | None
):
    late = Latencies({"dry": TrackLatency(0), "wet": TrackLatency(frames)}, frames)
    monkeypatch.setattr(latency, "latencies", lambda _: late)
    if expected is None:
        assert profile(outputs=outputs)
        return
    with pytest.raises(ProfileError) as raised:
        profile(outputs=outputs)
    assert str(raised.value) == f"<profile>: tracks.wet.filters: {expected}"
