# SPDX-License-Identifier: MIT
"""Pages in a real browser: those of other sites get nothing, our own gets in with the token."""

from __future__ import annotations

import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from control_api import TOKEN
from fake_controls import FakeControls

from pypac_obs.control.server import ControlServer

from ..conftest import require
from .browser import PROGRAM, Browser

SCRIPTS = """
const outcome = promise => promise.then(
    answer => answer.type === "opaque" ? "opaque" : answer.status, error => error.name);
const socket = (address, token) => new Promise(resolve => {
    const one = new WebSocket(address);
    one.onopen = () => one.send(JSON.stringify({type: "auth", token, client: "page"}));
    one.onmessage = event => { resolve(JSON.parse(event.data).type); one.close(); };
    one.onclose = event => resolve(event.code);
});
const withToken = {headers: {Authorization: "Bearer " + TOKEN}};
"""
ATTACK = """
const form = document.createElement("form");
const frame = document.createElement("iframe");
frame.name = form.target = "frame";
form.method = "POST";
form.action = SERVER + "/api/v1/stop";
const framed = new Promise(resolve => frame.onload = resolve);
document.body.append(frame, form);
form.submit();
await framed;
const script = document.createElement("script");
script.src = SERVER + "/api/v1/state";
const scripted = new Promise(resolve => {
    script.onload = () => resolve("loaded"); script.onerror = () => resolve("error");
});
document.body.append(script);
return {
    plain: await outcome(fetch(SERVER + "/api/v1/status")),
    page: await outcome(fetch(SERVER + "/")),
    token: await outcome(fetch(SERVER + "/api/v1/status", withToken)),
    simple: await outcome(fetch(SERVER + "/api/v1/stop", {method: "POST", mode: "no-cors"})),
    script: await scripted,
    socket: await socket(SERVER.replace("http", "ws") + "/api/v1/ws", TOKEN),
};
"""
OWN = """
return {
    none: await outcome(fetch("/api/v1/status")),
    token: await outcome(fetch("/api/v1/status", withToken)),
    set: await outcome(fetch("/api/v1/toggle",
        {method: "POST", body: JSON.stringify({address: "voice.mute"}), ...withToken})),
    wrong: await socket(location.origin.replace("http", "ws") + "/api/v1/ws", "wrong"),
    socket: await socket(location.origin.replace("http", "ws") + "/api/v1/ws", TOKEN),
};
"""


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!doctype html><title>evil</title><body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def other_site() -> Iterator[int]:
    """The port of another server of this computer."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture
def controls() -> FakeControls:
    return FakeControls()


@pytest.fixture
def port(controls: FakeControls) -> Iterator[int]:
    server = ControlServer(controls, port=0, token=TOKEN)
    yield server.start()
    server.stop()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    require(shutil.which(PROGRAM) is not None, f"{PROGRAM} is not installed")
    names = ("evil.example", "localhost.evil.example")
    with Browser(tmp_path, ",".join(f"MAP {name} 127.0.0.1" for name in names)) as made:
        yield made


def run(browser: Browser, script: str, server: str = "") -> Any:
    return browser.run(f'const TOKEN = "{TOKEN}", SERVER = "{server}"; {SCRIPTS} {script}')


def test_pages_of_other_sites_get_nothing_though_they_know_the_token(
    browser: Browser, controls: FakeControls, port: int, other_site: int
) -> None:
    for site in ("127.0.0.1", "localhost", "evil.example", "localhost.evil.example"):
        browser.open(f"http://{site}:{other_site}/")
        for name in ("127.0.0.1", "localhost"):
            assert run(browser, ATTACK, f"http://{name}:{port}") == {
                "plain": "TypeError",
                "page": "TypeError",
                "token": "TypeError",
                "simple": "TypeError",
                "script": "error",
                "socket": 1006,
            }, (site, name)
    assert not controls.calls
    assert not controls.stopped.is_set()


def test_a_name_of_another_site_that_leads_here_gets_nothing(
    browser: Browser, controls: FakeControls, port: int
) -> None:
    for site in ("evil.example", "localhost.evil.example"):
        browser.open(f"http://{site}:{port}/")
        assert "Forbidden" in browser.run("return document.body.innerText")
        assert run(browser, OWN) == {
            "none": 403,
            "token": 403,
            "set": 403,
            "wrong": 1006,
            "socket": 1006,
        }
    assert not controls.calls


def test_our_own_page_gets_in_with_the_token(
    browser: Browser, controls: FakeControls, port: int
) -> None:
    for site in ("127.0.0.1", "localhost"):
        browser.open(f"http://{site}:{port}/")
        assert browser.run("return document.title") == "PyPAC-OBS"
        assert run(browser, OWN) == {
            "none": 401,
            "token": 200,
            "set": 200,
            "wrong": 4003,
            "socket": "welcome",
        }
    assert [call[1] for call in controls.calls if call[0] == "set"] == ["voice.mute"] * 2
