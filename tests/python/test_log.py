# SPDX-License-Identifier: MIT
"""What is logged, where it goes, and what never gets into a log."""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypac_obs import log
from pypac_obs.log import LOGGER, SessionLog, keep_out, without_secrets


@pytest.fixture(autouse=True)
def _nothing_is_private(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(log, "_private", set())
    monkeypatch.setattr(log, "_pattern", None)
    yield
    assert [one for one in LOGGER.handlers if not isinstance(one, logging.NullHandler)] == []
    assert LOGGER.level == logging.NOTSET


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def kept(folder: Path, level: str = "info") -> SessionLog:
    return SessionLog(level, lambda: folder / "session.log", lambda: folder / "other.log")


def test_as_a_library_it_configures_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    LOGGER.getChild("any").error("nobody has asked for it")
    assert capfd.readouterr() == ("", "")


def test_lines_have_time_level_and_thread_and_tracebacks_follow(tmp_path: Path) -> None:
    with kept(tmp_path):
        LOGGER.getChild("a").debug("too much")
        LOGGER.getChild("a").info("one\nline %d", 7)
        try:
            raise LookupError("gone")
        except LookupError:
            LOGGER.exception("it failed")
    lines = (tmp_path / "session.log").read_text().splitlines()
    assert lines[0].endswith(" INFO    MainThread: one line 7")
    assert lines[1].endswith(" ERROR   MainThread: it failed")
    assert lines[2] == "Traceback (most recent call last):"
    assert lines[-1] == "LookupError: gone"
    if sys.platform != "win32":
        assert (tmp_path / "session.log").stat().st_mode & 0o777 == 0o600


def test_the_level_decides_what_is_kept(tmp_path: Path) -> None:
    with kept(tmp_path, "warning"):
        LOGGER.info("small")
        LOGGER.warning("large")
    text = (tmp_path / "session.log").read_text()
    assert "large" in text
    assert "small" not in text


def test_lines_wait_until_the_folder_is_known(tmp_path: Path) -> None:
    known: list[Path] = []
    with SessionLog("info", lambda: known[0] if known else None, lambda: tmp_path / "no") as told:
        LOGGER.info("early")
        known.append(tmp_path / "session.log")
        eventually(lambda: told.path is not None)
        LOGGER.info("late")
    lines = (tmp_path / "session.log").read_text().splitlines()
    assert [line.split()[-1] for line in lines] == ["early", "late"]
    assert os.listdir(tmp_path) == ["session.log"]


def test_where_no_files_were_made_it_goes_elsewhere(tmp_path: Path) -> None:
    with SessionLog("info", lambda: None, lambda: tmp_path / "other.log"):
        LOGGER.info("why no file was made")
    assert "why no file was made" in (tmp_path / "other.log").read_text()


def test_nothing_is_overwritten_and_no_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "session.log").write_text("of yesterday")
    if sys.platform != "win32":
        (tmp_path / "session (2).log").symlink_to(tmp_path / "somewhere")
    with kept(tmp_path):
        LOGGER.info("of today")
    assert (tmp_path / "session.log").read_text() == "of yesterday"
    assert not (tmp_path / "somewhere").exists()
    number = 2 if sys.platform == "win32" else 3
    assert "of today" in (tmp_path / f"session ({number}).log").read_text()


def test_three_files_are_kept_of_a_megabyte_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_MOST_BYTES", 1000)
    with kept(tmp_path):
        for number in range(100):
            LOGGER.info("entry %d", number)
    assert sorted(os.listdir(tmp_path)) == ["session.log", "session.log.1", "session.log.2"]
    names = ["session.log.2", "session.log.1", "session.log"]
    assert all((tmp_path / name).stat().st_size <= 1000 for name in names)
    entries = [
        int(line.split()[-1])
        for name in names
        for line in (tmp_path / name).read_text().splitlines()
    ]
    assert entries == list(range(entries[0], 100))


def test_a_full_disk_costs_lines_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: log._RotatingFile, text: str) -> None:
        raise OSError(errno.ENOSPC, "full")

    with kept(tmp_path) as told:
        LOGGER.info("there was room")
        eventually(lambda: told.path is not None and told.path.stat().st_size > 0)
        monkeypatch.setattr(log._RotatingFile, "write", write)
        LOGGER.info("there is none")
        eventually(lambda: told.dropped == 1)
    assert "none" not in (tmp_path / "session.log").read_text()


def test_a_disk_that_hangs_blocks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(log, "_MOST_LINES", 10)
    monkeypatch.setattr(log, "_END_S", 0.01)
    monkeypatch.setattr(log._RotatingFile, "write", lambda self, text: hangs.wait(10))
    with kept(tmp_path) as told:
        for number in range(100):
            LOGGER.info("entry %d", number)
        assert told.dropped >= 80
    hangs.set()


def test_what_cannot_be_formatted_raises_nothing(tmp_path: Path) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with kept(tmp_path) as told:
        # Past pytest's own handler, which raises.
        for text, arguments in (("%s", (Broken(),)), ("%d and %d", (1,))):
            record = LOGGER.makeRecord("a", logging.INFO, "a.py", 1, text, arguments, None)
            told._queue.handle(record)
        assert told.dropped == 2
        LOGGER.info("well")
    assert "well" in (tmp_path / "session.log").read_text()


@pytest.mark.parametrize("secret", ["hunter2", "a\"b'c\\d", "pässwört", "x", "two words\n"])
def test_a_secret_is_nowhere_however_it_is_written(secret: str, tmp_path: Path) -> None:
    keep_out(secret)
    with kept(tmp_path, "debug"):
        LOGGER.info("OBS refuses %s", secret)
        LOGGER.info("OBS refuses %r", {"password": secret})
        try:
            raise ValueError(secret)
        except ValueError:
            LOGGER.exception("failed")
    text = (tmp_path / "session.log").read_text(encoding="utf-8")
    assert secret not in (text if len(secret) > 3 else text.split())
    assert text.count("***") >= 2


def test_a_short_secret_leaves_other_words_alone() -> None:
    keep_out("on")
    assert without_secrets("once on, always on") == "once ***, always ***"
    keep_out("")
    assert without_secrets("all is well") == "all is well"
