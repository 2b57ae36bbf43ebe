# SPDX-License-Identifier: MIT
"""What is said of a value is what is heard of it: faults that other live mixers have had.

CamillaDSP's, for example: a mute was lost by another configuration, and still shown (239); a
volume that was set before the start gave a burst at full level (469); a pop at the start (166).
"""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pypac_obs import Block, Profile, Session

RATE = 48_000
# Its phase is another one in each block of 480 frames; after 25 blocks it is at its peak.
HERTZ = 1003
OWN_STEP = 2 * np.pi * HERTZ / RATE
QUARTER_S = 0.25
QUARTER = 12_000
# A block, and the glide of 10 ms that begins with it.
SETTLED = 960


def document(**track: Any) -> dict[str, Any]:
    """A tone at full scale in two tracks; the keys are those of the track "tone"."""
    return {
        "version": 1,
        "sources": {
            "tone": {"synthetic": {"kind": "tone", "frequency_hz": HERTZ, "level_dbfs": 0}},
            "spare": {"synthetic": {"kind": "tone", "frequency_hz": 50}},
        },
        "tracks": {"tone": {"from": "tone", **track}, "other": {"from": ["tone", "spare"]}},
    }


def profile(data: dict[str, Any]) -> Profile:
    return Profile.from_dict(data)


def trim(gain_db: float) -> dict[str, Any]:
    return {"gain": {"name": "trim", "gain_db": gain_db}}


class Tape:
    """A session without real time, and what was heard of each track."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._blocks: dict[str, list[NDArray[np.float32]]] = {}
        self.session = Session(profile(data), offline=True, on_block=self._take)

    def _take(self, block: Block) -> None:
        for name, audio in block.audio.items():
            self._blocks.setdefault(name, []).append(audio[:, 0].copy())

    def __enter__(self) -> Session:
        return self.session.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.session.__exit__(*error)
        assert self.session.errors == ()

    def heard(self, track: str = "tone") -> NDArray[np.float32]:
        return np.concatenate(self._blocks[track])


def level_db(samples: NDArray[np.float32]) -> float:
    return 20 * np.log10(np.abs(samples).max() + 1e-12)


def has_no_click(samples: NDArray[np.float32], peak: float = 1.0) -> bool:
    """No step is larger than the tone's own, from silence before the first frame on."""
    steps = np.diff(samples, prepend=np.float32(0))
    return bool(np.abs(steps).max() < 1.05 * OWN_STEP * peak)


def changes() -> Iterator[Any]:
    """Other profiles, none of which says anything new of the track's fader or mute."""
    data = document()

    def changed(**sections: dict[str, Any]) -> dict[str, Any]:
        made = copy.deepcopy(data)
        for section, items in sections.items():
            made.setdefault(section, {}).update(items)
        return made

    yield pytest.param(changed(tracks={"more": {"from": "spare"}}), id="a track more")
    yield pytest.param(changed(tracks={"other": {"from": "tone"}}), id="another send elsewhere")
    filters = [trim(0)]
    yield pytest.param(
        changed(tracks={"tone": {"from": "tone", "filters": filters}}), id="a filter"
    )
    both = {"from": ["tone", "spare"]}
    yield pytest.param(changed(tracks={"tone": both}), id="a source more")
    low = {"synthetic": {"kind": "tone", "frequency_hz": 100, "level_dbfs": 0}}
    yield pytest.param(changed(sources={"tone": low}), id="another source")
    yield pytest.param(data, id="the same")


