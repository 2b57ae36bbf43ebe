# SPDX-License-Identifier: MIT
from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import websocket
from fake_server import BINARY, HELLO, TEXT, VERSION, FakeObs, Peer

from pypac_obs.errors import (
    ObsDisabled,
    ObsError,
    ObsNotAnswering,
    ObsNotRunning,
    ObsProtocolError,
    ObsRefused,
    ObsTooOld,
    ObsUntrusted,
    ObsWrongPassword,
    PypacError,
)
from pypac_obs.obs.client import connection, events
from pypac_obs.obs.client.connection import (
    EventGroup,
    ObsAddress,
    ObsConnection,
    ObsVersion,
    Secret,
)
from pypac_obs.sandbox.obs import free_port

# Far longer than anything here takes; what does not end by then hangs.
PATIENCE_S = 30.0
OTHER_USER = 54_321


def connected(server: FakeObs, password: str | None = None, **options: Any) -> ObsConnection:
    secret = Secret(password) if password is not None else None
    address = ObsAddress("127.0.0.1", server.port, secret, "the test")
    return ObsConnection(address, **{"timeout_s": 5.0} | options)


def error_of(server: FakeObs, **options: Any) -> ObsError:
    began = time.monotonic()
    with pytest.raises(ObsError) as caught:
        connected(server, **options).close()
    assert time.monotonic() - began < PATIENCE_S
    assert caught.value.exit_code == 1
    assert str(server.port) in caught.value.message
    assert caught.value.remedy
    return caught.value


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def test_closing_waits_for_what_is_done_as_a_whole() -> None:
    begun, closing = threading.Event(), threading.Event()
    done: list[str] = []

    def answer(peer: Peer, request: Mapping[str, Any]) -> None:
        done.append(request["requestData"]["profileName"])
        begun.set()
        assert closing.wait(PATIENCE_S)
        peer.reply(request)

    def change(obs: ObsConnection) -> None:
        with obs.undivided():
            obs.request("SetCurrentProfile", profileName="away")
            obs.request("SetCurrentProfile", profileName="back")
        done.append("whole")

    with FakeObs() as server:
        server.answers["SetCurrentProfile"] = answer
        obs = connected(server, timeout_s=PATIENCE_S)
        changer = threading.Thread(target=change, args=(obs,))
        changer.start()
        assert begun.wait(PATIENCE_S)
        closer = threading.Thread(target=obs.close)
        closer.start()
        closer.join(0.2)
        assert closer.is_alive()
        closing.set()
        closer.join(PATIENCE_S)
        changer.join(PATIENCE_S)
        assert obs.closed
        with pytest.raises(ObsNotRunning):
            obs.request("GetRecordStatus")
    assert done == ["away", "back", "whole"]


def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_UNDIVIDED_S", 0.2)
    asked = threading.Event()

    def change(obs: ObsConnection) -> None:
        with obs.undivided(), contextlib.suppress(ObsNotRunning):
            obs.request("SetCurrentProfile", profileName="away")

    with FakeObs() as server:
        server.answers["SetCurrentProfile"] = lambda peer, request: asked.set()
        obs = connected(server, timeout_s=PATIENCE_S)
        changer = threading.Thread(target=change, args=(obs,))
        changer.start()
        assert asked.wait(PATIENCE_S)
        obs.close()
        changer.join(PATIENCE_S / 2)
        assert not changer.is_alive()


# What goes well -----------------------------------------------------------------------------------


def test_it_asks_and_gets_answers() -> None:
    with FakeObs() as server:
        server.answers["GetRecordStatus"] = {"outputActive": True, "outputTimecode": "00:00:01.000"}
        with connected(server) as obs:
            assert obs.version == ObsVersion(
                "29.0.2", "5.1.0", "debian", frozenset({"GetVersion", "GetRecordStatus"})
            )
            assert obs.request("GetRecordStatus")["outputActive"] is True
            assert obs.request("SetInputMute", inputName="voice", inputMuted=True) == {}
            assert not obs.closed
        assert obs.closed
    assert server.requests[-1]["requestData"] == {"inputName": "voice", "inputMuted": True}


def test_the_password_opens_what_it_locks() -> None:
    with (
        FakeObs(password="pässword \N{SNOWMAN}") as server,
        connected(server, "pässword \N{SNOWMAN}") as obs,
    ):
        assert obs.version.obs == "29.0.2"


def test_a_server_that_does_not_ask_for_the_password_is_refused() -> None:
    with FakeObs() as server:
        error = error_of(server, password="unasked")
        assert server.requests == []
    assert isinstance(error, ObsUntrusted)
    assert "asks for no password, and the test has one" in error.message


