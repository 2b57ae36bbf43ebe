# SPDX-License-Identifier: MIT
"""The folder that relative paths begin in, which may be deleted while a program is in it."""

from __future__ import annotations

import os
from pathlib import Path

from pypac_obs.errors import OutputFailed

__all__ = ["absolute", "is_working_folder_gone"]


def is_working_folder_gone() -> bool:
    """Tells whether somebody has deleted the working folder."""
    try:
        return not os.path.isdir(os.getcwd())
    except OSError:
        return True


def absolute(path: Path) -> Path:
    """Gives the full path. Raises OutputFailed where there is no working folder to begin in."""
    if not path.is_absolute() and is_working_folder_gone():
        raise OutputFailed(
            f"{path} is to be in the working folder, which is deleted",
            remedy="Change to another folder (cd), or write the whole path.",
        )
    return path.absolute()
