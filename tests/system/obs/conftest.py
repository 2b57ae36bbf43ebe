# SPDX-License-Identifier: MIT
"""The real OBS Studio in a private sandbox, and a client of its websocket that hides nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pytest
import soundfile
from websockets.sync.client import connect

from pypac_obs.obs.install.plugin import default_folders, install
from pypac_obs.sandbox import Player, Sandbox
from pypac_obs.sandbox.obs import ObsSandbox, missing_packages

from ..conftest import PROGRAM, RATE, Audio, level_db, require, wait_until


def obs_version() -> tuple[int, ...]:
    """The installed OBS's, as far as two numbers; empty where there is none."""
    if shutil.which("obs") is None:
        return ()
    told = subprocess.run(["obs", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", told)
    return tuple(map(int, found.groups())) if found else ()


# Nothing is missing where an older OBS is installed: it just cannot do that. What takes somebody
# else's plugin runs only where that is named.
collect_ignore = [
    name
    for name, wanted in [
        ("test_newer_obs.py", obs_version() >= (30, 2)),
        ("test_native.py", bool(os.environ.get("PYPAC_NATIVE_CAPTURE"))),
    ]
    if not wanted
]


PATIENCE_S = 60.0
# What programs play, at -12 dBFS. OBS's AAC adds noise of its own.
TONES = {"game": 440, "voice": 1000}
AAC_DB = 60.0
AS_IT_SAYS = "which is as the profile says"

# OBS's own lossless way: all six tracks, samples as they are. An OBS that writes them into a file
# of its choice cannot be paused; one that writes them to an address can, and that may be a file.
_LOSSLESS = """
[General]
Name=Untitled
[Video]
BaseCX=640
BaseCY=360
OutputCX=640
OutputCY=360
FPSType=1
FPSInt=30
[Audio]
SampleRate=48000
ChannelSetup=Stereo
[Output]
Mode=Advanced
[AdvOut]
RecType=FFmpeg
FFOutputToFile=false
FFURL={folder}/tracks.mkv
FFFormat=matroska
FFFormatMimeType=video/x-matroska
FFExtension=mkv
FFVEncoder=mpeg4
FFVEncoderId=12
FFVBitrate=500
FFAEncoder=pcm_f32le
FFAEncoderId=65557
FFABitrate=160
FFAudioMixes=63
"""

# One scene, and no input, not even of the desktop's sound.
_EMPTY_SCENE = {
    "name": "Untitled",
    "current_scene": "Scene",
    "current_program_scene": "Scene",
    "scene_order": [{"name": "Scene"}],
    "sources": [{"id": "scene", "name": "Scene", "settings": {}}],
}


def lossless_obs(sandbox: Sandbox) -> ObsSandbox:
    """An OBS with the module, without inputs of its own, to be started. It records losslessly."""
    obs = obs_with_our_source(sandbox)
    obs.files["basic/profiles/Untitled/basic.ini"] = _LOSSLESS.format(folder=obs.recordings)
    obs.files["basic/scenes/Untitled.json"] = json.dumps(_EMPTY_SCENE)
    return obs


def obs_with_our_source(sandbox: Sandbox) -> ObsSandbox:
    """An OBS that has our module; not started yet."""
    for folder in default_folders(sandbox.env):
        install(folder)
    return ObsSandbox(sandbox)


def heard(samples: Audio, tones: Mapping[str, float]) -> dict[str, float]:
    """The programs that are heard, each with its level in dBFS; 90 dB below counts as silent."""
    found = {}
    for name, frequency in tones.items():
        sides = [level_db(samples[:, side], frequency) for side in (0, 1)]
        if max(sides) > -12.0 - 90.0:
            assert sides[0] == pytest.approx(sides[1], abs=0.01)
            found[name] = sides[0]
    return found


class Run:
    """`pypac-obs run` in a process of its own, as a user of the sandbox has it."""

    def __init__(self, obs: ObsSandbox, folder: Path, profile_text: str, **environ: str) -> None:
        self.folder = folder
        profile = folder / "stream.yaml"
        profile.write_text(profile_text)
        self._log = folder / "run.log"
        self._env = obs.env | {"XDG_STATE_HOME": str(folder / "state")} | environ
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pypac_obs.cli", "run", str(profile)],
                env=self._env,
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_for(self, words: str, times: int = 1) -> None:
        wait_until(lambda: self.output().count(words) >= times, PATIENCE_S, self.output)

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
        return self.output()

    def tracks(self) -> dict[str, Audio]:
        found = {}
        for path in sorted((self.folder / "files").glob("*.wav")):
            found[path.stem], rate = soundfile.read(path, dtype="float32", always_2d=True)
            assert rate == RATE
        return found

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs `pypac-obs` beside it, with the same notes of what was in OBS."""
        return subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


class Websocket:
    """A client of obs-websocket, as small as can be, so that tests don't trust our own."""

    def __init__(self, obs: ObsSandbox) -> None:
        self.obs = obs
        wire = socket.create_connection(obs.address, timeout=5)
        wire.settimeout(None)  # silence is no trouble
        self._life = contextlib.ExitStack()
        self._websocket = self._life.enter_context(
            connect("ws://localhost", sock=wire, max_size=None)
        )
        self._count = 0
        hello = self._receive(0)["authentication"]
        secret = _hash(obs.password + hello["salt"])
        answer = {
            "rpcVersion": 1,
            "authentication": _hash(secret + hello["challenge"]),
            "eventSubscriptions": 0,
        }
        self._websocket.send(json.dumps({"op": 1, "d": answer}))
        self._receive(2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._life.close()

    def request(self, kind: str, **data: Any) -> dict[str, Any]:
        """Asks, and returns the answer's data. A refusal fails the test."""
        status, result = self.ask(kind, **data)
        assert status["result"], f"{kind}: {status}; OBS's log:\n{self.obs.log()}"
        return result

    def ask(self, kind: str, **data: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Asks, and returns the answer's status and data."""
        self._count += 1
        question = {"requestType": kind, "requestId": str(self._count), "requestData": data}
        self._websocket.send(json.dumps({"op": 6, "d": question}))
        answer = self._receive(7)
        assert answer["requestId"] == str(self._count)
        return answer["requestStatus"], answer.get("responseData", {})

    def _receive(self, op: int) -> dict[str, Any]:
        message = json.loads(self._websocket.recv(timeout=20))
        assert message["op"] == op, message
        data: dict[str, Any] = message["d"]
        return data


def start_recording(websocket: Websocket) -> None:
    """OBS answers at once, and begins when its window has the time for it."""
    websocket.request("StartRecord")

    def active() -> bool:
        return bool(websocket.request("GetRecordStatus")["outputActive"])

    wait_until(active, PATIENCE_S, websocket.obs.log)


def let_record(websocket: Websocket, seconds: float) -> None:
    """Waits until OBS has recorded that much more, as it counts. Sound takes its time."""
    _let(websocket, "GetRecordStatus", seconds)


def let_stream(websocket: Websocket, seconds: float) -> None:
    """Waits until OBS has streamed that much more, as it counts. Sound takes its time."""
    _let(websocket, "GetStreamStatus", seconds)


def _let(websocket: Websocket, question: str, seconds: float) -> None:
    def lasts_s() -> float:
        return float(websocket.request(question)["outputDuration"]) / 1000

    until = lasts_s() + seconds
    deadline = time.monotonic() + seconds + PATIENCE_S
    while (left := until - lasts_s()) > 0:
        assert time.monotonic() < deadline, websocket.obs.log()
        time.sleep(left)


def inputs(websocket: Websocket) -> dict[str, dict[str, Any]]:
    """Kind and OBS tracks of each input, by its name."""
    found = {}
    for one in websocket.request("GetInputList")["inputs"]:
        status, answer = websocket.ask("GetInputAudioTracks", inputName=one["inputName"])
        tracks = answer.get("inputAudioTracks", {}) if status["result"] else {}
        numbers = sorted(int(number) for number, on in tracks.items() if on)
        found[one["inputName"]] = {"kind": one["inputKind"], "tracks": numbers}
    return found


def assert_apart(tracks: Mapping[str, Audio], other_below_db: float) -> None:
    """Each tone is where it belongs, and the other one is not."""
    for name, samples in tracks.items():
        assert_only(name, samples, other_below_db)


def assert_only(name: str, samples: Audio, other_below_db: float) -> None:
    """The tone of that name is there, and the other one is not.

    Programs lose cycles on a busy machine, and a cut tone is heard everywhere: so what counts is
    the half second in which the tone is loudest.
    """
    [other] = [hz for track, hz in TONES.items() if track != name]
    mono = samples[:, 0]
    parts = [mono[at : at + RATE // 2] for at in range(0, len(mono) - RATE // 2, RATE // 8)]
    best = max(parts, key=lambda part: level_db(part, TONES[name]))
    assert level_db(best, TONES[name]) == pytest.approx(-12.0, abs=0.5)
    assert level_db(best, other) < -12.0 - other_below_db


def audio_track(path: str | Path, number: int) -> Audio:
    """What is on an audio track of a file, counted from 0."""
    command = ["ffmpeg", "-v", "error", "-i", os.fspath(path), "-map", f"0:a:{number}"]
    command += ["-f", "f32le", "-ar", str(RATE), "-ac", "2", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(raw, "<f4").reshape(-1, 2)


def record(websocket: Websocket, seconds: float) -> str:
    """Lets OBS record for a while, and gives its file."""
    start_recording(websocket)
    let_record(websocket, seconds)
    path: str = websocket.request("StopRecord")["outputPath"]
    wait_until(lambda: not websocket.request("GetRecordStatus")["outputActive"], PATIENCE_S)
    return path


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """The private audio system that a module's OBS lives in."""
    missing = missing_packages()
    require(not missing, f"not installed: {', '.join(missing)}")
    with Sandbox() as running:
        running.add_source("microphone")
        yield running


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    """The module's OBS, as a new user has it. A test that ends it starts it again."""
    with ObsSandbox(sandbox) as running:
        yield running


@pytest.fixture
def websocket(obs: ObsSandbox) -> Iterator[Websocket]:
    """A connection to the module's OBS for one test; OBS is started if it does not run."""
    obs.start()
    with Websocket(obs) as connected:
        yield connected


@pytest.fixture
def run(obs: ObsSandbox, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts `pypac-obs run` with a profile, and kills what is left of it after the test."""
    started: list[Run] = []

    def start(profile_text: str, **environ: str) -> Run:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(Run(obs, folder, profile_text, **environ))
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest.fixture(scope="module")
def players(sandbox: Sandbox) -> tuple[Player, Player]:
    return (
        sandbox.play_tone("game", TONES["game"], seconds=600),
        sandbox.play_tone("discord", TONES["voice"], api="pulse", seconds=600),
    )