def as_another_user(port: int) -> subprocess.Popen[str]:
    """A server that takes one connection, greets, and writes down what comes then."""
    script = """
import base64, hashlib, os, socket, sys
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as listener:
    print("listens", flush=True)
    peer, _ = listener.accept()
head = peer.recv(65536)
key = next(l for l in head.split(b"\\r\\n") if l.lower().startswith(b"sec-websocket-key"))
digest = hashlib.sha1(key.split()[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
hello = b'{"op":0,"d":{"rpcVersion":1,"authentication":{"salt":"s","challenge":"c"}}}'
peer.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\n"
    b"Connection: Upgrade\\r\\nSec-WebSocket-Protocol: obswebsocket.json\\r\\n"
    b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\\r\\n\\r\\n"
    + bytes([0x81, len(hello)]) + hello)
said = b""
while data := peer.recv(65536):
    said += data
print(len(said), flush=True)
"""
    # Where we are root it becomes a user that nobody is; else it is we who say to be another.
    words = [sys.executable, "-I", "-S", "-c", script, str(port), str(OTHER_USER)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    assert server.stdout.readline() == "listens\n"
    return server


@pytest.mark.linux("Windows is not asked whose a connection's end is")
def test_another_users_server_is_refused_and_gets_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    with as_another_user(port) as server:
        if os.geteuid() != 0:
            monkeypatch.setattr(os, "geteuid", lambda: OTHER_USER)
        with pytest.raises(ObsUntrusted, match="is a program of the user") as caught:
            ObsConnection(ObsAddress("127.0.0.1", port, Secret(PASSWORD), "the test"))
        assert server.stdout is not None
        # A websocket's close frame at most.
        assert int(server.stdout.readline()) <= 16
    assert "Start OBS as the user" in caught.value.remedy


def test_events_come_with_their_data_in_their_order() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        for number in range(100):
            peer.send_event("InputMuteStateChanged", {"number": number})
        peer.send_event("ExitStarted")
        peer.answer_requests()

    events: list[tuple[str, Mapping[str, Any]]] = []
    with FakeObs(script) as server:
        with connected(
            server,
            subscriptions=EventGroup.INPUTS | EventGroup.INPUT_VOLUME_METERS,
            on_event=lambda kind, data, _: events.append((kind, data)),
        ):
            wait_for(lambda: len(events) == 101)
        assert server.peers[0].subscriptions == 8 | 65536
    assert [data["number"] for _, data in events[:100]] == list(range(100))
    assert events[100] == ("ExitStarted", {})


def test_many_threads_ask_at_once_and_each_gets_its_own_answer() -> None:
    def late_first(peer: Peer) -> None:
        peer.open()
        while True:  # pairs are answered in the opposite order
            first, second = peer.request(), peer.request()
            peer.reply(second, second["requestData"])
            peer.reply(first, first["requestData"])

    wrong: list[int] = []
    with FakeObs(late_first) as server, connected(server, timeout_s=PATIENCE_S) as obs:

        def ask(thread: int) -> None:
            for number in range(50):
                if obs.request("Echo", value=1000 * thread + number)["value"] != (
                    1000 * thread + number
                ):
                    wrong.append(thread)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_an_obs_that_is_not_ready_is_waited_for() -> None:
    refusals = iter(range(3))

    def not_yet(peer: Peer, request: Any) -> None:
        if next(refusals, None) is None:
            peer.reply(request, {"sceneName": "Scene"})
        else:
            peer.refuse(request, 207, "OBS is not ready to perform the request.")

    with FakeObs() as server:
        server.answers["GetSceneList"] = not_yet
        with connected(server) as obs:
            assert obs.request("GetSceneList") == {"sceneName": "Scene"}


def test_an_obs_that_is_never_ready_says_so_in_the_end() -> None:
    with FakeObs() as server:
        server.answers["GetSceneList"] = lambda peer, request: peer.refuse(
            request, 207, "not ready"
        )
        with connected(server) as obs, pytest.raises(ObsNotAnswering, match="not ready"):
            obs.request("GetSceneList", timeout_s=0.3)


def test_a_refusal_has_its_code_and_its_words() -> None:
    with FakeObs() as server:
        server.answers["SetInputName"] = lambda peer, request: peer.refuse(
            request, 601, "There is\nan input of this\x1b[31m name."
        )
        with connected(server) as obs:
            with pytest.raises(ObsRefused) as caught:
                obs.request("SetInputName")
            assert not obs.closed
    assert (caught.value.request, caught.value.code) == ("SetInputName", 601)
    assert caught.value.native_code == 601
    assert str(caught.value) == (
        "OBS refused SetInputName: There is an input of this\N{REPLACEMENT CHARACTER}[31m name "
        "(code 601)"
    )
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.code, str(again)) == (601, str(caught.value))


