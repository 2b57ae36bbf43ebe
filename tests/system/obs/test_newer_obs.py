# SPDX-License-Identifier: MIT
"""What only OBS 30.2 and newer can do: split a recording on demand, and put chapters into it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import PROGRAM, RATE, wait_until
from .conftest import Websocket, let_record, obs_with_our_source
from .test_follow import (
    PATIENCE_S,
    PRIMING_S,
    Follower,
    decoded,
    file_is_complete,
    manifests,
    offset_s,
    ours,
    take,
)

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]

SETTINGS = {
    ("Output", "Mode"): "Advanced",
    ("AdvOut", "RecTracks"): "1",
    ("AdvOut", "RecFormat2"): "hybrid_mp4",
    ("AdvOut", "RecSplitFile"): "true",
    ("AdvOut", "RecSplitFileType"): "Manual",
}
PROFILE = """\
version: 1
session: {latency_ms: 10}
sources: {noise: {synthetic: {kind: noise, level_dbfs: -20}}}
tracks: {noise: {from: noise}}
outputs:
  files: {folder: files, follow: record}
  obs: {scene: Chapters, tracks: {noise: {to: 1, name: hiss}}}
"""


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    """An OBS that records our track of noise into files with chapters, and splits when asked."""
    with obs_with_our_source(sandbox) as running:
        with Websocket(running) as websocket:
            for item in websocket.request("GetInputList")["inputs"]:
                websocket.request("RemoveInput", inputName=item["inputName"])
            websocket.request(
                "CreateInput",
                sceneName="Scene",
                inputName="noise",
                inputKind="pypac_track",
                inputSettings={"session": "follow", "track": "noise"},
                sceneItemEnabled=True,
            )
            for (category, name), value in SETTINGS.items():
                websocket.request(
                    "SetProfileParameter",
                    parameterCategory=category,
                    parameterName=name,
                    parameterValue=value,
                )
        running.stop()
        running.start()
        yield running


def test_files_split_where_obs_splits(obs: ObsSandbox, tmp_path: Path) -> None:
    follower = Follower(obs, tmp_path)
    try:
        follower.wait_until_connected()
        known = set(manifests(obs))
        with Websocket(obs) as websocket:
            websocket.request("StartRecord")
            first, _ = take(obs, "running", known)
            let_record(websocket, 3.0)
            websocket.request("SplitRecordFile")
            known.add(first)
            second, _ = take(obs, "running", known)
            let_record(websocket, 3.0)
            websocket.request("StopRecord")
        take(obs, "complete", known)
        follower.end()
    finally:
        follower.kill()
    for stem in (first, second):
        manifest = manifests(obs)[stem]
        assert manifest["state"] == "complete"
        path = manifest["obs"]["file"]
        assert Path(path).stem == stem
        wait_until(lambda: file_is_complete(path), PATIENCE_S)  # noqa: B023
        theirs, own = decoded(path), ours(obs, stem)
        assert len(own) == manifest["frames"]
        unsure_s = manifest["obs"]["uncertainty_s"]
        off_s = offset_s(theirs, own, 1.0) + manifest["obs"]["frame_0_at_s"]
        assert abs(off_s) <= unsure_s + PRIMING_S, f"off by {off_s} s, and sure to {unsure_s} s"
        assert len(own) / RATE >= len(theirs) / RATE - 2 * unsure_s - PRIMING_S


def test_marks_become_chapters(obs: ObsSandbox, tmp_path: Path) -> None:
    profile = tmp_path / "chapters.yaml"
    profile.write_text(PROFILE)
    log = tmp_path / "run.log"
    with log.open("wb") as to:
        run = subprocess.Popen(
            [*PROGRAM, "run", str(profile)],
            env=obs.env,
            cwd=tmp_path,
            stdout=to,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(
            lambda: "which is as the profile says" in log.read_text(errors="replace"),
            PATIENCE_S,
            lambda: log.read_text(errors="replace"),
        )
        known = set(manifests(obs))
        with Websocket(obs) as websocket:
            websocket.request("StartRecord")
            take(obs, "running", known)
            let_record(websocket, 2.0)
            command = [*PROGRAM, "mark", "the boss"]
            subprocess.run(command, env=obs.env, check=True, capture_output=True)
            let_record(websocket, 2.0)
            path = websocket.request("StopRecord")["outputPath"]
        _, manifest = take(obs, "complete", known)
    finally:
        run.send_signal(signal.SIGINT)
        run.wait(PATIENCE_S)
    [marker] = manifest["markers"]
    assert marker["text"] == "the boss"
    wait_until(lambda: file_is_complete(path), PATIENCE_S)
    probe = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", path]
    told = subprocess.run(probe, capture_output=True, check=True)
    chapters = {
        chapter["tags"]["title"]: float(chapter["start_time"])
        for chapter in json.loads(told.stdout)["chapters"]
    }
    # OBS puts it where its encoder is, and that is behind.
    assert chapters["the boss"] == pytest.approx(marker["frame"] / RATE, abs=1.5)
