# SPDX-License-Identifier: MIT
"""What was in OBS before is kept, the first value of it, and by nobody but the user."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.errors import PypacError
from pypac_obs.obs.provisioning.journal import Entry, Journal, journal_folder, journals

HERE = "localhost:4455"


def entries(journal: Journal) -> dict[str, Any]:
    """What is in it, but for when it was begun."""
    return {key: value for key, value in journal.read().items() if key != "since"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    state = str(tmp_path / "state")
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": state, "LOCALAPPDATA": state}


def test_the_first_value_wins_unless_told_otherwise(environ: dict):
    journal = Journal.of(HERE, "gaming", environ)
    assert journal.read() == {}
    journal.write(Entry(("a", "b"), 1), Entry(("c",), None))
    journal.write(Entry(("a", "b"), 2), Entry(("c",), 3))
    journal.write(Entry(("a", "x"), 4, replace=True), Entry(("a", "x"), 5, replace=True))
    assert entries(journal) == {"version": 1, "a": {"b": 1, "x": 5}, "c": None}


def test_the_file_goes_with_its_last_entry(environ: dict):
    journal = Journal.of(HERE, "gaming", environ)
    journal.write(Entry(("a", "b", "c"), 1), Entry(("a", "d"), 2))
    journal.forget(("a", "b", "c"), ("nothing", "there"))
    assert entries(journal) == {"version": 1, "a": {"d": 2}}
    journal.forget(("a", "d"))
    assert not journal.path.exists()
    journal.forget(("a", "d"))


def test_what_is_not_kept_goes_and_the_file_with_the_last(environ: dict):
    journal = Journal.of(HERE, "gaming", environ)
    journal.keep(("a",))
    journal.write(Entry(("a", "b", "c"), 1), Entry(("a", "b", "d"), 2), Entry(("e",), None))
    journal.keep(("a", "b", "c"), ("e",), ("nothing", "there"))
    assert entries(journal) == {"version": 1, "a": {"b": {"c": 1}}, "e": None}
    journal.keep(("a", "x"))
    assert not journal.path.exists()


def test_a_change_of_nothing_leaves_the_file_as_it_is(environ: dict):
    journal = Journal.of(HERE, "gaming", environ)
    journal.change(lambda noted: {"a": 1})
    assert not journal.path.exists()
    journal.write(Entry(("a",), 1))
    before = journal.path.stat().st_ino
    journal.change(dict)
    assert journal.path.stat().st_ino == before
    journal.change(lambda noted: noted | {"a": 2})
    assert entries(journal) == {"version": 1, "a": 2}


def test_one_file_per_obs_and_profile_whatever_their_names(environ: dict):
    names = ["gaming", "Gaming", "../../etc", "ü", "a--b", "", "a/b", "a%2Fb", "ü" * 80, "ü" * 81]
    paths = {Journal.of(HERE, name, environ).path for name in names}
    paths |= {Journal.of("localhost:4456", name, environ).path for name in names}
    assert len(paths) == 2 * len(names)
    assert {path.parent for path in paths} == {journal_folder(environ)}
    for path in paths:
        Journal(path).write(Entry(("a",), path.name))
    assert {Journal(path).read()["a"] for path in paths} == {path.name for path in paths}


def test_the_journals_of_an_obs_are_found(environ: dict):
    for identity, profile in ((HERE, "a"), (HERE, "b"), ("streampc:4455", "c")):
        Journal.of(identity, profile, environ).write(Entry(("x",), profile))
    assert [j.read()["x"] for j in journals(HERE, environ)] == ["b", "a"]  # the latest first
    Journal.of(HERE, "a", environ).write(Entry(("y",), 1))
    Journal.of(HERE, "a", environ).keep(("x",))
    Journal.of(HERE, "c", environ).path.write_text("{")
    assert [j.path.stem[-1] for j in journals(HERE, environ)] == ["b", "a", "c"]


@pytest.mark.linux("modes are POSIX's")
def test_nobody_else_can_read_it(environ: dict):
    journal = Journal.of(HERE, "gaming", environ)
    journal.write(Entry(("a",), 1))
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_two_writers_lose_no_entry(environ: dict):
    def write(number: int) -> None:
        journal = Journal.of(HERE, "gaming", environ)
        for n in range(20):
            journal.write(Entry((f"writer {number}", str(n)), n))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = json.loads(Journal.of(HERE, "gaming", environ).path.read_text())
    assert [len(data[f"writer {number}"]) for number in range(4)] == [20] * 4


def test_an_entry_where_none_can_be_is_damage(environ: dict):
    journal = Journal.of(HERE, "gaming", environ)
    journal.write(Entry(("a",), 1))
    with pytest.raises(PypacError, match="cannot be read: a has no entries"):
        journal.write(Entry(("a", "b"), 2))
    assert entries(journal) == {"version": 1, "a": 1}
