# SPDX-License-Identifier: MIT
"""Presets and chains that are compared, as they are heard in a session."""

import copy
from typing import Any

import numpy as np
import pytest

from pypac_obs import Profile, Session
from pypac_obs.errors import InvalidValue, UnknownAddress

from .test_values_heard import QUARTER, QUARTER_S, SETTLED, Tape, has_no_click

DATA = {
    "version": 1,
    "sources": {
        "tone": {"synthetic": {"kind": "tone", "frequency_hz": 1003, "level_dbfs": 0}},
    },
    "presets": {"soft": [{"gain": {"gain_db": -6}}], "softer": [{"gain": {"gain_db": -20}}]},
    "tracks": {
        "tone": {"from": "tone", "filters": "soft", "compare": "softer"},
        "dry": {"from": "tone"},
    },
}


def changed(**tracks: Any) -> Profile:
    return Profile.from_dict({**DATA, "tracks": {**DATA["tracks"], **tracks}})


def gain_in(tape: Tape, quarter: int) -> float:
    """The gain of the track beside the dry one, sample by sample, once a change is through."""
    part = slice(quarter * QUARTER + SETTLED, (quarter + 1) * QUARTER)
    heard, dry = tape.heard()[part], tape.heard("dry")[part]
    gain = float(np.dot(heard, dry) / np.dot(dry, dry))
    assert np.allclose(heard, gain * dry, atol=1e-6)
    return 20 * np.log10(gain)


def test_the_other_chain_is_heard_without_a_click_and_nothing_moves():
    tape = Tape(copy.deepcopy(DATA))
    with tape as session:
        assert session.get("tone.chain") == "a"
        session.run_offline(QUARTER_S)
        session.set("tone.chain", "b")
        session.run_offline(QUARTER_S)
        assert session._running is not None
        assert session._running.controller.toggle("tone.chain") == "a"
        session.run_offline(QUARTER_S)
    assert [gain_in(tape, quarter) for quarter in range(3)] == pytest.approx(
        [-6, -20, -6], abs=1e-3
    )
    assert has_no_click(tape.heard())


def test_a_profile_says_which_chain_is_heard_from_the_first_frame_on():
    data = copy.deepcopy(DATA)
    data["tracks"]["tone"]["chain"] = "b"
    tape = Tape(data)
    with tape as session:
        session.run_offline(QUARTER_S)
    assert np.allclose(tape.heard(), 0.1 * tape.heard("dry"), atol=1e-6)


def test_the_dry_sound_is_a_chain_too_and_a_bypass_stays_what_it_is():
    track = {
        "from": "tone",
        "filters": ["soft", {"gain": {"name": "x", "gain_db": 3, "bypass": True}}],
    }
    tape = Tape({**DATA, "tracks": {**DATA["tracks"], "tone": {**track, "compare": []}}})
    with tape as session:
        session.run_offline(QUARTER_S)
        session.set("tone.chain", "b")
        # Not heard now, but kept for when it is.
        session.set("tone.filter.x.bypass", False)
        session.set("tone.filter.gain.bypass", True)
        session.run_offline(QUARTER_S)
        session.set("tone.chain", "a")
        session.run_offline(QUARTER_S)
    assert [gain_in(tape, quarter) for quarter in range(3)] == pytest.approx([-6, 0, 3], abs=1e-3)


def test_chains_of_different_latency_take_equally_long():
    limiter = {"limiter": {"look_ahead_ms": 7, "ceiling_db": 0, "true_peak": False}}
    filters = ["soft", limiter]
    tape = Tape(
        {
            **DATA,
            "tracks": {
                **DATA["tracks"],
                "tone": {"from": "tone", "filters": filters, "compare": []},
            },
        }
    )
    with tape as session:
        session.run_offline(QUARTER_S)
        session.set("tone.chain", "b")
        session.run_offline(QUARTER_S)
        session.set("tone.chain", "a")
        session.run_offline(QUARTER_S)
    assert [gain_in(tape, quarter) for quarter in range(3)] == pytest.approx([-6, 0, -6], abs=1e-3)


