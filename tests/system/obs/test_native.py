# SPDX-License-Identifier: MIT
"""`transport: native` with OBS's plugin obs-pipewire-audio-capture, which captures programs itself.

Not every Debian has it: PYPAC_NATIVE_CAPTURE names its module, .../linux-pipewire-audio.so, of
version 1.2 or newer, as `make test-obs-latest` does with Debian unstable's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypac_obs.obs.client.actual import PIPEWIRE_KIND
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection, Secret
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.profile import parse_profile
from pypac_obs.sandbox import Player, Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import RATE, Audio, wait_until
from .conftest import Websocket, heard, lossless_obs
from .test_plugin import record, remove_inputs
from .test_run import AS_IT_SAYS, Run

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]

MODULE = Path(os.environ["PYPAC_NATIVE_CAPTURE"])
PROFILE = """\
version: 1
sources:
  game: {process: game}
  chat: {process: [Discord.exe, mumble]}
tracks:
  game: {from: game}
  chat: {from: chat}
outputs:
  obs:
    transport: native
    scene: Scene
    tracks: {game: 2, chat: {to: 3, name: Voice chat}}
"""
# By OBS track; what plays besides is on none.
TONES = {2: {"game": 440}, 3: {"discord": 1000, "mumble": 3000}}
OTHER = {"music": 5000}


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    """An OBS with that plugin and ours."""
    running = lossless_obs(sandbox)
    module = f"plugins/{MODULE.stem}/bin/64bit/{MODULE.name}"
    running.files[module] = MODULE.read_bytes()
    with running:
        yield running


@pytest.fixture
def connection(obs: ObsSandbox) -> Iterator[ObsConnection]:
    obs.start()
    address = ObsAddress(*obs.address, Secret(obs.password))
    with ObsConnection(address, timeout_s=20) as connected:
        yield connected


def levels(audio: list[Audio], number: int) -> dict[str, float]:
    """The programs that are heard on one of OBS's tracks, each with its level in dBFS."""
    programs = {name: hz for tones in (*TONES.values(), OTHER) for name, hz in tones.items()}
    return heard(audio[number - 1][RATE : 3 * RATE], programs)


def test_obs_captures_each_program_itself_on_its_track(
    obs: ObsSandbox, connection: ObsConnection, tone: Callable[..., Player], tmp_path: Path
) -> None:
    tone("game", TONES[2]["game"])
    tone("music", OTHER["music"])
    session = Run(obs, tmp_path, PROFILE)
    try:
        session.wait_for(AS_IT_SAYS)
        tone("discord", TONES[3]["discord"], api="pulse")  # later than its input
        tone("mumble", TONES[3]["mumble"])
        with Websocket(obs) as websocket:
            for _ in range(3):  # on a busy machine programs lose cycles: another time
                audio = record(websocket, 5.0)
                found = {number: levels(audio, number) for number in range(1, 7)}
                if all(found[number].keys() == tones.keys() for number, tones in TONES.items()):
                    break
    finally:
        output = session.end()
    for number in range(1, 7):
        expected = {name: pytest.approx(-12.0, abs=0.1) for name in TONES.get(number, ())}
        assert found[number] == expected, output
    assert {item["inputKind"] for item in connection.request("GetInputList")["inputs"]} == {
        PIPEWIRE_KIND
    }


def test_what_was_applied_stays_and_is_put_back(
    obs: ObsSandbox, connection: ObsConnection, tmp_path: Path
) -> None:
    environ = {"HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    provisioner = Provisioner(parse_profile(PROFILE, "own.yaml"), "own", environ=environ)
    with Websocket(obs) as websocket:
        remove_inputs(websocket)
    provisioner.apply(connection)
    assert provisioner.plan(connection).empty
    assert provisioner.apply(connection).done == ()
    connection.close()
    obs.stop()
    obs.start()
    address = ObsAddress(*obs.address, Secret(obs.password))
    with ObsConnection(address, timeout_s=20) as again:
        assert provisioner.plan(again).empty
        again.request("SetInputSettings", inputName="game", inputSettings={"ExceptApp": True})
        [step] = provisioner.apply(again).done
        assert str(step).startswith('~ input "game" (takes: ')
        assert provisioner.plan(again).empty
        provisioner.restore(again)
        # OBS lists an input until its scene is drawn again.
        wait_until(lambda: again.request("GetInputList")["inputs"] == [], 10.0, obs.log)


def test_our_own_source_goes_first(connection: ObsConnection, tmp_path: Path) -> None:
    profile = parse_profile(PROFILE.replace("transport: native", "transport: auto"), "auto.yaml")
    plan = Provisioner(profile, "auto", environ={"HOME": str(tmp_path)}).plan(connection)
    assert "The audio comes in by plugin: the best there is." in plan.notes
