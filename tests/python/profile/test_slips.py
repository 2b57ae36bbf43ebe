# SPDX-License-Identifier: MIT
"""Slips of the pen that YAML reads in its own way: the message names the cause."""

import re

import pytest

from pypac_obs.errors import ProfileError
from pypac_obs.profile import parse_profile
from pypac_obs.profile.slips import slips_in

HEAD = "version: 1\nsources:\n  game: {process: cs2}\n"
TRACKS = "tracks:\n  game: {from: game}\n"


def mistakes(text: str) -> list[str]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, "p.yaml")
    return [re.sub(r"^p\.yaml:", "", line) for line in str(caught.value).split("\n")]


NO_BREAK = "a no-break space (U+00A0): delete it and press the space bar"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            HEAD + "\u00a0\u00a0chat: {process: Discord}\n" + TRACKS,
            [f"4:1: expected plain spaces, found {NO_BREAK}"],
        ),
        (
            HEAD + "tracks:\n  game:\u00a0{from: game}\n",
            [f"5:8: expected plain spaces, found {NO_BREAK}"],
        ),
        (
            HEAD + "tracks:\n  game: {from:\u3000game}\n",
            [
                "5:15: expected plain spaces, found an ideographic space (U+3000): "
                "delete it and press the space bar"
            ],
        ),
        (
            HEAD + "tracks:\n  game\u200b: {from: game}\n  a: {from: game}\n",
            [
                "5:7: expected plain spaces, found a zero width space (U+200B): "
                "delete it and press the space bar"
            ],
        ),
        (
            "version: 1\nsources:\n  game: {process:cs2}\n" + TRACKS,
            [
                '3:10: expected a space after the colon ("process: cs2"), '
                'found "process:" without one'
            ],
        ),
        (
            "version:1\nsources:\n  game: {process: cs2}\n" + TRACKS,
            ['1:1: expected a space after the colon ("version: 1"), found "version:" without one'],
        ),
        (
            HEAD + "tracks:\n  game:\n    from:game\n",
            ['6:5: expected a space after the colon ("from: game"), found "from:" without one'],
        ),
        (
            HEAD + "tracks:\n  game: {from\uff1agame}\n",
            ['5:10: expected a plain colon and a space ("from: game"), found a full-width colon'],
        ),
        (
            HEAD + "tracks:\n  game: {from: [{source: game, gain_db: 3,5}]}\n",
            ['5:41: expected a decimal point ("3.5"), found "3,5"'],
        ),
        (
            HEAD + "session:\n  latency_ms: 12,5\n" + TRACKS,
            ['5:15: expected a decimal point ("12.5"), found "12,5"'],
        ),
        (
            HEAD + "session: {sample_rate: 48,000}\n" + TRACKS,
            ['4:24: expected a number without a comma ("48000", or "48.000"), found "48,000"'],
        ),
        (
            HEAD + TRACKS + "outputs: {obs: {tracks: {game: {to: 1,2}}}}\n",
            ['6:37: expected a list in brackets ("[1, 2]"), found "1,2"'],
        ),
        (
            HEAD + "session: {latency_ms: 40ms, sample_rate: 48 kHz}\n" + TRACKS,
            [
                '4:23: expected a number without a unit ("40"), found "40ms"',
                '4:42: expected a number in Hz, without a unit ("48000"), found "48 kHz"',
            ],
        ),
        (
            HEAD + "tracks:\n  game: {from: game, gain_db: -6 dB}\n",
            ['5:31: expected a number without a unit ("-6"), found "-6 dB"'],
        ),
        (
            HEAD + "session: {latency_ms: 0.04 s}\n" + TRACKS,
            ['4:23: expected a number in ms, without a unit ("40"), found "0.04 s"'],
        ),
        (
            HEAD + "tracks:\n  game: {from: game, gain_db: '-6 dB'}\n",
            [
                "5:31: tracks.game.gain_db: expected a number from -120 to 40, without quotes and "
                'unit (-6), found "-6 dB"'
            ],
        ),
        (
            HEAD + "tracks:\n  game: {from: [{source: game, gain_db: \u22123}]}\n",
            ['5:41: expected a plain minus ("-3"), found "\u22123" with a minus sign'],
        ),
        (
            "version: 1\nsources:\n  game:\n    process: &Co\n" + TRACKS,
            ['4:14: expected text in quotes ("&Co..."), found an unquoted "&"'],
        ),
        (
            "version: 1\nsources:\n  game:\n    process: &Co Game\n" + TRACKS,
            ['4:14: expected text in quotes ("&Co..."), found an unquoted "&"'],
        ),
        (
            HEAD + TRACKS + "outputs:\n  files: {folder: {date}}\n",
            ['7:19: expected text in quotes ("...{date}..."), found an unquoted "{date}"'],
        ),
        (
            HEAD + TRACKS + "outputs:\n  files:\n    name: {track}-{date}\n",
            [
                '8:11: expected text in quotes ("...{track}..."), found an unquoted "{track}"',
                '8:19: expected text in quotes ("...{date}..."), found an unquoted "{date}"',
            ],
        ),
        (
            HEAD + TRACKS + "outputs:\n  files: {folder: ~/Recordings/{date}, format: wav}\n",
            ['7:32: expected text in quotes ("...{date}..."), found an unquoted "{date}"'],
        ),
        (
            HEAD + "tracks:\n  “game”: {from: game}\n",
            [
                '5:3: expected plain quotes (" or \'), found "“" (a left double quotation mark)',
            ],
        ),
        (
            HEAD + TRACKS + 'outputs:\n  files: {folder: out, name: "{track}.wav"}\n',
            [
                "7:30: outputs.files.name: expected a name without its ending "
                '("{track}"; `format` says which), found "{track}.wav"'
            ],
        ),
        (
            HEAD + TRACKS + 'outputs: {files: {name: "{track} raw.FLAC", format: flac}}\n',
            [
                "6:25: outputs.files.name: expected a name without its ending "
                '("{track} raw"; `format` says which), found "{track} raw.FLAC"'
            ],
        ),
    ],
)
def test_a_slip_is_named_in_place_of_what_it_causes(text: str, expected: list[str]):
    assert mistakes(text) == expected