@pytest.mark.parametrize("other", list(changes()))
def test_a_mute_is_not_lost_by_another_profile(other: dict[str, Any]):
    tape = Tape(document())
    with tape as session:
        session.run_offline(QUARTER_S)
        session.set("tone.mute", True)
        session.run_offline(QUARTER_S)
        session.apply(profile(other))
        assert session.get("tone.mute") is True
        session.run_offline(QUARTER_S)
        session.apply(profile(document()))
        assert session.get("tone.mute") is True
        session.run_offline(QUARTER_S)
        session.set("tone.mute", False)
        assert session.get("tone.mute") is False
        session.run_offline(QUARTER_S)
    heard = tape.heard()
    assert level_db(heard[:QUARTER]) == pytest.approx(0, abs=0.1)
    assert not heard[QUARTER + SETTLED : 4 * QUARTER].any()
    assert level_db(heard[-QUARTER // 2 :]) == pytest.approx(0, abs=0.1)
    assert has_no_click(heard)
    [muted] = [one for one in session.incidents if one.cause == "track_muted"]
    assert abs(muted.frames - 3 * QUARTER) <= SETTLED


@pytest.mark.parametrize("other", list(changes()))
def test_a_fader_that_was_set_is_not_lost_by_another_profile(other: dict[str, Any]):
    tape = Tape(document())
    with tape as session:
        session.set("tone.gain_db", -40)
        session.run_offline(QUARTER_S)
        session.apply(profile(other))
        assert session.get("tone.gain_db") == -40
        at = session.position
        session.run_offline(QUARTER_S)
    # At most both tones at once, at no moment more.
    assert level_db(tape.heard()[at:]) < -40 + 6.1
    assert level_db(tape.heard()[-QUARTER // 2 :]) > -41


def test_where_the_file_says_something_new_that_is_heard_and_told():
    tape = Tape(document())
    with tape as session:
        session.set("tone.mute", True)
        session.set("tone.gain_db", -20)
        session.run_offline(QUARTER_S)
        session.apply(profile(document(gain_db=-40)))
        assert (session.get("tone.mute"), session.get("tone.gain_db")) == (True, -40)
        session.run_offline(QUARTER_S)
        session.set("tone.mute", False)
        session.run_offline(QUARTER_S)
        session.apply(profile(document(gain_db=-40, mute=True)))
        assert session.get("tone.mute") is True
        session.run_offline(QUARTER_S)
    heard = tape.heard()
    assert not heard[SETTLED : 2 * QUARTER].any()
    loud = heard[2 * QUARTER + SETTLED : 3 * QUARTER]
    assert level_db(loud) == pytest.approx(-40, abs=0.1)
    assert not heard[3 * QUARTER + SETTLED :].any()
    assert has_no_click(heard)


QUIET = [
    pytest.param({"gain_db": -40}, id="fader"),
    pytest.param({"from": {"source": "tone", "gain_db": -40}}, id="send"),
    pytest.param({"filters": [trim(-40)]}, id="filter"),
    pytest.param({"gain_db": -20, "filters": [trim(-20)]}, id="both"),
]


@pytest.mark.parametrize("track", QUIET)
def test_the_first_block_has_the_profiles_level(track: dict[str, Any]):
    tape = Tape(document(**track))
    with tape as session:
        session.run_offline(QUARTER_S)
    assert level_db(tape.heard()) == pytest.approx(-40, abs=0.1)
    assert has_no_click(tape.heard(), peak=0.01)


def test_a_track_that_is_muted_from_the_start_is_silent_from_the_first_frame():
    tape = Tape(document(mute=True))
    with tape as session:
        session.run_offline(QUARTER_S)
    assert not tape.heard().any()
    assert tape.heard("other").any()


@pytest.mark.parametrize(
    "address", ["tone.gain_db", "tone.send.tone.gain_db", "tone.filter.trim.gain_db"]
)
def test_what_is_set_just_after_the_start_has_its_level_from_the_first_block(address: str):
    tape = Tape(document(filters=[trim(0)]))
    with tape as session:
        session.set(address, -40)
        session.run_offline(QUARTER_S)
    assert level_db(tape.heard()) == pytest.approx(-40, abs=0.1)


def test_a_mute_and_a_bypass_that_are_set_just_after_the_start_hold_from_the_first_frame():
    tape = Tape(document(filters=[{"gain": {"name": "trim", "gain_db": 0, "bypass": True}}]))
    with tape as session:
        session.set("tone.filter.trim.gain_db", -40)
        session.set("tone.filter.trim.bypass", False)
        session.set("other.mute", True)
        session.run_offline(QUARTER_S)
    assert level_db(tape.heard()) == pytest.approx(-40, abs=0.1)
    assert not tape.heard("other").any()


def test_a_file_that_is_applied_just_after_the_start_has_its_levels_from_the_first_block():
    tape = Tape(document(filters=[trim(0)]))
    quiet = {"from": {"source": "tone", "gain_db": -20}, "gain_db": -10, "filters": [trim(-10)]}
    with tape as session:
        session.apply(profile(document(**quiet)))
        session.run_offline(QUARTER_S)
    assert level_db(tape.heard()) == pytest.approx(-40, abs=0.1)


@pytest.mark.parametrize("track", QUIET)
def test_a_track_that_comes_later_has_its_level_from_its_first_block(track: dict[str, Any]):
    before = document()
    del before["tracks"]["tone"]
    tape = Tape(before)
    with tape as session:
        session.run_offline(QUARTER_S)
        session.apply(profile(document(**track)))
        session.run_offline(QUARTER_S)
    heard = tape.heard()
    assert level_db(heard) == pytest.approx(-40, abs=0.1)
    assert has_no_click(heard, peak=0.01)


@pytest.mark.parametrize("blocks", range(23, 28))
def test_neither_the_start_nor_a_mute_nor_its_end_pops(blocks: int):
    tape = Tape(document(filters=[trim(0)]))
    with tape as session:
        for muted in (True, False, True, False):
            session.run_offline(blocks / 100)
            session.set("tone.mute", muted)
        session.run_offline(blocks / 100)
    heard = tape.heard()
    assert has_no_click(heard)
    length = blocks * 480
    for part, silent in enumerate((False, True, False, True, False)):
        inside = heard[part * length + SETTLED : (part + 1) * length]
        assert bool(inside.any()) is not silent


def test_muting_and_unmuting_within_a_block_is_as_if_nothing_was_done():
    tape = Tape(document())
    with tape as session:
        session.run_offline(QUARTER_S)
        for _ in range(10):
            session.set("tone.mute", True)
            session.set("tone.mute", False)
        session.run_offline(QUARTER_S)
    plain = Tape(document())
    with plain as session:
        session.run_offline(2 * QUARTER_S)
    np.testing.assert_array_equal(tape.heard(), plain.heard())
