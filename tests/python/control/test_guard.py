# SPDX-License-Identifier: MIT
"""Web pages of others, and names that lead here, do not get in; with the token or without it."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_api import BEARER, TOKEN, Api
from fake_controls import FakeControls

from pypac_obs.control.server import ControlServer

#: Headers of an attack ({port} is the session's), by its name.
ATTACKS = {
    "a name of the page's site that leads here": {"Host": "evil.example:{port}"},
    "such a name without a port": {"Host": "evil.example"},
    "no port": {"Host": "127.0.0.1"},
    "another port": {"Host": "127.0.0.1:80"},
    "another address of this computer": {"Host": "127.0.0.2:{port}"},
    "every address": {"Host": "0.0.0.0:{port}"},
    "an empty host": {"Host": ""},
    "a name that begins like ours": {"Host": "localhost.evil.example:{port}"},
    "another site": {"Origin": "http://evil.example"},
    "a site that begins like ours": {"Origin": "http://127.0.0.1:{port}.evil.example"},
    "a site that is called localhost": {"Origin": "http://localhost.evil.example:{port}"},
    "another port of this computer": {"Origin": "http://127.0.0.1:8080"},
    "this computer without a port": {"Origin": "http://localhost"},
    "https": {"Origin": "https://127.0.0.1:{port}"},
    "a page in a sandbox, or a file": {"Origin": "null"},
    "an empty origin": {"Origin": ""},
    "an extension": {"Origin": "chrome-extension://abcdefgh"},
    "cross-site": {"Sec-Fetch-Site": "cross-site"},
    "same-site, as another port is": {"Sec-Fetch-Site": "same-site"},
    "a frame": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    },
    "our origin, and cross-site": {
        "Origin": "http://127.0.0.1:{port}",
        "Sec-Fetch-Site": "cross-site",
    },
    "what no browser says": {"Sec-Fetch-Site": "same-planet"},
}
OWN = {
    "a program": {},
    "our page": {"Origin": "http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"},
    "our page by name": {
        "Host": "localhost:{port}",
        "Origin": "http://localhost:{port}",
        "Sec-Fetch-Site": "same-origin",
    },
    "IPv6's name": {"Host": "[::1]:{port}"},
    "typed by the user": {"Sec-Fetch-Site": "none"},
}
attacks = pytest.mark.parametrize("headers", ATTACKS.values(), ids=ATTACKS)
own = pytest.mark.parametrize("headers", OWN.values(), ids=OWN)


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Api, FakeControls]]:
    """One server for all: nothing here reaches the session."""
    controls = FakeControls()
    server = ControlServer(controls, port=0, token=TOKEN)
    yield Api(server.start()), controls
    server.stop()


@pytest.fixture
def api(served: tuple[Api, FakeControls]) -> Api:
    return served[0]


@pytest.fixture
def controls(served: tuple[Api, FakeControls]) -> FakeControls:
    served[1].calls.clear()
    return served[1]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> None:
    """The server's stay until the last test."""


def filled(headers: dict[str, str], port: int) -> dict[str, str]:
    return {key: value.replace("{port}", str(port)) for key, value in headers.items()}


@attacks
@pytest.mark.parametrize("token", [True, False], ids=["with the token", "without"])
def test_an_attack_over_http_is_refused_with_or_without_the_token(
    api: Api, controls: FakeControls, headers: dict[str, str], token: bool
) -> None:
    sent = filled(headers, api.port) | (BEARER if token else {})
    for method, path in [
        ("GET", "/api/v1/status"),
        ("POST", "/api/v1/stop"),
        ("GET", "/"),
        ("OPTIONS", "/api/v1/set"),
    ]:
        status, answer, got = api.request(method, path, headers=sent)
        assert status == 403
        assert answer["error"]["kind"] == "Forbidden"
        assert not [name for name in got if name.lower().startswith("access-control")]
    assert not controls.calls


@attacks
def test_an_attack_by_websocket_is_refused(
    api: Api, controls: FakeControls, headers: dict[str, str]
) -> None:
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    sent = filled(headers, api.port) | upgrade
    status, answer, _ = api.request("GET", "/api/v1/ws", headers=sent)
    assert (status, answer["error"]["kind"]) == (403, "Forbidden")
    assert not controls.calls


@own
def test_programs_and_our_own_page_get_in(api: Api, headers: dict[str, str]) -> None:
    sent = filled(headers, api.port)
    assert api.request("GET", "/api/v1/status", headers=sent | BEARER)[0] == 200
    sent.pop("Host", None)
    with api.client(additional_headers=sent) as client:
        assert client.state["session"] == "evening"


@pytest.mark.parametrize(
    "lines",
    [
        "Host: 127.0.0.1:{port}\r\nHost: evil.example",
        "Host: 127.0.0.1:{port}\r\nHost: 127.0.0.1:{port}",
        "Host: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\nOrigin: http://evil.example",
        "Host: 127.0.0.1:{port}, evil.example",
        "X-Forwarded-Host: 127.0.0.1:{port}",
    ],
)
def test_headers_that_are_there_twice_or_not_at_all_are_refused(
    api: Api, controls: FakeControls, lines: str
) -> None:
    lines = lines.replace("{port}", str(api.port))
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as plain:
        plain.sendall(
            f"GET /api/v1/status HTTP/1.1\r\n{lines}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        status = plain.makefile("rb").readline().split()[1]
    assert status in (b"400", b"403")
    assert not controls.calls


def test_a_link_on_another_page_leads_to_ours_and_to_nothing_else(api: Api) -> None:
    followed = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert api.request("GET", "/", headers=followed)[0] == 200
    assert api.request("GET", "/api/v1/status", headers=followed)[0] == 401
    assert api.request("POST", "/api/v1/stop", headers=followed | BEARER)[0] == 403


def test_the_page_needs_no_token_and_tells_nothing_of_the_session(api: Api) -> None:
    status, page, headers = api.request("GET", "/", headers={})
    assert status == 200
    assert "PyPAC-OBS" in page
    assert "evening" not in page
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert f"ws://127.0.0.1:{api.port}" in policy
    assert "frame-ancestors 'none'" in policy


def test_every_answer_has_the_headers_that_keep_it_private(api: Api) -> None:
    for path in ("/", "/api/v1/status", "/nowhere"):
        for sent in (BEARER, {}, {"Host": "evil.example"}):
            headers = api.request("GET", path, headers=sent)[2]
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
            assert "set-cookie" not in headers


def test_changing_anything_takes_a_post(api: Api, controls: FakeControls) -> None:
    for path in ("set", "adjust", "toggle", "fade", "reload", "undo", "mark", "stop"):
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            assert api.request(method, f"/api/v1/{path}")[0] == 405
    assert not controls.calls


def test_a_program_that_imports_the_package_does_not_load_the_server(tmp_path: Path) -> None:
    code = (
        "import sys, pypac_obs, pypac_obs.control.server\n"
        "print([name for name in ('starlette', 'uvicorn', 'anyio') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]"
