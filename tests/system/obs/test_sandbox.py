# SPDX-License-Identifier: MIT
"""The private OBS that the other tests of this folder stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from pypac_obs.sandbox.obs import ObsSandbox

from .conftest import Websocket

pytestmark = pytest.mark.obs


def test_answers_with_its_small_canvas_and_a_new_users_inputs(websocket: Websocket) -> None:
    video = websocket.request("GetVideoSettings")
    assert (video["baseWidth"], video["outputHeight"]) == (640, 360)
    assert video["fpsNumerator"] == 30 * video["fpsDenominator"]
    names = {one["inputName"] for one in websocket.request("GetInputList")["inputs"]}
    assert names == {"Desktop Audio", "Mic/Aux"}


def test_makes_a_picture_of_its_screen(obs: ObsSandbox, tmp_path: Path) -> None:
    picture = tmp_path / "obs.png"
    obs.screenshot(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_comes_again_at_the_same_address_after_it_was_killed(obs: ObsSandbox) -> None:
    first, address = obs.pid, obs.address
    obs.kill()
    assert not obs.running
    obs.start()
    assert obs.pid != first
    assert obs.address == address
    with Websocket(obs) as websocket:
        assert websocket.request("GetStats")


def test_closes_as_its_user_closes_it_and_keeps_its_scenes(obs: ObsSandbox) -> None:
    with Websocket(obs) as websocket:
        websocket.request("CreateScene", sceneName="Kept")
    assert obs.stop() == 0
    assert "Number of memory leaks: 0" in obs.log()
    obs.start()
    with Websocket(obs) as websocket:
        scenes = websocket.request("GetSceneList")["scenes"]
    assert {one["sceneName"] for one in scenes} == {"Scene", "Kept"}
