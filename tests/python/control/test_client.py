# SPDX-License-Identifier: MIT
"""What the client asks a session for, what it makes of the answers, and that it always ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_session import FakeSession, Raw, fake_session, refusal, use_private_folders

from pypac_obs import errors
from pypac_obs.control import client as client_module
from pypac_obs.control.client import ControlClient
from pypac_obs.errors import NotRunning, ProfileError, PypacError
from pypac_obs.session_registry import running_sessions

CHANGED = (200, {"address": "voice.gain_db", "value": -6.0, "revision": 7})


@pytest.fixture(autouse=True)
def _private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_private_folders(tmp_path, monkeypatch)


@pytest.fixture
def gaming() -> Iterator[FakeSession]:
    with fake_session() as session:
        yield session


@pytest.fixture
def control(gaming: FakeSession) -> Iterator[ControlClient]:
    with ControlClient(gaming.port, gaming.token, client="test") as client:
        yield client


@pytest.mark.parametrize(
    ("call", "asked", "body", "answer"),
    [
        (lambda c: c.status(), "GET status", None, {"session": "gaming"}),
        (lambda c: c.state(), "GET state", None, {"revision": 3, "values": {}}),
        (
            lambda c: c.value("my voice.gain_db"),
            "GET values/my%20voice.gain_db",
            None,
            {"address": "my voice.gain_db", "value": 0.0, "layer": "profile", "revision": 1},
        ),
        (
            lambda c: c.set("voice.mute", True),
            "POST set",
            {"address": "voice.mute", "value": True},
            {"address": "voice.mute", "value": True, "revision": 4},
        ),
        (
            lambda c: c.adjust("voice.gain_db", -1.5),
            "POST adjust",
            {"address": "voice.gain_db", "by": -1.5},
            CHANGED[1],
        ),
        (
            lambda c: c.toggle("voice.mute"),
            "POST toggle",
            {"address": "voice.mute"},
            {"address": "voice.mute", "value": False, "revision": 5},
        ),
        (
            lambda c: c.fade("voice.gain_db", -30, 2.5),
            "POST fade",
            {"address": "voice.gain_db", "value": -30, "seconds": 2.5},
            {"address": "voice.gain_db", "value": -30.0, "seconds": 2.5, "revision": 6},
        ),
        (
            lambda c: c.mark("first kill", 123),
            "POST mark",
            {"text": "first kill", "host_ns": 123},
            {"frame": 480, "in_file": True, "sample_rate": 48000},
        ),
    ],
)
def test_each_call_asks_and_gives_the_answer(
    gaming: FakeSession,
    control: ControlClient,
    call: Callable[[ControlClient], Any],
    asked: str,
    body: Any,
    answer: dict[str, Any],
) -> None:
    gaming.answers[asked] = 200, answer
    assert call(control) == answer
    assert gaming.asked == [(asked, body)]
    [request] = gaming.requests
    assert request.headers["host"] == f"127.0.0.1:{gaming.port}"
    assert request.headers["x-client-id"] == "test"
    assert ("content-type" in request.headers) == (body is not None)


def test_values_lines_and_stop(gaming: FakeSession, control: ControlClient) -> None:
    values = {"voice.gain_db": {"value": -6.0, "layer": "live", "unit": "dB"}}
    gaming.answers = {
        "GET values": (200, {"revision": 1, "values": values}),
        "POST reload": lambda request: (200, {"lines": [str(request.body["plan"])], "revision": 1}),
        "POST undo": (200, {"lines": [], "revision": 2}),
        "POST stop": (200, {}),
    }
    assert control.values() == values
    assert (control.plan(), control.reload(3), control.undo()) == (["True"], ["False"], [])
    control.stop()
    assert gaming.asked[1:] == [
        ("POST reload", {"plan": True, "expect_revision": None}),
        ("POST reload", {"plan": False, "expect_revision": 3}),
        ("POST undo", {}),
        ("POST stop", {}),
    ]
    assert gaming.connections == 1


KINDS = [
    (409, "RevisionConflict", 1),
    (409, "ChangeRefused", 1),
    (409, "SessionClosed", 1),
    (404, "UnknownAddress", 2),
    (422, "InvalidValue", 2),
    (500, "OutputFailed", 1),
    (500, "BackendUnavailable", 3),
]


@pytest.mark.parametrize(("status", "kind", "code"), KINDS)
def test_an_error_of_the_session_is_raised_by_its_kind(
    gaming: FakeSession, control: ControlClient, status: int, kind: str, code: int
) -> None:
    gaming.answers["POST set"] = refusal(status, kind, "it cannot be", "Do this.")
    with pytest.raises(getattr(errors, kind)) as caught:
        control.set("voice.gain_db", 1)
    assert type(caught.value) is getattr(errors, kind)
    assert (caught.value.message, caught.value.remedy) == ("it cannot be", "Do this.")
    assert caught.value.exit_code == code


@pytest.mark.parametrize("kind", ["Exception", "os", "", "PypacErrorr", "ProfileMistake", 7, None])
def test_an_error_of_an_unknown_kind_keeps_its_words(
    gaming: FakeSession, control: ControlClient, kind: Any
) -> None:
    gaming.answers["POST set"] = refusal(500, kind, "it cannot be", "Do this.")
    with pytest.raises(PypacError) as caught:
        control.set("voice.gain_db", 1)
    assert type(caught.value) is PypacError
    assert (caught.value.message, caught.value.remedy) == ("it cannot be", "Do this.")


def test_an_error_that_takes_more_than_a_message_becomes_its_base(
    gaming: FakeSession, control: ControlClient
) -> None:
    gaming.answers["POST set"] = refusal(500, "ObsRefused", "OBS refused it")
    with pytest.raises(errors.ObsError, match="OBS refused it") as caught:
        control.set("voice.gain_db", 1)
    assert type(caught.value) is errors.ObsError


def test_a_profile_with_mistakes_has_the_text_of_each(
    gaming: FakeSession, control: ControlClient
) -> None:
    problems = ["a.yaml:3:5: expected a source, found 7", "a.yaml:9:1: another one"]
    gaming.answers["POST reload"] = refusal(422, "ProfileError", "2 mistakes", "", problems)
    with pytest.raises(ProfileError) as caught:
        control.reload()
    assert str(caught.value) == "\n".join(problems)
    assert "docs/profile.md" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_a_wrong_token_is_told_and_is_nowhere_in_the_words(gaming: FakeSession) -> None:
    with ControlClient(gaming.port, "not-the-token") as client, pytest.raises(PypacError) as caught:
        client.status()
    assert str(caught.value) == "the session gaming does not accept the control token"
    assert caught.value.exit_code == 1
    assert "not-the-token" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize("text", ["a\nb", "a\r\nHost: x", "\x1b[2J", "ä", "\ud800"])
def test_no_token_or_name_can_break_out_of_its_header(text: str) -> None:
    for token, client in ((text, "test"), ("token", text)):
        with pytest.raises(ValueError, match="printable ASCII") as caught:
            ControlClient(14700, token, client=client)
        assert text not in str(caught.value)
    with pytest.raises(ValueError, match="at most 64"):
        ControlClient(14700, "token", client="x" * 65)


# Only sessions get the token ----------------------------------------------------------------------


def test_a_port_that_no_session_has_published_is_not_spoken_to() -> None:
    with (
        fake_session(publish=False) as session,
        ControlClient(session.port, session.token) as client,
    ):
        with pytest.raises(NotRunning, match=f"with control at port {session.port}"):
            client.status()
        assert (session.requests, session.connections) == ([], 0)


def test_a_port_whose_session_has_ended_gets_no_token_any_more(gaming: FakeSession) -> None:
    gaming.answers["GET status"] = 200, {}
    client = ControlClient(gaming.port, gaming.token)
    client.status()
    client.close()
    gaming.registration.close()
    with pytest.raises(NotRunning):
        client.status()
    assert len(gaming.requests) == 1


def test_a_connection_that_the_session_has_closed_is_opened_again_for_reading_only(
    gaming: FakeSession, control: ControlClient
) -> None:
    body = b'{"address": "a", "value": 1, "revision": 1}'
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    gaming.answers = {"GET status": Raw(head + body), "POST set": Raw(head + body)}
    control.status()  # the server closes the connection after it, and does not say so
    control.status()
    with pytest.raises(NotRunning, match="does not answer"):
        control.set("a", 1)  # it might be done twice
    assert [asked for asked, _ in gaming.asked] == ["GET status", "GET status"]
    control.set("a", 1)
    assert gaming.connections == 3


# Bad answers --------------------------------------------------------------------------------------


def raw(body: bytes, status: str = "200 OK", more: str = "") -> Raw:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return Raw(head.encode() + body)


@pytest.mark.parametrize(
    "answer",
    [
        raw(b""),
        raw(b"{"),
        raw(b"[]"),
        raw(b"null"),
        raw(b"\xff\xfe"),
        raw(b"[" * 100_000),
        raw(b'{"value": 1}'),
        raw(b'{"value": 1, "revision": "7"}'),
        raw(b'{"value": 1, "revision": true}'),
        raw(b"<html>not found</html>", "404 Not Found"),
        raw(b'{"detail": "not found"}', "404 Not Found"),
        raw(b'{"error": "no"}', "500 Oh"),
        raw(b'{"error": {"kind": "InvalidValue"}}', "422 No"),
        raw(b'{"error": {"kind": "InvalidValue", "message": 7}}', "422 No"),
        raw(b"", "302 Found", "Location: http://127.0.0.1:1/\r\n"),
        raw(b"", "204 No Content"),
        Raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000),
        Raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}"),
        Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
        Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b" " * (2**23 + 1)),
    ],
)
def test_an_answer_that_is_none_is_a_sentence(
    gaming: FakeSession, control: ControlClient, answer: Raw
) -> None:
    gaming.answers["POST set"] = answer
    with pytest.raises(PypacError) as caught:
        control.set("voice.gain_db", 1)
    assert "answers at port" in str(caught.value)
    assert caught.value.exit_code == 1


def test_the_same_client_goes_on_after_a_bad_answer(
    gaming: FakeSession, control: ControlClient
) -> None:
    gaming.answers["POST set"] = Raw(b"nonsense\r\n\r\n")
    with pytest.raises(PypacError):
        control.set("voice.gain_db", -6)
    gaming.answers["POST set"] = CHANGED
    assert control.set("voice.gain_db", -6)["value"] == -6.0


# One that hangs -----------------------------------------------------------------------------------


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_ANSWERS_WITHIN_S", 0.3)


HANGS = [
    pytest.param(b"", id="silent"),
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", id="half an answer"),
]


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("sent", HANGS)
def test_a_session_that_hangs_is_given_up(
    gaming: FakeSession, control: ControlClient, sent: bytes
) -> None:
    gaming.answers["GET status"] = Raw(sent, hold=True)
    with pytest.raises(NotRunning) as caught:
        control.status()
    [session] = running_sessions()
    assert str(caught.value) == f"the session gaming (PID {session.pid}) does not answer"
    assert caught.value.exit_code == 1


@pytest.mark.usefixtures("_impatient")
def test_a_session_that_answers_in_drops_is_given_up(gaming: FakeSession) -> None:
    # A server of its own, which sends a byte of a header at a time, for ever.
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip() -> None:
        transport, _ = listener.accept()
        with transport:
            while not ended.wait(0.02):
                try:
                    transport.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        gaming.registration.publish_control(listener.getsockname()[1])
        began = time.monotonic()
        with (
            ControlClient(listener.getsockname()[1], gaming.token) as client,
            pytest.raises(NotRunning, match="does not answer"),
        ):
            client.status()
        assert time.monotonic() - began < 10
    finally:
        ended.set()
        thread.join()
        listener.close()


def test_a_session_whose_port_is_closed_is_told(gaming: FakeSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    gaming.registration.publish_control(port)
    with ControlClient(port, gaming.token) as client, pytest.raises(NotRunning, match="not answer"):
        client.status()


def test_importing_it_loads_neither_the_core_nor_a_server_nor_the_models() -> None:
    program = (
        "import json, sys, pypac_obs.control.client, pypac_obs.cli.set_command\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-Ic", program], check=True, capture_output=True, text=True
    )
    loaded = set(json.loads(told.stdout))
    assert "pypac_obs.control.client" in loaded
    slow = {
        "pypac_obs._core",
        "numpy",
        "pydantic",
        "rich",
        "starlette",
        "uvicorn",
        "yaml",
        "asyncio",
    }
    assert loaded & slow == set()
