# SPDX-License-Identifier: MIT
"""Split files follow the recording of a real OBS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from scipy.signal import fftconvolve

from pypac_obs.obs.client.settings import obs_folders
from pypac_obs.obs.install.plugin import install
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import PROGRAM, RATE, wait_until
from .conftest import Websocket, let_record, start_recording

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]

PATIENCE_S = 60.0
# What AAC's encoder puts before its first frame, which OBS's files do not tell of.
PRIMING_S = 1024 / RATE
Audio = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    """An OBS with our module, that plays our track of noise and nothing else."""
    [native] = [folder for folder in obs_folders(sandbox.env) if folder.kind == "native"]
    install(native)
    with ObsSandbox(sandbox) as running:
        with Websocket(running) as websocket:
            for item in websocket.request("GetInputList")["inputs"]:
                websocket.request("RemoveInput", inputName=item["inputName"])
            scene = websocket.request("GetCurrentProgramScene")["currentProgramSceneName"]
            websocket.request(
                "CreateInput",
                sceneName=scene,
                inputName="noise",
                inputKind="pypac_track",
                inputSettings={"session": "follow", "track": "noise"},
                sceneItemEnabled=True,
            )
            # With an encoder of its own: only then can a recording pause.
            websocket.request(
                "SetProfileParameter",
                parameterCategory="SimpleOutput",
                parameterName="RecQuality",
                parameterValue="Small",
            )
        running.stop()  # so that it has written its scenes, for when it is killed
        running.start()
        yield running


class Follower:
    """A session that follows, in the sandbox."""

    def __init__(self, obs: ObsSandbox, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(Path(__file__).with_name("following_session.py")), folder],
            env=obs.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until_connected(self) -> None:
        self.wait_for("ready")

    def wait_for(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{word}\n"

    def tell(self, order: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n")
        self._process.stdin.flush()

    def end(self) -> str:
        output, _ = self._process.communicate("\n", timeout=PATIENCE_S)
        assert self._process.returncode == 0
        return output

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def follower(obs: ObsSandbox, tmp_path: Path) -> Iterator[Follower]:
    obs.start()
    running = Follower(obs, tmp_path / "fallback")
    running.wait_until_connected()
    yield running
    running.kill()
    if obs.running:
        with Websocket(obs) as websocket:
            if websocket.request("GetRecordStatus")["outputActive"]:  # where a test has failed
                websocket.request("StopRecord")


def manifests(obs: ObsSandbox) -> dict[str, Any]:
    texts = {path: path.read_text() for path in obs.recordings.glob("* session.json")}
    # It is created empty, as a claim to its name.
    return {
        path.name.removesuffix(" session.json"): json.loads(text)
        for path, text in texts.items()
        if text
    }


def take(obs: ObsSandbox, state: str, known: set[str]) -> tuple[str, Any]:
    """Waits for the take that is new, to be in that state."""
    found: list[tuple[str, Any]] = []

    def is_there() -> bool:
        found[:] = [
            (stem, manifest)
            for stem, manifest in manifests(obs).items()
            if stem not in known and manifest["state"] == state
        ]
        return bool(found)

    wait_until(is_there, PATIENCE_S, lambda: f"no new take is {state}: {manifests(obs).keys()}")
    assert len(found) == 1
    return found[0]


def join_late(
    obs: ObsSandbox, folder: Path, known: set[str], *, recorded_s: float, followed_s: float
) -> str:
    """Follows a recording that runs already, until before its end, and gives OBS's file."""
    with Websocket(obs) as websocket:
        start_recording(websocket)
        let_record(websocket, recorded_s)
        late = Follower(obs, folder)
        try:
            late.wait_until_connected()
            take(obs, "running", known)
            let_record(websocket, followed_s)
            late.end()
        finally:
            late.kill()
            path: str = websocket.request("StopRecord")["outputPath"]
    return path


def decoded(path: str) -> Audio:
    command = ["ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", "-ac", "1", "-f", "f32le", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, "<f4").astype(float)


def ours(obs: ObsSandbox, stem: str) -> Audio:
    audio, rate = soundfile.read(obs.recordings / f"{stem} noise.wav", always_2d=True)
    assert rate == RATE
    left: Audio = audio[:, 0]
    return left


