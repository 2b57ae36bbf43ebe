# SPDX-License-Identifier: MIT
"""Closes a program's window on an X screen, as its user does with the window's button."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p

from pypac_obs.errors import BackendUnavailable

__all__ = ["ask_to_close"]

CLIENT_MESSAGE = 33


class _ClientMessage(ctypes.Structure):
    # XClientMessageEvent, as long as Xlib's union of all events.
    _fields_ = (
        ("type", c_int),
        ("serial", c_ulong),
        ("send_event", c_int),
        ("display", c_void_p),
        ("window", c_ulong),
        ("message_type", c_ulong),
        ("format", c_int),
        ("data", c_long * 5),
        ("_rest", c_long * 16),
    )


def ask_to_close(display: str, title: str) -> int:
    """Ask each window whose title begins so to close, and return how many there are.

    The program may refuse, or ask its user first. Raises `BackendUnavailable` where there is no
    such screen.
    """
    x11 = _library()
    connection = x11.XOpenDisplay(display.encode())
    if not connection:
        raise BackendUnavailable(f"there is no X screen {display}")
    try:
        protocols = x11.XInternAtom(connection, b"WM_PROTOCOLS", False)
        close = x11.XInternAtom(connection, b"WM_DELETE_WINDOW", False)
        windows = [one for one in _windows(x11, connection) if one[1].startswith(title)]
        for window, _ in windows:
            message = _ClientMessage(
                CLIENT_MESSAGE, 0, 1, connection, window, protocols, 32, (c_long * 5)(close)
            )
            x11.XSendEvent(connection, window, False, 0, byref(message))
        return len(windows)
    finally:
        x11.XCloseDisplay(connection)  # sends what has not been sent yet


def _library() -> ctypes.CDLL:
    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError as error:
        raise BackendUnavailable(str(error), remedy="sudo apt install libx11-6") from error
    x11.XOpenDisplay.restype = c_void_p
    x11.XOpenDisplay.argtypes = [c_char_p]
    x11.XCloseDisplay.argtypes = [c_void_p]
    x11.XDefaultRootWindow.restype = c_ulong
    x11.XDefaultRootWindow.argtypes = [c_void_p]
    x11.XInternAtom.restype = c_ulong
    x11.XInternAtom.argtypes = [c_void_p, c_char_p, c_int]
    x11.XSendEvent.argtypes = [c_void_p, c_ulong, c_int, c_long, c_void_p]
    x11.XFetchName.argtypes = [c_void_p, c_ulong, POINTER(c_char_p)]
    x11.XFree.argtypes = [c_void_p]
    x11.XQueryTree.argtypes = [
        c_void_p,
        c_ulong,
        POINTER(c_ulong),
        POINTER(c_ulong),
        POINTER(POINTER(c_ulong)),
        POINTER(c_uint),
    ]
    return x11


def _windows(x11: ctypes.CDLL, connection: int) -> list[tuple[int, str]]:
    """The top windows and their titles."""
    root, parent = c_ulong(), c_ulong()
    children, count = POINTER(c_ulong)(), c_uint()
    top = x11.XDefaultRootWindow(connection)
    x11.XQueryTree(connection, top, byref(root), byref(parent), byref(children), byref(count))
    found = []
    for window in children[: count.value]:
        name = c_char_p()
        if x11.XFetchName(connection, window, byref(name)):
            found.append((window, (name.value or b"").decode(errors="replace")))
            x11.XFree(name)
    if children:
        x11.XFree(children)
    return found