def test_close_may_be_called_again_and_on_any_thread() -> None:
    reasons: list[ObsError] = []
    with FakeObs() as server:
        obs = connected(server, on_closed=reasons.append)
        threads = [threading.Thread(target=obs.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        obs.close()
        with pytest.raises(ObsNotRunning, match="was closed"):
            obs.request("GetVersion")
    assert len(reasons) == 1


def test_a_request_on_the_connections_own_thread_is_refused_at_once() -> None:
    seen: list[BaseException] = []

    def script(peer: Peer) -> None:
        peer.open()
        peer.send_event("ExitStarted")
        peer.answer_requests()

    def on_event(kind: str, data: Mapping[str, Any], characters: int) -> None:
        ready.wait(PATIENCE_S)
        try:
            obs.request("GetVersion")
        except RuntimeError as error:
            seen.append(error)

    ready = threading.Event()
    with FakeObs(script) as server, connected(server, on_event=on_event) as obs:
        ready.set()
        wait_for(lambda: bool(seen))


# What keeps us out --------------------------------------------------------------------------------


def test_nobody_listens() -> None:
    with pytest.raises(ObsNotRunning, match="OBS is not running") as caught:
        ObsConnection(ObsAddress("127.0.0.1", free_port()))
    assert "WebSocket Server Settings" in caught.value.remedy
    assert isinstance(caught.value, ConnectionError)


def test_nobody_listens_and_the_settings_say_why() -> None:
    address = ObsAddress("127.0.0.1", free_port(), disabled_in="/home/u/global.ini")
    with pytest.raises(ObsDisabled, match=r"off, says /home/u/global\.ini"):
        ObsConnection(address)


def test_there_is_no_such_computer() -> None:
    with pytest.raises(ObsNotRunning, match=r"nowhere\.invalid"):
        ObsConnection(ObsAddress("nowhere.invalid"))


@pytest.mark.parametrize("host", ["", "a b", "a/b", "user@a", "a?b", "[::1]", "x" * 256, "a\nb"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="computer"):
        ObsAddress(host)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match="port"):
        ObsAddress("localhost", port)


def test_the_password_is_wrong() -> None:
    with FakeObs(password="right") as server:
        error = error_of(server, password="wrong")
    assert isinstance(error, ObsWrongPassword)
    assert "does not take the password from the test" in error.message


@pytest.mark.parametrize("password", ["", "half of a \ud800 character"])
def test_what_can_be_no_password_of_obs_is_wrong(password: str) -> None:
    with FakeObs(password="right") as server:
        assert isinstance(error_of(server, password=password), ObsWrongPassword)
        assert not server.proofs


def test_a_password_is_asked_for_and_none_is_known() -> None:
    with FakeObs(password="right") as server:
        error = error_of(server)
    assert isinstance(error, ObsWrongPassword)
    assert "none is known" in error.message


def test_a_password_that_is_withheld_is_told_with_what_to_do() -> None:
    with FakeObs(password="right") as server:
        address = ObsAddress("127.0.0.1", server.port, withheld="the environment (GITHUB_TOKEN)")
        with pytest.raises(ObsWrongPassword, match="does not get the one from") as caught:
            ObsConnection(address)
        assert not server.proofs
    assert "(GITHUB_TOKEN)" in caught.value.message
    assert "OBS_HOST=127.0.0.1" in caught.value.remedy


def test_the_server_is_of_before_obs_28() -> None:
    def version_4(peer: Peer) -> None:
        peer.shake_hands()
        question = peer.receive()
        assert question["request-type"] == "GetVersion"
        peer.send_text('{"message-id":"1","status":"ok","obs-websocket-version":"4.9.1"}')
        peer.wait_until_gone()

    with FakeObs(version_4) as server:
        assert isinstance(error_of(server, timeout_s=0.3), ObsTooOld)


def test_the_server_of_before_obs_28_tells_itself_by_an_event() -> None:
    def version_4(peer: Peer) -> None:
        peer.shake_hands()
        peer.send_text('{"update-type":"Heartbeat","pulse":true}')
        peer.wait_until_gone()

    with FakeObs(version_4) as server:
        assert isinstance(error_of(server), ObsTooOld)


def test_the_protocol_has_an_older_number() -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.send(0, HELLO | {"rpcVersion": 0})
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert isinstance(error_of(server), ObsTooOld)


def test_the_server_does_not_speak_our_version() -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.send(0, HELLO)
        peer.receive()
        peer.close(4010, "Your requested RPC version is not supported by this server.")
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert isinstance(error_of(server), ObsTooOld)


def test_the_user_ends_the_connection_in_obs() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        peer.close(4011, "Your session has been invalidated.")
        peer.wait_until_gone()

    reasons: list[ObsError] = []
    with FakeObs(script) as server, connected(server, on_closed=reasons.append) as obs:
        wait_for(lambda: bool(reasons))
        assert obs.closed
    assert isinstance(reasons[0], ObsNotRunning)
    assert "as its user asked" in reasons[0].message


# What is not OBS ----------------------------------------------------------------------------------

NO_SERVERS = {
    "a proxy": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsorry\n",
    "a web server": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n",
    "a redirection": b"HTTP/1.1 302 Found\r\nLocation: ws://192.0.2.1/\r\n"
    b"Content-Length: 0\r\n\r\n",
    "a mail server": b"220 mail.example.org ESMTP ready\r\n",
    "noise": bytes(range(256)) * 16,
    "an endless header": b"HTTP/1.1 101 Switching Protocols\r\n" + b"A: b\r\n" * 100_000,
    "an endless line": b"HTTP/1.1 " + b"x" * 10_000_000,
    "a wrong accept key": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
    "an endless body": b"HTTP/1.1 404 Not Found\r\nContent-Length: 999999999\r\n\r\n"
    + b"x" * 2**20,
    "cookies": b"HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: a=b; Domain=127.0.0.1\r\n",
}


@pytest.mark.parametrize("answer", NO_SERVERS.values(), ids=NO_SERVERS.keys())
def test_what_is_no_websocket_server_is_told(answer: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.send_raw(answer)
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert isinstance(error_of(server), ObsProtocolError)


def test_a_server_that_hangs_up_is_told() -> None:
    with FakeObs(lambda peer: None) as server:
        assert isinstance(error_of(server), ObsProtocolError)


def test_a_server_that_never_speaks_is_given_up() -> None:
    with FakeObs(lambda peer: peer.wait_until_gone()) as server:
        assert isinstance(error_of(server, timeout_s=0.3), ObsNotAnswering)


def test_a_server_that_drips_its_header_is_given_up() -> None:
    def script(peer: Peer) -> None:
        while True:
            peer.send_raw(b"H")
            time.sleep(0.05)

    with FakeObs(script) as server:
        assert isinstance(error_of(server, timeout_s=0.5), ObsError)


def test_a_server_that_never_says_hello_is_given_up() -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert isinstance(error_of(server, timeout_s=0.3), ObsNotAnswering)


def test_a_server_that_takes_us_but_never_says_so_is_given_up() -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.send(0, HELLO)
        while True:  # also not by talking of other things
            peer.send_event("SceneCreated", {})
            time.sleep(0.02)

    with FakeObs(script) as server:
        assert isinstance(error_of(server, timeout_s=0.3), ObsNotAnswering)


PING, PONG, CONTINUATION = 0x9, 0xA, 0x0
NO_MESSAGES: dict[str, list[tuple[int, bool]]] = {  # each frame's opcode, and whether it is final
    "pings": [(PING, True)],
    "pongs": [(PONG, True)],
    "empty fragments": [(TEXT, False), (CONTINUATION, False)],
}


def send_without_end(peer: Peer, frames: list[tuple[int, bool]]) -> None:
    """Sends so much that there is always something to read; the last frame again and again."""
    for opcode, final in frames:
        peer.send_frame(opcode, b"", final=final)
    opcode, final = frames[-1]
    while True:
        peer.send_raw(bytes([opcode | (0x80 if final else 0), 0]) * 1000)


@pytest.mark.parametrize("frames", NO_MESSAGES.values(), ids=NO_MESSAGES.keys())
@pytest.mark.parametrize("greets", [False, True], ids=["before hello", "after identify"])
def test_a_server_that_sends_no_message_without_end_is_given_up(
    frames: list[tuple[int, bool]], greets: bool
) -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        if greets:
            peer.greet()
            peer.request()
        send_without_end(peer, frames)

    with FakeObs(script) as server:
        began = time.monotonic()
        assert isinstance(error_of(server, timeout_s=0.5), ObsNotAnswering)
        assert time.monotonic() - began < 5.0


def test_connecting_is_one_deadline_for_all_of_it() -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        time.sleep(0.4)
        peer.greet()
        request = peer.request()
        time.sleep(0.4)
        peer.reply(request, VERSION)
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert isinstance(error_of(server, timeout_s=0.6), ObsNotAnswering)


def test_a_server_that_asks_and_never_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PING_S", 0.5)

    def script(peer: Peer) -> None:
        peer.open()
        while True:
            peer.send_frame(PING, b"x" * 125)

    reasons: list[ObsError] = []
    # Else megabytes of answers fit before the client notices, 131 bytes at a time.
    with (
        FakeObs(script, receive_bytes=4096) as server,
        connected(server, on_closed=reasons.append),
    ):
        wait_for(lambda: bool(reasons))
    assert isinstance(reasons[0], ObsNotRunning)


def test_a_name_that_takes_long_to_be_found_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = threading.Event()

    def find(*_: Any) -> Any:
        found.wait(PATIENCE_S)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", find)
    before = set(threading.enumerate())
    began = time.monotonic()
    with pytest.raises(ObsNotRunning, match="nothing answers at studio-pc"):
        ObsConnection(ObsAddress("studio-pc"), timeout_s=0.3)
    assert time.monotonic() - began < PATIENCE_S / 2
    [finder] = set(threading.enumerate()) - before
    assert finder.daemon
    found.set()
    finder.join()


BAD_HELLOS: dict[str, Any] = {
    "no version": {},
    "version of a wrong type": HELLO | {"rpcVersion": "1"},
    "no salt": HELLO | {"authentication": {"challenge": "x"}},
    "half of a character": HELLO | {"authentication": {"salt": "\ud800", "challenge": "x"}},
    "challenge of a wrong type": HELLO | {"authentication": {"salt": "x", "challenge": [1]}},
    "authentication of a wrong type": HELLO | {"authentication": 7},
}


@pytest.mark.parametrize("hello", BAD_HELLOS.values(), ids=BAD_HELLOS.keys())
def test_a_greeting_that_is_wrong_is_told(hello: Any) -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.send(0, hello)
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert isinstance(error_of(server, password="secret"), ObsProtocolError)


BAD_VERSIONS: dict[str, Any] = {
    "nothing": None,
    "numbers": {"obsVersion": 29, "obsWebSocketVersion": 5, "platform": "x"},
    "a list": VERSION | {"availableRequests": {"GetVersion": 1}},
}


@pytest.mark.parametrize("version", BAD_VERSIONS.values(), ids=BAD_VERSIONS.keys())
def test_versions_that_are_none_are_told(version: Any) -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.greet()
        peer.reply(peer.request(), version)
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert isinstance(error_of(server), ObsProtocolError)


GARBAGE = {
    "no JSON": "hello",
    "nothing": "",
    "a number": "7",
    "a list": "[]",
    "null": "null",
    "half of an object": '{"op": 5, "d": {',
    "not a number": '{"op": 5, "d": {"eventType": "X", "eventData": {"x": NaN}}}',
    "infinity": '{"op": 5, "d": {"eventType": "X", "eventData": {"x": -Infinity}}}',
    "a float that is too large": '{"op": 5, "d": {"eventType": "X", "eventData": {"x": 1e999}}}',
    "a number of many digits": '{"op": 5, "d": {"x": ' + "9" * 100_000 + "}}",
    "deep nesting": "[" * 1_000_000,
    "deeply nested objects": '{"op": 5, "d": ' + '{"d": ' * 200_000,
    "no op": '{"d": {}}',
    "op of a wrong type": '{"op": "5", "d": {}}',
    "op that is true": '{"op": true, "d": {}}',
    "no data": '{"op": 5}',
    "data of a wrong type": '{"op": 7, "d": [1]}',
    "a reply without an id": '{"op": 7, "d": {"requestStatus": {}}}',
    "a reply with an id of a wrong type": '{"op": 7, "d": {"requestId": {"a": 1}}}',
    "an event without a type": '{"op": 5, "d": {"eventData": {}}}',
    "an event with data of a wrong type": '{"op": 5, "d": {"eventType": "X", "eventData": 7}}',
    "a huge event": json.dumps({"op": 5, "d": {"eventType": "X" * 2**20, "eventData": {}}}),
}


def survived(misbehaviour: Callable[[Peer], None], **options: Any) -> ObsError:
    """The reason that a connection ended for, when the server did this while a request waited."""

    def script(peer: Peer) -> None:
        peer.open()
        peer.request()
        misbehaviour(peer)
        peer.wait_until_gone()

    reasons: list[ObsError] = []
    with FakeObs(script) as server:
        options = {"timeout_s": PATIENCE_S} | options
        with connected(server, on_closed=reasons.append, **options) as obs:
            with pytest.raises(ObsError) as caught:
                obs.request("GetSceneList")
            wait_for(lambda: bool(reasons))
            assert obs.closed
            assert obs.error is reasons[0]
    assert len(reasons) == 1
    assert type(caught.value) is type(reasons[0])
    assert str(caught.value) == str(reasons[0])
    return caught.value


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_ends_the_connection_with_a_reason(text: str) -> None:
    assert isinstance(survived(lambda peer: peer.send_text(text)), ObsProtocolError)


BROKEN_FRAMES: dict[str, tuple[int, bytes]] = {
    "not UTF-8": (TEXT, b'{"op": 5, "d": {"eventType": "\xff\xfe"}}'),
    "binary": (BINARY, b'{"op": 5, "d": {"eventType": "X"}}'),
    "an unknown opcode": (0x5, b""),
    "a continuation of nothing": (0x0, b"x"),
    "reserved bits": (0x71, b"x"),
}


@pytest.mark.parametrize("frame", BROKEN_FRAMES.values(), ids=BROKEN_FRAMES.keys())
def test_broken_frames_end_the_connection_with_a_reason(frame: tuple[int, bytes]) -> None:
    error = survived(lambda peer: peer.send_frame(*frame))
    assert isinstance(error, ObsProtocolError)


def test_a_message_that_is_too_large_is_not_even_read() -> None:
    # Only its length is sent; whoever wanted to read it all would wait for ever.
    error = survived(lambda peer: peer.send_raw(b"\x81\x7f" + (2**62).to_bytes(8, "big")))
    assert isinstance(error, ObsProtocolError)


def test_a_message_in_endless_pieces_is_cut_off() -> None:
    def misbehaviour(peer: Peer) -> None:
        peer.send_frame(TEXT, b"x" * 2**20, final=False)
        for _ in range(64):
            peer.send_frame(0x0, b"x" * 2**20, final=False)

    assert isinstance(survived(misbehaviour), ObsProtocolError)


MANY: dict[str, str] = {
    "lists": "[" + "[]," * 1_300_000 + "[]]",
    "objects": "[" + "{}," * 1_300_000 + "{}]",
    "numbers": "[" + "1," * 2_000_000 + "1]",
    "keys": "{" + ",".join(f'"{n}":0' for n in range(300_000)) + "}",
}


@pytest.mark.parametrize("values", MANY.values(), ids=MANY.keys())
def test_a_message_of_many_values_is_not_read(values: str) -> None:
    text = '{"op": 7, "d": {"requestId": "2", "responseData": ' + values + "}}"

    def misbehaviour(peer: Peer) -> None:
        tracemalloc.start()
        peer.send_text(text)

    error = survived(misbehaviour)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(error, ObsProtocolError)
    assert "values" in error.message
    assert peak < 40e6


def test_a_text_that_does_not_end_takes_no_time() -> None:
    text = '{"op": 7, "d": {"requestId": "' + '\\"' * 1_000_000 + "[]," * 600_000
    began = time.monotonic()
    assert isinstance(survived(lambda peer: peer.send_text(text)), ObsProtocolError)
    assert time.monotonic() - began < PATIENCE_S / 2


def test_a_greeting_of_many_values_is_not_read() -> None:
    def script(peer: Peer) -> None:
        peer.shake_hands()
        peer.send(0, HELLO | {"more": [[]] * 2000})
        peer.wait_until_gone()

    with FakeObs(script) as server:
        assert "more than 1000 values" in error_of(server).message


def test_long_lists_and_texts_full_of_commas_are_read() -> None:
    scenes = {"scenes": [{"sceneIndex": n, "sceneName": f"Scene {n}"} for n in range(5000)]}
    settings = {"inputSettings": {"text": ',[{:"\\' * 100_000}}
    with FakeObs() as server:
        server.answers |= {"GetSceneList": scenes, "GetInputSettings": settings}
        with connected(server) as obs:
            assert obs.request("GetSceneList") == scenes
            assert obs.request("GetInputSettings") == settings


def test_an_answer_is_as_long_as_its_kind_may_be() -> None:
    with FakeObs() as server:
        server.answers["GetRecordStatus"] = {"outputs": [0] * 30_000}
        with connected(server) as obs, pytest.raises(ObsProtocolError, match="20000 values"):
            obs.request("GetRecordStatus")


def test_a_connection_that_ends_within_a_message_is_lost() -> None:
    def misbehaviour(peer: Peer) -> None:
        peer.send_raw(b'\x81\x7e\x10\x00{"op": 7, ')
        peer.socket.shutdown(socket.SHUT_RDWR)

    error = survived(misbehaviour)
    assert isinstance(error, ObsNotRunning)
    assert "was lost" in error.message


def test_an_obs_that_crashes_is_lost() -> None:
    error = survived(lambda peer: peer.socket.shutdown(socket.SHUT_RDWR))
    assert isinstance(error, ObsNotRunning)


def test_an_obs_that_crashes_is_lost_with_an_older_websocket_client_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = websocket.WebSocket.__init__

    def older(self: websocket.WebSocket, **options: Any) -> None:
        begin(self, **options)
        self.__dict__.pop("close_frame", None)

    monkeypatch.setattr(websocket.WebSocket, "__init__", older)
    test_an_obs_that_crashes_is_lost()
    test_a_close_with_a_code_tells_it()


def test_a_close_with_a_code_tells_it() -> None:
    error = survived(lambda peer: peer.close(4006, "Unknown op\x1b[31mcode"))
    assert isinstance(error, ObsProtocolError)
    assert "4006 Unknown op\N{REPLACEMENT CHARACTER}[31mcode" in error.message


def test_a_silent_peer_is_asked_and_taken_for_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PING_S", 0.2)

    def misbehaviour(peer: Peer) -> None:
        peer.answers_pings = False

    error = survived(misbehaviour)
    assert isinstance(error, ObsNotRunning)
    assert "silent" in error.message


def test_a_peer_that_has_nothing_to_say_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_PING_S", 0.05)
    pings = 0

    def script(peer: Peer) -> None:
        nonlocal pings
        peer.open()
        while True:
            opcode, payload = peer._frame()
            if opcode == 0x9:
                pings += 1
                peer.send_frame(0xA, payload)
            elif opcode == TEXT:
                peer.reply(json.loads(payload)["d"], {"still": "there"})

    with FakeObs(script) as server, connected(server) as obs:
        wait_for(lambda: pings > 5)
        assert obs.request("GetVersion") == {"still": "there"}


# Answers that are wrong ---------------------------------------------------------------------------

BAD_REPLIES: dict[str, dict[str, Any]] = {
    "no status": {"requestStatus": None},
    "status of a wrong type": {"requestStatus": [True, 100]},
    "no result": {"requestStatus": {"code": 100}},
    "result of a wrong type": {"requestStatus": {"result": "true", "code": 100}},
    "code of a wrong type": {"requestStatus": {"result": True, "code": "100"}},
    "code that is true": {"requestStatus": {"result": False, "code": True}},
    "data of a wrong type": {"responseData": [1]},
    "data that is a text": {"responseData": "x"},
}


@pytest.mark.parametrize("changes", BAD_REPLIES.values(), ids=BAD_REPLIES.keys())
def test_an_answer_that_is_wrong_fails_its_request_only(changes: dict[str, Any]) -> None:
    with FakeObs() as server:
        server.answers["GetSceneList"] = lambda peer, request: peer.reply(request, **changes)
        server.answers["GetInputList"] = {"inputs": []}
        with connected(server) as obs:
            with pytest.raises(ObsProtocolError, match="GetSceneList"):
                obs.request("GetSceneList")
            assert obs.request("GetInputList") == {"inputs": []}


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        late = peer.request()
        after_it = peer.request()
        peer.reply(late, {"of": "the first"})
        peer.reply(after_it, {"of": "the second"})
        peer.answer_requests()

    with FakeObs(script) as server, connected(server) as obs:
        with pytest.raises(ObsNotAnswering, match="did not answer GetSceneList in time"):
            obs.request("GetSceneList", timeout_s=0.2)
        assert obs.request("GetInputList") == {"of": "the second"}
        assert not obs._client.pending


def test_answers_to_nobody_and_second_answers_are_passed_over() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        while True:
            request = peer.request()
            peer.reply(request, {"of": "nobody"}, requestId="no such id")
            peer.reply(request, {"of": "it"})
            peer.reply(request, {"of": "it, again"})

    with FakeObs(script) as server, connected(server) as obs:
        for _ in range(3):
            assert obs.request("GetSceneList") == {"of": "it"}


def test_messages_of_a_later_protocol_are_passed_over() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        peer.send(10, {"results": []})
        peer.send(77, {"new": "things"})
        peer.answer_requests()

    with FakeObs(script) as server, connected(server) as obs:
        assert obs.request("GetSceneList") == {}


def test_a_flood_of_events_does_not_hide_the_answers() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        request = peer.request()
        for _ in range(20_000):
            peer.send_event("InputVolumeMeters", {"inputs": []})
        peer.reply(request, {"behind": "them"})
        peer.answer_requests()

    with FakeObs(script) as server, connected(server, timeout_s=PATIENCE_S) as obs:
        assert obs.request("GetSceneList") == {"behind": "them"}


def test_a_peer_that_does_not_read_holds_nobody_up() -> None:
    done = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        done.wait(PATIENCE_S)

    with FakeObs(script) as server:
        with connected(server, timeout_s=1.0) as obs, pytest.raises(ObsError):
            obs.request("SetInputSettings", text="x" * 50_000_000)
        done.set()


def test_a_request_ends_in_time_while_another_one_cannot_be_sent() -> None:
    done = threading.Event()

    def script(peer: Peer) -> None:
        peer.open()
        done.wait(PATIENCE_S)

    def send_much(obs: ObsConnection) -> None:
        with pytest.raises(ObsError):
            obs.request("SetInputSettings", text="x" * 50_000_000)

    with FakeObs(script) as server, connected(server, timeout_s=PATIENCE_S) as obs:
        sender = threading.Thread(target=send_much, args=(obs,))
        sender.start()
        wait_for(obs._client.ws._sending.locked)
        with pytest.raises(ObsNotAnswering, match="GetSceneList in time"):
            obs.request("GetSceneList", timeout_s=0.2)
        assert sender.is_alive()
        obs.close()  # nor does that wait
        sender.join(PATIENCE_S / 2)
        assert not sender.is_alive()
        done.set()


def test_an_observer_that_fails_ends_the_connection_not_the_program() -> None:
    def script(peer: Peer) -> None:
        peer.open()
        peer.send_event("ExitStarted")
        peer.answer_requests()

    def on_event(kind: str, data: Mapping[str, Any], characters: int) -> None:
        raise ObsProtocolError("too much")

    reasons: list[ObsError] = []
    with FakeObs(script) as server, connected(server, on_event=on_event, on_closed=reasons.append):
        wait_for(lambda: bool(reasons))
    assert str(reasons[0]) == "too much"


# Secrets ------------------------------------------------------------------------------------------

PASSWORD = "hunter2-and-more"


@pytest.fixture
def all_logging(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that any logger says; websocket-client's trace of all frames is on, too."""
    websocket.enableTrace(True)
    for name in ("", "obsws_python", "websocket", "pypac_obs"):
        caplog.set_level(logging.DEBUG, logger=name)
    yield caplog
    websocket.enableTrace(False)


def test_no_log_and_no_error_holds_the_password_or_its_proof(
    all_logging: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    words: list[str] = []
    stream_key = "live_0815"
    with FakeObs(password=PASSWORD) as server:
        server.answers["SetInputName"] = lambda peer, request: peer.refuse(request, 601, "no")
        server.answers["GetStreamServiceSettings"] = {"streamServiceSettings": {"key": stream_key}}
        with connected(server, PASSWORD) as obs:
            assert obs.request("GetStreamServiceSettings")
            with pytest.raises(ObsRefused):
                obs.request("SetInputName", inputName=stream_key)
            words += [repr(obs.address), str(obs.address)]
            for one in (obs, obs._client, obs._requests, obs._events, obs._client.ws):
                words += [repr(one), str(one), repr(vars(one))]
        proofs = server.proofs
    with FakeObs(password="another one") as server:
        error = error_of(server, password=PASSWORD)
        words += [str(error), repr(error), error.remedy, repr(error.__cause__), repr(error.args)]
    assert proofs
    words += [all_logging.text, *capfd.readouterr()]
    for secret in (PASSWORD, stream_key, *proofs):
        assert all(secret not in text for text in words)


def test_other_programs_websockets_are_logged_as_ever(
    all_logging: pytest.LogCaptureFixture,
) -> None:
    with FakeObs(password=PASSWORD) as server:
        connected(server, PASSWORD).close()
        other = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}", timeout=PATIENCE_S, subprotocols=["obswebsocket.json"]
        )
        assert json.loads(other.recv())["op"] == 0
        other.close()
    assert all_logging.text.count("Rcv decoded") == 1


def test_no_settings_of_the_library_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in (tmp_path, tmp_path / ".config" / "obsws-python"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.toml").write_text("this is no TOML, and would fail")
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    with FakeObs() as server, connected(server) as obs:
        assert obs.version.obs == "29.0.2"


def test_a_secret_is_not_written_anywhere() -> None:
    secret = Secret(PASSWORD)
    assert PASSWORD not in f"{secret} {secret!r} {secret!s} {[secret]} {vars(type(secret))}"
    assert secret.reveal() == PASSWORD
    assert secret == Secret(PASSWORD)
    assert secret != Secret("x")
    assert secret != PASSWORD
    assert copy.deepcopy(secret) is secret
    with pytest.raises(TypeError, match="not written"):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_errors_are_pypac_errors_that_can_be_pickled() -> None:
    for kind in (ObsNotRunning, ObsDisabled, ObsTooOld, ObsProtocolError, ObsNotAnswering):
        error = pickle.loads(pickle.dumps(kind("what happened", remedy="what to do")))
        assert isinstance(error, PypacError)
        assert (str(error), error.exit_code) == ("what happened", 1)
