# SPDX-License-Identifier: MIT
# ruff: noqa: N818 - the classes are named by what happened, as PermissionDenied is
"""A folder of this user's alone, held open, so that what is done in it can't be led elsewhere.

On Linux everything goes by the folder's descriptor: whatever takes the folder's name afterwards, a
link say, is not followed. Windows has no such calls; there the folder lies in the user's profile,
which is closed to others, and each step is refused where a link is in the way.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from pypac_obs.whole_file import replace_file

__all__ = ["NotOwnFolder", "NotPlainFile", "OwnFolder", "is_own_folder"]

# 0 where the system has none of it.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
_BINARY = getattr(os, "O_BINARY", 0)


class NotOwnFolder(OSError):
    """What lies there is a link, no folder, another user's, or open to others: ``why`` says it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} {why}")
        self.path = path
        self.why = why


class NotPlainFile(OSError):
    """What lies there is a folder, a link, a pipe or a device. It was not opened."""


class OwnFolder:
    """A folder that was checked when it was opened: this user's, no link, closed to others.

    Names are those of entries of this folder, never paths. Methods raise OSError.
    """

    def __init__(self, path: Path, *, parent: OwnFolder | None = None, make: bool = False) -> None:
        self.path = path
        # Where it lies in `parent`; with none, the path itself is looked up.
        name: str | Path = path if parent is None else parent._entry(path.name)
        at = None if parent is None else parent._descriptor
        if make:
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, mode=0o700, dir_fd=at)
        self._descriptor: int | None = None
        if sys.platform == "win32":
            _check(path, os.lstat(name))
            return
        try:
            self._descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW, dir_fd=at)
        except OSError:  # a link, no folder, or one that is closed to us: say which
            with contextlib.suppress(FileNotFoundError):
                _check(path, os.stat(name, dir_fd=at, follow_symlinks=False))
            raise
        try:
            _check(path, os.fstat(self._descriptor))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of it. May be called again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def folder(self, name: str, *, make: bool = False) -> OwnFolder:
        """Opens a folder in this one."""
        return OwnFolder(self.path / name, parent=self, make=make)

    def make_new_folder(self, name: str) -> None:
        """Makes a folder. Raises FileExistsError where something has the name."""
        os.mkdir(self._entry(name), mode=0o700, dir_fd=self._descriptor)

    def names(self) -> Iterator[str]:
        """Gives the names of its entries, hidden ones too, in no order."""
        with os.scandir(self.path if self._descriptor is None else self._descriptor) as entries:
            for entry in entries:
                yield entry.name

    def stat(self, name: str) -> os.stat_result:
        """Tells what an entry is; of a link, the link."""
        return os.stat(self._entry(name), dir_fd=self._descriptor, follow_symlinks=False)

    def read(self, name: str, most: int) -> tuple[bytes, os.stat_result]:
        """Reads at most ``most`` bytes of a plain file, and gives what it is. Never waits.

        Raises NotPlainFile for everything else, which is not opened.
        """
        if not stat.S_ISREG(self.stat(name).st_mode):
            raise NotPlainFile(f"{self.path / name} is no plain file")
        flags = os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _BINARY
        descriptor = os.open(self._entry(name), flags, dir_fd=self._descriptor)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise NotPlainFile(f"{self.path / name} is no plain file")
            data = b""
            while len(data) < most and (more := os.read(descriptor, most - len(data))):
                data += more
            return data, found
        finally:
            os.close(descriptor)

    def write(self, name: str, data: bytes) -> None:
        """Writes a file that others find whole or not at all, in place of one of that name."""
        part = f".{name}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
        descriptor = os.open(self._entry(part), flags, 0o600, dir_fd=self._descriptor)
        try:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            finally:
                os.close(descriptor)
            self._replace(part, name)
        except OSError:
            with contextlib.suppress(OSError):
                self.remove(part)
            raise

    def _replace(self, part: str, name: str) -> None:
        if self._descriptor is None:
            replace_file(self._entry(part), self._entry(name))
        else:
            os.replace(part, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)

    def remove(self, name: str) -> None:
        """Takes an entry away that is no folder; of a link, the link."""
        os.unlink(self._entry(name), dir_fd=self._descriptor)

    def remove_folder(self, name: str) -> None:
        """Takes an empty folder away."""
        os.rmdir(self._entry(name), dir_fd=self._descriptor)

    def _entry(self, name: str) -> str:
        if self._descriptor is not None:
            return name
        return str(self.path / name)


def is_own_folder(found: os.stat_result) -> bool:
    """Tell whether what ``lstat`` found is a folder, no link, and this user's."""
    if sys.platform == "win32":
        # A user's profile is closed to others; what could lead out of it is a link.
        link = found.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT
        return stat.S_ISDIR(found.st_mode) and not link
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _check(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISDIR(found.st_mode):
        kind = "a link" if stat.S_ISLNK(found.st_mode) else "no folder"
        raise NotOwnFolder(path, f"is {kind}{_whose(found)}")
    if not is_own_folder(found):
        raise NotOwnFolder(path, f"is not your folder{_whose(found)}")
    if sys.platform != "win32" and found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise NotOwnFolder(path, f"is open to other users (its mode is {mode:04o})")


def _whose(found: os.stat_result) -> str:
    """Who owns it, where that is somebody else."""
    if sys.platform == "win32" or found.st_uid == os.geteuid():
        return ""
    import pwd

    try:
        name = f"the user {pwd.getpwuid(found.st_uid).pw_name} (UID {found.st_uid})"
    except KeyError:
        name = f"the user with UID {found.st_uid}"
    return f": it belongs to {name}"
