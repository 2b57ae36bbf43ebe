# SPDX-License-Identifier: MIT
"""Where open files and their folder are now: users rename, move and delete while it records."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

__all__ = ["Place", "find"]


# What NFS and FUSE rename an open file to that is deleted.
_DELETED_WHEN_CLOSED = (".nfs", ".fuse_hidden")


class Place:
    """A folder that is written to by its descriptor, so that it may be renamed or moved meanwhile.

    Where the system has no such descriptors (Windows), it keeps a folder that is written to from
    being renamed, and ``fd`` is None: then names are paths.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fd: int | None = None
        if os.open in os.supports_dir_fd and os.rename in os.supports_dir_fd:
            # O_PATH is Linux': nobody has to be allowed to read there.
            flags = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
            with contextlib.suppress(OSError):
                self.fd = os.open(folder, flags)

    def name(self, file: str) -> str | Path:
        """Gives what to open a file in the folder by, together with ``fd`` as the ``dir_fd``."""
        return file if self.fd is not None else self.folder / file

    def look(self) -> None:
        """Looks where the folder is now. Stays with the last place if that cannot be told."""
        if self.fd is not None:
            self.folder = find(self.fd, self.folder) or self.folder

    def close(self) -> None:
        """Lets the folder go. May be called again."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def find(fd: int, known: Path) -> Path | None:
    """Tells the path of an open file or folder; None: it is deleted, or no longer to be found.

    ``known`` is where it was. File systems whose inode numbers change are believed the name alone.
    """
    mine = os.fstat(fd)
    here: os.stat_result | None = None
    with contextlib.suppress(OSError):
        here = os.stat(known)
    if here is not None and os.path.samestat(here, mine):
        return known
    if here is not None and stat.S_ISREG(mine.st_mode) and here.st_size == mine.st_size > 0:
        return known
    try:
        moved = Path(os.readlink(f"/proc/self/fd/{fd}"))
    except OSError:  # a system without it
        return None
    if here is not None and moved == Path(os.path.realpath(known)):
        return known
    if moved.name.startswith(_DELETED_WHEN_CLOSED):
        return None
    with contextlib.suppress(OSError):
        if os.path.samestat(os.stat(moved), mine):
            return moved
    return None
