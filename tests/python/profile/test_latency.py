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


@pytest.mark.parametrize(
    ("chains", "place"),
    [
        ({"filters": ["late"]}, "filters"),
        ({"compare": ["late"]}, "compare"),
        ({"filters": ["short"], "compare": ["late"]}, "compare"),
        ({"filters": ["late"], "compare": ["short"]}, "filters"),
    ],
)
def test_what_takes_too_long_is_said_of_the_chain_that_takes_it(chains: dict[str, Any], place: str):
    filters = {
        name: {"limiter": {"look_ahead_ms": look_ahead_ms}}
        for name, look_ahead_ms in (("short", 1), ("late", 10))
    }
    track = {key: [filters[one] for one in names] * 20 for key, names in chains.items()}
    session = {"latency_ms": 850}
    with pytest.raises(ProfileError) as raised:
        profile(
            session=session,
            tracks={"dry": {"from": "a"}, "wet": {"from": "a", **track}},
            outputs={"obs": {"tracks": {"dry": 2}}},
        )
    assert f"tracks.wet.{place}: expected filters that take at most 110 ms" in str(raised.value)


def test_headroom_alone_is_no_more_than_obs_waits_for():
    def build(headroom_ms: float, **changes: Any) -> Profile:
        return profile(
            session={"latency_ms": 600, "filter_headroom_ms": headroom_ms},
            outputs={"obs": {"tracks": {"dry": 2}}},
            **changes,
        )

    dry: dict[str, Any] = {"tracks": {"dry": {"from": "a"}}}
    with pytest.raises(ProfileError) as raised:
        build(500, **dry)
    assert str(raised.value) == (
        "<profile>: session.filter_headroom_ms: expected at most 360 ms, as OBS waits 960 ms with "
        "session.latency_ms and what filters take, found 500 ms"
    )
    assert build(360, **dry)
    with pytest.raises(
        ProfileError, match=r"session\.filter_headroom_ms: expected at most 35"
    ) as raised:
        build(360)
    most_ms = float(str(raised.value).partition("at most ")[2].split()[0])
    assert build(most_ms)
