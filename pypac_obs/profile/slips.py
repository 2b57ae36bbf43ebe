# SPDX-License-Identifier: MIT
"""Slips of the pen that YAML reads in its own way, so that its mistakes name effects, not causes.

Example: ``{process:cs2}`` is a mapping whose key "process:cs2" has no value. A line is only looked
at once it has a mistake, so whatever looks like a slip there most likely is the cause.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from pypac_obs.profile.paths import PLACEHOLDERS
from pypac_obs.profile.units import unit_of

__all__ = ["Slip", "slips_in"]

LONGEST_LINE = 10_000

# Blanks that no keyboard's space bar gives, and that YAML takes for letters. Names have them, too:
# they are a slip in the place of a space.
_BLANKS = re.compile("[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]")
_WIDE = "[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+"
_BLANK = re.compile(
    rf"[\u200b\u2060\ufeff]+|(?:^|[:,{{\[]|- )[ \t]*{_WIDE}|{_WIDE}(?=[ \t]*(?:[:,}}\]]|$))"
)
# Signs that look like a minus.
_MINUS = re.compile(r":[ \t]+([\u2010-\u2015\u2212\uff0d])([0-9]+(?:[.,][0-9]+)?)")
# Not a colon of C:\ or http://.
_COLON = re.compile(r"(?:(?<=[\s{\[,])|^)([A-Za-z_][\w.-]*)(:(?=[^\s:/\\,}\]])|\uff1a)([^\s,}\]]*)")
_COMMA = re.compile(r"(\w+):[ \t]+([-+]?[0-9]+),([0-9]+)(?=[ \t]*(?:[,}\]]|$))")
_UNIT = re.compile(
    r"(\w*):[ \t]+([-+]?[0-9]+(?:[.,][0-9]+)?)[ \t]*(dB(?:FS|TP|/s)?|LUFS|LU|ms|s|sec|k?Hz|%)"
    r"(?=[ \t]*(?:[,}\]]|$))",
    re.IGNORECASE,
)
_RATIO = re.compile(r"ratio:[ \t]+([0-9]+(?:\.[0-9]+)?)[ \t]*:[ \t]*1(?=[ \t]*(?:[,}\]]|$))")
_PLACEHOLDER = re.compile(rf"\{{(?:{'|'.join(PLACEHOLDERS)})\}}")
_CURLY = re.compile(r"(?:^|[:,{\[]|- )[ \t]*([\u2018-\u201f\u00ab\u00bb\u2039\u203a\u300c-\u300f])")
# A quote opens where a value can begin; elsewhere it is an apostrophe.
_QUOTED = re.compile(r"""(?:(?<=[\s:\[{,-])|^)("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")


@dataclass(frozen=True)
class Slip:
    """What was written at a column (from 1) of a line, and what was meant."""

    column: int
    expected: str
    found: str


def slips_in(line: str) -> list[Slip]:
    """Finds the slips in a line of YAML, outside of quotes and comments.

    >>> [slip.expected for slip in slips_in("game: {process:cs2}")]
    ['a space after the colon ("process: cs2")']
    """
    if len(line) > LONGEST_LINE:
        return []
    # What is in quotes keeps its place, and means nothing here.
    plain = _QUOTED.sub(lambda found: '"' * len(found[0]), line)
    plain = _COMMENT.sub("", plain)
    return sorted(_slips(plain), key=lambda slip: slip.column)


def _slips(line: str) -> Iterator[Slip]:
    for found in _BLANK.finditer(line):
        first = _BLANKS.search(line, found.start())
        assert first is not None
        yield Slip(
            first.start() + 1,
            "plain spaces",
            f"{_named(first[0])} (U+{ord(first[0]):04X}): delete it and press the space bar",
        )
    line = _BLANKS.sub(" ", line)
    # Somebody may have written the password itself, and it is never shown.
    secret = "password" in line.casefold()
    for found in _COLON.finditer(line):
        key, colon, value = found.groups()
        wide = colon != ":"
        shown = f"{key}: {value}" if value and '"' not in value and not secret else f"{key}: ..."
        expected = "a plain colon and a space" if wide else "a space after the colon"
        what = "a full-width colon" if wide else f'"{key}:" without one'
        yield Slip(found.start() + 1, f'{expected} ("{shown}")', what)
    for found in () if secret else _COMMA.finditer(line):
        key, whole, part = found.groups()
        written = f'"{whole},{part}"'
        if key in ("to", "tracks"):
            yield Slip(found.start(2) + 1, f'a list in brackets ("[{whole}, {part}]")', written)
        elif len(part) == 3 and whole.strip("+-0"):
            expected = f'a number without a comma ("{whole}{part}", or "{whole}.{part}")'
            yield Slip(found.start(2) + 1, expected, written)
        else:
            yield Slip(found.start(2) + 1, f'a decimal point ("{whole}.{part}")', written)
    for found in () if secret else _UNIT.finditer(line):
        key, number = found[1], found[2].replace(",", ".")
        expected = _without_unit(key, number, found[3].lower())
        yield Slip(found.start(2) + 1, expected, f'"{found[0][len(key) :].lstrip(": ")}"')
    for found in _RATIO.finditer(line):
        written = found[0].partition(":")[2].strip()
        yield Slip(found.start(1) + 1, f'the first number alone ("{found[1]}")', f'"{written}"')
    for found in () if secret else _MINUS.finditer(line):
        sign, number = found.groups()
        what = f'"{sign}{number}" with {_named(sign)}'
        yield Slip(found.start(1) + 1, f'a plain minus ("-{number}")', what)
    for found in _PLACEHOLDER.finditer(line):
        expected = f'text in quotes ("...{found[0]}...")'
        yield Slip(found.start() + 1, expected, f'an unquoted "{found[0]}"')
    for found in _CURLY.finditer(line):
        what = f'"{found[1]}" ({_named(found[1])})'
        yield Slip(found.start(1) + 1, "plain quotes (\" or ')", what)


def _without_unit(key: str, number: str, unit: str) -> str:
    known = unit_of(key)
    if known is None or (factor := known.factors.get(unit)) is None:
        where = f" in {known.name}," if known and known.name else ""
        return f"a number{where} without a unit"
    if factor == 1:
        return f'a number without a unit ("{number}")'
    what = f"number in {known.name}" if known.name else "share of 1"
    return f'a {what}, without a unit ("{float(number) * factor:.10g}")'


def _named(character: str) -> str:
    name = unicodedata.name(character, "invisible character").lower()
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
