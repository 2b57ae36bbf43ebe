# SPDX-License-Identifier: MIT
"""What somebody changes in OBS is mended or reported, as the profile says, and without a fight."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_obs import FakeObs

from pypac_obs.errors import ObsNotRunning
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.provisioning.removal import remove_input
from pypac_obs.obs.provisioning.watch import LATEST_S, MENDS, PER_S, QUIET_S, DriftWatch
from pypac_obs.profile import Profile


class Clock:
    """Time that passes when it is told to, with timers that go off in it."""

    def __init__(self) -> None:
        self.now = 100.0
        self._timers: list[FakeTimer] = []

    def timer(self, delay_s: float, call: Callable[[], None]) -> Any:
        return FakeTimer(self, self.now + delay_s, call)

    def pass_s(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [t for t in self._timers if t.at <= end]:
            timer = min(due, key=lambda t: t.at)
            self.now = timer.at
            self._timers.remove(timer)
            timer.call()
        self.now = end


class FakeTimer:
    daemon = False

    def __init__(self, clock: Clock, at: float, call: Callable[[], None]) -> None:
        self.clock, self.at, self.call = clock, at, call

    def start(self) -> None:
        self.clock._timers.append(self)

    def cancel(self) -> None:
        if self in self.clock._timers:
            self.clock._timers.remove(self)


class Room:
    """A watch with the OBS that it watches, and what it said."""

    def __init__(self, folder: Path, *, mend: bool, running: str | None = None) -> None:
        data = {
            "version": 1,
            "session": {"latency_ms": 10},
            "sources": {"game": {"process": "game"}},
            "tracks": {"game": {"from": "game"}},
            "outputs": {"obs": {"tracks": {"game": 2}, "recording": {"tracks": [1, 2]}}},
        }
        self.obs = FakeObs()
        self.clock = Clock()
        self.said: list[str] = []
        self.is_connected = True
        environ = {"XDG_STATE_HOME": str(folder), "LOCALAPPDATA": str(folder)}
        self.provisioner = Provisioner(Profile.from_dict(data), "s", environ=environ)
        if running is not None:
            self.obs.running.add(running)
        report = self.provisioner.apply(self.obs)
        self.watch = DriftWatch(
            self.provisioner,
            mend=mend,
            report=self.said.append,
            post=self._post,
            clock=lambda: self.clock.now,
            timer=self.clock.timer,
        )
        self.watch.on_applied(report)

    def _post(self, job: Callable[[Any], None]) -> bool:
        if self.is_connected:
            job(self.obs)
        return self.is_connected

    def change(self, *tracks: int) -> None:
        self.obs.inputs["game"]["tracks"] = set(tracks)
        self.watch.on_event(self.obs, "InputAudioTracksChanged", {"inputName": "game"})


@pytest.fixture
def mending(tmp_path: Path) -> Room:
    return Room(tmp_path, mend=True)


@pytest.fixture
def reporting(tmp_path: Path) -> Room:
    return Room(tmp_path, mend=False)


def test_drift_is_mended_once_it_is_quiet(mending: Room):
    mending.change(1, 2, 3)
    mending.clock.pass_s(QUIET_S - 0.1)
    assert mending.obs.inputs["game"]["tracks"] == {1, 2, 3}
    mending.clock.pass_s(0.2)
    assert mending.obs.inputs["game"]["tracks"] == {2}
    assert mending.said == ['Mended in OBS: ~ input "game" (OBS tracks: 1, 2, 3 -> 2)']


def test_an_input_that_was_deleted_comes_again_though_obs_lists_it_still(mending: Room):
    mending.obs.request("RemoveInput", inputName="game")
    assert "game" in str(mending.obs.request("GetInputList"))
    mending.watch.on_event(mending.obs, "InputRemoved", {"inputName": "game"})
    mending.clock.pass_s(1)
    assert mending.obs.inputs["game"]["tracks"] == {2}
    assert [item["source"] for item in mending.obs.scenes["Scene"]] == ["game"]


@pytest.mark.parametrize("name", ["Music", "game"])
def test_another_input_that_gets_the_name_of_one_that_was_deleted_stays(mending: Room, name: str):
    mending.obs.add_input("Spare", "ffmpeg_source", "Scene")
    if name == "Music":
        mending.obs.add_input("Music", "ffmpeg_source", "Scene")
    remove_input(mending.obs, name)
    mending.watch.on_event(mending.obs, "InputRemoved", {"inputName": name})
    mending.obs.request("SetInputName", inputName="Spare", newInputName=name)
    renamed = {"oldInputName": "Spare", "inputName": name}
    mending.watch.on_event(mending.obs, "InputNameChanged", renamed)
    mending.clock.pass_s(1)
    mending.obs.parameters[("AdvOut", "RecTracks")] = "1"
    mending.watch.on_event(mending.obs, "ProfileListChanged", {})
    mending.clock.pass_s(1)
    assert mending.obs.inputs[name]["kind"] == "ffmpeg_source"
    assert mending.obs.recorded_tracks() == [1, 2], "it was mended meanwhile"


def test_an_input_that_was_deleted_is_reported_though_obs_lists_it_still(reporting: Room):
    reporting.obs.request("RemoveInput", inputName="game")
    reporting.watch.on_event(reporting.obs, "InputRemoved", {"inputName": "game"})
    reporting.clock.pass_s(1)
    assert '+ input "game"' in reporting.said[0]


def test_a_scene_that_is_made_by_hand_gets_the_tracks(mending: Room):
    mending.obs.request("CreateScene", sceneName="New")
    mending.watch.on_event(mending.obs, "SceneCreated", {"sceneName": "New", "isGroup": False})
    mending.clock.pass_s(1)
    assert [item["source"] for item in mending.obs.scenes["New"]] == ["game"]
    assert mending.said == ['Mended in OBS: + input "game" in the scene "New"']


def test_a_scene_that_is_missing_is_reported(reporting: Room):
    reporting.obs.request("CreateScene", sceneName="New")
    reporting.watch.on_event(reporting.obs, "SceneCreated", {"sceneName": "New"})
    reporting.clock.pass_s(1)
    assert reporting.said == ['OBS is not as the profile says: + input "game" in the scene "New"']


@pytest.mark.parametrize("room", ["mending", "reporting"])
def test_a_scene_that_is_renamed_stays_right(room: str, request: pytest.FixtureRequest):
    here: Room = request.getfixturevalue(room)
    here.obs.request("SetSceneName", sceneName="Scene", newSceneName="Talk")
    data = {"oldSceneName": "Scene", "sceneName": "Talk"}
    here.watch.on_event(here.obs, "SceneNameChanged", data)
    here.clock.pass_s(1)
    assert here.said == []
    here.obs.request("CreateScene", sceneName="Scene")
    here.obs._add_item("Talk", "Scene", enabled=True)
    here.watch.on_event(here.obs, "SceneItemCreated", {"sceneName": "Talk"})
    here.clock.pass_s(1)
    assert '- input "game" in the scene "Talk"' in here.said[-1]


@pytest.mark.parametrize(
    "data", [{}, {"oldSceneName": 5, "sceneName": "Talk"}, {"oldSceneName": "Scene"}]
)
def test_a_renaming_that_says_nothing_is_passed_over(mending: Room, data: dict[str, Any]):
    mending.watch.on_event(mending.obs, "SceneNameChanged", data)
    mending.clock.pass_s(1)
    assert mending.said == []


def test_another_scene_collection_does_not_count_as_deleting(mending: Room):
    for kind, name in (
        ("InputRemoved", "game"),
        ("InputCreated", "game"),
        ("InputRemoved", "Other"),
        ("CurrentSceneCollectionChanged", None),
    ):
        mending.watch.on_event(mending.obs, kind, {"inputName": name} if name else {})
    before = mending.obs.state()
    mending.clock.pass_s(1)
    assert mending.obs.state() == before
    assert mending.said == []


def test_drift_is_only_reported_where_the_profile_says_so_and_once(reporting: Room):
    for _ in range(3):
        reporting.change(1, 2, 3)
        reporting.clock.pass_s(1)
    assert reporting.obs.inputs["game"]["tracks"] == {1, 2, 3}
    assert reporting.said == [
        'OBS is not as the profile says: ~ input "game" (OBS tracks: 1, 2, 3 -> 2)'
    ]
    reporting.change(2)
    reporting.clock.pass_s(1)
    reporting.change(1)
    reporting.clock.pass_s(1)
    assert len(reporting.said) == 2


def test_what_the_profile_leaves_out_is_no_drift(mending: Room):
    mending.obs.inputs["game"]["factor"] = 0.1
    mending.watch.on_event(mending.obs, "InputVolumeChanged", {"inputName": "game"})
    mending.obs.asked.clear()
    mending.clock.pass_s(1)
    assert mending.said == []
    assert mending.obs.changes() == []
    assert mending.obs.asked  # it was looked at


def test_an_event_that_tells_nothing_of_it_is_passed_over(mending: Room):
    mending.obs.asked.clear()
    mending.watch.on_event(mending.obs, "InputVolumeMeters", {})
    mending.clock.pass_s(10)
    assert mending.obs.asked == []


def test_events_without_end_do_not_put_it_off_for_ever(mending: Room):
    mending.change(1, 2, 3)
    for _ in range(20):
        mending.clock.pass_s(QUIET_S / 2)
        mending.watch.on_event(mending.obs, "InputVolumeChanged", {})
        if mending.said:
            break
    assert mending.clock.now - 100 <= LATEST_S + QUIET_S
    assert mending.said


def test_somebody_who_changes_it_back_each_time_wins_for_a_while(mending: Room):
    for _ in range(MENDS + 3):
        mending.change(1, 2, 3)
        mending.clock.pass_s(1)
    assert mending.obs.inputs["game"]["tracks"] == {1, 2, 3}
    assert mending.said[MENDS:] == ["OBS is changed again and again: not mended for a minute."]
    mending.clock.pass_s(PER_S)
    assert mending.obs.inputs["game"]["tracks"] == {2}
    mending.clock.pass_s(10 * PER_S)
    assert len(mending.said) == MENDS + 2


def test_what_had_to_wait_is_done_once_obs_has_stopped(mending: Room):
    mending.obs.running.add("Record")
    mending.obs.parameters[("AdvOut", "RecTracks")] = "1"
    mending.watch.on_event(mending.obs, "ProfileListChanged", {})
    mending.clock.pass_s(1)
    assert mending.obs.parameters[("AdvOut", "RecTracks")] == "1"
    assert "recorded tracks: 1 -> 1, 2" in mending.said[-1]
    mending.obs.running.clear()
    mending.watch.on_event(mending.obs, "RecordStateChanged", {"outputActive": False})
    mending.clock.pass_s(1)
    assert mending.obs.recorded_tracks() == [1, 2]


def test_a_connection_that_is_lost_meanwhile_is_said_and_harmless(
    mending: Room, monkeypatch: pytest.MonkeyPatch
):
    def lost(*_: object, **__: object) -> None:
        raise ObsNotRunning("the connection to OBS was lost")

    mending.change(1)
    monkeypatch.setattr(mending.obs, "request", lost)
    mending.clock.pass_s(1)
    assert mending.said == ["OBS could not be looked at: the connection to OBS was lost."]


def test_a_connection_that_we_end_ourselves_is_nothing_to_report(
    mending: Room, monkeypatch: pytest.MonkeyPatch
):
    def lost(*_: object, **__: object) -> None:
        mending.watch.stop()  # from another thread, while OBS is looked at
        raise ObsNotRunning("the connection to OBS was closed")

    mending.change(1)
    monkeypatch.setattr(mending.obs, "request", lost)
    mending.clock.pass_s(1)
    assert mending.said == []


@pytest.mark.parametrize("we_end_it", [False, True])
def test_a_renaming_that_cannot_be_looked_at_is_said_unless_we_end_the_connection(
    mending: Room, monkeypatch: pytest.MonkeyPatch, we_end_it: bool
):
    def lost(*_: object, **__: object) -> None:
        if we_end_it:
            mending.watch.stop()  # from another thread, while OBS is asked
        raise ObsNotRunning("the connection to OBS was closed")

    monkeypatch.setattr(mending.obs, "request", lost)
    names = {"oldSceneName": "Scene", "sceneName": "Other"}
    mending.watch.on_event(mending.obs, "SceneNameChanged", names)
    said = [] if we_end_it else ["OBS could not be looked at: the connection to OBS was closed."]
    assert mending.said == said


def test_nothing_is_done_after_the_stop(mending: Room):
    mending.change(1)
    mending.watch.stop()
    mending.watch.stop()
    mending.clock.pass_s(10)
    assert mending.said == []


def test_obs_is_watched_as_before_after_it_was_gone(mending: Room):
    mending.change(1)
    mending.is_connected = False
    mending.clock.pass_s(10)
    mending.is_connected = True
    mending.watch.on_connected()
    mending.change(1, 2)
    mending.clock.pass_s(QUIET_S + 0.1)
    assert mending.obs.inputs["game"]["tracks"] == {2}


def test_an_input_of_the_users_that_has_the_name_of_one_that_was_removed_stays(mending: Room):
    obs, watch = mending.obs, mending.watch
    for name in ("Webcam", "Webcam 2"):
        obs.add_input(name, "v4l2_input", "Scene")
    remove_input(obs, "Webcam")
    watch.on_event(obs, "InputRemoved", {"inputName": "Webcam"})
    obs.request("SetInputName", inputName="Webcam 2", newInputName="Webcam")
    # OBS says so, too; that it is of the user's is enough.
    mending.clock.pass_s(3600)
    mending.change(1)
    mending.clock.pass_s(QUIET_S + 0.1)
    assert obs.inputs["game"]["tracks"] == {2}
    assert "Webcam" in [item["source"] for item in obs.scenes["Scene"]]


@pytest.mark.parametrize("kind", ["InputNameChanged", "InputCreated"])
def test_an_input_that_took_the_name_of_one_of_ours_stays(mending: Room, kind: str):
    obs, watch = mending.obs, mending.watch
    remove_input(obs, "game")
    watch.on_event(obs, "InputRemoved", {"inputName": "game"})
    obs.add_input("game", "ffmpeg_source", "Scene")
    watch.on_event(obs, kind, {"inputName": "game"})
    mending.clock.pass_s(QUIET_S + 0.1)
    assert [item["source"] for item in obs.scenes["Scene"]] == ["game"]
    [sentence] = mending.said
    assert '"game"' in sentence
    assert "ffmpeg_source" in sentence


def test_what_had_to_wait_is_done_also_where_drift_is_only_reported(tmp_path: Path):
    room = Room(tmp_path, mend=False, running="Record")
    assert room.obs.recorded_tracks() == [1]
    room.change(1, 2, 3)
    room.obs.running.clear()
    room.watch.on_event(room.obs, "RecordStateChanged", {})
    room.clock.pass_s(QUIET_S + 0.1)
    assert room.obs.recorded_tracks() == [1, 2]
    assert room.obs.inputs["game"]["tracks"] == {1, 2, 3}  # is only reported
    assert any(sentence.startswith("In OBS: ~ OBS profile") for sentence in room.said)
    assert any("OBS tracks: 1, 2, 3 -> 2" in sentence for sentence in room.said)
