# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_server import FakeObs, Peer

from pypac_obs.cli import commands
from pypac_obs.errors import ObsError, ObsNotAnswering, ObsNotRunning, ObsRefused
from pypac_obs.obs.client import outputs
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection
from pypac_obs.obs.client.outputs import OutputControl, OutputKind

STATE = "OBS_WEBSOCKET_OUTPUT_"
PATH = "/home/u/Videos/take 1.mkv"


class Recorder:
    """A fake OBS's recording or stream."""

    def __init__(self, server: FakeObs, kind: str) -> None:
        self.kind = kind
        self.active = False
        self.fails = False
        self.hangs = False
        server.answers[f"Start{kind}"] = self.start
        server.answers[f"Stop{kind}"] = self.stop
        if kind == "Record":
            server.answers["GetOutputSettings"] = {"outputSettings": {"path": PATH}}
            server.answers["GetOutputStatus"] = lambda peer, request: peer.reply(
                request, {"outputActive": self.active}
            )

    def start(self, peer: Peer, request: Any) -> None:
        if self.active:
            peer.refuse(request, 500, "The output is running.")
            return
        peer.reply(request)
        self.tell(peer, "STARTING")
        if not self.hangs:
            self.active = not self.fails
            self.tell(peer, "STOPPED" if self.fails else "STARTED")

    def stop(self, peer: Peer, request: Any) -> None:
        if not self.active:
            peer.refuse(request, 501, "The output is not running.")
            return
        self.tell(peer, "STOPPING")
        peer.reply(request, {"outputPath": PATH} if self.kind == "Record" else None)
        if not self.hangs:
            self.active = False
            self.tell(peer, "STOPPED")

    def tell(self, peer: Peer, state: str) -> None:
        data = {"outputActive": self.active, "outputState": STATE + state}
        peer.send_event(f"{self.kind}StateChanged", data)


@pytest.fixture
def server() -> Iterator[FakeObs]:
    with FakeObs() as running:
        yield running


@pytest.fixture
def connect(server: FakeObs) -> Callable[..., ObsConnection]:
    return lambda **options: ObsConnection(ObsAddress("127.0.0.1", server.port), **options)


def test_a_recording_is_started_and_stopped(
    server: FakeObs, connect: Callable[..., ObsConnection]
) -> None:
    Recorder(server, "Record")
    with OutputControl(connect, OutputKind.RECORDING) as output:
        assert output.start() == (False, PATH)
        assert output.start() == (True, PATH)
        assert output.stop() == (True, PATH)
        assert output.stop() == (False, "")
    assert server.peers[0].subscriptions == 64


def test_a_stream_has_no_file(server: FakeObs, connect: Callable[..., ObsConnection]) -> None:
    Recorder(server, "Stream")
    with OutputControl(connect, OutputKind.STREAM) as output:
        assert output.start() == (False, "")
        assert output.stop() == (True, "")


def test_what_cannot_start_is_told_at_once(
    server: FakeObs, connect: Callable[..., ObsConnection]
) -> None:
    Recorder(server, "Stream").fails = True
    with (
        OutputControl(connect, OutputKind.STREAM) as output,
        pytest.raises(ObsError, match="could not start its stream") as caught,
    ):
        output.start()
    assert "Log Files" in caught.value.remedy


def test_what_does_not_come_to_an_end_is_told(
    server: FakeObs, connect: Callable[..., ObsConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "_CHANGES_WITHIN_S", 0.2)
    recorder = Recorder(server, "Record")
    with OutputControl(connect, OutputKind.RECORDING) as output:
        output.start()
        recorder.hangs = True
        with pytest.raises(ObsNotAnswering, match="recording takes longer than"):
            output.stop()


def test_other_changes_without_end_do_not_put_the_end_off(
    server: FakeObs, connect: Callable[..., ObsConnection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "_CHANGES_WITHIN_S", 0.5)
    recorder = Recorder(server, "Record")

    def starts_without_end(peer: Peer, request: Any) -> None:
        peer.reply(request)
        while True:
            recorder.tell(peer, "STARTING")

    server.answers["StartRecord"] = starts_without_end
    with OutputControl(connect, OutputKind.RECORDING) as output:
        with pytest.raises(ObsError):
            output.start()
        assert output._changes.qsize() <= outputs._MAX_CHANGES + 1


@pytest.mark.parametrize("kind", list(OutputKind))
def test_an_obs_that_goes_meanwhile_is_noticed_at_once(
    server: FakeObs, connect: Callable[..., ObsConnection], kind: OutputKind
) -> None:
    recorder = Recorder(server, kind.value)

    def crash(peer: Peer, request: Any) -> None:
        peer.reply(request)
        recorder.tell(peer, "STARTING")
        peer.socket.shutdown(2)

    server.answers[f"Start{kind.value}"] = crash
    server.answers[f"Stop{kind.value}"] = crash
    for call in (OutputControl.start, OutputControl.stop):
        with OutputControl(connect, kind) as output, pytest.raises(ObsError) as caught:
            call(output)
        assert not isinstance(caught.value, ObsNotAnswering)
        assert "takes longer" not in str(caught.value)
        assert isinstance(caught.value, ObsNotRunning)


def test_a_refusal_is_passed_on(server: FakeObs, connect: Callable[..., ObsConnection]) -> None:
    server.answers["StartRecord"] = lambda peer, request: peer.refuse(request, 205, "no disk")
    with (
        OutputControl(connect, OutputKind.RECORDING) as output,
        pytest.raises(ObsRefused, match="no disk"),
    ):
        output.start()


# The commands -------------------------------------------------------------------------------------


@pytest.fixture
def call(
    server: FakeObs, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Result]:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    for name in ("XDG_CONFIG_HOME", "OBS_HOST", "OBS_PORT", "OBS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return lambda *args: CliRunner().invoke(commands, ["obs", *args, "--port", str(server.port)])


def test_the_commands_say_what_happened(server: FakeObs, call: Callable[..., Result]) -> None:
    Recorder(server, "Record")
    Recorder(server, "Stream")
    lines = {
        ("record", "start"): [f"OBS records.\n{PATH}\n", f"OBS records already.\n{PATH}\n"],
        ("record", "stop"): [f"OBS has stopped recording.\n{PATH}\n", "OBS does not record.\n"],
        ("stream", "start"): ["OBS streams.\n", "OBS streams already.\n"],
        ("stream", "stop"): ["OBS has stopped streaming.\n", "OBS does not stream.\n"],
    }
    for command, expected in lines.items():
        for text in expected:
            result = call(*command)
            assert (result.exit_code, result.output) == (0, text)


def test_the_password_comes_from_the_environment(
    server: FakeObs, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    Recorder(server, "Record")
    server.password = "hunter2"
    result = call("record", "stop")
    assert result.exit_code == 1
    assert "asks for a password" in result.output
    monkeypatch.setenv("OBS_PASSWORD", "wrong one")
    result = call("record", "stop")
    assert "does not take the password from the environment (OBS_PASSWORD)" in result.output
    assert "wrong one" not in result.output
    monkeypatch.setenv("OBS_PASSWORD", "hunter2")
    assert call("record", "stop").exit_code == 0


def test_an_obs_that_does_not_run_is_told(call: Callable[..., Result]) -> None:
    result = CliRunner().invoke(commands, ["obs", "status", "--port", "1"])
    assert result.exit_code == 1
    assert result.output.startswith("Error: OBS is not running")
