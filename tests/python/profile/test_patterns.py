# SPDX-License-Identifier: MIT
"""Names that no program has: what is said of them, and of which nothing."""

import pytest

from pypac_obs.profile import Profile
from pypac_obs.profile.patterns import NamedIn, loose_slip_of, slip_of

PATH = "is a path (programs are found by the names of their files)"
REGEX = "is a regular expression (patterns have * and ? alone)"


def warnings(pattern: str, key: str = "process") -> list[str]:
    data = {
        "version": 1,
        "sources": {"s": {key: pattern}},
        "tracks": {"s": {"from": "s"}},
        "outputs": {"files": {}},
    }
    return list(Profile.from_dict(data).warnings)


@pytest.mark.parametrize(
    ("pattern", "why", "meant"),
    [
        ("/usr/bin/vlc", PATH, "vlc"),
        ("C:\\Games\\CS 2\\cs2.exe", PATH, "cs2.exe"),
        ("~/bin/game", PATH, "game"),
        ("./game", PATH, "game"),
        ("*/bin/vlc", PATH, "vlc"),
        ("%ProgramFiles%\\x\\y.exe", PATH, "y.exe"),
        ("/opt/game/run --fullscreen", PATH, "run"),
        ("Discord ", "has a blank at its end or beginning", "Discord"),
        (" Discord", "has a blank at its end or beginning", "Discord"),
        ("Discord\u00a0", "has a blank at its end or beginning", "Discord"),
        ('"Discord"', "has quotes of its own", "Discord"),
        ("'Discord'", "has quotes of its own", "Discord"),
        ("“Discord”", "has quotes of its own", "Discord"),
        ("„Discord“", "has quotes of its own", "Discord"),
        ("Discord”", "has quotes of its own", "Discord"),
        ("Discord,", "has a comma at its end or beginning", "Discord"),
        (",Discord", "has a comma at its end or beginning", "Discord"),
        ("^Discord$", REGEX, "Discord"),
        ("disc.*", REGEX, "disc*"),
        (".*discord.*", REGEX, "*discord*"),
        ("(?i)discord", REGEX, "discord"),
        (r"game-\d+", REGEX, "game-*"),
        (r"cs2\.exe", REGEX, "cs2.exe"),
        ("firefox --no-remote", "is a command with its options", "firefox"),
        ("Discord.lnk", "is a shortcut to a program", "Discord"),
        ("com.discordapp.Discord.desktop", "is a shortcut to a program", "com.discordapp.Discord"),
    ],
)
def test_what_no_program_is_called_earns_a_warning_with_what_was_meant(
    pattern: str, why: str, meant: str
):
    assert warnings(pattern) == [
        f'The source "s": "{pattern}" {why}, so it matches nothing. Write "{meant}".'
    ]


def test_an_invisible_character_is_shown():
    assert warnings("Dis\u200bcord") == [
        'The source "s": "Dis<U+200B>cord" has an invisible character in it (U+200B, zero width '
        'space), so it matches nothing. Write "Discord".'
    ]


def test_a_page_is_no_program():
    [warning] = warnings("https://open.spotify.com")
    assert "a browser plays all pages as one program: name the browser" in warning


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("@DEFAULT_SOURCE@", 'Write "default".'),
        ("hw:0", "`pypac-obs devices` lists those that count"),
        ("speakers.monitor", "{system: true}"),
        ("Monitor of Speakers", "{system: true}"),
        ("“Headset”", 'Write "Headset".'),
        ("Headset ", 'Write "Headset".'),
    ],
)
def test_what_no_input_is_called_earns_a_warning(pattern: str, words: str):
    [warning] = warnings(pattern, "device")
    assert words in warning


@pytest.mark.parametrize(
    "pattern",
    [
        "Discord",
        "Game [Demo]",
        "[A]*",
        "a+b^c$",
        "x{1}",
        "100%",
        "S.T.A.L.K.E.R.",
        "C&C",
        "tom's",
        "'til dawn",
        "Players'",
        "a,b",
        "Hello, World",
        "AC/DC - Live",
        "what?",
        "steam_app_*",
        "com.discordapp.*",
        "*.Netflix_*",
        "weird\\name",
        "PipeWire ALSA [aplay]",
        "می\u200cخواهم",  # noqa: RUF001 - Persian parts letters by U+200C
        "🎙\ufe0f Mic",
    ],
)
def test_real_names_earn_none(pattern: str):
    assert warnings(pattern) == []


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("[Dd]iscord", 'Write "?iscord".'),
        ("game[0-9]", 'Write "game?".'),
        ("Discord|Spotify", '["Discord", "Spotify"]'),
        ("Discord, Spotify", '["Discord", "Spotify"]'),
        ("Discord$", 'Write "Discord".'),
    ],
)
def test_what_some_program_may_be_called_is_told_where_nothing_is(pattern: str, words: str):
    slip = loose_slip_of(pattern)
    assert slip is not None
    assert words in slip.sentence(NamedIn("s", pattern))
    assert slip_of(NamedIn("s", pattern)) is None


def test_names_that_are_left_out_are_looked_at_too():
    data = {
        "version": 1,
        "sources": {
            "a": {"process": ["game", 12], "except": ["Launcher "]},
            "rest": {"everything_except": ["a", {"process": ["/usr/bin/obs", 7]}]},
        },
        "tracks": {"a": {"from": "a"}, "rest": {"from": "rest"}},
        "outputs": {"files": {}},
    }
    assert [one.split(" ", 3)[2] for one in Profile.from_dict(data).warnings] == ['"a":', '"rest":']
