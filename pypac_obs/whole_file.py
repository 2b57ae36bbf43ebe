# SPDX-License-Identifier: MIT
"""Puts a finished file in another one's place, so that readers find one of the two whole."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

__all__ = ["replace_file"]

_PATIENCE_S = 1.0
_PAUSE_S = 0.01


def replace_file(new: str | Path, path: str | Path, dir_fd: int | None = None) -> None:
    """Moves ``new``, which is closed, to ``path``. Raises OSError.

    ``dir_fd`` is the folder that both lie in, where they are names in it.

    Windows refuses that while somebody reads what is there, be it a virus scan: it is tried again
    for a second.
    """
    until = time.monotonic() + (_PATIENCE_S if sys.platform == "win32" else 0)
    while True:
        try:
            os.replace(new, path, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        except PermissionError:
            if time.monotonic() >= until:
                raise
            time.sleep(_PAUSE_S)
        else:
            return
