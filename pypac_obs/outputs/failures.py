# SPDX-License-Identifier: MIT
"""What to say of an output that fails: a plain sentence, and a remedy."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from pypac_obs.errors import OutputFailed
from pypac_obs.profile.paths import unsafe_characters
from pypac_obs.working_folder import is_working_folder_gone

__all__ = ["output_failure"]


def output_failure(name: str, error: BaseException, folder: Path | None = None) -> OutputFailed:
    """Says what an exception means to the user of the output ``name``, and what to do about it.

    ``folder`` is where the output writes; by default it is taken from the exception's file name.
    """
    code = error.errno if isinstance(error, OSError) else None
    if code is None:
        return OutputFailed(f"{name}: {type(error).__name__}: {error}")
    filename = getattr(error, "filename", None)
    if folder is None and isinstance(filename, str):
        folder = Path(filename).parent
    if code == errno.ENOENT and _is_blocked_by_a_file(folder):
        code = errno.ENOTDIR  # Windows tells the two not apart
    if folder is not None and not folder.is_absolute() and is_working_folder_gone():
        return OutputFailed(
            f"{name}: {folder} is to be in the working folder, which is deleted",
            remedy="Change to another folder (cd), or write the whole path in the profile.",
            native_code=code,
        )
    if code in _REFUSED_NAMES and (refused := _refused_name(folder, filename)) is not None:
        return OutputFailed(
            f"{name}: {refused}",
            remedy="Leave it out in the profile, or choose another drive.",
            native_code=code,
        )
    where = str(folder) if folder is not None else "where it writes"
    message, remedy = _SYSTEM_ERRORS.get(code, (os.strerror(code) + " ({where})", ""))
    # Only where it is told: asking fails where the disk does.
    free = _free_space(folder) if "{free}" in message else ""
    return OutputFailed(
        f"{name}: {message.format(where=where, free=free)}",
        remedy=remedy,
        native_code=code,
    )


# What file systems say to a name that they do not take.
_REFUSED_NAMES = (errno.EINVAL, errno.ENOENT, errno.EILSEQ)


def _refused_name(folder: Path | None, filename: object) -> str | None:
    """Says which character of a new name the drive can't hold (FAT, exFAT, NTFS); None: no name."""
    if folder is None:
        return None
    path = folder
    if isinstance(filename, str | os.PathLike):
        path = folder / filename  # the file name itself, where that is a full path
    # Not Path's own, which raise what these drives say to such a name.
    there = next((one for one in path.parents if os.path.isdir(one)), None)
    if there is None or os.path.lexists(path):
        return None
    # What has been made on the way is removed again by now.
    names = [part for part in path.relative_to(there).parts if unsafe_characters(part)]
    if not names:
        return None
    name = names[0]
    held = [f'"{character}"' for character in unsafe_characters(name)]
    what = f"the character {held[0]}" if len(held) == 1 else f"the characters {' '.join(held)}"
    return f'the drive of {there} can\'t hold {what} in a name, as in "{name}"'


_ELSEWHERE = "choose another folder in the profile."
_SYSTEM_ERRORS = {
    errno.ENOSPC: ("the disk is full: {free} in {where}", f"Make room, or {_ELSEWHERE}"),
    errno.EDQUOT: ("your share of the disk is used up in {where}", f"Make room, or {_ELSEWHERE}"),
    errno.EACCES: ("no permission to write in {where}", f"Grant it, or {_ELSEWHERE}"),
    errno.EPERM: ("no permission to write in {where}", f"Grant it, or {_ELSEWHERE}"),
    errno.EROFS: ("{where} is on a disk that can only be read", _ELSEWHERE.capitalize()),
    errno.ENOENT: ("{where} is not there, or no longer", "Keep the folder while recording."),
    errno.ENOTDIR: ("{where} is no folder", _ELSEWHERE.capitalize()),
    errno.EFBIG: (
        "a file in {where} cannot grow any further",
        "Write to a disk that takes larger files (FAT32 ends at 4 GiB), or raise `ulimit -f`.",
    ),
    errno.EIO: ("the disk fails to write in {where}", "Check the disk and its cable."),
    errno.EMFILE: ("too many files are open", "Raise `ulimit -n`."),
    errno.ENAMETOOLONG: ("a file's name is too long in {where}", "Shorten it in the profile."),
}


def _is_blocked_by_a_file(folder: Path | None) -> bool:
    return folder is not None and any(map(os.path.isfile, (folder, *folder.parents)))


def _free_space(folder: Path | None) -> str:
    folder = folder or Path()
    try:
        there = next((f for f in (folder, *folder.parents) if f.is_dir()), Path())
        free = shutil.disk_usage(there).free
    except OSError:  # a parent may no longer be entered, or the disk fails
        return "an unknown amount free"
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if free >= size:
            return f"{free / size:.1f} {unit} free"
    return f"{free} bytes free"
