# SPDX-License-Identifier: MIT
"""What was meant by a name that nothing has, from what runs and what was seen before."""

from pathlib import Path

import pytest

import pypac_obs.likely_names as likely
from pypac_obs.input_devices import InputDevice
from pypac_obs.likely_names import NamesHere, likely_names
from pypac_obs.profile import Profile
from pypac_obs.seen_programs import remember, seen


def profile_of(source: dict[str, object]) -> Profile:
    data = {
        "version": 1,
        "sources": {"s": source},
        "tracks": {"s": {"from": "s"}},
        "outputs": {"files": {}},
    }
    return Profile.from_dict(data)


def said(source: dict[str, object], **here: object) -> list[str]:
    return likely_names(profile_of(source), NamesHere(**({"playing": ()} | here)))[0]  # type: ignore[arg-type]


def microphone(name: str) -> InputDevice:
    return InputDevice(name, name, f"alsa_input.{name}", False, False, 2, 48_000)


HERE = 'The source "s": nothing here is called'


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Discrod", "Discord"),
        ("discordd", "Discord"),
        ("DISCRD", "Discord"),
        ("spotfy", "Spotify.exe"),
        ("chrome", "Google Chrome"),
        ("cafe", "Café"),
        ("музика", "Музыка"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_of_what_plays(name: str, meant: str):
    playing = ("Discord", "Spotify.exe", "Google Chrome", "Café", "Музыка")
    assert said({"process": name}, playing=playing) == [f'{HERE} "{name}". Did you mean "{meant}"?']


def test_what_plays_comes_before_what_was_seen_and_what_runs():
    names = {"playing": ("Discord",), "before": ("Discordia",), "running": ("Discorde",)}
    assert said({"process": "Discor"}, **names) == [f'{HERE} "Discor". Did you mean "Discord"?']
    del names["playing"]
    assert said({"process": "Discor"}, **names) == [f'{HERE} "Discor". Did you mean "Discordia"?']
    del names["before"]
    assert said({"process": "Discor"}, **names) == [f'{HERE} "Discor". Did you mean "Discorde"?']


@pytest.mark.parametrize(
    "source",
    [
        {"process": "cs2"},  # it may just not run
        {"process": "discord"},  # it does
        {"process": "discord.exe"},
        {"process": 4711},
        {"process": "dis?rod*"},  # a pattern
        {"process": "OldGame"},  # it ran before
    ],
)
def test_nothing_is_said_where_nothing_is_misspelt(source: dict[str, object]):
    assert said(source, playing=("Discord",), before=("oldgame", "OldGames")) == []


def test_names_of_which_another_is_here_or_means_the_nearest_are_fine():
    names = ["discord", "discord-canary", "vesktop"]
    assert said({"process": names}, playing=("Discord",), found=frozenset({"s"})) == []
    data = {
        "version": 1,
        "sources": {"a": {"process": "discord"}, "b": {"process": "discord-canary"}},
        "tracks": {"a": {"from": ["a", "b"]}},
        "outputs": {"files": {}},
    }
    here = NamesHere(playing=("Discord",), found=frozenset({"a"}))
    assert likely_names(Profile.from_dict(data), here) == ([], [])


def test_an_exclusion_that_is_misspelt_is_told_too():
    source = {"everything_except": [{"process": ["Discrod", "obs"]}]}
    here = {"playing": ("Discord",), "running": ("obs",), "found": frozenset({"s"})}
    assert said(source, **here) == [f'{HERE} "Discrod". Did you mean "Discord"?']


def test_an_input_by_a_part_of_its_name_gets_the_whole():
    inputs = (microphone("Scarlett 2i2 USB"), microphone("Webcam"))
    assert said({"device": "Scarlett"}, inputs=inputs) == [
        'The source "s": no input is called "Scarlett". Did you mean "Scarlett 2i2 USB"?'
    ]
    assert said({"device": "webcam"}, inputs=inputs) == []
    assert said({"device": "default"}, inputs=()) == []


def test_a_warning_is_taken_back_where_a_program_has_that_name():
    profile = profile_of({"process": '"Quoted"'})
    [warning] = profile.warnings
    sentences, refuted = likely_names(profile, NamesHere(playing=('"Quoted"',)))
    assert (sentences, refuted) == ([], [warning])
    assert likely_names(profile, NamesHere(playing=("Quoted",))) == ([], [])
    by_title = NamesHere(playing=("game",), found=frozenset({"s"}))
    assert likely_names(profile, by_title) == ([], [warning])


def test_programs_are_remembered_the_latest_first(tmp_path: Path):
    environ = {"XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path), "HOME": "/nowhere"}
    assert seen(environ) == []
    remember(["Discord", "", "音楽"], environ)
    remember(["cs2", "Discord"], environ)
    assert seen(environ) == ["cs2", "Discord", "音楽"]
    remember([f"p{number}" for number in range(500)], environ)
    assert len(seen(environ)) == 200
    (tmp_path / "pypac-obs" / "programs.json").write_text("{broken")
    assert seen(environ) == []
    remember(["again"], environ)
    assert seen(environ) == ["again"]
    assert len(list((tmp_path / "pypac-obs").iterdir())) == 1


def test_where_nothing_can_be_remembered_nothing_happens(tmp_path: Path):
    (tmp_path / "file").write_text("")
    environ = {"XDG_STATE_HOME": str(tmp_path / "file"), "LOCALAPPDATA": str(tmp_path / "file")}
    remember(["Discord"], environ | {"HOME": str(tmp_path)})
    assert seen(environ | {"HOME": str(tmp_path)}) == []


def test_a_system_that_does_not_tell_its_processes_costs_only_the_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: object) -> object:
        raise OSError(87, "Invalid parameter")

    monkeypatch.setattr("psutil.process_iter", refuse)
    assert likely.running() == []
