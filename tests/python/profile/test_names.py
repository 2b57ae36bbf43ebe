# SPDX-License-Identifier: MIT
"""Names of sources and tracks in any script, and what `record` calls its tracks."""

import re
import unicodedata

import pytest
from jsonschema import Draft202012Validator

from pypac_obs.errors import ProfileError
from pypac_obs.profile import Profile, parse_profile
from pypac_obs.profile.names import NAME_PATTERN, as_track_name, is_name, name_key
from pypac_obs.recorder import profile_for_programs

GOOD = [
    "game",
    "Музыка 2",
    "音声",
    "हिन्दी",
    "สวัสดี",
    "Ünïcödé",
    "می\u200cخواهم",  # noqa: RUF001 - Persian parts letters by U+200C
    "🎮",
    "🎙\ufe0f Mic",
    "Game [Demo]",
    "(old) tom's & Co",
    "𐐔𐐯𐑅",
]
BAD = [
    "",
    "-a",
    ".a",
    " a",
    "a/b",
    "a\\b",
    "a:b",
    "a*",
    "what?",
    'say "hi"',
    "a<b",
    "$HOME",
    "{date}",
    "a\u00a0b",  # a no-break space
    "a\u200bb",  # one of no width
    "a\u202eb",  # turns round what follows
    "a\u200cb",  # joins nothing in Latin
    "e" * 65,
    "日" * 27,
    "\u0301",
]


def data_of(name: str) -> dict[str, object]:
    return {
        "version": 1,
        "sources": {name: {"synthetic": {"kind": "tone"}}},
        "tracks": {name: {"from": name}},
    }


@pytest.mark.parametrize("name", GOOD)
def test_a_name_may_be_in_any_script(name: str):
    assert is_name(name)
    profile = Profile.from_dict(data_of(name))
    assert list(profile.tracks) == [name]
    assert Draft202012Validator(Profile.json_schema()).is_valid(data_of(name))


@pytest.mark.parametrize("name", BAD)
def test_what_no_file_system_holds_or_nobody_sees_is_no_name(name: str):
    assert not is_name(name)
    with pytest.raises(ProfileError):
        Profile.from_dict(data_of(name))


def test_editors_take_for_names_at_least_what_are_names_and_no_signs():
    for number in range(0x20, 0x7F):
        for text in (chr(number), f"a{chr(number)}b"):
            assert bool(re.search(NAME_PATTERN, text)) == is_name(text), text


def test_normal_forms_of_a_name_are_one_name():
    short, long = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    assert short != long
    profile = parse_profile(
        f"version: 1\nsources: {{{long}: {{process: cafe}}}}\n"
        f"tracks: {{{short}: {{from: {short}}}, rest: {{from: [{{source: {long}}}]}}}}\n"
        f"outputs: {{files: {{tracks: [{long}]}}, obs: {{tracks: {{{long}: 2}}}}}}\n"
    )
    assert list(profile.sources) == [short]
    assert [track.sends[0].source for track in profile.tracks.values()] == [short, short]


@pytest.mark.parametrize(("one", "other"), [("МУЗЫКА", "музыка"), ("Straße", "STRASSE")])
def test_names_differ_in_more_than_case_in_any_script(one: str, other: str):
    assert name_key(one) == name_key(other)
    data = data_of(one)
    data["tracks"] = {one: {"from": one}, other: {"from": one}}
    with pytest.raises(ProfileError, match="differs from the others in more than case"):
        Profile.from_dict(data)


PROGRAMS = [
    "音楽",
    "日本語",
    "???",
    "*",
    "!!!",
    "Discord",
    "DISCORD",
    "discord.exe",
    "Game [Demo]",
    "Game (Demo)",
    "game [demo]",
    "nul",
    "a/b",
    "a:b",
    "\u0301",
    "…",
    "日" * 100,
    "日" * 101,
    "t" * 200,
    "Café",
    "Cafe\u0301",
]


def test_record_names_its_tracks_recognisably_and_never_alike():
    names = list(profile_for_programs(PROGRAMS).tracks)
    assert len({name_key(name) for name in names}) == len(PROGRAMS)
    assert not any(re.fullmatch(r"program( \d+)?", name) for name in names)
    assert names[:2] == ["音楽", "日本語"]
    assert names[2:5] == ["question mark", "asterisk", "exclamation mark"]
    assert names[5:8] == ["Discord", "DISCORD 2", "discord.exe"]
    assert names[8:11] == ["Game [Demo]", "Game (Demo)", "game [demo] 2"]


def test_what_a_program_is_called_is_kept_where_it_can_be():
    for name in GOOD:
        assert as_track_name(name) == unicodedata.normalize("NFC", name)
