# SPDX-License-Identifier: MIT
"""What the change log says, it says once."""

import re
from collections import Counter
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def test_no_entry_is_there_twice():
    text = CHANGELOG.read_text(encoding="utf-8")
    entries = re.findall(r"^- .*(?:\n  .*)*", text, re.MULTILINE)
    assert entries
    assert [entry for entry, count in Counter(entries).items() if count > 1] == []
