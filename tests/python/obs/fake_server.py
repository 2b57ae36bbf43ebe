# SPDX-License-Identifier: MIT
"""An obs-websocket server without OBS, which misbehaves to order.

Written on plain sockets, so that it can also do what no websocket library lets one do. A *script*
is a function that is run for each connection with its `Peer`; `serve_well` is how OBS does it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

__all__ = ["HELLO", "FakeObs", "Peer", "Script", "serve_well"]

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
HELLO = {"obsWebSocketVersion": "5.1.0", "rpcVersion": 1}
VERSION = {
    "obsVersion": "29.0.2",
    "obsWebSocketVersion": "5.1.0",
    "platform": "debian",
    "availableRequests": ["GetVersion", "GetRecordStatus"],
}

# With none, Wine has been seen to wait for ever in a send to somebody who has hung up.
_PATIENCE_S = 60.0

Script = Callable[["Peer"], None]


class PeerGoneError(Exception):
    """The client has closed."""


class Peer:
    """One connection of the server, after its HTTP handshake if `shake_hands` was called."""

    def __init__(self, server: FakeObs, connected: socket.socket) -> None:
        self.server = server
        self.socket = connected
        self.answers_pings = True
        self.subscriptions = 0
        self._buffer = b""
        self._in_batch: list[Any] = []  # requests of a batch that are not handed out yet

    def shake_hands(self) -> None:
        while b"\r\n\r\n" not in self._buffer:
            self._fill()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        key = next(
            line.split(b":", 1)[1].strip()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        self.send_raw(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n"
            b"Sec-WebSocket-Protocol: obswebsocket.json\r\n\r\n"
        )

    def send_raw(self, data: bytes) -> None:
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise PeerGoneError from error

    def send_frame(self, opcode: int, payload: bytes, *, final: bool = True) -> None:
        size = len(payload)
        head = bytes([opcode | (0x80 if final else 0)])
        if size < 126:
            head += bytes([size])
        elif size < 2**16:
            head += b"\x7e" + struct.pack("!H", size)
        else:
            head += b"\x7f" + struct.pack("!Q", size)
        self.send_raw(head + payload)

    def send_text(self, text: str) -> None:
        self.send_frame(TEXT, text.encode())

    def send(self, op: Any, data: Any) -> None:
        self.send_text(json.dumps({"op": op, "d": data}))

    def send_event(self, kind: str, data: Mapping[str, Any] | None = None) -> None:
        self.send(5, {"eventType": kind, "eventIntent": 1, "eventData": data})

    def reply(self, request: Mapping[str, Any], data: Any = None, **changes: Any) -> None:
        """Answers a request; those of a batch are sent once all of them are answered."""
        status = {"result": True, "code": 100}
        whole = {
            "requestType": request["requestType"],
            "requestId": request["requestId"],
            "requestStatus": status,
            "responseData": data,
        }
        if (batch := request.get("batch")) is None:
            self.send(7, whole | changes)
            return
        batch["results"].append(whole | changes)
        if len(batch["results"]) == batch["count"]:
            self.send(9, {"requestId": batch["requestId"], "results": batch["results"]})

    def refuse(self, request: Mapping[str, Any], code: int, comment: str) -> None:
        status = {"result": False, "code": code, "comment": comment}
        self.reply(request, requestStatus=status)

    def close(self, code: int, reason: str = "") -> None:
        self.send_frame(CLOSE, struct.pack("!H", code) + reason.encode())

    def receive(self) -> Any:
        """The next message's JSON; PeerGoneError when the client closes."""
        while True:
            opcode, payload = self._frame()
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == PING and self.answers_pings:
                self.send_frame(PONG, payload)
            if opcode == CLOSE:
                with contextlib.suppress(PeerGoneError):
                    self.send_frame(CLOSE, payload)
                raise PeerGoneError

    def request(self) -> Any:
        """The next request, be it alone or in a batch."""
        while not self._in_batch:
            message = self.receive()
            if message["op"] == 6:
                return message["d"]
            if message["op"] == 8:
                asked = message["d"]
                batch = {"requestId": asked["requestId"], "count": len(asked["requests"])}
                batch["results"] = []
                self._in_batch = [one | {"batch": batch} for one in asked["requests"]]
        return self._in_batch.pop(0)

    def batch(self) -> Any:
        """The next batch of requests, as a whole."""
        while True:
            message = self.receive()
            if message["op"] == 8:
                return message["d"]

    def greet(self) -> None:
        """The opening as OBS does it: with a password if the server has one."""
        hello: dict[str, Any] = dict(HELLO)
        salt, challenge = "a salt", "a challenge"
        if self.server.password is not None:
            hello["authentication"] = {"salt": salt, "challenge": challenge}
        self.send(0, hello)
        identify = self.receive()["d"]
        if self.server.password is not None:
            secret = _digest(self.server.password + salt)
            if identify.get("authentication") != _digest(secret + challenge):
                self.close(4009, "Authentication failed.")
                raise PeerGoneError
            self.server.proofs.append(identify["authentication"])
        self.subscriptions = identify["eventSubscriptions"]
        self.send(2, {"negotiatedRpcVersion": 1})

    def open(self) -> None:
        """All until the client is ready: the handshake, the greeting, the question for versions."""
        self.shake_hands()
        self.greet()
        self.reply(self.request(), self.server.answers["GetVersion"])

    def answer_requests(self) -> None:
        while True:
            request = self.request()
            self.server.requests.append(request)
            answer = self.server.answers.get(request["requestType"], {})
            if callable(answer):
                answer(self, request)
            else:
                self.reply(request, answer)

    def wait_until_gone(self) -> None:
        while True:
            self._fill()

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._take(2)
        size = second & 0x7F
        if size == 126:
            [size] = struct.unpack("!H", self._take(2))
        elif size == 127:
            [size] = struct.unpack("!Q", self._take(8))
        mask = self._take(4) if second & 0x80 else bytes(4)
        payload = self._take(size)
        key = (mask * (size // 4 + 1))[:size]
        plain = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
        return first & 0x0F, plain.to_bytes(size, "big")

    def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._fill()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _fill(self) -> None:
        try:
            data = self.socket.recv(2**16)
        except OSError as error:
            raise PeerGoneError from error
        if not data:
            raise PeerGoneError
        self._buffer += data


def serve_well(peer: Peer) -> None:
    """Behaves as OBS does, with the server's `answers`."""
    peer.open()
    peer.answer_requests()


class FakeObs:
    """A server at a port of the loopback, from entering the ``with`` block to leaving it.

    ``answers`` holds the data that each kind of request is answered with, or a function of the
    peer and the request; what is not in it is answered with nothing.
    """

    def __init__(
        self,
        script: Script = serve_well,
        *,
        password: str | None = None,
        port: int = 0,
        receive_bytes: int | None = None,
    ) -> None:
        self._receive_bytes = receive_bytes  # how much waits unread before a client has to
        self.script = script
        self.password = password
        self.port = port
        self.answers: dict[str, Any] = {"GetVersion": VERSION}
        self.requests: list[Any] = []
        self.proofs: list[str] = []
        self.peers: list[Peer] = []
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        if self._receive_bytes is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._receive_bytes)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._listener is not None
        _shut(self._listener)
        for peer in list(self.peers):
            _shut(peer.socket)
        for thread in self._threads:
            thread.join()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            connected.settimeout(_PATIENCE_S)
            peer = Peer(self, connected)
            self.peers.append(peer)
            self._start(self._run, peer)

    def _run(self, peer: Peer) -> None:
        with contextlib.suppress(PeerGoneError):
            self.script(peer)
        _shut(peer.socket)

    def _start(self, target: Callable[..., None], argument: Any) -> None:
        thread = threading.Thread(target=target, args=(argument,), name="fake obs")
        self._threads.append(thread)
        thread.start()


def _shut(open_socket: socket.socket) -> None:
    with contextlib.suppress(OSError):
        open_socket.shutdown(socket.SHUT_RDWR)
    open_socket.close()


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
