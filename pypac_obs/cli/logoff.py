# SPDX-License-Identifier: MIT
"""The end of the user's log-on or of the system, as Windows tells programs with windows of it."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

__all__ = ["logoff_window"]

# Windows ends a program that has not answered after 5 seconds.
_ANSWER_S = 4.5
# What Windows shows of a program that it waits for.
_REASON = "The files of a recording are being finished."

if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    # By it the window is found.
    _CLASS_NAME = "pypac-obs run"
    _WM_CLOSE = 0x0010
    _WM_QUERYENDSESSION = 0x0011
    _WM_QUIT = 0x0012
    _WM_ENDSESSION = 0x0016

    _Answer = ctypes.WINFUNCTYPE(
        wintypes.LPARAM, wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM
    )

    class _WindowClass(ctypes.Structure):
        """WNDCLASSW."""

        _fields_ = (
            ("style", wintypes.UINT),
            ("answer", _Answer),
            ("class_extra", ctypes.c_int),
            ("window_extra", ctypes.c_int),
            ("instance", wintypes.HINSTANCE),
            ("icon", wintypes.HANDLE),
            ("cursor", wintypes.HANDLE),
            ("background", wintypes.HANDLE),
            ("menu", wintypes.LPCWSTR),
            ("name", wintypes.LPCWSTR),
        )

    def _user32() -> ctypes.WinDLL:
        # An instance of our own: what types it is told are for nobody else.
        user32 = ctypes.WinDLL("user32")
        message = (wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM)
        user32.DefWindowProcW.argtypes = message
        user32.DefWindowProcW.restype = wintypes.LPARAM
        user32.RegisterClassW.argtypes = (ctypes.POINTER(_WindowClass),)
        user32.UnregisterClassW.argtypes = (wintypes.LPCWSTR, wintypes.HINSTANCE)
        user32.CreateWindowExW.argtypes = (
            *(wintypes.DWORD, wintypes.LPCWSTR, wintypes.LPCWSTR, wintypes.DWORD),
            *(ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int),
            *(wintypes.HWND, wintypes.HMENU, wintypes.HINSTANCE, wintypes.LPVOID),
        )
        user32.CreateWindowExW.restype = wintypes.HWND
        user32.DestroyWindow.argtypes = (wintypes.HWND,)
        user32.GetMessageW.argtypes = (
            *(ctypes.POINTER(wintypes.MSG), wintypes.HWND, wintypes.UINT, wintypes.UINT),
        )
        user32.DispatchMessageW.argtypes = (ctypes.POINTER(wintypes.MSG),)
        user32.DispatchMessageW.restype = wintypes.LPARAM
        user32.PostThreadMessageW.argtypes = (wintypes.DWORD, *message[1:])
        user32.ShutdownBlockReasonCreate.argtypes = (wintypes.HWND, wintypes.LPCWSTR)
        user32.ShutdownBlockReasonDestroy.argtypes = (wintypes.HWND,)
        return user32

    class _LogoffWindow:
        """A hidden window, on a thread that does nothing else.

        Whoever sends a message to all windows waits for each of them: this one always answers.
        """

        def __init__(self, on_end: Callable[[], None]) -> None:
            self._on_end = on_end
            self._user32 = _user32()
            self._thread = threading.Thread(target=self._live, name="logoff window", daemon=True)
            self._tried = threading.Event()  # to make the window
            self._ended = threading.Event()  # what was asked for its end
            self._made = False

        def open(self) -> None:
            """Returns once Windows knows the window, if it gives one."""
            self._thread.start()
            self._tried.wait()

        def close(self) -> None:
            """Lets Windows go on that waits, and takes the window away."""
            self._ended.set()
            if self._made and self._thread.native_id is not None:
                self._user32.PostThreadMessageW(self._thread.native_id, _WM_QUIT, 0, 0)
            self._thread.join()

        def _live(self) -> None:
            answer = _Answer(self._answer)
            window_class = _WindowClass(answer=answer, instance=sys.dllhandle, name=_CLASS_NAME)
            window = None
            try:
                if self._user32.RegisterClassW(ctypes.byref(window_class)):
                    # No message-only one: such are not told of a log-off.
                    window = self._user32.CreateWindowExW(
                        *(0, _CLASS_NAME, _CLASS_NAME, 0, 0, 0, 0, 0),
                        *(None, None, sys.dllhandle, None),
                    )
                self._made = bool(window)
            finally:
                self._tried.set()
            if not window:
                return
            message = wintypes.MSG()
            while self._user32.GetMessageW(ctypes.byref(message), None, 0, 0) > 0:
                self._user32.DispatchMessageW(ctypes.byref(message))
            self._user32.DestroyWindow(window)
            self._user32.UnregisterClassW(_CLASS_NAME, sys.dllhandle)

        def _answer(self, window: int, message: int, wparam: int, lparam: int) -> int:
            if message == _WM_QUERYENDSESSION:
                # Another program may still refuse the end: nothing is ended yet.
                self._user32.ShutdownBlockReasonCreate(window, _REASON)
                return 1
            if message == _WM_ENDSESSION:
                if wparam:
                    self._on_end()
                    # Windows may end this program as soon as this has returned.
                    self._ended.wait(_ANSWER_S)
                self._user32.ShutdownBlockReasonDestroy(window)
                return 0
            if message == _WM_CLOSE:  # such as `taskkill` without /F sends
                self._on_end()
                return 0
            return int(self._user32.DefWindowProcW(window, message, wparam, lparam))


@contextlib.contextmanager
def logoff_window(on_end: Callable[[], None]) -> Iterator[None]:
    """Calls it at a logoff, a shutdown or `taskkill`, on a thread of its own; on Windows only.

    Windows then waits until this context is left, for 4.5 seconds at most. Of these, programs
    that use user32.dll hear nothing by way of the console. Where Windows gives no window, nothing
    is called.
    """
    if sys.platform == "win32":
        window = _LogoffWindow(on_end)
        window.open()
        try:
            yield
        finally:
            window.close()
    else:
        yield
