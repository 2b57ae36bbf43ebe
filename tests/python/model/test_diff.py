# SPDX-License-Identifier: MIT
import copy
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.model import ProfileDiff, diff
from pypac_obs.model.addresses import find
from pypac_obs.model.layers import ProfileLayers
from pypac_obs.profile import Profile

BASE: dict[str, Any] = {
    "version": 1,
    "sources": {
        "game": {"process": "game.exe"},
        "mic": {"device": "default"},
        "rest": {"everything_except": ["game"]},
    },
    "tracks": {
        "game": {"from": "game", "filters": [{"gain": {"gain_db": -6}}]},
        "voice": {"from": ["mic"]},
        "rest": {"from": "rest"},
    },
    "outputs": {"files": {"folder": "x"}},
}


def changed(*path: str, to: Any) -> Profile:
    data = copy.deepcopy(BASE)
    at: Any = data
    for key in path[:-1]:
        at = at[key]
    if to is None:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return Profile.from_dict(data)


@pytest.mark.parametrize(
    ("profile", "lines"),
    [
        (Profile.from_dict(BASE), []),
        (changed("tracks", "game", "gain_db", to=-3), ["~ game.gain_db: 0 -> -3"]),
        (changed("tracks", "voice", "mute", to=True), ["~ voice.mute: false -> true"]),
        (
            changed("tracks", "game", "filters", to=[{"gain": {"gain_db": -9}}]),
            ["~ game.filter.gain.gain_db: -6 -> -9"],
        ),
        (
            changed("tracks", "game", "filters", to=[]),
            ["~ track game: other sends or filters"],
        ),
        (
            changed("tracks", "voice", "from", to=["mic", "game"]),
            ["~ track voice: other sends or filters"],
        ),
        # What everything_except leaves out is part of what it captures.
        (changed("sources", "game", to={"process": "new.exe"}), ["~ source game", "~ source rest"]),
        (changed("sources", "new", to={"system": True}), ["+ source new"]),
        (changed("tracks", "rest", to=None), ["- track rest"]),
        (changed("tracks", "new", to={"from": "mic"}), ["+ track new"]),
        (changed("outputs", "files", to={"folder": "y"}), ["~ output files"]),
        (changed("outputs", "files", to=None), ["- output files"]),
        (changed("outputs", "flac", to={"files": {"format": "flac"}}), ["+ output flac"]),
        (
            changed("session", to={"sample_rate": 44100}),
            ["! session.sample_rate takes a restart of the session"],
        ),
        (
            changed("tracks", "voice", "channels", to=1),
            ["! tracks.voice.channels takes a restart of the session"],
        ),
        (
            changed("control", to={"port": 14800, "enabled": False, "remember": True}),
            [
                "! control.enabled takes a restart of the session",
                "! control.port takes a restart of the session",
            ],
        ),
        (changed("control", to={"remember": True}), []),
    ],
)
def test_what_is_different_is_told_object_by_object(profile: Profile, lines: list[str]):
    difference = diff(Profile.from_dict(BASE), profile)
    assert list(difference.lines()) == lines
    assert bool(difference) == bool(lines)


def test_what_was_set_stays_until_the_file_says_something_new_of_it():
    layers = ProfileLayers(Profile.from_dict(BASE))
    for address, value in (("game.gain_db", -1.0), ("voice.mute", True), ("rest.gain_db", -2.0)):
        layers.set(find(layers.present, address), value)
    data = copy.deepcopy(BASE)
    data["tracks"]["game"]["gain_db"] = -20
    del data["tracks"]["rest"]
    after = layers.applied(Profile.from_dict(data))
    assert after.present.tracks["game"].gain_db == -20
    assert after.present.tracks["voice"].mute
    assert dict(after.live) == {"voice.mute": True}
    assert not after.written.tracks["voice"].mute


def test_a_plugin_in_another_file_is_another_one(tmp_path: Path):
    def profile(folder: str) -> Profile:
        data = {
            "version": 1,
            "sources": {"radio": {"use": "own.py:Radio"}, "mic": {"device": "default"}},
            "tracks": {
                "radio": {"from": "radio"},
                "voice": {"from": "mic", "filters": [{"plugin": {"use": "own.py:Gain"}}]},
            },
            "outputs": {"meter": {"plugin": {"use": "own.py:Meter"}}},
        }
        return Profile.from_dict(data, file=tmp_path / folder / "a.yaml")

    found = diff(profile("one"), profile("two"))
    assert found == ProfileDiff(
        changed_sources=("radio",), rerouted=("voice",), changed_outputs=("meter",)
    )
    assert not diff(profile("one"), profile("one/../one"))
    assert not diff(profile("one"), profile("one"))
