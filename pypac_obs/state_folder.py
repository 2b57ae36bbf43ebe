# SPDX-License-Identifier: MIT
"""Where this program keeps what it has to remember between runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["state_folder"]


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Tells the folder ``pypac-obs`` where the system's programs keep their state.

    Raises RuntimeError where nobody tells where the user's folder is.
    """
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    if sys.platform == "win32":
        state = Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    return state / "pypac-obs"
