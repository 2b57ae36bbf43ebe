# SPDX-License-Identifier: MIT
"""Plays a steady level through libpulse; SIGUSR1 corks and uncorks it, as a player's pause does.

pacat cannot pause, and no other player that can is installed everywhere.
"""

from __future__ import annotations

import ctypes
import signal
import struct
import threading
import time

pulse = ctypes.CDLL("libpulse.so.0")
POINTER = ctypes.c_void_p
WRITE = ctypes.CFUNCTYPE(None, POINTER, ctypes.c_size_t, POINTER)
FLOAT32LE, READY, RELATIVE = 5, 4, 0
LEVEL = 0.25


class SampleSpec(ctypes.Structure):
    _fields_ = (("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8))


def call(name: str, *args: object, result: type | None = POINTER) -> object:
    function = getattr(pulse, name)
    function.restype = result
    return function(*args)


def pointer(name: str, *args: object) -> ctypes.c_void_p:
    return ctypes.c_void_p(call(name, *args))  # type: ignore[arg-type]


@WRITE
def write(stream: int, size: int, _: int) -> None:
    data = struct.pack("<f", LEVEL) * (size // 4)
    offset = ctypes.c_int64(0)
    call(
        "pa_stream_write", POINTER(stream), data, ctypes.c_size_t(len(data)), None, offset, RELATIVE
    )


def wait_ready(loop: ctypes.c_void_p, state: str, thing: ctypes.c_void_p) -> None:
    while True:
        call("pa_threaded_mainloop_lock", loop, result=None)
        now = call(state, thing, result=ctypes.c_int)
        call("pa_threaded_mainloop_unlock", loop, result=None)
        if now == READY or (state == "pa_stream_get_state" and now == 2):
            return
        time.sleep(0.005)


def main() -> None:
    loop = pointer("pa_threaded_mainloop_new")
    context = pointer("pa_context_new", pointer("pa_threaded_mainloop_get_api", loop), b"pauser")
    call("pa_context_connect", context, None, 0, None, result=ctypes.c_int)
    call("pa_threaded_mainloop_start", loop, result=ctypes.c_int)
    wait_ready(loop, "pa_context_get_state", context)
    call("pa_threaded_mainloop_lock", loop, result=None)
    spec = SampleSpec(FLOAT32LE, 48000, 2)
    stream = pointer("pa_stream_new", context, b"level", ctypes.byref(spec), None)
    call("pa_stream_set_write_callback", stream, write, None, result=None)
    call("pa_stream_connect_playback", stream, None, None, 0, None, None, result=ctypes.c_int)
    call("pa_threaded_mainloop_unlock", loop, result=None)
    wait_ready(loop, "pa_stream_get_state", stream)

    toggled = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: toggled.set())
    corked = 0
    print("playing", flush=True)
    while True:
        if not toggled.wait(0.02):
            continue
        toggled.clear()
        corked = 1 - corked
        call("pa_threaded_mainloop_lock", loop, result=None)
        call("pa_stream_cork", stream, corked, None, None)
        call("pa_threaded_mainloop_unlock", loop, result=None)


if __name__ == "__main__":
    main()
