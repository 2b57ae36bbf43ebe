# SPDX-License-Identifier: MIT
"""Writes folding_table.inc from Unicode's data as this Python knows it: `python folding_table.py`.

A character's row says what it is compared as: its canonical parts, or its full case folding. Rows
are applied until none is left. Hangul and ASCII need none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

HANGUL, SURROGATES = range(0xAC00, 0xD7A4), range(0xD800, 0xE000)
# Dense, one for one.
IDEOGRAPHS = (range(0xF900, 0xFADA), range(0x2F800, 0x2FA1E))


def row_of(letter: int) -> tuple[int, ...]:
    """What a character stands for; itself alone where it has no row."""
    parts = unicodedata.decomposition(chr(letter))
    if parts and not parts.startswith("<"):
        return tuple(int(part, 16) for part in parts.split())
    return tuple(map(ord, chr(letter).casefold()))


def runs(rows: dict[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Puts what lies at one distance together: (first, last, step, distance)."""
    found: list[list[int]] = []
    for letter, other in sorted(rows.items()):
        run = found[-1] if found else None
        if run and run[3] == other - letter:
            step = letter - run[1]
            if step == run[2] or (run[0] == run[1] and step in (1, 2)):
                run[1:3] = letter, step
                continue
        found.append([letter, letter, 1, other - letter])
    return ((first, last, step, distance) for first, last, step, distance in found)


def marks() -> Iterator[tuple[int, int, int]]:
    """The combining classes: (first, last, class)."""
    first = last = kind = 0
    for letter in range(0x110000):
        here = unicodedata.combining(chr(letter))
        if here == kind:
            last = letter
            continue
        if kind:
            yield first, last, kind
        first, last, kind = letter, letter, here


def written(name: str, row: str, entries: Iterable[str]) -> Iterator[str]:
    """One table as C++."""
    yield f"constexpr {row} {name}[] = {{"
    line = "   "
    for entry in entries:
        if len(line) + len(entry) > 98:
            yield line
            line = "   "
        line += f" {entry},"
    yield line
    yield "};"


def braced(*numbers: int) -> str:
    """One row of a table."""
    return f"{{{', '.join(f'-{-n:#x}' if n < 0 else f'{n:#x}' for n in numbers)}}}"


def main() -> None:
    """Writes the file."""
    rows = {
        letter: row
        for letter in range(0x80, 0x110000)
        if letter not in HANGUL and letter not in SURROGATES
        if (row := row_of(letter)) != (letter,)
    }
    dense = [one for block in IDEOGRAPHS for one in block]
    single = {one: row[0] for one, row in rows.items() if len(row) == 1 and one not in dense}
    several = {one: (*row, 0)[:3] for one, row in rows.items() if len(row) > 1}
    text = [
        "// SPDX-License-Identifier: MIT",
        f"// Written by folding_table.py from Unicode {unicodedata.unidata_version}.",
        "// clang-format off",
        *written("kRuns", "Run", (braced(*run) for run in runs(single))),
        *written("kParts", "Parts", (braced(one, *row) for one, row in several.items())),
        *written("kIdeographs", "char32_t", (hex(rows.get(one, (one,))[0]) for one in dense)),
        *written("kMarks", "Marks", (braced(*mark) for mark in marks())),
        "// clang-format on",
        "",
    ]
    Path(__file__).with_suffix(".inc").write_text("\n".join(text), encoding="ascii")


if __name__ == "__main__":
    main()
