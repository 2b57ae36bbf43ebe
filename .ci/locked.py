#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the part of a lock file that is wanted, for pip's --require-hashes.

    .ci/locked.py GROUP...

A group is `package` (what this project asks for), an extra of pyproject.toml (which includes that),
or the name of a package. What each of them asks for comes with it.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / ".ci" / "requirements.txt"


@dataclass(frozen=True)
class Locked:
    """One package: its lines, and the packages that ask for it."""

    name: str
    text: str
    via: frozenset[str]


def plain(requirement: str) -> str:
    """Gives the name alone, as package indexes compare names."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else ""


def read(lock: Path) -> list[Locked]:
    """Reads a lock file of uv's; a package may be there more than once, for several Pythons."""
    packages = []
    for text in re.findall(r"^\S[^#].*(?:\n[ \t].*)*", lock.read_text(), re.MULTILINE):
        if "--hash=" not in text:
            continue
        via = " ".join(re.findall(r"# via (.*)", text))
        packages.append(Locked(plain(text), text, frozenset(map(plain, via.split(",")))))
    return packages


def wanted(lock: Path, names: Iterable[str], *, alone: bool = False) -> str:
    """Gives the lines of these packages and, if not ``alone``, of all that they ask for."""
    packages = read(lock)
    found = set(map(plain, names))
    if missing := found - {one.name for one in packages}:
        sys.exit(f"{lock.name} has no {', '.join(sorted(missing))}: make lock")
    before = set[str]()
    while found != before and not alone:
        before = set(found)
        found |= {one.name for one in packages if one.via & before}
    return "".join(f"{one.text}\n" for one in packages if one.name in found)


def names_of(groups: Iterable[str], project: Mapping[str, object]) -> list[str]:
    """Gives the names of the packages that groups stand for."""
    extras = project["optional-dependencies"]
    own = project["dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(own, list)
    names: list[str] = []
    for group in groups:
        if group == "package" or group in extras:
            names += [*own, *extras.get(group, [])]
        else:
            names.append(group)
    return names


def main() -> None:
    """Prints what the command line names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    print(wanted(LOCK, names_of(sys.argv[1:], project)), end="")


if __name__ == "__main__":
    main()
