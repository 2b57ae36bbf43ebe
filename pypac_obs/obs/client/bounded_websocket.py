# SPDX-License-Identifier: MIT
"""websocket-client's WebSocket, of which each call ends by a deadline and each message by a limit.

That library has timeouts, which begin anew with each byte, and reads messages of any length.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import select
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from websocket import (
    ABNF,
    WebSocket,
    WebSocketException,
    WebSocketPayloadException,
    WebSocketTimeoutException,
    continuous_frame,
    frame_buffer,
)

from pypac_obs.obs.client.messages import MAX_MESSAGE_BYTES

__all__ = ["BoundedWebSocket", "connect_socket"]

_READ_BYTES = 2**16
# Of a server's HTTP answer. OBS's has some 200.
_MAX_HEAD_BYTES = 2**14
# How often who waits sees whether the connection has ended. Linux wakes him; Wine does not where
# something is still to be sent.
_LOOK_S = 0.5


class BoundedWebSocket(WebSocket):
    """A websocket through an open socket, which it owns. It logs nothing of what it sends.

    `send` and `end` are for any thread, all that receives for one. Whatever the other end does,
    they raise WebSocketTimeoutException at the deadline that the thread has set with `end_by`,
    WebSocketException for what is no websocket, or OSError. `close_frame` is how it closed.
    """

    def __init__(self, connected: socket.socket) -> None:
        super().__init__(enable_multithread=False, skip_utf8_validation=True)
        self.close_frame: ABNF | None = None  # an older websocket-client has none of its own
        _quieten()
        self.frame_buffer = _Frames(self._recv, True)
        self.cont_frame = _Pieces(False, True)
        self.bounded = _BoundedSocket(connected)
        self._sending = threading.Lock()  # the sending end of the socket

    @property
    def last_heard(self) -> float:
        """When anything came from the other end, in `time.monotonic` seconds."""
        return self.bounded.last_heard

    @property
    def deadline(self) -> float:
        """The calling thread's deadline."""
        deadline: float = self.bounded.until.receive
        return deadline

    def end_by(self, deadline: float, answers_by: float | None = None) -> None:
        """Sets the calling thread's deadline, in `time.monotonic` seconds.

        ``answers_by`` is that for answers to pings, which a peer may let wait.
        """
        self.bounded.until.receive = deadline
        self.bounded.until.send = deadline if answers_by is None else answers_by

    def shake_hands(self, url: str) -> None:
        """Opens the websocket. A proxy, a redirection and cookies are not heeded."""
        with _unlogged():
            self.connect(
                url,
                socket=self.bounded,
                subprotocols=["obswebsocket.json"],
                suppress_origin=True,
                redirect_limit=0,
            )
        self.bounded.head = None

    def recv_frame(self) -> ABNF:
        """Receives a frame. How the other end closes is kept: answering that may fail."""
        frame: ABNF = super().recv_frame()
        if frame.opcode == ABNF.OPCODE_CLOSE:
            self.close_frame = frame
        return frame

    def recv_data_frame(self, control_frame: bool = False) -> tuple[int, ABNF]:
        """Receives a message."""
        with _unlogged():
            opcode, frame = super().recv_data_frame(control_frame)
        return opcode, frame

    def send_frame(self, frame: ABNF) -> int:
        """Sends a frame; who has not taken it by the deadline is given up."""
        wait_s = max(0.0, self.bounded.until.send - time.monotonic())
        if not self._sending.acquire(timeout=wait_s):
            raise WebSocketTimeoutException("another message is being sent")
        try:
            with _unlogged():
                return super().send_frame(frame)
        except BaseException:
            self.bounded.close()  # half of a frame may be gone: nothing can follow it
            raise
        finally:
            self._sending.release()

    def end(self) -> None:
        """Ends the connection at once: who waits in it is told that it has ended."""
        if self.connected:
            self.end_by(time.monotonic())
            with contextlib.suppress(OSError, WebSocketException):
                self.send_close()
        self.connected = False
        self.bounded.ended = True
        self.bounded.close()

    def release(self) -> None:
        """Gives the socket back, when nobody receives any more."""
        with self._sending:
            self.bounded.release()


