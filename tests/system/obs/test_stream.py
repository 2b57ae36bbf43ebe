# SPDX-License-Identifier: MIT
"""The real OBS streams to a server of its own: what is heard there, and what has to wait for it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox, free_port

from ..conftest import RATE, Audio, wait_until
from .conftest import (
    AAC_DB,
    AS_IT_SAYS,
    PATIENCE_S,
    Run,
    Websocket,
    assert_only,
    audio_track,
    inputs,
    let_stream,
    obs_version,
    obs_with_our_source,
)

pytestmark = [pytest.mark.obs, pytest.mark.pipewire, pytest.mark.usefixtures("players")]

PROFILE = """\
version: 1
session: {latency_ms: 100}
sources:
  game: {process: game}
  voice: {process: discord}
tracks:
  game: {from: game}
  voice: {from: voice}
outputs:
  obs:
    tracks: {game: 1, voice: 2}
    desktop_audio: unassign
    mic_aux: unassign
"""
RECORDING = PROFILE + "    recording: {tracks: [1, 2]}\n"
OWN = "    own_profile: PyPAC\n    own_scene_collection: PyPAC scenes\n"
# From this version on OBS sends all tracks in one stream, by Enhanced RTMP.
VOD_IN_THE_STREAM = (30, 2)
WAITS = 'Waits until the stream of OBS has stopped: ~ OBS profile "Untitled"'


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    with obs_with_our_source(sandbox) as running:
        running.stop()
        # Else OBS has a VOD track for Twitch alone.
        for name in ("global.ini", "user.ini"):
            file = running.config_folder / name
            text = file.read_text()
            more = "[General]\nEnableCustomServerVodTrack=true\n"
            file.write_text(text.replace("[General]\n", more, 1))
        running.start()
        yield running


class Receiver:
    """A server that takes one stream, and keeps what comes: the stream, and OBS's bytes as well."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sent = bytearray()
        port = free_port()
        # It is to write what comes, and not to wait for streams that might come as well.
        command = ["ffmpeg", "-nostdin", "-v", "info", "-nostats", "-analyzeduration", "500000"]
        command += ["-listen", "1"]
        command += ["-i", f"rtmp://127.0.0.1:{port}/live/key", "-map", "0:a"]
        command += ["-map", "0:v", "-c", "copy", str(path)]
        self._log = path.with_suffix(".log")
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(command, stderr=log)
        wait_until(self._listens, PATIENCE_S)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"rtmp://127.0.0.1:{self._door.getsockname()[1]}/live"
        self._relay = threading.Thread(target=self._pass_on, args=(port,), daemon=True)
        self._relay.start()

    def _pass_on(self, port: int) -> None:
        with contextlib.suppress(OSError):
            client, _ = self._door.accept()
            with client, socket.create_connection(("127.0.0.1", port)) as server:
                back = threading.Thread(target=_copy, args=(server, client.sendall), daemon=True)
                back.start()

                def keep(data: bytes) -> None:
                    self.sent += data
                    server.sendall(data)

                _copy(client, keep)
                server.shutdown(socket.SHUT_WR)
                back.join()

    def _listens(self) -> bool:
        assert self._server.poll() is None
        found = psutil.Process(self._server.pid).net_connections("tcp")
        return any(one.status == psutil.CONN_LISTEN for one in found)

    def wait(self) -> Path:
        """Waits for the end of the stream, and gives the file that has it."""
        self._server.wait(PATIENCE_S)
        assert "muxing overhead" in self._log.read_text(), self._log.read_text()
        return self.path

    def kill(self) -> None:
        self._server.kill()
        self._server.wait()
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        self._relay.join(PATIENCE_S)

    def vod_track(self) -> Audio:
        """What the server was given for the VOD: a second track of the stream since OBS 30.2.

        An older OBS sends it as data that FFmpeg passes over: each packet of AAC is an array of
        bytes of AMF 3, begins as an audio tag of FLV does, and is smaller than a chunk of RTMP.
        """
        if audio_streams(self.path) > 1:
            return audio_track(self.path, 1)
        packets = []
        for found in re.finditer(rb"\x00\x05media\x11\x0c", self.sent):
            begin, size = found.end(), 0
            while True:
                byte = self.sent[begin]
                begin, size = begin + 1, size << 7 | byte & 0x7F
                if not byte & 0x80:
                    break
            packets.append(bytes(self.sent[begin : begin + (size >> 1)]))
        if not packets:
            return np.zeros((0, 2), np.float32)
        head, *rest = packets
        assert head[:2] == b"\xaf\x00"
        setup = int.from_bytes(head[2:4], "big")
        path = self.path.with_suffix(".aac")
        path.write_bytes(b"".join(_adts(setup, one[2:]) + one[2:] for one in rest))
        return audio_track(path, 0)


