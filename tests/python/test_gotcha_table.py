# SPDX-License-Identifier: MIT
"""docs/windows.md maps each gotcha of process loopback to tests, which are there and name it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
GOTCHAS = range(1, 25)


def numbers(text: str) -> set[int]:
    """Gives the numbers in "1, 2", "1 to 3" and "12 and 15"."""
    found = {int(number) for number in re.findall(r"\d+", text)}
    for first, last in re.findall(r"(\d+) to (\d+)", text):
        found.update(range(int(first), int(last)))
    return found


def named_in(source: str) -> set[int]:
    """The gotchas that tests name: "gotchas 1 to 3, 13: ..." or "Gotcha 6"."""
    found: set[int] = set()
    for list_of_numbers in re.findall(r"[Gg]otchas? ((?:\d+(?:, | to | and )?)+)", source):
        found |= numbers(list_of_numbers)
    return found


def rows() -> dict[str, str]:
    text = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
    table = text.split("| Gotcha | Where it is tested |\n|---|---|\n")[1].split("\n\n")[0]
    return dict(line.strip("| ").split(" | ", 1) for line in table.splitlines())


def sources(name: str) -> list[str]:
    """The text of a test file, or of a test function with its decorators."""
    if name.endswith((".cpp", ".py")):
        return [path.read_text(encoding="utf-8") for path in TESTS.rglob(name)]
    blocks = (
        block
        for path in TESTS.rglob("test_*.py")
        for block in path.read_text(encoding="utf-8").split("\n\n\n")
    )
    return [block for block in blocks if re.search(rf"^def {name}\(", block, re.M)]


def test_each_gotcha_has_its_row() -> None:
    found = sorted(number for row in rows() for number in numbers(row.split(":")[0]))
    assert found == list(GOTCHAS)


@pytest.mark.parametrize("row", rows())
def test_a_gotcha_is_named_by_tests_that_exist(row: str) -> None:
    names = set(re.findall(r"`(test_\w+(?:\.\w+)?)", rows()[row]))
    assert names
    found = {name: sources(name) for name in names}
    assert [name for name, texts in found.items() if not texts] == []
    named = {number for texts in found.values() for text in texts for number in named_in(text)}
    assert numbers(row.split(":")[0]) <= named