class _BoundedSocket(socket.socket):
    """A connected socket that takes the place of another, with deadlines for timeouts."""

    def __init__(self, connected: socket.socket) -> None:
        kind = connected.family, connected.type, connected.proto
        super().__init__(*kind, fileno=connected.detach())
        self.setblocking(False)
        self.until = threading.local()
        self.last_heard = time.monotonic()
        self.head: bytearray | None = bytearray()  # of the HTTP answer, until that has come
        self._shut = False
        self.ended = False  # by us: what still waits to be received is of no interest
        self._came, self._at = b"", 0  # what was received, and how much of it is taken

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """Receives something; b"" at the end."""
        while self._at == len(self._came) and not self.ended:
            now = time.monotonic()
            if not _ready(self, min(self.until.receive, now + _LOOK_S)):
                if self._shut:
                    return b""
                if now >= self.until.receive:
                    raise TimeoutError
                continue
            with contextlib.suppress(BlockingIOError):
                self._came, self._at = super().recv(_READ_BYTES), 0
                self.last_heard = time.monotonic()
                if not self._came:
                    return b""
        if self.ended:
            return b""
        if time.monotonic() >= self.until.receive:  # what comes may be no message, without end
            raise TimeoutError
        taken = self._came[self._at : self._at + size]
        self._at += len(taken)
        if self.head is not None:
            self._look_at_head(taken)
        return taken

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Sends all of it."""
        left = memoryview(data)
        while left:
            try:
                left = left[super().send(left[:_READ_BYTES]) :]
            except BlockingIOError:
                now = time.monotonic()
                if self._shut or now >= self.until.send:
                    raise ConnectionAbortedError("it does not read") from None
                _ready(self, min(self.until.send, now + _LOOK_S), write=True)
        return len(data)

    def settimeout(self, value: float | None, /) -> None:
        """Does nothing: deadlines hold."""

    def close(self) -> None:
        """Ends the connection; the socket stays, as another thread may be waiting with it."""
        self._shut = True
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Gives the socket back."""
        super().close()

    def _look_at_head(self, taken: bytes) -> None:
        assert self.head is not None
        self.head += taken
        if len(self.head) > _MAX_HEAD_BYTES:
            raise WebSocketException("an HTTP answer without end")
        # websocket-client would keep them, for all that this program connects to.
        if taken == b"\n" and b"\nset-cookie" in self.head.lower():
            raise WebSocketException("a server with cookies")


class _Frames(frame_buffer):
    """Frames that are not read where they are too long."""

    def recv_length(self) -> None:
        super().recv_length()
        if self.length is not None and self.length > MAX_MESSAGE_BYTES:
            raise WebSocketPayloadException("a message that is too long")


class _Pieces(continuous_frame):
    """Messages in pieces, which are not too long as a whole, and are put together in one place."""

    def add(self, frame: ABNF) -> None:
        super().add(frame)
        if self.cont_data is not None and not frame.fin:
            if len(self.cont_data[1]) > MAX_MESSAGE_BYTES:
                raise WebSocketPayloadException("a message that is too long")
            if isinstance(self.cont_data[1], bytes):
                self.cont_data[1] = bytearray(self.cont_data[1])


_quiet = threading.local()


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Keeps what the calling thread sends and receives out of websocket-client's own log."""
    before = getattr(_quiet, "on", False)
    _quiet.on = True
    try:
        yield
    finally:
        _quiet.on = before


def _is_others(record: logging.LogRecord) -> bool:
    return not getattr(_quiet, "on", False)


def _quieten() -> None:
    """Has websocket-client log only the connections of others; its trace shows what is sent."""
    logger = logging.getLogger("websocket")
    if _is_others not in logger.filters:
        logger.addFilter(_is_others)


def connect_socket(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connects within ``timeout_s``, however long its name takes to be found.

    Raises OSError, and UnicodeError for names that no computer can have.
    """
    deadline = time.monotonic() + timeout_s
    failure: OSError = TimeoutError()
    for family, kind, protocol, _, address in _addresses(host, port, deadline):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connected = socket.socket(family, kind, protocol)
        try:
            connected.settimeout(left_s)
            connected.connect(address)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            connected.close()
            failure = error
        else:
            return connected
    raise failure


def _addresses(host: str, port: int, deadline: float) -> list[Any]:
    """Finds a host's addresses. A name server that hangs is left to a thread of its own."""

    def find() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failures.append(error)

    found: list[list[Any]] = []
    failures: list[Exception] = []
    if host.lower() == "localhost" or _is_numeric(host):
        find()
    else:
        finder = threading.Thread(target=find, name="obs name", daemon=True)
        finder.start()
        finder.join(max(0.0, deadline - time.monotonic()))
    if failures:
        raise failures[0]
    if not found:
        raise TimeoutError
    return found[0]


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _ready(connected: socket.socket, deadline: float, *, write: bool = False) -> bool:
    """Waits until there is something to read, or room to write; False at the deadline."""
    wait_s = max(0.0, deadline - time.monotonic())
    try:
        if sys.platform == "win32":
            one, none = [connected], list[socket.socket]()
            reads, writes = (none, one) if write else (one, none)
            return any(select.select(reads, writes, none, wait_s))
        # Not select(), which knows no file descriptors above 1023.
        poll = select.poll()
        poll.register(connected, select.POLLOUT if write else select.POLLIN)
        return bool(poll.poll(1000 * wait_s))
    except (OSError, ValueError):  # it was closed meanwhile
        return True