def _copy(source: socket.socket, sink: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink(data)


def _adts(setup: int, frame: bytes) -> bytes:
    """The header that a frame of AAC has in a file of its own; ``setup`` is MPEG-4's, 2 bytes."""
    kind, rate, channels = setup >> 11, setup >> 7 & 15, setup >> 3 & 15
    bits = 0xFFF1 << 40 | (kind - 1) << 38 | rate << 34 | channels << 30
    return (bits | (len(frame) + 7) << 13 | 0x7FF << 2).to_bytes(7, "big")


@pytest.fixture
def receiver(tmp_path: Path, websocket: Websocket) -> Iterator[Callable[[], Receiver]]:
    """Starts a server that OBS streams to from then on."""
    started: list[Receiver] = []

    def start() -> Receiver:
        started.append(Receiver(tmp_path / f"stream{len(started)}.mkv"))
        websocket.request(
            "SetStreamServiceSettings",
            streamServiceType="rtmp_custom",
            streamServiceSettings={"server": started[-1].url, "key": "key", "use_auth": False},
        )
        return started[-1]

    yield start
    websocket.ask("StopStream")
    for one in started:
        one.kill()


def said(session: Run, *words: str, code: int = 0) -> str:
    """What a command says beside a session."""
    done = session.command("obs", *words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def wait_for_stream(websocket: Websocket, seconds: float) -> None:
    def lasts() -> bool:
        status = websocket.request("GetStreamStatus")
        return bool(status["outputActive"] and status["outputDuration"] > 1000 * seconds)

    wait_until(lasts, PATIENCE_S, websocket.obs.log)


def parameter(websocket: Websocket, category: str, name: str) -> object:
    return websocket.request("GetProfileParameter", parameterCategory=category, parameterName=name)[
        "parameterValue"
    ]


def stream_track(websocket: Websocket, number: int) -> None:
    """Says what the advanced output mode streams, from the next time on that it is loaded."""
    websocket.request(
        "SetProfileParameter",
        parameterCategory="AdvOut",
        parameterName="TrackIndex",
        parameterValue=str(number),
    )


def audio_streams(path: Path) -> int:
    command = ["ffprobe", "-v", "error", "-select_streams", "a", "-show_streams", "-of", "json"]
    told = subprocess.run([*command, path], capture_output=True, check=True, timeout=60).stdout
    return len(json.loads(told)["streams"])


def assert_heard(path: Path, name: str, tracks: int = 1) -> None:
    """The stream has so many audio tracks, at its end that tone is alone on the first of them.

    A stream may begin before there is a session, and has all of the desktop in it until then.
    """
    assert audio_streams(path) == tracks
    assert_only(name, audio_track(path, 0)[-2 * RATE :], AAC_DB)


def test_the_stream_has_the_track_that_obs_streams_and_no_other(
    obs: ObsSandbox,
    websocket: Websocket,
    run: Callable[..., Run],
    receiver: Callable[[], Receiver],
) -> None:
    session = run(PROFILE)
    session.wait_for(AS_IT_SAYS)
    server = receiver()
    assert said(session, "stream", "start") == "OBS streams.\n"
    assert said(session, "stream", "start") == "OBS streams already.\n"
    wait_for_stream(websocket, 3.0)
    assert "\nStream: on, 0:00:" in said(session, "status")
    status = json.loads(said(session, "status", "--json"))
    assert status["stream"]["active"]
    assert not status["recording"]["active"]
    assert said(session, "stream", "stop") == "OBS has stopped streaming.\n"
    assert said(session, "stream", "stop") == "OBS does not stream.\n"
    assert "\nStream: off\n" in said(session, "status")
    assert_heard(server.wait(), "game")  # the simple output mode has no other choice
    session.end()
    said(session, "restore", "stream.yaml")


def test_a_session_that_is_started_under_a_stream_leaves_it_alone_until_its_end(
    obs: ObsSandbox,
    websocket: Websocket,
    run: Callable[..., Run],
    receiver: Callable[[], Receiver],
) -> None:
    stream_track(websocket, 2)
    users = inputs(websocket), websocket.request("GetProfileList")
    first = receiver()
    websocket.request("StartStream")
    wait_for_stream(websocket, 1.0)
    session = run(RECORDING)
    session.wait_for(WAITS)
    session.wait_for("OBS would record track 1 instead of 1, 2, as its output mode is Simple")
    assert parameter(websocket, "Output", "Mode") == "Simple"
    assert WAITS in said(session, "apply", "stream.yaml", code=1)
    assert "the stream of OBS runs, so 1 of these have to wait." in said(
        session, "plan", "stream.yaml"
    )
    with_own = session.folder / "own.yaml"
    with_own.write_text(RECORDING + OWN)
    before = inputs(websocket), websocket.request("GetProfileList")
    assert said(session, "apply", "own.yaml", code=1).count("Waits until the stream") >= 2
    assert (inputs(websocket), websocket.request("GetProfileList")) == before
    let_stream(websocket, 3.0)
    said(session, "stream", "stop")
    assert_heard(first.wait(), "game")
    # What had to wait is done by itself now, and the stream has the track of the advanced mode.
    session.wait_for('Mended in OBS: ~ OBS profile "Untitled"')
    wait_until(lambda: parameter(websocket, "Output", "Mode") == "Advanced", PATIENCE_S)
    wait_until(
        lambda: said(session, "plan", "stream.yaml").startswith("nothing to change\n"), PATIENCE_S
    )
    assert said(session, "apply", "stream.yaml").startswith("nothing to change\n")
    second = receiver()
    said(session, "stream", "start")
    wait_for_stream(websocket, 3.0)
    said(session, "stream", "stop")
    assert_heard(second.wait(), "voice")
    session.end()
    said(session, "restore", "stream.yaml")
    assert parameter(websocket, "Output", "Mode") == "Simple"
    stream_track(websocket, 1)
    # So is what waited in vain before, once it is asked for again.
    assert '+ OBS profile "PyPAC"' in said(session, "apply", "own.yaml")
    assert websocket.request("GetProfileList")["currentProfileName"] == "PyPAC"
    assert "game" in inputs(websocket)
    said(session, "restore", "own.yaml")
    assert (inputs(websocket), websocket.request("GetProfileList")) == users


def test_the_vod_track_is_sent_beside_the_stream_and_has_no_other_track(
    obs: ObsSandbox,
    websocket: Websocket,
    run: Callable[..., Run],
    receiver: Callable[[], Receiver],
) -> None:
    session = run(PROFILE + "    vod_track: 2\n")
    session.wait_for(AS_IT_SAYS)
    server = receiver()
    said(session, "stream", "start")
    wait_for_stream(websocket, 3.0)
    said(session, "stream", "stop")
    # The one that everybody hears is the first, and what Twitch keeps for the VOD another one.
    assert_heard(server.wait(), "game", tracks=2 if obs_version() >= VOD_IN_THE_STREAM else 1)
    assert_only("voice", server.vod_track()[-2 * RATE :], AAC_DB)
    session.end()
    said(session, "restore", "stream.yaml")

    session = run(PROFILE)
    session.wait_for(AS_IT_SAYS)
    server = receiver()
    said(session, "stream", "start")
    wait_for_stream(websocket, 3.0)
    said(session, "stream", "stop")
    assert_heard(server.wait(), "game")
    assert len(server.vod_track()) == 0
    session.end()
    said(session, "restore", "stream.yaml")
