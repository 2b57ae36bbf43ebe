# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fake_server import FakeObs, Peer

from pypac_obs.cli import commands
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection
from pypac_obs.obs.client.status import ObsStatus, read_status
from pypac_obs.session_registry import SessionRegistration

INPUTS: dict[str, dict[str, Any]] = {
    "Voice": {
        "GetInputSettings": {"inputSettings": {"session": "gaming", "track": "voice"}},
        "GetInputAudioTracks": {"inputAudioTracks": {"1": True, "2": False, "3": True}},
        "GetInputVolume": {"inputVolumeDb": -6.02, "inputVolumeMul": 0.5},
        "GetInputMute": {"inputMuted": True},
        "GetSourceActive": {"videoActive": True, "videoShowing": True},
    },
    "Game": {
        "GetInputSettings": {"inputSettings": {"session": "gaming", "track": "game"}},
        "GetInputAudioTracks": {"inputAudioTracks": {}},
        "GetInputVolume": {"inputVolumeDb": -100.0, "inputVolumeMul": 0.0},
        "GetInputMute": {"inputMuted": False},
        "GetSourceActive": {"videoActive": False},
    },
}


@pytest.fixture
def server() -> Iterator[FakeObs]:
    with FakeObs() as running:
        parameters = {"Mode": "Advanced", "RecTracks": "5"}
        running.answers |= {
            "GetRecordStatus": {"outputActive": True, "outputDuration": 3_725_500},
            "GetStreamStatus": {"outputActive": False, "outputDuration": 0},
            "GetOutputSettings": {"outputSettings": {"path": "/rec/take.mkv"}},
            "GetOutputStatus": {"outputActive": True},
            "GetProfileList": {"currentProfileName": "Untitled"},
            "GetSceneCollectionList": {"currentSceneCollectionName": "Mine"},
            "GetCurrentProgramScene": {"currentProgramSceneName": "Gaming"},
            "GetProfileParameter": lambda peer, request: peer.reply(
                request, {"parameterValue": parameters[request["requestData"]["parameterName"]]}
            ),
            "GetInputList": {"inputs": [{"inputName": name} for name in (*INPUTS, "Gone")]},
        }
        for kind in INPUTS["Voice"]:
            running.answers[kind] = answer_for
        yield running


def answer_for(peer: Peer, request: Any) -> None:
    data = request["requestData"]
    name = data.get("inputName") or data.get("sourceName")
    if name in INPUTS:
        peer.reply(request, INPUTS[name][request["requestType"]])
    else:
        peer.refuse(request, 600, "No source was found.")


def status_of(server: FakeObs) -> ObsStatus:
    with ObsConnection(ObsAddress("127.0.0.1", server.port)) as obs:
        return read_status(obs)


@pytest.fixture(autouse=True)
def _own_runtime_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_RUNTIME_DIR", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))


def test_whether_its_session_runs_is_told(server: FakeObs) -> None:
    assert [item.session_runs for item in status_of(server).inputs] == [False, False]
    registration = SessionRegistration("gaming", 48000, 1)
    assert [item.session_runs for item in status_of(server).inputs] == [True, True]
    registration.close()


def test_all_of_it_is_read(server: FakeObs) -> None:
    status = status_of(server)
    assert (status.obs_version, status.scene, status.profile) == ("29.0.2", "Gaming", "Untitled")
    assert status.recording.active
    assert (status.recording.seconds, status.recording.path) == (3725.5, "/rec/take.mkv")
    assert not status.stream.active
    assert status.record_tracks == (1, 3)
    game, voice = status.inputs  # an input that was removed meanwhile is left out
    assert (voice.name, voice.session, voice.track) == ("Voice", "gaming", "voice")
    assert (voice.obs_tracks, voice.volume_db, voice.muted, voice.active) == (
        (1, 3),
        -6.02,
        True,
        True,
    )
    assert (game.obs_tracks, game.volume_db, game.muted, game.active) == ((), None, False, False)


def test_the_command_shows_it(server: FakeObs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBS_PORT", str(server.port))
    monkeypatch.setenv("OBS_HOST", "127.0.0.1")
    result = CliRunner().invoke(commands, ["obs", "status"])
    assert result.exit_code == 0, result.output
    for text in (
        "OBS 29.0.2 (websocket 5.1.0)",
        "Scene: Gaming",
        "Recording: on, 1:02:05, /rec/take.mkv",
        "Stream: off",
        "Tracks in the recording: 1 and 3",
        "Voice",
        "gaming (not running)",
        "-6.0 dB",
        "muted",
        "1, 3",
    ):
        assert text in result.output
    result = CliRunner().invoke(commands, ["obs", "status", "--json"])
    assert json.loads(result.output)["inputs"][1]["obs_tracks"] == [1, 3]


WRONG: list[Any] = [None, 7, "x", [], {"inputs": 7}, {"inputs": [7, {}, {"inputName": 7}]}]


@pytest.mark.parametrize("answer", WRONG)
def test_answers_of_wrong_types_do_no_harm(server: FakeObs, answer: Any) -> None:
    def reply(peer: Peer, request: Any) -> None:
        peer.reply(request, answer if isinstance(answer, dict) else {"x": answer})

    kinds = [kind for kind in server.answers if kind != "GetVersion"]
    for kind in kinds:
        server.answers[kind] = reply
    status = status_of(server)
    assert status.inputs == ()
    assert not status.recording.active


@pytest.mark.parametrize("bits", ["", "x", "-1", "99999999", "٣", "0"])
def test_a_parameter_that_is_no_number_of_tracks_is_unknown(server: FakeObs, bits: str) -> None:
    server.answers["GetProfileParameter"] = lambda peer, request: peer.reply(
        request,
        {"parameterValue": "Advanced" if "Mode" in str(request["requestData"]) else bits},
    )
    assert status_of(server).record_tracks == ()


def test_the_simple_mode_records_one_track(server: FakeObs) -> None:
    server.answers["GetProfileParameter"] = {"parameterValue": "Simple"}
    assert status_of(server).record_tracks == (1,)
