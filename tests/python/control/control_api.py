# SPDX-License-Identifier: MIT
"""A control server as its clients see it."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import Any

from websockets.sync.client import ClientConnection, connect

TOKEN = "t" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True)
class Api:
    """The server under test, as clients see it."""

    port: int
    token: str = TOKEN

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: dict[str, str] | None = None,
        *,
        raw: bytes | None = None,
    ) -> tuple[int, Any, http.client.HTTPMessage]:
        """Sends a request with the token, unless other headers are named; reads JSON or text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        data = raw if body is None else json.dumps(body).encode()
        try:
            sent = {"Authorization": f"Bearer {self.token}"} if headers is None else headers
            connection.putrequest(method, path, skip_host="Host" in sent)
            for name, value in sent.items():
                connection.putheader(name, value)
            if data is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data)
            answer = connection.getresponse()
            text = answer.read().decode()
            is_json = text and answer.headers["content-type"] == "application/json"
            return answer.status, json.loads(text) if is_json else text, answer.headers
        finally:
            connection.close()

    def post(self, command: str, **keys: object) -> tuple[int, Any]:
        """Does a command over HTTP."""
        status, answer, _ = self.request("POST", f"/api/v1/{command}", keys)
        return status, answer

    def connect(self, **options: Any) -> connect:
        """Opens a WebSocket, without showing the token."""
        return connect(
            f"ws://127.0.0.1:{self.port}/api/v1/ws",
            **{"compression": None, "proxy": None} | options,
        )

    def client(self, name: str = "deck", **options: Any) -> Client:
        """Opens a WebSocket, shows the token, and waits for the state."""
        return Client(self.connect(**options), name, self.token)


class Client:
    """A WebSocket that has shown the token."""

    def __init__(self, opening: connect, name: str, token: str = TOKEN) -> None:
        self._open = contextlib.ExitStack()
        self.socket: ClientConnection = self._open.enter_context(opening)
        self.send(type="auth", token=token, client=name)
        self.name = self.take("welcome")["client"]
        self.state = self.take("state")

    def send(self, **message: object) -> None:
        self.socket.send(json.dumps(message))

    def receive(self, timeout_s: float = 5.0) -> Any:
        """Gives the next message, JSON or bytes."""
        message = self.socket.recv(timeout_s)
        return json.loads(message) if isinstance(message, str) else message

    def take(self, kind: str, timeout_s: float = 5.0) -> Any:
        """Gives the next message of that type; others before it are left out."""
        while True:
            message = self.receive(timeout_s)
            if isinstance(message, dict) and message["type"] == kind:
                return message

    def frame(self) -> bytes:
        """Gives the next binary message."""
        while True:
            if isinstance(message := self.receive(), bytes):
                return message

    def ask(self, command: str, **keys: object) -> Any:
        """Does a command, and gives its reply."""
        self.send(type="request", id=command, command=command, **keys)
        return self.take("reply")

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
