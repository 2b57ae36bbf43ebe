# SPDX-License-Identifier: MIT
"""Where this user's programs meet: shared tracks, and which sessions run.

The native core says the same (``cpp/os/runtime_folder.hpp``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote_to_bytes

from pypac_obs.errors import OutputFailed, PermissionDenied
from pypac_obs.own_folder import NotOwnFolder, OwnFolder

__all__ = ["file_name_of", "make_folder", "name_of_file", "open_folder", "runtime_folder"]

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


def open_folder(
    *names: str, make: bool = False, environ: Mapping[str, str] = os.environ
) -> OwnFolder:
    """Open the folder that these names lead to in the runtime folder; the caller closes it.

    Each name may be any text: see `file_name_of`. With ``make`` what is not there yet is made. All
    folders on the way have to be this user's own and closed to everybody else; nothing is looked at
    or done in them before that is known. Raises PermissionDenied and OutputFailed, and ValueError
    for a name that is no file's.
    """
    steps = [file_name_of(name) for name in names]
    path = runtime_folder(environ)
    done = "made" if make else "used"
    try:
        folder = OwnFolder(path, make=make)
        for step in steps:
            path /= step
            with folder:
                folder = folder.folder(step, make=make)
    except NotOwnFolder as error:
        raise PermissionDenied(str(error), remedy=_remedy(error)) from error
    except PermissionError as error:
        raise PermissionDenied(
            f"the folder {path} cannot be {done}: {error.strerror}", native_code=error.errno
        ) from error
    except OSError as error:
        raise OutputFailed(
            f"the folder {path} cannot be {done}: {error.strerror}",
            remedy=f"{_VARIABLE} has to name a folder that is there.",
            native_code=error.errno,
        ) from error
    return folder


def make_folder(*names: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Make the folder that these names lead to in the runtime folder, and return it.

    It is checked as by `open_folder`, and the same is raised.
    """
    with open_folder(*names, make=True, environ=environ) as folder:
        return folder.path


def _remedy(error: NotOwnFolder) -> str:
    """What a user can do who may not touch the folder, because it is somebody else's."""
    if "is open to" in error.why:
        return f"Make it yours alone: `chmod 700 {error.path}`"
    if sys.platform == "win32" or "belongs to" not in error.why:
        return "Move it away: a new one is made."
    return (
        f"Have its owner or the administrator remove it (`sudo rm -r {error.path}`), or set "
        f"{_VARIABLE} to a folder of your own, for OBS as well."
    )


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
