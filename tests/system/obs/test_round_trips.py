# SPDX-License-Identifier: MIT
"""How often the real OBS is asked for all of it, counted where the messages are sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from websocket import ABNF

from pypac_obs.cli import commands
from pypac_obs.cli.demo_programs import joined
from pypac_obs.obs.client.bounded_websocket import BoundedWebSocket
from pypac_obs.obs.client.settings import ObsFolder
from pypac_obs.obs.install.plugin import install
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from .conftest import Websocket

pytestmark = pytest.mark.obs

SCENES, INPUTS = 20, 30
ROUND_TRIPS = 6
PROFILE = {
    "version": 1,
    "session": {"latency_ms": 10},
    "sources": {"game": {"process": "game"}, "voice": {"process": "discord"}},
    "tracks": {"game": {"from": "game"}, "voice": {"from": "voice"}},
    "outputs": {
        "obs": {
            "scene": "scene *",
            "tracks": {"game": [1, 2], "voice": [1, 3]},
            "desktop_audio": "unassign",
            "recording": {"tracks": [1, 2, 3]},
        }
    },
}


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    """An OBS of many scenes and inputs, some of which are in a group."""
    with ObsSandbox(sandbox) as running:
        config = running.config_folder
        install(ObsFolder("native", config, config / "plugins"))
        running.stop()
        running.start()
        with Websocket(running) as websocket:
            for number in range(SCENES - 1):
                websocket.request("CreateScene", sceneName=f"scene {number}")
            # Two are there from the beginning: the desktop's sound and the microphone's.
            for number in range(INPUTS - 2):
                kind = "pulse_input_capture" if number % 2 else "color_source_v3"
                websocket.request(
                    "CreateInput",
                    sceneName=f"scene {number % (SCENES - 1)}",
                    inputName=f"input {number}",
                    inputKind=kind,
                    inputSettings={},
                    sceneItemEnabled=True,
                )
            assert len(websocket.request("GetSceneList")["scenes"]) == SCENES
            assert len(websocket.request("GetInputList")["inputs"]) == INPUTS
        yield running


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The kind of each message that our client sends, from its identification on."""
    kinds: list[int] = []
    send_frame = BoundedWebSocket.send_frame

    def count(websocket: BoundedWebSocket, frame: ABNF) -> int:
        if frame.opcode == ABNF.OPCODE_TEXT:
            data = frame.data if isinstance(frame.data, str) else frame.data.decode()
            kinds.append(json.loads(data)["op"])
        return send_frame(websocket, frame)

    monkeypatch.setattr(BoundedWebSocket, "send_frame", count)
    return kinds


def command(obs: ObsSandbox, folder: Path, name: str) -> Mapping[str, object]:
    """Runs `pypac-obs obs NAME` in this process, and gives what it tells as JSON."""
    path = folder / "large.yaml"
    path.write_text(json.dumps(PROFILE))  # which is YAML, too
    host, port = obs.address
    where = {"OBS_HOST": host, "OBS_PORT": str(port), "OBS_PASSWORD": obs.password}
    with joined(obs.sandbox, where | {"XDG_STATE_HOME": str(folder / "state")}):
        done = CliRunner().invoke(commands, ["obs", name, str(path), "--json"])
    told: Mapping[str, object] = json.loads(done.stdout)
    return told


def test_plan_and_apply_ask_a_large_obs_a_few_times(
    obs: ObsSandbox, tmp_path: Path, sent: list[int]
) -> None:
    plan = command(obs, tmp_path, "plan")
    identify, version, *asked = sent
    assert (identify, version) == (1, 6)
    assert 0 < len(asked) <= ROUND_TRIPS
    subjects = [step["subject"] for step in plan["steps"]]  # type: ignore[attr-defined]
    assert subjects[:2] == ['input "game"', 'input "voice"']

    applied = command(obs, tmp_path, "apply")
    assert applied["errors"] == []
    with Websocket(obs) as websocket:
        for number in range(SCENES - 1):
            items = websocket.request("GetSceneItemList", sceneName=f"scene {number}")["sceneItems"]
            assert {"game", "voice"} <= {item["sourceName"] for item in items}

    sent.clear()
    plan = command(obs, tmp_path, "plan")
    assert plan["steps"] == []
    assert 0 < len(sent) - 2 <= ROUND_TRIPS

    sent.clear()
    applied = command(obs, tmp_path, "apply")
    assert applied["done"] == []
    assert 0 < len(sent) - 2 <= ROUND_TRIPS
