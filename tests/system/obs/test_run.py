# SPDX-License-Identifier: MIT
"""`pypac-obs run` with a profile that names OBS: real programs, the real OBS, whatever it does."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import RATE, Audio, level_db, wait_until
from .conftest import (
    AAC_DB,
    AS_IT_SAYS,
    PATIENCE_S,
    TONES,
    Run,
    Websocket,
    assert_apart,
    audio_track,
    inputs,
    obs_with_our_source,
    record,
)

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]

# With time enough for a busy machine: what OBS adds of buffering for it is no loss.
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
  files: {folder: files}
  obs:
    scene: Scene
    tracks: {game: 2, voice: {to: 3, name: Voice chat}}
    desktop_audio: unassign
    mic_aux: unassign
    recording: {tracks: [2, 3]}
    own_profile: PyPAC
"""
# Its inputs are of another kind, and so have other names than those that are there already.
BY_DEVICE = PROFILE.replace(
    "tracks: {game: 2, voice: {to: 3, name: Voice chat}}",
    "transport: device\n    tracks: {game: {to: 2, name: Play}, voice: {to: 3, name: Talk}}",
)
# How far apart: OBS's AAC adds more noise of its own beside a cut.
WAV_DB, CUT_AAC_DB = 90.0, 40.0


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    with obs_with_our_source(sandbox) as running:
        yield running


def recorded(obs: ObsSandbox, seconds: float) -> dict[str, Audio]:
    """Lets OBS record, and returns what is on the recording's tracks."""
    with Websocket(obs) as websocket:
        path = record(websocket, seconds)
    return {name: audio_track(path, number) for number, name in enumerate(TONES)}


def assert_files_whole(session: Run) -> None:
    """Whatever became of OBS, the files have every frame, the same number of them."""
    tracks = session.tracks()
    assert tracks.keys() == TONES.keys()
    assert len(tracks["game"]) == len(tracks["voice"]) > 8 * RATE
    assert_apart({name: track[-3 * RATE :] for name, track in tracks.items()}, WAV_DB)


