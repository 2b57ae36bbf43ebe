# SPDX-License-Identifier: MIT
"""Words, numbers and meters; and that the examples in the docstrings are true."""

import doctest
import math

import pytest

from pypac_obs.cli import console, durations, running
from pypac_obs.cli.console import meter, printable
from pypac_obs.status import Level


@pytest.mark.parametrize(
    "module", [console, durations, running], ids=lambda module: module.__name__
)
def test_the_examples_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20", 20), (".5", 0.5), ("1.5m", 90), ("1h", 3600), ("1h30m", 5400), ("2m5", 125)],
)
def test_durations(text, seconds):
    assert durations.parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("rms", "peak", "expected"),
    [
        (-math.inf, -math.inf, "." * 30),
        (-60.0, -30.0, "." * 14 + "|" + "." * 15),
        (-30.0, -30.0, "#" * 15 + "." * 15),
        (-30.0, 0.0, "#" * 15 + "." * 14 + "|"),
        (3.0, 6.0, "#" * 30),
    ],
)
def test_a_meter_shows_rms_as_a_bar_and_peak_as_a_line(rms, peak, expected):
    assert meter(Level(peak, rms, peak), unicode=False).plain == expected


def test_names_of_other_programs_cannot_command_the_terminal():
    assert printable("a\x1b[2J\r\n\udcffb") == "a�[2J���b"
    assert printable("Дискорд 音声 🎮") == "Дискорд 音声 🎮"


def test_names_are_shown_as_they_are_but_for_what_a_terminal_would_obey():
    for name in ("ゲーム\u3000１", "My\u00a0Game", "می\u200cخواهم", "🎙\ufe0f Mic", "Café"):  # noqa: RUF001
        assert printable(name) == name
    assert printable("a\x1b[2Jb\u202ec\u200bd\n") == "a\ufffd[2Jb\ufffdc\ufffdd\ufffd"