def test_mistakes_on_other_lines_stay():
    text = HEAD + "  chat: {process:Discord}\ntracks:\n  game: {from: gane}\n"
    assert mistakes(text) == [
        '4:10: expected a space after the colon ("process: Discord"), found "process:" without one',
        '6:16: tracks.game.from: expected the name of a source (game or chat), found "gane"; '
        'did you mean "game"?',
    ]


def test_blanks_and_quotes_inside_names_hide_no_mistake():
    text = HEAD + "  chat: {proc: ゲーム\u3000タイトル “x”}\n" + TRACKS
    assert mistakes(text) == [
        "4:10: sources.chat.proc: expected one of process, everything_except, device, system, "
        'synthetic or use, found "proc"; did you mean "process"?'
    ]


def test_what_looks_like_a_slip_is_none_where_nothing_is_wrong():
    profile = parse_profile(
        "version: 1\nsources:\n"
        "  a: {process: ゲーム\u3000タイトル}\n"
        "  b: {process: 'key:value 3,5 {date} “x”'}\n"
        "  c: {process: &who cs2}\n"
        "  d: {process: *who}\n"
        "  e: {process: R&D}\n"
        "tracks: {a: {from: [a, b, c, d, e]}}\n"
        "outputs:\n  files:\n    folder: C:\\Recordings\\{date}\n    name: mix.v2\n"
    )
    assert [source.process for source in profile.sources.values()] == [
        ("ゲーム\u3000タイトル",),
        ("key:value 3,5 {date} “x”",),
        ("cs2",),
        ("cs2",),
        ("R&D",),
    ]


@pytest.mark.parametrize(
    "line",
    [
        'name: "a:b 3,5 {date}"',
        "folder: 'C:x' # from:game {date}",
        "folder: D:\\Recordings",
        "url: http://localhost",
        "to: [1, 2]",
        "gain_db: 3.5",
        "process: tom's game",
    ],
)
def test_quotes_comments_and_paths_hold_no_slips(line: str):
    assert slips_in(line) == []


def test_a_password_is_not_shown():
    secret = "hunter,2"
    for line in ("password:hunter", "password: {env:hunter}", "password: 3,5", "password: 7 dB"):
        text = HEAD + TRACKS + f"outputs:\n  obs:\n    tracks: {{game: 2}}\n    {line}\n"
        shown = "\n".join(mistakes(text))
        assert "hunter" not in shown, (secret, shown)
        assert "3,5" not in shown
        assert "7 dB" not in shown


def test_a_long_line_is_looked_at_in_bounded_time():
    assert slips_in("a-" * 4999) == []
    assert slips_in("a" * 20_000 + ":b") == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("- leveller: {target_lufs: -18 LUFS}", 'a number without a unit ("-18")'),
        ("- gate: {attack_ms: 0.5 s, hold_ms: 10}", 'a number in ms, without a unit ("500")'),
        ("- compressor: {mix: 50 %}", 'a share of 1, without a unit ("0.5")'),
        ("high_pass: {frequency_hz: 80Hz}", 'a number without a unit ("80")'),
        ("leveller: {speed_db_s: 2 dB/s}", 'a number without a unit ("2")'),
        ("at_s: 1500 ms", 'a number in s, without a unit ("1.5")'),
        ("- compressor: {attack_ms: 50 %}", "a number in ms, without a unit"),
        ("- compressor: {ratio: 4:1}", 'the first number alone ("4")'),
        ("ratio: 2.5:1", 'the first number alone ("2.5")'),
    ],
)
def test_units_are_left_out_of_numbers(line: str, expected: str):
    assert [slip.expected for slip in slips_in(line)] == [expected]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ('compressor: {attack_ms: "0.5 s"}', "0.1 to 500.0, without quotes and unit (500)"),
        ('low_pass: {frequency_hz: "1 kHz"}', "10.0 to 20000.0, without quotes and unit (1000)"),
        ("low_pass: {frequency_hz: 1k}", "10.0 to 20000.0, without quotes and unit (1000)"),
        ('limiter: {ceiling_db: "3 dB"}', "-60.0 to 0.0"),
        ('compressor: {mix: "50%"}', "0.0 to 1.0, without quotes and unit (0.5)"),
        ('compressor: {mix: "0.5"}', "0.0 to 1.0, without quotes and unit (0.5)"),
        ('compressor: {attack_ms: "50 dB"}', "0.1 to 500.0"),
        ('compressor: {attack_ms: "50%"}', "0.1 to 500.0"),
    ],
)
def test_a_number_in_quotes_is_told_in_the_unit_of_its_key(setting: str, expected: str):
    text = HEAD + f"tracks:\n  game: {{from: game, filters: [{{{setting}}}]}}\n"
    (said,) = mistakes(text)
    assert f"expected a number from {expected}, found" in said
