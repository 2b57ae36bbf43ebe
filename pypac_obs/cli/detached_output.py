# SPDX-License-Identifier: MIT
"""Standard output and standard error that cannot stop a recording, whatever becomes of them."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

__all__ = ["detached_output", "is_closed_pipe", "silence", "wait_until_read"]

# How much text is kept for a reader that takes nothing now. Beyond it, new lines are dropped.
_MOST_HELD = 1 << 20
# How long flush() waits for the text to be out, so that both streams keep their order.
_PATIENCE_S = 0.25
# Short, because a signal does not end the wait.
_LOOK_S = 0.1


@contextlib.contextmanager
def detached_output() -> Iterator[None]:
    """Makes writing to sys.stdout and sys.stderr neither fail nor block inside this block.

    A thread for each stream does the writing. Where that fails (a closed pipe, a full disk), the
    stream's text is dropped from then on, and the other stream says so once. At the end it waits
    until the readers have taken everything. May be nested.
    """
    if isinstance(sys.stdout, _DetachedStream):
        yield
        return
    before = sys.stdout, sys.stderr
    out, err = (_DetachedStream(stream) for stream in before)
    out.on_failure = lambda error: err.say(_failure_text("output", error))
    err.on_failure = lambda error: out.say(_failure_text("error", error))
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        out.end()
        err.end()


def wait_until_read() -> None:
    """Waits until readers have taken all text, inside `detached_output`. Signals are handled."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, _DetachedStream):
            stream.wait_until_read()


def silence(stream: TextIO | None) -> None:
    """Sends whatever is still written to a stream nowhere. Raises nothing."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, stream.fileno())  # type: ignore[union-attr]
        finally:
            os.close(nothing)


def is_closed_pipe(error: BaseException) -> bool:
    """Tells whether a stream's reader has gone: Windows says EINVAL to a flush then."""
    if isinstance(error, BrokenPipeError):
        return True
    is_invalid = isinstance(error, OSError) and (error.errno, error.filename) == (
        errno.EINVAL,
        None,
    )
    return is_invalid and os.name == "nt"


def _failure_text(name: str, error: Exception) -> str:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"Standard {name} takes no more text ({why}). The recording goes on.\n"


class _DetachedStream(io.TextIOBase):
    """Takes text at once, and writes it to ``stream`` on a thread of its own.

    Any thread may write. The thread is a daemon: where it hangs in a write, it holds up `end`, but
    not the end of a process that is aborted.
    """

    def __init__(self, stream: TextIO) -> None:
        self.on_failure: Callable[[Exception], None] = lambda error: None
        self._stream = stream
        self._lock = threading.Condition()
        self._texts: deque[str] = deque()
        self._held = 0  # characters that are not out yet
        self._is_stuck = False  # the reader takes nothing, so nobody waits for it
        self._is_full = False  # until the reader has taken all, so that no line is cut
        self._has_failed = False
        self._ends = False
        self._thread = threading.Thread(target=self._write_all, name="output text", daemon=True)
        self._thread.start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream behind."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """What becomes of characters that the encoding does not have."""
        return self._stream.errors

    def writable(self) -> bool:
        """Text may be written."""
        return True

    def isatty(self) -> bool:
        """Tells whether the stream behind is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the stream behind."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Takes text. Never blocks, and fails only for what is no text."""
        if not isinstance(text, str):
            raise TypeError(f"expected text, got {type(text).__name__}")
        with self._lock:
            self._is_full = self._held > 0 and (
                self._is_full or self._held + len(text) > _MOST_HELD
            )
            if not (self._has_failed or self._is_full):
                self._texts.append(text)
                self._held += len(text)
                self._lock.notify_all()
        return len(text)

    def flush(self) -> None:
        """Waits a moment until the text is out, unless the reader takes nothing."""
        with self._lock:
            if not self._is_stuck:
                self._is_stuck = not self._lock.wait_for(lambda: not self._held, _PATIENCE_S)

    def say(self, text: str) -> None:
        """Takes text from the other stream's thread."""
        self.write(text)

    def wait_until_read(self) -> None:
        """Waits until all text is out. A signal's handler runs meanwhile."""
        with self._lock:
            while not self._lock.wait_for(lambda: not self._held, _LOOK_S):
                pass

    def end(self) -> None:
        """Waits until all text is out, and ends the thread."""
        self.wait_until_read()
        with self._lock:
            self._ends = True
            self._lock.notify_all()
        self._thread.join()

    # The thread

    def _write_all(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._texts or self._ends)
                if not self._texts:
                    return
                text = "".join(self._texts)
                self._texts.clear()
            failure: Exception | None = None
            try:
                self._stream.write(text)
                self._stream.flush()
            except Exception as error:
                failure = error
                silence(self._stream)
            with self._lock:
                self._held -= len(text)
                self._is_stuck = False
                if failure is not None:
                    self._has_failed = True
                    self._texts.clear()
                    self._held = 0
                self._lock.notify_all()
            if failure is not None:
                self.on_failure(failure)
