# SPDX-License-Identifier: MIT
"""A process that ends with this one, and what it has started with it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

__all__ = ["ChildProcess"]


class ChildProcess(subprocess.Popen[str]):
    """Runs a command with pipes for its input and output, and with one handle of this process.

    On Linux it has to see to it itself that it ends with the thread that starts it
    (`filter_process`); on Windows the system does, even if this process is killed. Raises OSError.
    """

    def __init__(self, command: Sequence[str], handle: int | None = None) -> None:
        options: dict[str, Any] = {}
        if sys.platform == "win32":
            options["creationflags"] = subprocess.CREATE_NO_WINDOW
            if handle is not None:
                os.set_handle_inheritable(handle, True)
                options["startupinfo"] = subprocess.STARTUPINFO(
                    lpAttributeList={"handle_list": [handle]}
                )
        else:
            # It ends with what it started itself, and no sooner than this one: not with a terminal.
            options["start_new_session"] = True
            if handle is not None:
                options["pass_fds"] = (handle,)
        self._job: _Job | None = None
        super().__init__(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            **options,
        )
        if sys.platform == "win32":
            self._job = _Job(int(vars(self)["_handle"]))

    def await_end(self) -> None:
        """Waits for its end."""
        if sys.platform != "win32":
            # Until its family has been ended it keeps its number, so that no other one has that.
            with contextlib.suppress(OSError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self.wait()

    def end_family(self) -> None:
        """Ends it, and what it has started. Does not wait."""
        with contextlib.suppress(OSError):
            if sys.platform != "win32":
                os.killpg(self.pid, signal.SIGKILL)
            else:
                if self._job is not None:
                    self._job.close()
                self.kill()


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    _KILL_ON_JOB_CLOSE = 0x2000
    _EXTENDED_LIMITS = 9

    class _BasicLimits(ctypes.Structure):
        _fields_ = (
            ("per_process_user_time", ctypes.c_int64),
            ("per_job_user_time", ctypes.c_int64),
            ("flags", wintypes.DWORD),
            ("smallest_working_set", ctypes.c_size_t),
            ("largest_working_set", ctypes.c_size_t),
            ("processes", wintypes.DWORD),
            ("affinity", ctypes.c_size_t),
            ("priority", wintypes.DWORD),
            ("scheduling", wintypes.DWORD),
        )

    class _Limits(ctypes.Structure):
        _fields_ = (
            ("basic", _BasicLimits),
            ("io", ctypes.c_uint64 * 6),
            ("memory", ctypes.c_size_t * 4),
        )

    class _Job:
        """Windows ends the processes in it when the last handle of it is closed.

        That is this one's, also where this process is killed. Where Windows refuses it, the process
        ends when its input does.
        """

        def __init__(self, process: int) -> None:
            self._kernel = ctypes.WinDLL("kernel32")
            self._kernel.CreateJobObjectW.restype = wintypes.HANDLE
            self._handle = wintypes.HANDLE(self._kernel.CreateJobObjectW(None, None))
            limits = _Limits()
            limits.basic.flags = _KILL_ON_JOB_CLOSE
            self._kernel.SetInformationJobObject(
                self._handle, _EXTENDED_LIMITS, ctypes.byref(limits), ctypes.sizeof(limits)
            )
            self._kernel.AssignProcessToJobObject(self._handle, wintypes.HANDLE(process))

        def close(self) -> None:
            """Ends them. May be called again."""
            handle, self._handle = self._handle, wintypes.HANDLE()
            if handle:
                self._kernel.CloseHandle(handle)

else:

    class _Job:
        """No other system has them."""
