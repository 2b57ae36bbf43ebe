# SPDX-License-Identifier: MIT
"""Live values that are kept for the next run of a profile's file."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.profile import Profile, load_profile
from pypac_obs.session.live_values import MAX_BYTES, RememberedValues, remembered_file

TEXT = """\
version: 1
sources: {mic: {device: default}}
tracks:
  voice: {from: mic, gain_db: GAIN, filters: [{gain: {name: trim, gain_db: 0}}]}
control: {remember: true}
"""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Home:
    """A user's folders, and a profile's file."""

    def __init__(self, folder: Path) -> None:
        self.environ = {
            name: str(folder / "state") for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA")
        }
        self.path = folder / "evening.yaml"
        self.clock = Clock()

    def profile(self, gain: float = 0) -> Profile:
        self.path.write_text(TEXT.replace("GAIN", str(gain)), encoding="utf-8")
        return load_profile(self.path)

    @property
    def file(self) -> Path:
        return remembered_file(self.path, self.environ)

    def values(self) -> RememberedValues:
        return RememberedValues(self.environ, self.clock)

    def put(self, data: str | bytes) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_bytes(data.encode() if isinstance(data, str) else data)

    def load(self, gain: float = 0) -> tuple[dict[str, Any], list[str]]:
        values = self.values()
        return values.load(self.profile(gain)), values.take_warnings()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_what_was_set_is_there_in_the_next_run(home: Home):
    values = home.values()
    assert values.load(home.profile()) == {}
    values.changed({"voice.gain_db": -6.0, "voice.mute": True})
    values.write()
    assert home.load() == ({"voice.gain_db": -6.0, "voice.mute": True}, [])
    assert [one.name for one in home.file.parent.iterdir()] == [home.file.name]
    assert home.file.name.startswith("evening-")
    if sys.platform != "win32":
        assert home.file.stat().st_mode & 0o777 == 0o600
        assert home.file.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_there_and_nothing_is_said_before_anything_was_set(home: Home):
    assert home.load() == ({}, [])
    assert not home.values().due(1e9)


def test_it_is_written_a_second_after_the_last_change_and_not_all_the_time(home: Home):
    values = home.values()
    values.load(home.profile())
    values.changed({"voice.gain_db": -1.0})
    home.clock.now += 0.875
    values.changed({"voice.gain_db": -2.0})
    assert not values.due(home.clock.now + 0.99)
    assert values.due(home.clock.now + 1)
    values.write()
    assert not values.due(home.clock.now + 1)
    assert home.load()[0] == {"voice.gain_db": -2.0}
    # Whoever never stops does not keep the others' changes off the disk.
    for _ in range(80):
        values.changed({"voice.gain_db": -3.0})
        assert not values.due(home.clock.now)
        home.clock.now += 0.125
        values.changed({"voice.gain_db": -4.0})
    assert values.due(home.clock.now)


def test_nothing_is_written_where_nothing_has_changed(home: Home):
    values = home.values()
    values.load(home.profile())
    values.write()
    assert not home.file.exists()


def test_without_live_values_there_is_no_file(home: Home):
    values = home.values()
    values.load(home.profile())
    values.changed({"voice.gain_db": -1.0})
    values.write()
    assert home.file.exists()
    values.changed({})
    values.write()
    assert not home.file.exists()


def test_what_the_profiles_file_says_anew_wins(home: Home):
    values = home.values()
    values.load(home.profile(gain=0))
    values.changed({"voice.gain_db": -6.0, "voice.mute": True})
    values.write()
    assert home.load(gain=0)[0] == {"voice.gain_db": -6.0, "voice.mute": True}
    assert home.load(gain=-3) == ({"voice.mute": True}, [])


def test_a_profile_that_was_applied_meanwhile_is_what_counts_as_said(home: Home):
    values = home.values()
    values.load(home.profile(gain=0))
    applied = home.profile(gain=-3)
    values.changed({"voice.gain_db": -6.0}, applied)
    values.write()
    assert home.load(gain=-3)[0] == {"voice.gain_db": -6.0}
    assert home.load(gain=0)[0] == {}


def test_a_profile_without_a_file_remembers_nothing(home: Home):
    values = home.values()
    profile = Profile.from_dict(home.profile().model_dump())
    assert values.load(profile) == {}
    values.changed({"voice.gain_db": -6.0})
    values.write()
    assert not home.file.exists()
    assert values.take_warnings() == []


def test_each_file_has_its_own_values_whatever_leads_to_it(home: Home, tmp_path: Path):
    other = tmp_path / "below" / "evening.yaml"
    other.parent.mkdir()
    other.touch()
    home.profile()
    assert remembered_file(other, home.environ) != home.file
    round_about = tmp_path / "below" / ".." / "evening.yaml"
    assert remembered_file(round_about, home.environ) == home.file
    if sys.platform != "win32":
        link = tmp_path / "link.yaml"
        link.symlink_to(home.path)
        assert remembered_file(link, home.environ) == home.file
    for name in ("日本語.yaml", "a b/..;c.yaml", f"{'x' * 200}.yaml", "...yaml"):
        made = remembered_file(tmp_path / name, home.environ).name
        assert made.isascii()
        assert len(made) <= 64


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("9" * 5000, "is not JSON"),
        ("[]", "has no addresses with their values"),
        ("null", "has no addresses with their values"),
        (b" " * (MAX_BYTES + 1), f"has more than {MAX_BYTES} bytes"),
    ],
    ids=["empty", "half", "binary", "deep", "long number", "list", "null", "large"],
)
def test_a_file_that_is_broken_is_ignored_and_told(home: Home, data: str | bytes, why: str):
    home.put(data)
    found, [sentence] = home.load()
    assert found == {}
    assert sentence == f"the values of the last run are ignored: {home.file} {why}"


def test_a_folder_or_link_in_its_place_is_not_opened(home: Home, tmp_path: Path):
    home.file.mkdir(parents=True)
    found, [sentence] = home.load()
    assert found == {}
    assert sentence.endswith("is not a plain file")
    if sys.platform != "win32":
        home.file.rmdir()
        os.mkfifo(home.file)
        assert home.load()[1][0].endswith("is not a plain file")
        home.file.unlink()
        (tmp_path / "there").write_text('{"voice.mute": true}')
        home.file.symlink_to(tmp_path / "there")
        assert home.load()[0] == {}


def test_what_no_longer_fits_is_left_out_with_one_sentence_a_kind(home: Home):
    data = {
        "voice.gain_db": {"value": -6.0, "file": 0.0},
        "voice.mute": {"value": "yes"},
        "voice.filter.trim.gain_db": {"value": float("nan")},
        "voice.filter.trim.bypass": True,
        "voice.send.mic.gain_db": {"value": 1e300},
        "old.gain_db": {"value": 1.0},
        "\x1b[31mred": {"value": 1.0},
        "": None,
    }
    home.put(json.dumps(data))
    found, sentences = home.load()
    assert found == {"voice.gain_db": -6.0, "voice.filter.trim.bypass": True}
    assert sentences == [
        'values of the last run have no place any more: old.gain_db, \\x1b[31mred and ""',
        'a value of the last run is ignored: voice.mute must be true or false, not "yes", '
        "and 2 more like it",
    ]


@pytest.mark.parametrize("entry", [None, [], {}, {"value": {}}, {"value": [1]}, "loud", [["a"]]])
def test_no_entry_is_taken_for_what_it_is_not(home: Home, entry: object):
    home.put(json.dumps({"voice.gain_db": entry}))
    found, [sentence] = home.load()
    assert found == {}
    assert "voice.gain_db must be a number from -120 to 40" in sentence


def test_where_nothing_can_be_written_it_is_said_once(home: Home):
    values = home.values()
    values.load(home.profile())
    home.file.parent.parent.mkdir(parents=True)
    home.file.parent.write_text("in the way")
    for value in (-1.0, -2.0):
        values.changed({"voice.gain_db": value})
        values.write()
        assert not values.due(home.clock.now + 100)
    [sentence] = values.take_warnings()
    assert sentence.startswith("live values cannot be kept for the next run: ")
    values.changed({})
    values.write()
    assert values.take_warnings() == []


def test_where_nobody_has_a_home_it_is_said(home: Home, monkeypatch: pytest.MonkeyPatch):
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    values = RememberedValues({}, home.clock)
    assert values.load(home.profile()) == {}
    assert values.take_warnings() == [
        "the values of the last run cannot be read: Could not determine home directory."
    ]
