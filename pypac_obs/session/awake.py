# SPDX-License-Identifier: MIT
"""Keeps the computer awake."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

__all__ = ["kept_awake"]

_ES_CONTINUOUS = 0x80000000
_ES_SYSTEM_REQUIRED = 0x00000001


@contextlib.contextmanager
def kept_awake() -> Iterator[None]:
    """Keeps Windows from sleep for want of keys and clicks; the screen may go dark.

    Windows counts it for the thread that enters, which has to be the one that leaves. Other systems
    are left as they are: there it would take a service on D-Bus.
    """
    if sys.platform == "win32":
        import ctypes

        tell = ctypes.WinDLL("kernel32").SetThreadExecutionState
        tell.argtypes = (ctypes.c_uint,)
        tell(_ES_CONTINUOUS | _ES_SYSTEM_REQUIRED)
        try:
            yield
        finally:
            tell(_ES_CONTINUOUS)
    else:
        yield
