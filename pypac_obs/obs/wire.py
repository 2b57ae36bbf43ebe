# SPDX-License-Identifier: MIT
"""A websocket of our own over a socket of our own: each call ends by a deadline, no thread hides.

The protocol is that of the library `websockets`, of which this uses the part that does no I/O.
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
from collections import deque
from collections.abc import Callable
from typing import Any

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

__all__ = ["Wire", "connect_socket"]

_READ_BYTES = 2**16
# Answers to pings that a peer does not read: more than that, and it is given up.
_MAX_UNREAD_BYTES = 2**18
# websockets' own codes for what a peer does wrong.
_BAD_DATA, _INVALID_TEXT = 1003, 1007


class Wire:
    """A websocket to ``url`` through an open socket, which it owns. It takes text messages only.

    `send`, `ping` and `close` are for any thread, `shake_hands` and `receive` for one. They raise
    websockets' ConnectionClosed once the connection has ended: its ``sent`` says what was wrong
    with the peer, if we ended it; its ``rcvd`` how the peer closed it, if it did.

    A deadline (`time.monotonic` seconds) holds whatever the peer does: it is looked at after every
    read, and nothing but `send` waits for a peer that does not read.
    """

    def __init__(
        self, url: str, connected: socket.socket, *, protocol_name: str, max_bytes: int
    ) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._protocol = ClientProtocol(
            parse_uri(url),
            subprotocols=[Subprotocol(protocol_name)],
            max_size=max_bytes,
            logger=_silence(),
        )
        self._max_bytes = max_bytes
        # The protocol, and the sending end of the socket; never held while waiting.
        self._lock = threading.Lock()
        self._outgoing = bytearray()  # what the socket has not taken yet
        self._put = self._sent = 0  # bytes that were to be sent since the beginning, and have been
        self._unread = 0  # of the outgoing, what only answers the peer
        self._messages: deque[str] = deque()  # reader only, as all below
        self._pieces = bytearray()
        self._at_end = False
        self._last_heard = time.monotonic()

    @property
    def last_heard(self) -> float:
        """When anything came from the peer, in `time.monotonic` seconds."""
        return self._last_heard

    def shake_hands(self, deadline: float) -> None:
        """Opens the websocket.

        Raises TimeoutError at ``deadline``, OSError, EOFError, or websockets' InvalidHandshake
        where the peer is no websocket server.
        """
        with self._lock:
            self._protocol.send_request(self._protocol.connect())
            self._flush()
        while self._protocol.state is State.CONNECTING:
            self._read(deadline)
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            if self._at_end:
                raise EOFError
            if self._protocol.state is State.CONNECTING and time.monotonic() >= deadline:
                raise TimeoutError

    def check(self, look: Callable[[socket.socket], None]) -> None:
        """Lets somebody look at the socket, whose errors pass on; it must not be used."""
        look(self._socket)

    def receive(self, deadline: float) -> str:
        """Gives the next message. Raises TimeoutError at the deadline, and ConnectionClosed."""
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                raise self._ended()
            self._read(deadline)
            # What came may be no message, or no end of one, again and again.
            if not self._messages and time.monotonic() >= deadline:
                raise TimeoutError
        return self._messages.popleft()

    def send(self, text: str, deadline: float) -> None:
        """Sends a message; a peer that has not taken it by the deadline is given up."""
        with self._lock:
            if self._protocol.state is not State.OPEN:
                raise self._ended_locked()
            self._protocol.send_text(text.encode())
            self._flush()
            end = self._put
        while self._sent < end:
            in_time = _ready(self._socket, deadline, write=True)
            with self._lock:
                if self._protocol.state is State.OPEN and in_time:
                    self._flush()
                if self._protocol.state is not State.OPEN or not in_time:
                    # Half of a frame may be gone: nothing can follow it.
                    raise self._ended_locked()

    def ping(self) -> None:
        """Asks the peer whether it is there: `last_heard` tells."""
        with self._lock:
            if self._protocol.state is State.OPEN:
                self._protocol.send_ping(b"there?")
                self._flush(asked=False)

    def close(self) -> None:
        """Ends the connection at once; who waits in `receive` gets ConnectionClosed."""
        with self._lock:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                self._flush()
        # Wakes the reader, which then closes; a socket that is just closed would not wake it.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def release(self) -> None:
        """Gives the socket back, when no thread uses it any more."""
        self._socket.close()

    # Inside -------------------------------------------------------------------------------------

    def _read(self, deadline: float) -> None:
        """Takes what comes next from the peer, messages or not."""
        if not _ready(self._socket, deadline):
            raise TimeoutError
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._last_heard = time.monotonic()
        with self._lock:
            if data and not self._at_end:
                self._protocol.receive_data(data)
            else:
                self._end_of_data()
            events = self._protocol.events_received()
            self._flush(asked=False)
        for event in events:
            if isinstance(event, Frame):
                self._take(event)

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.BINARY:
            self._fail(_BAD_DATA, "binary data")
        if frame.opcode not in (Opcode.TEXT, Opcode.CONT):
            return
        self._pieces += frame.data
        if frame.fin:
            pieces, self._pieces = self._pieces, bytearray()
            try:
                self._messages.append(pieces.decode())
            except UnicodeDecodeError:
                self._fail(_INVALID_TEXT, "text that is not UTF-8")

    def _fail(self, code: int, reason: str) -> None:
        with self._lock:
            if self._protocol.state is State.OPEN:
                self._protocol.fail(code, reason)
                self._flush()

    def _ended(self) -> ConnectionClosed:
        with self._lock:
            return self._ended_locked()

    def _ended_locked(self) -> ConnectionClosed:
        self._end_of_data()
        self._flush()
        return self._protocol.close_exc

    def _end_of_data(self) -> None:
        if not self._at_end:
            self._at_end = True
            self._protocol.receive_eof()

    def _flush(self, *, asked: bool = True) -> None:
        """Sends as much as the socket takes at once; what only answers the peer is not ``asked``.

        A socket that takes nothing any more is the connection's end.
        """
        ends = False
        for data in self._protocol.data_to_send():
            self._outgoing += data
            self._put += len(data)
            self._unread += 0 if asked else len(data)
            ends = ends or not data  # the end of what we send
        try:
            while self._outgoing:
                sent = self._socket.send(self._outgoing[:_READ_BYTES])
                del self._outgoing[:sent]
                self._sent += sent
        except BlockingIOError:
            if self._unread > _MAX_UNREAD_BYTES and not self._at_end:
                self._end_of_data()
        except OSError:
            self._outgoing.clear()
            if not self._at_end:
                self._end_of_data()
        if not self._outgoing:
            self._unread = 0
        if ends:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)


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


def _silence() -> logging.Logger:
    """Makes a logger that says nothing: websockets logs what it sends, secrets or not."""
    logger = logging.Logger("pypac_obs.obs.silence", logging.CRITICAL)
    logger.disabled = True
    return logger
