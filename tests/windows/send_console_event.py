# SPDX-License-Identifier: MIT
"""Runs a program under Wine, and tells it what Windows tells a console's programs.

    send_console_event.py FOLDER PROGRAM [ARGUMENT...]

Whenever a file `event-N` appears in the folder, N being the event's number, it is taken away and
the event is sent; the program's exit code is this one's. Neither a keyboard nor a window is there:
the event comes as from the system, which starts a thread at CtrlRoutine in each of the programs.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import time
from ctypes import c_char_p, c_size_t, c_uint, c_void_p, c_wchar_p
from pathlib import Path


def main() -> int:
    folder, *command = sys.argv[1:]
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.GetModuleHandleW.restype = kernel.GetProcAddress.restype = c_void_p
    kernel.GetModuleHandleW.argtypes = [c_wchar_p]
    kernel.GetProcAddress.argtypes = [c_void_p, c_char_p]
    kernel.CreateRemoteThread.restype = c_void_p
    kernel.CreateRemoteThread.argtypes = [
        *(c_void_p, c_void_p, c_size_t, c_void_p, c_size_t, c_uint, c_void_p)
    ]
    # System libraries are at the same place in all processes.
    routine = kernel.GetProcAddress(kernel.GetModuleHandleW("kernelbase"), b"CtrlRoutine")
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while process.poll() is None:
        for file in Path(folder).glob("event-*"):
            number = int(file.name.removeprefix("event-"))
            file.unlink()
            handle = int(process._handle)  # type: ignore[attr-defined]
            if not kernel.CreateRemoteThread(handle, None, 0, routine, number, 0, None):
                raise ctypes.WinError(ctypes.get_last_error())
        time.sleep(0.02)  # nothing wakes for both, a file and the end of the program
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
