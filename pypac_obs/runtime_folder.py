# SPDX-License-Identifier: MIT
"""Where this user's programs meet: shared tracks, and which sessions run.

The native core says the same (``cpp/os/runtime_folder.hpp``).
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes

from pypac_obs.errors import OutputFailed, PermissionDenied

__all__ = ["file_name_of", "is_own_folder", "make_folder", "name_of_file", "runtime_folder"]

_VARIABLE = "USERPROFILE" if sys.platform == "win32" else "XDG_RUNTIME_DIR"
LONGEST_FILE_NAME = 255
PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _-.")


def runtime_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return ``$XDG_RUNTIME_DIR/pypac-obs``, or ``/tmp/pypac-obs-UID`` where that is not set.

    On Windows it is ``%USERPROFILE%\\.pypac-obs``. It need not be there yet.
    """
    if sys.platform == "win32":
        # Not in AppData: what a packaged program (a Python from the Microsoft Store) makes there,
        # no other program sees.
        profile = environ.get("USERPROFILE", "")
        if not os.path.splitdrive(profile)[0] or not os.path.isabs(profile):
            profile = "C:\\"
        return Path(profile) / ".pypac-obs"
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return Path(runtime) / "pypac-obs"
    return Path(f"/tmp/pypac-obs-{os.geteuid()}")


def make_folder(*names: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Make the folder that these names lead to in the runtime folder, and return it.

    Each name may be any text: see `file_name_of`. Folders that are there already have to be this
    user's own and closed to everybody else. Raises PermissionDenied and OutputFailed, and
    ValueError for a name that is no file's.
    """
    folder = runtime_folder(environ)
    _make_own_folder(folder)
    for name in names:
        folder = folder / file_name_of(name)
        _make_own_folder(folder)
    return folder


def _make_own_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except PermissionError as error:
        raise PermissionDenied(
            f"the folder {folder} cannot be made: {error.strerror}", native_code=error.errno
        ) from error
    except OSError as error:
        raise OutputFailed(
            f"the folder {folder} cannot be made: {error.strerror}",
            remedy=f"{_VARIABLE} has to name a folder that is there.",
            native_code=error.errno,
        ) from error
    if not is_own_folder(found) or (sys.platform != "win32" and found.st_mode & 0o077):
        raise PermissionDenied(
            f"{folder} is not a folder of this user's alone",
            remedy="Remove it, or make it this user's with mode 0700.",
        )


def is_own_folder(found: os.stat_result) -> bool:
    """Tell whether what ``lstat`` found is a folder, no link, and this user's."""
    if sys.platform == "win32":
        # A user's profile is closed to others; what could lead out of it is a link.
        link = found.st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT
        return stat.S_ISDIR(found.st_mode) and not link
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def file_name_of(name: str) -> str:
    """Return any name as the name of one file, reversibly.

    Every byte but letters, digits, space, ``_``, ``-`` and ``.`` becomes ``%XX``, and so does a
    leading ``.``. Raises ValueError for a name that is empty or too long for that.

    >>> file_name_of("Game / Voice"), file_name_of(".."), file_name_of("café")
    ('Game %2F Voice', '%2E.', 'caf%C3%A9')
    """
    file_name = ""
    for byte in name.encode("utf-8", "surrogateescape"):
        plain = byte in PLAIN and (file_name or byte != ord("."))
        file_name += chr(byte) if plain else f"%{byte:02X}"
    if not 0 < len(file_name) <= LONGEST_FILE_NAME:
        raise ValueError(f"the name {name!r} cannot be a file's: it is empty or too long")
    return file_name


def name_of_file(file_name: str) -> str | None:
    """Return the name that `file_name_of` gave this file name for; None if it gave it for none.

    >>> name_of_file("Game %2F Voice"), name_of_file(".."), name_of_file("caf%c3%a9")
    ('Game / Voice', None, None)
    """
    name = unquote_to_bytes(file_name).decode("utf-8", "surrogateescape")
    try:
        return name if file_name_of(name) == file_name else None
    except ValueError:
        return None