def assert_heard_apart(tracks: dict[str, Audio]) -> None:
    """Each tone is where it belongs, and the other one is not, as far as OBS plays the device.

    OBS's own input for PulseAudio leaves parts out, here and of any other device: it runs dry when
    a block comes later than OBS's buffering allows, and throws away what it has. So what counts is
    the loudest stretch of 32 ms; what a device carries, tests/system/sinks hears exactly.
    """
    frames = 1536
    for name, frequency in TONES.items():
        [other] = [hz for track, hz in TONES.items() if track != name]
        samples = tracks[name][:, 0]
        parts = [samples[at : at + frames] for at in range(0, len(samples) - frames, frames // 5)]
        best = max(parts, key=lambda part: level_db(part, frequency))
        assert level_db(best, frequency) == pytest.approx(-12.0, abs=0.5)
        assert level_db(best, other) < -12.0 - CUT_AAC_DB


@pytest.mark.usefixtures("players")
def test_obs_that_starts_later_crashes_and_comes_back_is_served_each_time(
    obs: ObsSandbox, run: Callable[..., Run]
) -> None:
    obs.stop()
    session = run(PROFILE)
    session.wait_for("obs: OBS is not running")
    obs.start()
    session.wait_for(AS_IT_SAYS)
    assert_apart(recorded(obs, 2.5), AAC_DB)
    obs.kill()
    session.wait_for("obs: OBS", times=2)
    obs.start()
    session.wait_for(AS_IT_SAYS, times=2)
    assert_apart(recorded(obs, 2.5), AAC_DB)
    output = session.end()
    assert session.process.returncode == 0, output
    assert obs.password not in output
    assert_files_whole(session)


@pytest.mark.usefixtures("players")
def test_an_obs_that_crashed_is_sent_to_within_5_s_of_its_websocket_being_up(
    obs: ObsSandbox, run: Callable[..., Run]
) -> None:
    obs.start()
    session = run(PROFILE)
    session.wait_for(AS_IT_SAYS)

    def receives() -> bool:
        log = obs.log()
        return all(f"track '{track}' of 'stream' is running" in log for track in TONES)

    took_s: list[float] = []
    for _ in range(3):  # where the machine is too busy for it, another time
        obs.kill()
        obs.start()
        up_s = obs.answered_s
        wait_until(receives, PATIENCE_S, lambda: session.output() + obs.log())
        took_s.append(time.monotonic() - up_s)
        if took_s[-1] < 5.0:
            break
    session.end()
    assert min(took_s) < 5.0, took_s


@pytest.mark.usefixtures("players")
def test_a_session_that_is_killed_leaves_obs_running_and_the_next_one_goes_on(
    obs: ObsSandbox, run: Callable[..., Run]
) -> None:
    obs.start()
    first = run(PROFILE)
    first.wait_for(AS_IT_SAYS)
    first.process.kill()
    first.process.wait()
    second = run(PROFILE)
    second.wait_for(AS_IT_SAYS)
    assert "In OBS: +" not in second.output(), "all that it needs was there already"
    assert_apart(recorded(obs, 2.5), AAC_DB)
    assert obs.running
    second.end()


@pytest.mark.usefixtures("players")
def test_virtual_devices_bring_each_track_to_obs_and_are_gone_with_the_session(
    obs: ObsSandbox, sandbox: Sandbox, run: Callable[..., Run]
) -> None:
    obs.start()
    session = run(BY_DEVICE)
    session.wait_for(AS_IT_SAYS)
    assert_heard_apart(recorded(obs, 8.0))
    assert "pypac-obs.stream.game" in sandbox.run("pactl", "list", "short", "sources")
    output = session.end()
    assert session.process.returncode == 0, output
    assert "pypac-obs." not in sandbox.run("pactl", "list", "short", "sources")
    tracks = session.tracks()
    assert_apart({name: track[-3 * RATE :] for name, track in tracks.items()}, WAV_DB)


@pytest.mark.usefixtures("players")
def test_virtual_devices_of_the_next_session_are_opened_again(
    obs: ObsSandbox, sandbox: Sandbox, run: Callable[..., Run]
) -> None:
    obs.start()
    first = run(BY_DEVICE)
    first.wait_for(AS_IT_SAYS)
    first.end()
    # What OBS does with a device that went away is its own affair: it may keep silent for good.
    session = run(BY_DEVICE)
    session.wait_for(AS_IT_SAYS)

    def obs_records() -> bool:
        outputs = json.loads(sandbox.run("pactl", "-f", "json", "list", "source-outputs"))
        sources = json.loads(sandbox.run("pactl", "-f", "json", "list", "sources"))
        ours = {one["index"] for one in sources if one["name"].startswith("pypac-obs.stream.")}
        return len(ours) == 2 and ours <= {one["source"] for one in outputs}

    wait_until(obs_records, PATIENCE_S, session.output)
    assert_heard_apart(recorded(obs, 8.0))
    session.end()


@pytest.mark.usefixtures("players")
def test_what_is_changed_by_hand_while_it_runs_is_mended(
    obs: ObsSandbox, run: Callable[..., Run]
) -> None:
    obs.start()
    session = run(PROFILE)
    session.wait_for(AS_IT_SAYS)
    with Websocket(obs) as websocket:
        websocket.request("RemoveInput", inputName="game")
        session.wait_for('Mended in OBS: + input "game"')
        websocket.request("SetInputName", inputName="Voice chat", newInputName="Chat")
        session.wait_for('Mended in OBS: ~ input "Chat"')
        names = [one["inputName"] for one in websocket.request("GetInputList")["inputs"]]
        assert {"game", "Voice chat"} <= set(names)
        assert "Chat" not in names
    session.end()


@pytest.mark.usefixtures("players")
def test_another_obs_profile_and_another_scene_collection_meanwhile(
    obs: ObsSandbox, run: Callable[..., Run]
) -> None:
    obs.start()
    session = run(PROFILE)
    session.wait_for(AS_IT_SAYS)

    def both_are_there() -> bool:
        return {"game", "Voice chat"} <= inputs(websocket).keys()

    with Websocket(obs) as websocket:
        # Its own OBS profile is insisted on.
        websocket.request("SetCurrentProfile", profileName="Untitled")
        session.wait_for('Mended in OBS: ~ OBS profile "PyPAC"')
        assert websocket.request("GetProfileList")["currentProfileName"] == "PyPAC"
        # It has none of its own of these: the tracks are wherever the user goes.
        home = websocket.request("GetSceneCollectionList")["currentSceneCollectionName"]
        websocket.request("CreateSceneCollection", sceneCollectionName="Elsewhere")
        wait_until(both_are_there, PATIENCE_S, session.output)
        assert_apart(recorded(obs, 2.5), AAC_DB)
        websocket.request("SetCurrentSceneCollection", sceneCollectionName=home)
        wait_until(both_are_there, PATIENCE_S, session.output)
        assert_apart(recorded(obs, 2.5), AAC_DB)
    output = session.end()
    assert session.process.returncode == 0, output
    assert obs.running
    assert_files_whole(session)


@pytest.mark.usefixtures("players")
def test_a_profile_that_was_edited_leaves_nothing_of_before(
    obs: ObsSandbox, tmp_path: Path
) -> None:
    obs.start()
    with Websocket(obs) as websocket:
        for name, one in inputs(websocket).items():
            if one["kind"] == "pypac_track":
                websocket.request("RemoveInput", inputName=name)
        wait_until(
            lambda: all(one["kind"] != "pypac_track" for one in inputs(websocket).values()),
            PATIENCE_S,
            obs.log,
        )
        before = inputs(websocket)
        only_obs = PROFILE.replace("  files: {folder: files}\n", "")
        edited = only_obs.replace("scene: Scene", "scene: Other scene").replace(
            "tracks: {game: 2, voice: {to: 3, name: Voice chat}}",
            "tracks: {game: {to: [1, 4], name: Alone, volume_db: -6}}",
        )
        for text in (only_obs, edited):
            session = Run(obs, tmp_path, text)
            try:
                session.wait_for(AS_IT_SAYS)
            finally:
                output = session.end()
            assert session.process.returncode == 0, output
        after = inputs(websocket)
        assert after.keys() - before.keys() == {"Alone"}
        assert before.keys() <= after.keys()
        assert after["Alone"]["tracks"] == [1, 4]
        volume = websocket.request("GetInputVolume", inputName="Alone")["inputVolumeDb"]
        assert volume == pytest.approx(-6.0, abs=0.01)
        items = websocket.request("GetSceneItemList", sceneName="Other scene")["sceneItems"]
        assert [item["sourceName"] for item in items] == ["Alone"]
        restore = session.command("obs", "restore", "stream.yaml")
        assert restore.returncode == 0, restore.stdout + restore.stderr
        wait_until(lambda: inputs(websocket) == before, PATIENCE_S, obs.log)
        scenes = websocket.request("GetSceneList")["scenes"]
        assert "Other scene" not in [scene["sceneName"] for scene in scenes]


@pytest.mark.usefixtures("players")
def test_a_wrong_password_is_said_and_costs_the_files_nothing(
    obs: ObsSandbox, run: Callable[..., Run]
) -> None:
    obs.start()
    host, port = obs.address
    session = run(PROFILE, OBS_HOST=host, OBS_PORT=str(port), OBS_PASSWORD="not this one")
    session.wait_for("password")
    track = session.folder / "files" / "game.wav"
    wait_until(lambda: track.stat().st_size > 1.1 * RATE * 2 * 4, PATIENCE_S)
    output = session.end()
    assert session.process.returncode == 1, output
    assert "not this one" not in output
    assert obs.password not in output
    assert "Traceback" not in output
    manifest = json.loads((session.folder / "files" / "session.json").read_text())
    assert manifest["state"] == "complete"
    assert len(session.tracks()["game"]) > RATE


def test_two_sessions_of_one_name_do_not_mix(obs: ObsSandbox, run: Callable[..., Run]) -> None:
    obs.start()
    first = run(PROFILE)
    first.wait_for(AS_IT_SAYS)
    second = run(PROFILE)
    second.process.wait(PATIENCE_S)
    assert second.process.returncode == 1
    assert f"by the process {first.process.pid} already" in second.output()
    assert first.process.poll() is None
    first.end()
    assert os.listdir(Path(obs.env["XDG_RUNTIME_DIR"]) / "pypac-obs" / "sessions") == []
