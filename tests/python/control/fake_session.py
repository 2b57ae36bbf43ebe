# SPDX-License-Identifier: MIT
"""A session as clients see it: registered, with a small HTTP server that gives canned answers."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.control.token import read_or_make_token
from pypac_obs.session_registry import SessionRegistration

_starts = itertools.count(1)  # a later one is listed later


@dataclass(frozen=True)
class Request:
    """What a client has asked for; ``body`` is None where it sent none."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Raw:
    """Bytes to answer with, whatever they are; ``hold`` keeps the connection open after them."""

    data: bytes
    hold: bool = False


# A status and a JSON value, or bytes.
Answer = tuple[int, Any] | Raw


@dataclass
class FakeSession:
    """``answers`` has an answer, or what makes one, for each method and path below /api/v1/."""

    name: str
    registration: SessionRegistration
    token: str
    port: int
    answers: dict[str, Answer | Callable[[Request], Answer]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def answer_to(self, request: Request) -> Answer:
        self.requests.append(request)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return refusal(401, "PypacError", "a token is needed")
        given = self.answers.get(f"{request.method} {request.path.removeprefix('/api/v1/')}")
        if given is None:
            return refusal(404, "UnknownAddress", f"there is nothing at {request.path}")
        return given(request) if callable(given) else given

    @property
    def asked(self) -> list[tuple[str, Any]]:
        """What was asked for so far: method and path, and the body."""
        return [
            (f"{one.method} {one.path.removeprefix('/api/v1/')}", one.body) for one in self.requests
        ]


def refusal(
    status: int, kind: str, message: str, remedy: str = "", problems: list[str] | None = None
) -> Answer:
    error = {"kind": kind, "message": message, "remedy": remedy, "problems": problems or []}
    return status, {"error": error}


def use_private_folders(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions meet, and the token lies, in folders of the test's own."""
    for name, part in (
        ("XDG_RUNTIME_DIR", "run"),
        ("USERPROFILE", "run"),
        ("XDG_CONFIG_HOME", "config"),
        ("APPDATA", "config"),
    ):
        (folder / part).mkdir(mode=0o700, exist_ok=True)
        monkeypatch.setenv(name, str(folder / part))


@contextlib.contextmanager
def fake_session(name: str = "gaming", *, publish: bool = True) -> Iterator[FakeSession]:
    """Runs one until the end of the block."""
    with contextlib.ExitStack() as last_first:
        registration = SessionRegistration(name, 48000, next(_starts))
        last_first.callback(registration.close)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        last_first.callback(server.server_close)
        session = FakeSession(name, registration, read_or_make_token(), server.server_port)
        server.fake = session  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        last_first.callback(thread.join)
        last_first.callback(server.shutdown)
        last_first.callback(session.released.set)
        if publish:
            registration.publish_control(session.port)
        yield session


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.fake: FakeSession = self.server.fake  # type: ignore[attr-defined]
        self.fake.connections += 1

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self._answer(json.loads(self.rfile.read(length)))

    def _answer(self, body: Any) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        answer = self.fake.answer_to(Request(self.command, self.path, body, headers))
        if isinstance(answer, Raw):
            self.wfile.write(answer.data)
            self.wfile.flush()
            if answer.hold:
                self.fake.released.wait()
            self.close_connection = True
            return
        status, value = answer
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""
