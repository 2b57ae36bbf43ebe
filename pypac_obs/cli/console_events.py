# SPDX-License-Identifier: MIT
"""What Windows tells a console's programs: Ctrl-C, Ctrl-Break, and that they have to end.

Of a logoff or a shutdown it tells them in another way: see `logoff`.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

__all__ = ["console_events"]

# CTRL_C_EVENT and CTRL_BREAK_EVENT.
_KEYS = (0, 1)
# CTRL_LOGOFF_EVENT: only services hear it, of any user.
_LOGOFF = 5
# The others are a console that is closed and, for services, the system's end.

# Windows may call a handler that has just been removed.
_kept: list[object] = []


@contextlib.contextmanager
def console_events(on_key: Callable[[], None], on_closing: Callable[[], None]) -> Iterator[None]:
    """Calls these at once, on a thread of Windows' own; never on other systems, which have signals.

    Python's signals are not enough there: they wait for the main thread, whose waits they do not
    end, and a program whose console is closed is ended by Windows as soon as they are noted.
    """
    if sys.platform == "win32":
        import ctypes

        closing = threading.Event()

        @ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)
        def handle(event: int) -> int:
            if event in _KEYS:
                on_key()
                return 1
            if event == _LOGOFF:
                return 1
            closing.set()
            on_closing()
            # When this returns Windows ends the program; if it does not, in 5 seconds. By then the
            # program has ended by itself, and this thread with it.
            threading.Event().wait()
            return 1

        _kept.append(handle)
        ctypes.windll.kernel32.SetConsoleCtrlHandler(handle, 1)
        try:
            yield
        finally:
            # Removing one waits until all that have been called have returned.
            if not closing.is_set():
                ctypes.windll.kernel32.SetConsoleCtrlHandler(handle, 0)
    else:
        yield