def offset_s(of: Audio, within: Audio, at_s: float) -> float:
    """Where half a second of ``of``, which is OBS's at ``at_s``, begins in our file, later by."""
    begin = round(at_s * RATE)
    piece = of[begin : begin + RATE // 2]
    assert np.sqrt(np.mean(piece**2)) > 0.005, "OBS has recorded silence"
    match = np.abs(fftconvolve(within, piece[::-1], "valid"))
    best = int(np.argmax(match))
    assert match[best] > 6 * np.sqrt(np.mean(match**2)), "it is not the same sound"
    return (best - begin) / RATE


def test_files_begin_end_and_are_named_with_the_recording(
    obs: ObsSandbox, follower: Follower, websocket: Websocket
) -> None:
    known = set(manifests(obs))
    for _ in range(2):
        websocket.request("StartRecord")
        stem, _ = take(obs, "running", known)
        let_record(websocket, 1.2)
        command = [*PROGRAM, "mark", "in the middle"]
        marked = subprocess.run(command, env=obs.env, capture_output=True, text=True, check=True)
        assert marked.stdout.startswith("follow: marked")
        let_record(websocket, 0.7)
        path = websocket.request("StopRecord")["outputPath"]
        stem, manifest = take(obs, "complete", known)
        known.add(stem)
        assert Path(path).stem == stem
        assert manifest["obs"]["file"] == path
        assert {track["file"] for track in manifest["tracks"]} == {
            f"{stem} noise.wav",
            f"{stem} tone.wav",
        }
        [marker] = manifest["markers"]
        assert marker["text"] == "in the middle"
        assert 1.0 * RATE < marker["frame"] < manifest["frames"]
        assert manifest["obs"]["frame_0_at_s"] == pytest.approx(0, abs=1 / RATE)
        wait_until(lambda: file_is_complete(path), PATIENCE_S)  # noqa: B023
        theirs, own = decoded(path), ours(obs, stem)
        assert len(own) == manifest["frames"]
        # Nothing of OBS's is missing at either end, save what OBS itself was not sure of.
        unsure_s = manifest["obs"]["uncertainty_s"]
        assert len(own) / RATE >= len(theirs) / RATE - 2 * unsure_s - PRIMING_S
        late_s = offset_s(theirs, own, 1.0)
        assert abs(late_s) <= unsure_s + PRIMING_S, f"off by {late_s} s, and sure to {unsure_s} s"
    follower.end()


def file_is_complete(path: str) -> bool:
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", path]
    answer = subprocess.run(probe, capture_output=True, text=True, check=False)
    return answer.returncode == 0 and answer.stdout.strip() not in ("", "N/A")


def test_a_pause_is_left_out_as_obs_leaves_it_out(
    obs: ObsSandbox, follower: Follower, websocket: Websocket
) -> None:
    known = set(manifests(obs))
    websocket.request("StartRecord")
    take(obs, "running", known)
    let_record(websocket, 1.5)
    websocket.request("PauseRecord")
    time.sleep(1.2)  # a pause is long by the clock alone
    websocket.request("ResumeRecord")
    let_record(websocket, 1.8)
    path = websocket.request("StopRecord")["outputPath"]
    stem, manifest = take(obs, "complete", known)
    [pause] = manifest["obs"]["pauses"]
    assert pause["left_out_s"] > 0.7
    wait_until(lambda: file_is_complete(path), PATIENCE_S)
    theirs, own = decoded(path), ours(obs, stem)
    unsure_s = manifest["obs"]["uncertainty_s"]
    assert abs(offset_s(theirs, own, 0.8)) <= unsure_s + PRIMING_S
    behind = pause["frame"] / RATE + 0.5
    assert abs(offset_s(theirs, own, behind)) <= 0.2 + unsure_s + PRIMING_S
    follower.end()


def test_a_pause_that_was_not_heard_of_is_made_up_for(
    obs: ObsSandbox, follower: Follower, websocket: Websocket
) -> None:
    known = set(manifests(obs))
    websocket.request("StartRecord")
    take(obs, "running", known)
    let_record(websocket, 1.0)
    follower.tell("away")
    follower.wait_for("gone")
    websocket.request("PauseRecord")
    time.sleep(2.5)  # a pause is long by the clock alone
    websocket.request("ResumeRecord")
    let_record(websocket, 0.3)
    follower.tell("back")
    follower.wait_until_connected()
    let_record(websocket, 1.8)
    path = websocket.request("StopRecord")["outputPath"]
    stem, manifest = take(obs, "complete", known)
    [pause] = manifest["obs"]["pauses"]
    assert pause["left_out_s"] == 0
    assert pause["kept_s"] > 1.5
    wait_until(lambda: file_is_complete(path), PATIENCE_S)
    theirs, own = decoded(path), ours(obs, stem)
    unsure_s = manifest["obs"]["uncertainty_s"]
    behind = pause["frame"] / RATE - pause["kept_s"] + 0.5
    off_s = offset_s(theirs, own, behind) - pause["kept_s"]
    assert abs(off_s) <= unsure_s + PRIMING_S, f"off by {off_s} s, and sure to {unsure_s} s"
    follower.end()


def test_where_obs_may_split_a_joined_recording_its_place_is_not_told(
    obs: ObsSandbox, tmp_path: Path
) -> None:
    obs.start()
    known = set(manifests(obs))
    settings = {
        ("Output", "Mode"): ("Advanced", "Simple"),
        ("AdvOut", "RecFilePath"): (str(obs.recordings), ""),
        ("AdvOut", "RecSplitFile"): ("true", "false"),
        ("AdvOut", "RecSplitFileType"): ("Manual", "Time"),
    }

    def set_up(websocket: Websocket, which: int) -> None:
        for (category, name), values in settings.items():
            websocket.request(
                "SetProfileParameter",
                parameterCategory=category,
                parameterName=name,
                parameterValue=values[which],
            )

    with Websocket(obs) as websocket:
        set_up(websocket, 0)
    obs.stop()
    obs.start()
    try:
        path = join_late(obs, tmp_path, known, recorded_s=1.0, followed_s=1.0)
        _, manifest = take(obs, "complete", known)
        assert manifest["obs"] == {"file": path, "frame_0_at_s": None, "uncertainty_s": None}
    finally:
        with Websocket(obs) as websocket:
            set_up(websocket, 1)
        obs.stop()


def test_nothing_is_lost_when_obs_crashes(
    obs: ObsSandbox, follower: Follower, websocket: Websocket
) -> None:
    known = set(manifests(obs))
    websocket.request("StartRecord")
    stem, _ = take(obs, "running", known)
    let_record(websocket, 0.5)
    before = manifests(obs)[stem]["frames"]
    obs.kill()
    # It goes on without OBS.
    wait_until(lambda: manifests(obs)[stem]["frames"] > before + 2 * RATE, PATIENCE_S)
    obs.start()
    follower.wait_until_connected()
    # OBS is back and does not record: now it ends, whole.
    _, manifest = take(obs, "complete", known)
    assert len(ours(obs, stem)) == manifest["frames"]
    assert manifest["incidents"].get("output_failed") is None
    # And the next one is followed again.
    known.add(stem)
    with Websocket(obs) as again:
        again.request("StartRecord")
        take(obs, "running", known)
        again.request("StopRecord")
        take(obs, "complete", known)
    follower.end()


def test_a_recording_that_runs_already_is_joined(obs: ObsSandbox, tmp_path: Path) -> None:
    obs.start()
    known = set(manifests(obs))
    path = join_late(obs, tmp_path, known, recorded_s=1.5, followed_s=1.8)
    stem, manifest = take(obs, "complete", known)
    at_s = manifest["obs"]["frame_0_at_s"]
    assert at_s > 1.0
    wait_until(lambda: file_is_complete(path), PATIENCE_S)
    theirs, own = decoded(path), ours(obs, stem)
    off_s = offset_s(theirs, own, at_s + 1.0) + at_s
    assert abs(off_s) <= manifest["obs"]["uncertainty_s"] + PRIMING_S


PROFILE = """\
version: 1
session: {latency_ms: 10}
sources:
  noise: {synthetic: {kind: noise, level_dbfs: -20}}
  absent: {process: no-such-program}
tracks:
  noise: {from: noise}
  voice: {from: absent}
outputs:
  files: {folder: "%s", follow: record}
  obs: {scene: Following, tracks: {noise: {to: 1, name: hiss}, voice: 2}}
"""


def test_run_follows_and_lists_what_was_silent_all_the_while(
    obs: ObsSandbox, tmp_path: Path
) -> None:
    obs.start()
    known = set(manifests(obs))
    profile = tmp_path / "following.yaml"
    profile.write_text(PROFILE % (tmp_path / "fallback"))
    run = subprocess.Popen(
        [*PROGRAM, "run", str(profile)],
        env=obs.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with Websocket(obs) as websocket:
            wait_until(
                lambda: any(
                    scene["sceneName"] == "Following"
                    for scene in websocket.request("GetSceneList")["scenes"]
                ),
                PATIENCE_S,
            )
            time.sleep(1.0)  # it begins while the session is well under way
            websocket.request("StartRecord")
            take(obs, "running", known)
            let_record(websocket, 1.0)
            websocket.request("StopRecord")
            stem, manifest = take(obs, "complete", known)
    finally:
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 0, output
    assert len(ours(obs, stem)) == manifest["frames"]
    # The incident is not over: the session's own ledger has not got it yet, the take's has.
    lines = (obs.recordings / manifest["ledger"]).read_text().splitlines()
    [absent] = [line for line in map(json.loads, lines) if line["source"] == "absent"]
    assert (absent["cause"], absent["begin"], absent["frames"]) == (
        "not_running",
        0,
        manifest["frames"],
    )
    assert not (tmp_path / "fallback").exists()


def test_the_commands_work_on_a_real_obs(obs: ObsSandbox) -> None:
    obs.start()

    def call(*args: str) -> str:
        command = [*PROGRAM, "obs", *args]
        done = subprocess.run(command, env=obs.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert obs.password not in done.stdout + done.stderr
        return done.stdout

    started = call("record", "start").splitlines()
    assert started[0] == "OBS records."
    assert Path(started[1]).parent == obs.recordings
    status = json.loads(call("status", "--json"))
    assert status["recording"]["path"] == started[1]
    [item] = [item for item in status["inputs"] if item["session"] == "follow"]
    assert (item["track"], item["session_runs"]) == ("noise", False)
    assert call("record", "start").startswith("OBS records already.")
    assert call("record", "stop").splitlines()[1] == started[1]
    assert call("record", "stop") == "OBS does not record.\n"
    assert "Recording: off" in call("status")


def test_errors_of_a_real_obs_have_their_types(obs: ObsSandbox, sandbox: Sandbox) -> None:
    obs.start()
    call: Callable[..., subprocess.CompletedProcess[str]] = lambda **env: subprocess.run(  # noqa: E731
        [*PROGRAM, "obs", "status"],
        env=sandbox.env | env,
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = call(OBS_PASSWORD="not it")
    assert wrong.returncode == 1
    assert "does not take the password from the environment (OBS_PASSWORD)" in wrong.stderr
    nowhere = {"HOME": os.devnull, "XDG_CONFIG_HOME": os.devnull}
    unknown = call(OBS_PORT=str(obs.address[1]), **nowhere)
    assert "asks for a password, and none is known" in unknown.stderr
    obs.stop()
    # The newest OBS has it in the second file, older ones in the first.
    ini = obs.config_folder / "global.ini"
    newer = obs.config_folder / "plugin_config" / "obs-websocket" / "config.json"
    kept = {path: path.read_text() for path in (ini, newer)}
    assert "not running" in call().stderr
    try:
        ini.write_text(kept[ini].replace("ServerEnabled=true", "ServerEnabled=false"))
        newer.write_text(json.dumps(json.loads(kept[newer]) | {"server_enabled": False}))
        off = call()
        assert off.returncode == 1
        assert any(f"OBS's websocket server is off, says {path}" in off.stderr for path in kept)
    finally:
        for path, text in kept.items():
            path.write_text(text)
