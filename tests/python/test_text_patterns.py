# SPDX-License-Identifier: MIT
"""How names and patterns are compared: by the core's own table of Unicode."""

from __future__ import annotations

import itertools
import unicodedata

import pytest

from pypac_obs import _core

# Of the table in cpp/core; what was added to Unicode later may fold otherwise in this Python.
_TABLE_VERSION = (14, 0, 0)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


def test_every_character_is_equal_to_its_case_folding_and_normal_forms() -> None:
    version = tuple(map(int, unicodedata.unidata_version.split(".")))
    assert version >= _TABLE_VERSION
    wrong = []
    for number in range(0x20, 0x110000):
        letter = chr(number)
        if 0xD800 <= number < 0xE000 or letter in "*?":
            continue
        folded = _folded(letter)
        if folded != letter and not _core.text_matches(letter, folded):
            wrong.append(letter)
    # New scripts come with a new Unicode, a hundred letters each at the most.
    assert len(wrong) == 0 if version == _TABLE_VERSION else len(wrong) < 200


def test_letters_that_differ_are_not_equal() -> None:
    by_folding: dict[str, str] = {}
    for number in range(0x20, 0x1C80):  # no letters with case came later
        letter = chr(number)
        # Blanks are alike, and so is what is not seen.
        if letter in "*?" or unicodedata.category(letter) in ("Cn", "Cc", "Cf", "Zs", "Zl", "Zp"):
            continue
        other = by_folding.setdefault(_folded(letter), letter)
        assert _core.text_matches(letter, other)
    letters = list(by_folding.values())
    for one, other in itertools.pairwise(letters):
        assert not _core.text_matches(one, other), (one, other)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("Музыка", "музыка.exe"),
        ("Game [Demo]", "game [demo]"),
        ("PipeWire ALSA [aplay]", "PipeWire ALSA [aplay]"),
        ("1942.exe", "1942"),
        ("cafe\u0301*", "CAFÉ player.exe"),
    ],
)
def test_a_pattern_means_a_program(pattern: str, name: str) -> None:
    assert _core.name_matches(pattern, name)
