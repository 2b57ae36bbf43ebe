# SPDX-License-Identifier: MIT
"""A websocket of our own over a socket of our own: each call ends by a deadline, no thread hides.

The protocol is that of the library `websockets`, of which this uses the part that does no I/O.
"""

from __future__ import annotations

import contextlib
import logging
import math
import select
import socket
import struct
import sys
import threading
import time
from collections import deque

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

__all__ = ["Wire", "connect_socket"]

_READ_BYTES = 2**16
# websockets' own codes for what a peer does wrong.
_BAD_DATA, _INVALID_TEXT = 1003, 1007


class Wire:
    """A websocket to ``url`` through an open socket, which it owns. It takes text messages only.

    `send`, `ping` and `close` are for any thread, `shake_hands` and `receive` for one. They raise
    websockets' ConnectionClosed once the connection has ended: its ``sent`` says what was wrong
    with the peer, if we ended it; its ``rcvd`` how the peer closed it, if it did.
    """

    def __init__(
        self, url: str, connected: socket.socket, *, protocol_name: str, max_bytes: int
    ) -> None:
        self._socket = connected
        self._protocol = ClientProtocol(
            parse_uri(url),
            subprotocols=[Subprotocol(protocol_name)],
            max_size=max_bytes,
            logger=_silence(),
        )
        self._max_bytes = max_bytes
        self._lock = threading.Lock()  # the protocol, and the sending end of the socket
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

        Raises TimeoutError at ``deadline`` (`time.monotonic` seconds), OSError, EOFError, or
        websockets' InvalidHandshake where the peer is no websocket server.
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

    def receive(self, deadline: float) -> str:
        """Gives the next message. Raises TimeoutError at the deadline, and ConnectionClosed."""
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                raise self._ended()
            self._read(deadline)
        return self._messages.popleft()

    def send(self, text: str) -> None:
        """Sends a message. May wait for a peer that does not read, up to the socket's time-out."""
        with self._lock:
            if self._protocol.state is not State.OPEN:
                raise self._ended_locked()
            self._protocol.send_text(text.encode())
            try:
                self._flush()
            except OSError:  # half of a frame may be gone: nothing can follow it
                raise self._ended_locked() from None

    def ping(self) -> None:
        """Asks the peer whether it is there: `last_heard` tells."""
        with self._lock:
            if self._protocol.state is State.OPEN:
                self._protocol.send_ping(b"there?")
                with contextlib.suppress(OSError):
                    self._flush()

    def close(self) -> None:
        """Ends the connection at once; who waits in `receive` gets ConnectionClosed."""
        with self._lock:
            if self._protocol.state is State.OPEN:
                self._protocol.send_close(1000)
                with contextlib.suppress(OSError):
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
        if not _readable(self._socket, deadline):
            raise TimeoutError
        try:
            data = self._socket.recv(_READ_BYTES)
        except OSError:
            data = b""
        self._last_heard = time.monotonic()
        with self._lock:
            if data and not self._at_end:
                self._protocol.receive_data(data)
            else:
                self._end_of_data()
            events = self._protocol.events_received()
            with contextlib.suppress(OSError):
                self._flush()
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
                with contextlib.suppress(OSError):
                    self._flush()

    def _ended(self) -> ConnectionClosed:
        with self._lock:
            return self._ended_locked()

    def _ended_locked(self) -> ConnectionClosed:
        self._end_of_data()
        with contextlib.suppress(OSError):
            self._flush()
        return self._protocol.close_exc

    def _end_of_data(self) -> None:
        if not self._at_end:
            self._at_end = True
            self._protocol.receive_eof()

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._socket.sendall(data)
            else:  # the end of what we send
                self._socket.shutdown(socket.SHUT_WR)


def connect_socket(host: str, port: int, timeout_s: float) -> socket.socket:
    """Connects within ``timeout_s``, which is then also the longest time that a write may wait.

    Raises OSError, and UnicodeError for names that no computer can have.
    """
    connected = socket.create_connection((host, port), timeout_s)
    connected.settimeout(None)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    seconds = math.ceil(timeout_s)
    limit = (
        struct.pack("I", 1000 * seconds)
        if sys.platform == "win32"
        else struct.pack("ll", seconds, 0)
    )
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    return connected


def _readable(connected: socket.socket, deadline: float) -> bool:
    wait_s = max(0.0, deadline - time.monotonic())
    if sys.platform == "win32":
        return bool(select.select([connected], [], [], wait_s)[0])
    # Not select(), which knows no file descriptors above 1023.
    poll = select.poll()
    poll.register(connected, select.POLLIN)
    return bool(poll.poll(1000 * wait_s))


def _silence() -> logging.Logger:
    """Makes a logger that says nothing: websockets logs what it sends, secrets or not."""
    logger = logging.Logger("pypac_obs.obs.silence", logging.CRITICAL)
    logger.disabled = True
    return logger
