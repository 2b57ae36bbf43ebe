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
import socket
import subprocess
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import pytest
from websockets.sync.client import connect

from pypac_obs.obs.plugin import default_folders, install
from pypac_obs.obs.sandbox import ObsSandbox, missing_packages
from pypac_obs.sandbox import Sandbox

from ..conftest import Audio, level_db, require, wait_until


def _obs_version() -> tuple[int, ...]:
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
        ("test_newer_obs.py", _obs_version() >= (30, 2)),
        ("test_native.py", bool(os.environ.get("PYPAC_NATIVE_CAPTURE"))),
    ]
    if not wanted
]


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
    for folder in default_folders(sandbox.env):
        install(folder)
    obs = ObsSandbox(sandbox)
    obs.files["basic/profiles/Untitled/basic.ini"] = _LOSSLESS.format(folder=obs.recordings)
    obs.files["basic/scenes/Untitled.json"] = json.dumps(_EMPTY_SCENE)
    return obs


def heard(samples: Audio, tones: Mapping[str, float]) -> dict[str, float]:
    """The programs that are heard, each with its level in dBFS; 90 dB below counts as silent."""
    found = {}
    for name, frequency in tones.items():
        sides = [level_db(samples[:, side], frequency) for side in (0, 1)]
        if max(sides) > -12.0 - 90.0:
            assert sides[0] == pytest.approx(sides[1], abs=0.01)
            found[name] = sides[0]
    return found


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

    wait_until(active, 30.0, websocket.obs.log)


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
