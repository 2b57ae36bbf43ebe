# SPDX-License-Identifier: MIT
"""The server's port, its start and its end."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from control_api import TOKEN, Api
from fake_controls import FakeControls
from websockets.exceptions import ConnectionClosed

from pypac_obs.control import listening
from pypac_obs.control.server import ControlServer
from pypac_obs.control.token import read_or_make_token, renew_token, token_file
from pypac_obs.errors import ControlUnavailable, PermissionDenied


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
    return port


def test_a_second_session_takes_the_next_port_and_the_first_is_free_again() -> None:
    first, second, third = (ControlServer(FakeControls(), port=0, token=TOKEN) for _ in range(3))
    port = first.start()
    try:
        second._port = port
        assert port < second.start() <= port + 99
        first.stop()
        third._port = port
        assert third.start() == port
    finally:
        for one in (first, second, third):
            one.stop()


def test_it_listens_on_this_computer_alone(api: Api, server: ControlServer) -> None:
    assert api.request("GET", "/", headers={})[0] == 200
    for address in {"127.0.0.2", socket.gethostbyname(socket.gethostname())} - {"127.0.0.1"}:
        with socket.socket() as one:
            one.settimeout(5)
            assert one.connect_ex((address, api.port)) != 0


def test_nobody_else_can_open_the_same_port(api: Api) -> None:
    with listening.listen(api.port) as other:
        assert other.getsockname()[1] > api.port


def test_where_all_ports_are_taken_it_says_so_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "_PORTS", 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ControlUnavailable) as caught:
            ControlServer(FakeControls(), port=port, token=TOKEN).start()
    assert str(caught.value) == (f"all ports from {port} to {port} of 127.0.0.1 are taken")
    assert "control: {port: ...}" in caught.value.remedy


def test_a_server_that_fails_to_start_says_so_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pypac_obs.control.serving", None)
    server = ControlServer(FakeControls(), port=0, token=TOKEN)
    with pytest.raises(ControlUnavailable, match="its server has failed: "):
        server.start()
    server.stop()
    assert capfd.readouterr() == ("", "")


def test_the_token_is_the_users_file_and_a_new_one_counts_at_once(home: dict[str, str]) -> None:
    server = ControlServer(FakeControls(), port=0, environ=home)
    try:
        api = Api(server.start())
        old = {"Authorization": f"Bearer {read_or_make_token(home)}"}
        assert api.request("GET", "/api/v1/status", headers=old)[0] == 200
        new = {"Authorization": f"Bearer {renew_token(home)}"}
        assert api.request("GET", "/api/v1/status", headers=old)[0] == 401
        assert api.request("GET", "/api/v1/status", headers=new)[0] == 200
    finally:
        server.stop()


@pytest.mark.linux("Windows has no modes")
def test_a_token_that_others_can_read_keeps_the_server_from_starting(home: dict[str, str]) -> None:
    read_or_make_token(home)
    token_file(home).chmod(0o644)
    with pytest.raises(PermissionDenied, match="not yours alone"):
        ControlServer(FakeControls(), port=0, environ=home).start()


def test_it_ends_within_two_seconds_whatever_clients_do(controls: FakeControls) -> None:
    server = ControlServer(controls, port=0, token=TOKEN)
    api = Api(server.start())
    go = threading.Event()
    silent = socket.create_connection(("127.0.0.1", api.port))
    half = socket.create_connection(("127.0.0.1", api.port))
    half.sendall(b"POST /api/v1/set HTTP/1.1\r\nHost: ")
    with silent, half, api.client() as client, api.connect() as stranger:
        controls.before = lambda command: None if command == "state" else go.wait(20) and None
        client.send(type="request", command="set", address="voice.mute", value=True)
        asking = threading.Thread(target=_ask_and_be_refused, args=(api,))
        asking.start()
        begin = time.monotonic()
        server.stop()
        took = time.monotonic() - begin
        go.set()
        asking.join()
        with pytest.raises(ConnectionClosed):
            client.take("reply")
        with pytest.raises(ConnectionClosed):
            stranger.recv(5)
    assert took < 2
    server.stop()


def _ask_and_be_refused(api: Api) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        api.post("toggle", address="voice.mute")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: "])
def test_who_connects_and_asks_for_nothing_makes_room_for_others(
    api: Api, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr("pypac_obs.control.protocols._ASKS_WITHIN_S", 0.05)
    with socket.create_connection(("127.0.0.1", api.port), timeout=5) as silent:
        silent.sendall(sent)
        assert silent.recv(1) == b""
    with api.client() as client:
        time.sleep(0.1)
        assert client.ask("get", address="voice.mute")["ok"]


@pytest.mark.linux("Windows has no fork")
def test_a_forked_child_does_not_keep_the_port_open() -> None:
    program = """
import os, socket, sys
sys.path.insert(0, sys.argv[1])
from fake_controls import FakeControls
from pypac_obs.control.server import ControlServer
server = ControlServer(FakeControls(), port=0, token="t" * 43)
port = server.start()
ends, goes = os.pipe()
if not os.fork():
    os.close(goes)
    os.read(ends, 1)
    server.stop()
    os._exit(0)
server.stop()
with socket.socket() as one:
    print(one.connect_ex(("127.0.0.1", port)) != 0)
os.close(goes)
print(os.wait()[1])
"""
    here = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-Wignore", "-c", program, here],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["True", "0"]


def test_clients_get_the_last_event_before_the_end(
    api: Api, server: ControlServer, controls: FakeControls
) -> None:
    with api.client() as client:
        client.ask("subscribe", events=True)
        controls.close()
        server.stop()
        assert client.take("event")["event"] == "session_ending"
        with pytest.raises(ConnectionClosed) as closed:
            client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
