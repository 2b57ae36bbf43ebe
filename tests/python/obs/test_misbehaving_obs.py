# SPDX-License-Identifier: MIT
"""A session with split files and an OBS that does what it should not: not a frame of it is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fake_obs
import numpy as np
import pytest
import soundfile
from fake_server import FakeObs, Peer, Script

from pypac_obs import Profile, Session
from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client import link
from pypac_obs.obs.client.outputs import STARTED, STOPPED
from pypac_obs.outputs.following import HISTORY_S

LENGTH_S = 1.2
RATE = 48_000


def never_speaks(peer: Peer) -> None:
    peer.wait_until_gone()


def answers_late(peer: Peer) -> None:
    peer.open()
    while True:
        request = peer.request()
        time.sleep(0.5)  # late
        peer.reply(request, {})


def never_answers(peer: Peer) -> None:
    peer.open()
    while True:
        peer.request()


def answers_with(junk: Any) -> Script:
    def script(peer: Peer) -> None:
        peer.open()
        while True:
            peer.reply(peer.request(), junk)

    return script


def every_list_holds(junk: Any) -> Script:
    """Each answer has all that could be asked for, and it is of a wrong type."""
    names = ("profiles", "sceneCollections", "scenes", "inputs", "inputKinds", "sceneItems")
    return answers_with({name: [junk, junk] for name in names})


def spoils_batches(spoil: Callable[[list[Any]], Any]) -> Script:
    def script(peer: Peer) -> None:
        peer.open()
        while True:
            message = peer.receive()
            asked = message["d"].get("requests", [message["d"]])
            results = [
                {
                    "requestType": one["requestType"],
                    "requestId": one["requestId"],
                    "requestStatus": {"result": True, "code": 100},
                    "responseData": {},
                }
                for one in asked
            ]
            if message["op"] == 6:
                peer.send(7, results[0])
            else:
                peer.send(9, {"requestId": message["d"]["requestId"], "results": spoil(results)})

    return script


def refuses_all(peer: Peer) -> None:
    peer.open()
    while True:
        peer.refuse(peer.request(), 205, "no\x1b[2J\n")


def closes_within_a_message(peer: Peer) -> None:
    peer.open()
    peer.request()
    peer.send_raw(b'\x81\x7e\x10\x00{"op": 7, ')
    # And the next one the same.


def floods(peer: Peer) -> None:
    peer.open()
    while True:
        peer.send_event("RecordStateChanged", {"outputActive": True, "outputState": "x" * 1000})


def pings_without_end(peer: Peer) -> None:
    peer.shake_hands()
    while True:
        peer.send_raw(b"\x89\x00" * 1000)


def sends_huge_messages(peer: Peer) -> None:
    peer.open()
    while True:
        peer.send_event("SceneCreated", {"sceneName": "x" * 2_000_000})


SCRIPTS: dict[str, Script] = {
    "never speaks": never_speaks,
    "answers late": answers_late,
    "never answers": never_answers,
    "answers with nothing": answers_with(None),
    "answers with a list": answers_with([1, 2]),
    "answers with a number": answers_with(7),
    "lists of numbers": every_list_holds(-1),
    "lists of nothing": every_list_holds({}),
    "lists of lists": every_list_holds([[]]),
    "batches of nothing": spoils_batches(lambda results: None),
    "batches that lack a result": spoils_batches(lambda results: results[1:]),
    "batches of results to others": spoils_batches(lambda results: results[::-1]),
    "batches without end": spoils_batches(lambda results: results * 10_000),
    "refuses all": refuses_all,
    "closes within a message": closes_within_a_message,
    "floods": floods,
    "pings without end": pings_without_end,
    "sends huge messages": sends_huge_messages,
}


def profile(server: FakeObs, folder: Path) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "session": {"latency_ms": 500},
            "sources": {name: {"synthetic": {"kind": "numbered"}} for name in ("game", "voice")},
            "tracks": {name: {"from": name} for name in ("game", "voice")},
            "outputs": {
                "files": {"folder": str(folder), "name": "{track}"},
                "obs": {
                    "host": "127.0.0.1",
                    "port": server.port,
                    "scene": "Scene",
                    "tracks": {"game": 1, "voice": 2},
                    "recording": {"tracks": [1, 2]},
                },
            },
        }
    )


def private(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "LOCALAPPDATA", "USERPROFILE"):
        (folder / name).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(folder / name))
    for name in ("OBS_HOST", "OBS_PORT", "OBS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_split_files_hold_every_frame_whatever_obs_does(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(monkeypatch, tmp_path)
    monkeypatch.setattr(link, "SETTLING_S", 0.1)  # all that is asked is asked within the session
    take = tmp_path / "take"
    with FakeObs(script) as server:
        seen = set()
        with Session(profile(server, take), duration_s=LENGTH_S) as session:
            while not session.wait(0.1):
                [obs] = (one for one in session.status().outputs if one.name == "obs")
                seen.add(obs.state)
        # Pauses between attempts get longer, from a quarter of a second on.
        assert 1 <= server.connections <= 4
    said = "\n".join(seen | set(session.status().warnings))
    assert "which is as the profile says" not in said
    assert "Traceback" not in said
    assert "\x1b" not in said
    for track in ("game", "voice"):
        samples, rate = soundfile.read(take / f"{track}.wav", dtype="float32", always_2d=True)
        assert rate == RATE
        numbers = np.rint(samples[:, 0].astype(np.float64) * 2**24).astype(np.int64)
        np.testing.assert_array_equal(numbers, np.arange(round(LENGTH_S * RATE)))
    manifest = json.loads((take / "session.json").read_text())
    assert manifest["state"] == "complete"


def test_a_take_that_begins_while_obs_takes_long_for_something_else_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(monkeypatch, tmp_path)

    def script(peer: Peer) -> None:
        peer.open()
        while True:
            request = peer.request()
            if request["requestType"] == "GetVideoSettings":
                peer.reply(request, {"fpsNumerator": 30, "fpsDenominator": 1})
            elif request["requestType"] == "GetRecordStatus":
                peer.reply(request, {"outputActive": False})
                time.sleep(1)  # it takes long
                file = str(tmp_path / "obs.mkv")
                event = {"outputActive": True, "outputState": STARTED, "outputPath": file}
                peer.send_event("RecordStateChanged", event)
            # Nothing else is answered.

    settings = tmp_path / "obs-studio" / "basic" / "profiles" / "Untitled" / "basic.ini"
    settings.parent.mkdir(parents=True)
    settings.write_text(f"[AdvOut]\nRecFilePath={tmp_path}\n".replace("\\", "\\\\"))
    for variable in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "obs.mkv").touch()
    with FakeObs(script) as server:
        said = profile(server, tmp_path / "take").model_dump(mode="json", exclude_unset=True)
        said["outputs"]["files"] = {"follow": "record"}
        # As long as OBS may keep a request waiting, and until the take is told of all the same.
        with Session(Profile.from_dict(said), duration_s=HISTORY_S + 3) as session:
            session.wait()
    manifest = json.loads((tmp_path / "obs session.json").read_text())
    assert manifest["state"] == "complete"
    assert manifest["obs"]["frame_0_at_s"] < 0.001


def test_an_obs_that_starts_recordings_without_end_gets_few_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(monkeypatch, tmp_path)
    chosen = tmp_path / "chosen"
    chosen.mkdir()

    def script(peer: Peer) -> None:
        peer.open()
        for number in range(300):
            for state in (STARTED, STOPPED):
                file = str(chosen / f"take {number}.mkv")
                Path(file).touch()
                event = {"outputActive": state == STARTED, "outputState": state}
                peer.send_event("RecordStateChanged", event | {"outputPath": file})
        while True:
            peer.reply(peer.request(), {"outputActive": False})

    with FakeObs(script) as server:
        said = profile(server, tmp_path / "take").model_dump(mode="json", exclude_unset=True)
        said["outputs"]["files"] |= {"follow": "record", "name": "{track}"}
        with Session(Profile.from_dict(said), duration_s=4) as session:
            session.wait()
    assert session.errors
    news = session.status().news
    assert len([one for one in news if "more than 10 recordings within 60 s" in one]) == 1
    assert any("chosen, which is none of the folders of its own settings" in one for one in news)
    assert {path.suffix for path in chosen.iterdir()} == {".mkv"}
    assert len(list((tmp_path / "take").glob("* session.json"))) <= 10


def test_what_obs_refused_is_tried_again_once_something_changes_in_obs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private(monkeypatch, tmp_path)
    obs = fake_obs.FakeObs()
    refuses = True

    def script(peer: Peer) -> None:
        peer.open()
        while True:
            request = peer.request()
            if refuses and request["requestType"] == "CreateScene":
                peer.refuse(request, 500, "not now")
            elif refuses and request["requestType"] == "GetInputKindList":
                peer.refuse(request, 500, "not now either")
            else:
                try:
                    answer = obs.request(request["requestType"], **request.get("requestData", {}))
                except ObsRefused as refusal:
                    peer.refuse(request, refusal.code, refusal.message)
                else:
                    peer.reply(request, answer)

    def wait_for_state(words: str) -> None:
        deadline = time.monotonic() + 30
        while words not in (state := session.status().outputs[-1].state):
            assert time.monotonic() < deadline, state
            time.sleep(0.05)

    with (
        FakeObs(script) as server,
        Session(profile(server, tmp_path / "take")) as session,
    ):
        wait_for_state("not now either")
        assert session.errors
        refuses = False
        server.peers[0].send_event("SceneCreated", {"sceneName": "Mine"})
        wait_for_state("which is as the profile says")
        assert not session.errors
        assert server.connections == 1
