# SPDX-License-Identifier: MIT
"""Notices that a profile's file was saved."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from pypac_obs.errors import PypacError
from pypac_obs.profile.loader import MAX_BYTES
from pypac_obs.working_folder import absolute

__all__ = ["STILL_S", "ProfileFileWatch"]

#: How long a file does not change before it counts as saved: editors write in pieces.
STILL_S = 0.3

# Between the two looks something else may take the file's place: a pipe must not be waited for.
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)

_Look = tuple[int, int, int, int]  # device, inode, size, time of the last change


class ProfileFileWatch:
    """Looks at a profile's file, at what links lead to, whenever it is polled.

    Polled a few times a second it costs one system call each time. The content of now is what
    the session follows; `reads` says so again, before anybody reads the file anew. A file that is
    gone, cannot be read or is no plain file is as it was, until it can be read again. One thread
    at a time.

    >>> watch = ProfileFileWatch(Path("no such file.yaml"))
    >>> watch.poll(100.0)
    False
    """

    def __init__(self, path: Path) -> None:
        try:
            self._path = absolute(path)
        except PypacError:  # without a working folder there is no such file
            self._path = path
        self._followed: bytes | None = None  # digest of the content
        self._seen: _Look | None = None
        self._since: float | None = None  # it looks as `_seen` says, not yet read
        self.reads()

    def is_of(self, path: Path) -> bool:
        """Tells whether it watches this file."""
        try:
            return self._path == absolute(path)
        except PypacError:
            return self._path == path

    def reads(self) -> None:
        """Takes the content of now for the one that the session follows."""
        self._seen = self._look()
        self._since = None
        if self._seen is not None and (digest := self._digest()) is not None:
            self._followed = digest

    def poll(self, now: float) -> bool:
        """Tells, once, that the content has changed, and then not for 300 ms.

        ``now`` is in seconds, of a clock that only goes forward.
        """
        seen = self._look()
        if seen != self._seen:
            self._seen, self._since = seen, now
        if seen is None or self._since is None or now - self._since < STILL_S:
            return False
        digest = self._digest()
        if digest is None:
            return False  # an editor has it open for itself, or writes again: look again
        self._since = None
        changed = digest != self._followed
        self._followed = digest
        return changed

    def _look(self) -> _Look | None:
        """What of the file changes when it is written or replaced; None: there is none."""
        try:
            return _look_of(os.stat(self._path))
        except (OSError, ValueError):
            return None

    def _digest(self) -> bytes | None:
        """The content's digest; None where it cannot be read, or has just changed."""
        try:
            with open(
                self._path, "rb", opener=lambda name, flags: os.open(name, flags | _NONBLOCK)
            ) as file:
                if _look_of(os.fstat(file.fileno())) != self._seen:
                    return None
                # What is longer is refused by the loader, whatever follows.
                data = file.read(MAX_BYTES + 1)
                if _look_of(os.fstat(file.fileno())) != self._seen:
                    return None
        except (OSError, ValueError):
            return None
        return hashlib.sha256(data).digest()


def _look_of(found: os.stat_result) -> _Look | None:
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
