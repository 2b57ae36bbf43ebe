# SPDX-License-Identifier: MIT
"""A profile's file that editors save, in all their ways, while a session runs."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pypac_obs.session.profile_file import STILL_S, ProfileFileWatch


class Watched:
    """A file, its watch, and a clock; looks every 100 ms."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_bytes(b"one")
        self.watch = ProfileFileWatch(path)
        self.now = 50.0
        self._writes = 0

    def write(self, data: bytes, path: Path | None = None) -> None:
        """Writes in place. Each write has another time, however coarse the file system's is."""
        path = path or self.path
        path.write_bytes(data)
        self._writes += 1
        os.utime(path, ns=(0, 10**18 + self._writes * 10**9))

    def looks(self, times: int) -> list[bool]:
        said = []
        for _ in range(times):
            self.now += 0.1
            said.append(self.watch.poll(self.now))
        return said


@pytest.fixture
def file(tmp_path: Path) -> Watched:
    return Watched(tmp_path / "evening.yaml")


def test_nothing_is_said_of_a_file_that_stays(file: Watched):
    assert not any(file.looks(20))


def test_a_saved_file_is_told_once_when_it_has_been_still(file: Watched):
    assert not any(file.looks(2))
    file.write(b"two")
    assert not file.watch.poll(file.now)
    assert not file.watch.poll(file.now + STILL_S - 0.01)
    assert file.watch.poll(file.now + STILL_S + 0.01)
    assert not any(file.looks(20))
    file.write(b"one")  # back again is a change, too
    assert file.looks(6).count(True) == 1


def test_a_save_in_pieces_is_told_once_at_its_end(file: Watched):
    for length in range(8):
        file.write(b"content"[:length])
        assert not any(file.looks(2))
    assert file.looks(6).count(True) == 1


def replaced(file: Watched) -> None:
    """As vim, GEdit and VS Code's atomic mode do it."""
    new = file.path.with_name(".evening.yaml.swp")
    file.write(b"two", new)
    os.replace(new, file.path)


def moved_away_and_written(file: Watched) -> None:
    """As vim does it with a backup."""
    os.replace(file.path, file.path.with_name("evening.yaml~"))
    file.write(b"two")


def deleted_and_written_later(file: Watched) -> None:
    file.path.unlink()
    assert not any(file.looks(10))
    file.write(b"two")


def cut_to_nothing_and_written(file: Watched) -> None:
    file.write(b"")
    assert not any(file.looks(1))
    file.write(b"two")


def with_the_old_time_and_size(file: Watched) -> None:
    """As `cp --preserve` or rsync may do it: only the inode tells."""
    old = file.path.stat()
    new = file.path.with_name("new")
    new.write_bytes(b"two")
    os.utime(new, ns=(old.st_atime_ns, old.st_mtime_ns))
    os.replace(new, file.path)


@pytest.mark.parametrize(
    "save",
    [
        replaced,
        moved_away_and_written,
        deleted_and_written_later,
        cut_to_nothing_and_written,
        with_the_old_time_and_size,
    ],
    ids=lambda save: save.__name__,
)
def test_whatever_way_an_editor_saves_it_is_told_once(
    file: Watched, save: Callable[[Watched], None]
):
    save(file)
    assert file.looks(8).count(True) == 1


def test_the_same_content_is_no_change(file: Watched):
    os.utime(file.path)
    assert not any(file.looks(8))
    file.write(b"one")
    assert not any(file.looks(8))
    file.path.unlink()
    assert not any(file.looks(8))
    file.write(b"one")
    assert not any(file.looks(8))
    # Changed and changed back before anybody was told.
    file.write(b"two")
    assert not any(file.looks(2))
    file.write(b"one")
    assert not any(file.looks(8))


def test_a_file_that_is_gone_for_good_is_not_told(file: Watched):
    file.write(b"two")
    assert not any(file.looks(2))
    file.path.unlink()
    assert not any(file.looks(50))


def test_a_file_that_was_not_there_at_first_is_told(tmp_path: Path):
    file = Watched(tmp_path / "late.yaml")
    file.path.unlink()
    file.watch = ProfileFileWatch(file.path)
    assert not any(file.looks(8))
    file.write(b"one")
    assert file.looks(8).count(True) == 1


def test_what_was_read_on_command_is_not_told_again(file: Watched):
    file.write(b"two")
    assert not any(file.looks(1))
    file.watch.reads()
    assert not any(file.looks(8))
    file.write(b"three")
    assert file.looks(8).count(True) == 1


def test_a_folder_in_its_place_is_as_if_it_were_gone(file: Watched):
    file.path.unlink()
    file.path.mkdir()
    assert not any(file.looks(8))
    file.path.rmdir()
    file.write(b"two")
    assert file.looks(8).count(True) == 1


if sys.platform != "win32":  # whose users may make neither

    def test_a_pipe_in_its_place_holds_up_nobody(file: Watched):
        file.path.unlink()
        os.mkfifo(file.path)
        assert not any(file.looks(8))

    def test_what_a_link_leads_to_is_watched(file: Watched, tmp_path: Path):
        link = tmp_path / "link.yaml"
        link.symlink_to(file.path)
        file.watch = ProfileFileWatch(link)
        file.write(b"two")
        assert file.looks(8).count(True) == 1
        other = tmp_path / "other.yaml"
        other.write_bytes(b"three")
        link.unlink()
        link.symlink_to(other)
        assert file.looks(8).count(True) == 1
        link.unlink()
        link.symlink_to(link)
        assert not any(file.looks(8))


def test_a_file_that_cannot_be_read_for_a_while_is_told_when_it_can(
    file: Watched, monkeypatch: pytest.MonkeyPatch
):
    def held(*arguments: object) -> int:
        raise PermissionError(13, "another program has it")

    file.write(b"two")
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", held)
        assert not any(file.looks(10))
    assert file.looks(2).count(True) == 1


def test_a_write_just_while_it_is_read_is_waited_for(
    file: Watched, monkeypatch: pytest.MonkeyPatch
):
    really_open = os.open

    def write_then_open(*arguments: object) -> int:
        patched.undo()
        file.write(b"half of three")
        return really_open(*arguments)  # type: ignore[arg-type]

    file.write(b"two")
    assert not any(file.looks(3))
    patched = pytest.MonkeyPatch()
    patched.setattr(os, "open", write_then_open)
    file.now += 0.1
    assert not file.watch.poll(file.now)
    assert not any(file.looks(3))
    assert file.looks(2).count(True) == 1


def test_the_working_folder_may_change_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    file = Watched(Path("evening.yaml"))
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    file.write(b"two", tmp_path / "evening.yaml")
    assert file.looks(8).count(True) == 1
