# SPDX-License-Identifier: MIT
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypac_obs.model import addresses, clean_value, find
from pypac_obs.model.ranges import Range, range_of
from pypac_obs.profile import Profile


def profile() -> Profile:
    tracks: dict[str, Any] = {
        "voice": {"from": {"source": "mic"}, "filters": [{"gain": {"gain_db": -6}}]}
    }
    return Profile.from_dict(
        {"version": 1, "sources": {"mic": {"device": "default"}}, "tracks": tracks}
    )


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("voice.gain_db", Range("dB", -120, 40)),
        ("voice.send.mic.gain_db", Range("dB", -120, 40)),
        ("voice.filter.gain.gain_db", Range("dB", -120, 40)),
        ("voice.mute", None),
        ("voice.filter.gain.bypass", None),
    ],
)
def test_numbers_have_a_range_and_switches_have_none(address: str, expected: Range | None):
    assert range_of(find(profile(), address)) == expected


def test_both_ends_of_each_range_are_valid_values():
    ranges = {one: found for one in addresses(profile()) if (found := range_of(one))}
    assert len(ranges) == 3
    for target, found in ranges.items():
        for end in (found.lowest, found.highest):
            assert clean_value(target, found.clamp(end)) == end


@given(
    begin=st.floats(20, 20_000),
    end=st.floats(20, 20_000),
    share=st.floats(0, 1),
    whole=st.booleans(),
    logarithmic=st.booleans(),
)
def test_the_way_stays_between_its_ends_and_comes_to_the_last_exactly(
    begin: float, end: float, share: float, whole: bool, logarithmic: bool
):
    if whole:
        begin, end = round(begin), round(end)
    found = Range("Hz", 20, 20_000, whole, logarithmic)
    value = found.between(begin, end, share)
    assert min(begin, end) - 1e-6 <= value <= max(begin, end) + 1e-6
    assert isinstance(value, int) or not whole
    assert found.between(begin, end, 1) == end
    assert found.clamp(1e9) == 20_000