def test_a_changed_preset_changes_all_tracks_that_use_it():
    data = {**DATA, "tracks": {**DATA["tracks"], "dry": {"from": "tone", "filters": "soft"}}}
    louder = {**data, "presets": {**DATA["presets"], "soft": [{"gain": {"gain_db": 0}}]}}
    tape = Tape(data)
    with tape as session:
        session.run_offline(QUARTER_S)
        difference = session.apply(Profile.from_dict(louder))
        assert [target.address for target, _, _ in difference.values] == [
            "tone.filter.gain.gain_db",
            "dry.filter.gain.gain_db",
        ]
        session.run_offline(QUARTER_S)
    for track in ("tone", "dry"):
        heard = tape.heard(track)
        peaks = [np.abs(heard[SETTLED:QUARTER]).max(), np.abs(heard[QUARTER + SETTLED :]).max()]
        assert peaks == pytest.approx([10 ** (-6 / 20), 1], abs=1e-3)


def test_there_is_nothing_to_switch_where_nothing_is_compared():
    alone = changed(tone={"from": "tone", "filters": "soft"})
    with Session(alone, offline=True) as session, pytest.raises(UnknownAddress):
        session.set("tone.chain", "b")


def test_a_chain_is_a_or_b():
    with Session(changed(), offline=True) as session, pytest.raises(InvalidValue, match="a or b"):
        session.set("tone.chain", "c")


def test_a_chain_to_compare_comes_and_goes_while_the_session_runs():
    alone = {"from": "tone", "filters": "soft"}
    data = {**DATA, "tracks": {**DATA["tracks"], "tone": alone}}
    tape = Tape(data)
    with tape as session:
        session.run_offline(QUARTER_S)
        session.apply(changed(tone={**alone, "compare": "softer"}))
        session.run_offline(QUARTER_S)
        session.set("tone.chain", "b")
        session.run_offline(QUARTER_S)
        session.apply(Profile.from_dict(data))
        session.run_offline(QUARTER_S)
    gains = [gain_in(tape, quarter) for quarter in range(4)]
    assert gains == pytest.approx([-6, -6, -20, -6], abs=1e-3)
    assert has_no_click(tape.heard())


def test_the_other_chain_is_heard_for_as_long_as_a_key_is_held():
    tape = Tape(copy.deepcopy(DATA))
    with tape as session:
        assert session._running is not None
        controller = session._running.controller
        session.run_offline(QUARTER_S)
        controller.hold("tone.chain", "b", client="key")
        session.run_offline(QUARTER_S)
        controller.release_all("key")
        session.run_offline(QUARTER_S)
    gains = [gain_in(tape, quarter) for quarter in range(3)]
    assert gains == pytest.approx([-6, -20, -6], abs=1e-3)


def test_filters_with_a_memory_are_compared_without_a_click():
    voice = [{"compressor": {"threshold_db": -30, "ratio": 4}}, {"high_pass": {}}, {"limiter": {}}]
    other = [{"gate": {"look_ahead_ms": 5}}, {"eq": {"band1_type": "peak", "band1_db": 3}}]
    tone = {"from": "tone", "gain_db": -10, "filters": voice, "compare": other}
    tape = Tape({**DATA, "tracks": {**DATA["tracks"], "tone": tone}})
    with tape as session:
        for chain in "abab":
            session.set("tone.chain", chain)
            session.run_offline(QUARTER_S)
    heard = tape.heard()
    # Behind what the filters have to settle at the start.
    assert has_no_click(heard[QUARTER // 2 :] - heard[QUARTER // 2], peak=0.5)
    loud = [np.abs(heard[(n + 1) * QUARTER - 4800 : (n + 1) * QUARTER]).max() for n in range(4)]
    assert loud[0] == pytest.approx(loud[2], rel=0.01)
    assert loud[1] == pytest.approx(loud[3], rel=0.01)
    assert loud[1] > 2 * loud[0]


def test_a_name_that_a_filter_of_another_kind_had_can_be_set_at_once():
    """While the old chain is still heard, because the new one has another latency."""

    def voice(*filters: dict[str, Any]) -> Profile:
        return Profile.from_dict(
            {
                "version": 1,
                "session": {"filter_headroom_ms": 100},
                "sources": {"tone": {"synthetic": {"kind": "tone"}}},
                "tracks": {"voice": {"from": "tone", "filters": list(filters)}},
            }
        )

    with Session(voice({"delay": {"name": "x", "delay_ms": 1}}), offline=True) as session:
        session.run_offline(0.1)
        session.apply(voice({"gain": {"name": "x", "gain_db": 0}}, {"limiter": {}}))
        session.set("voice.filter.x.gain_db", -6)
        assert session.get("voice.filter.x.gain_db") == -6
