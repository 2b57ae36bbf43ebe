# SPDX-License-Identifier: MIT
from typing import Any

import pytest

from pypac_obs.errors import InvalidValue, UnknownAddress
from pypac_obs.model import addresses, clean_value, find, value_of, with_value
from pypac_obs.profile import Profile


def profile(**tracks: Any) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "sources": {"mic": {"device": "default"}, "cs2.exe": {"process": "cs2"}},
            "tracks": {
                "voice": {
                    "from": ["mic", {"source": "cs2.exe", "gain_db": -3}],
                    "filters": [
                        {"gain": {"gain_db": -6}},
                        {"gain": {"name": "makeup", "gain_db": 2}},
                    ],
                },
                **tracks,
            },
        }
    )


def test_everything_that_can_be_set_has_an_address():
    assert [one.address for one in addresses(profile())] == [
        "voice.gain_db",
        "voice.mute",
        "voice.send.mic.gain_db",
        "voice.send.cs2.exe.gain_db",
        "voice.filter.gain.gain_db",
        "voice.filter.gain.bypass",
        "voice.filter.makeup.gain_db",
        "voice.filter.makeup.bypass",
    ]


@pytest.mark.parametrize(
    ("address", "value"),
    [
        ("voice.gain_db", -3.5),
        ("voice.mute", True),
        ("voice.send.cs2.exe.gain_db", 4.0),
        ("voice.filter.makeup.gain_db", 1.0),
        ("voice.filter.gain.bypass", True),
    ],
)
def test_a_value_is_where_it_was_put_and_nothing_else_is_different(address: str, value: Any):
    before = profile()
    target = find(before, address)
    after = with_value(before, target, clean_value(target, value))
    assert value_of(after, target) == value
    assert value_of(before, target) != value
    changed = [one for one in addresses(after) if value_of(after, one) != value_of(before, one)]
    assert changed == [target]
    # What was set is a profile that can be written down.
    assert Profile.from_dict(after.model_dump(mode="json")) == after


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("voice.gian_db", "Did you mean voice.gain_db?"),
        ("voice.filter.make.gain_db", "Did you mean voice.filter.makeup.gain_db?"),
        ("zzz", "An address begins with a track: voice."),
        ("voice.zzzzzzzzzzzzz", "voice has voice.gain_db, "),
    ],
)
def test_an_unknown_address_tells_the_nearest_or_what_there_is(address: str, remedy: str):
    with pytest.raises(UnknownAddress) as caught:
        find(profile(), address)
    assert caught.value.remedy.startswith(remedy)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("address", "value", "message"),
    [
        ("voice.gain_db", 41, "voice.gain_db must be a number from -120 to 40, not the number 41"),
        ("voice.gain_db", "loud", 'voice.gain_db must be a number from -120 to 40, not "loud"'),
        ("voice.gain_db", float("nan"), "voice.gain_db must be a number from -120 to 40"),
        ("voice.mute", 1, "voice.mute must be true or false, not the number 1"),
        ("voice.filter.gain.gain_db", None, "voice.filter.gain.gain_db must be a number from -120"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_what_can(address: str, value: Any, message: str):
    with pytest.raises(InvalidValue) as caught:
        clean_value(find(profile(), address), value)
    assert str(caught.value).startswith(message)


def test_of_tracks_with_dots_the_longest_name_counts():
    both = profile(**{"voice.filter": {"from": "mic"}})
    assert find(both, "voice.filter.gain_db").track == "voice.filter"
    assert find(both, "voice.filter.gain.gain_db").track == "voice"
