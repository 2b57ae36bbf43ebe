# SPDX-License-Identifier: MIT
"""An OBS is brought to what the profile says, left alone otherwise, and put back."""

from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from fake_obs import DEFAULTS, FakeObs

from pypac_obs.errors import ObsError, ObsNotRunning, ObsRefused, OutputFailed, PypacError
from pypac_obs.obs.client import slow_requests
from pypac_obs.obs.client.actual import PIPEWIRE_KIND
from pypac_obs.obs.client.status import TRACK_KIND
from pypac_obs.obs.provisioning.identity import identity_of
from pypac_obs.obs.provisioning.journal import Journal, journal_folder
from pypac_obs.obs.provisioning.profiles import RELOADING
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.provisioning.removal import remove_input
from pypac_obs.profile import Profile

OBS_RULE = {
    "scene": "Gaming",
    "tracks": {"game": [1, 2], "voice": {"to": [1, 3], "name": "Voice chat", "volume_db": -6}},
    "desktop_audio": "unassign",
    "mic_aux": "mute",
    "recording": {"tracks": [1, 2, 3], "names": {1: "Mix", 2: "Game", 3: "Voice chat"}},
}
OWN = {"own_profile": "PyPAC", "own_scene_collection": "PyPAC"}


@pytest.fixture
def obs() -> FakeObs:
    """An OBS of a user who has set up one and another thing."""
    obs = FakeObs()
    obs.parameters[("SimpleOutput", "FilePath")] = "/videos"
    obs.parameters[("AdvOut", "RecFormat")] = "mkv"  # set, and to what is the default anyway
    obs.request("CreateScene", sceneName="Chatting")
    obs.add_input("Camera", "ffmpeg_source", "Chatting", path="/dev/video0")
    obs.add_input("Music", "ffmpeg_source", "Chatting", path="/music")["tracks"] = {1, 4}
    obs.inputs["Desktop Audio"]["factor"] = 0.25
    obs.request("SetCurrentProgramScene", sceneName="Chatting")
    obs.asked.clear()
    return obs


class Desk:
    """Makes provisioners whose journals are in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"HOME": str(folder)}
        self.keep_state_in(folder / "state")

    def keep_state_in(self, folder: Path) -> None:
        self.environ |= {"XDG_STATE_HOME": str(folder), "LOCALAPPDATA": str(folder)}

    def provisioner(self, session: str = "gaming", **changes: Any) -> Provisioner:
        rule = copy.deepcopy(OBS_RULE) | changes
        data = {
            "version": 1,
            "session": {"latency_ms": 10},
            "sources": {"game": {"process": "game"}, "voice": {"process": "discord"}},
            "tracks": {"game": {"from": "game"}, "voice": {"from": "voice"}},
            "outputs": {"obs": {key: value for key, value in rule.items() if value is not None}},
        }
        return Provisioner(Profile.from_dict(data, name=session), session, environ=self.environ)

    def journals(self) -> list[Path]:
        return sorted(journal_folder(self.environ).glob("*.json"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_plan_tells_all_and_changes_nothing(obs: FakeObs, desk: Desk):
    before = obs.state()
    plan = desk.provisioner().plan(obs)
    assert [str(step) for step in plan.steps] == [
        '+ scene "Gaming"',
        f'+ input "game" (kind: {TRACK_KIND}; OBS tracks: 1, 2; scene: Gaming)',
        f'+ input "Voice chat" (kind: {TRACK_KIND}; OBS tracks: 1, 3; volume: -6.0 dB; '
        "scene: Gaming)",
        '~ input "Desktop Audio" (OBS tracks: 1, 2, 3, 4, 5, 6 -> none)',
        '~ input "Mic/Aux" (muted: no -> yes)',
        '~ OBS profile "Untitled" (output mode: Simple -> Advanced; '
        "recording folder: /home/somebody -> /videos; recorded tracks: 1 -> 1, 2, 3; "
        "name of track 1: none -> Mix; name of track 2: none -> Game; "
        "name of track 3: none -> Voice chat)",
    ]
    assert plan.conflicts == ()
    assert obs.changes() == []
    assert obs.state() == before
    assert desk.journals() == []
    assert json.dumps(plan.to_json())


def test_a_journal_of_an_earlier_version_is_put_back(obs: FakeObs, desk: Desk):
    """Its form, value by value, as 0.1.0 wrote it."""
    before = obs.state()
    obs.request("CreateScene", sceneName="Gaming")
    obs.add_input("game", TRACK_KIND, "Gaming", session="gaming", track="game")
    obs.request("CreateSceneItem", sceneName="Gaming", sourceName="Music", sceneItemEnabled=True)
    music = obs.inputs["Music"]
    was = {"tracks": sorted(music["tracks"]), "volume_factor": music["factor"]}
    was |= {"monitor": music["monitor"], "sync_offset_ms": music["offset"], "muted": False}
    was |= {"settings": {"path": "/music"}, "name": "Music", "known_by": {}}
    obs.request("SetInputName", inputName="Music", newInputName="Songs")
    obs.inputs["Songs"] |= {"tracks": {5}, "factor": 0.1, "offset": 70, "muted": True}
    obs.inputs["Songs"] |= {"monitor": "OBS_MONITORING_TYPE_MONITOR_ONLY"}
    obs.inputs["Songs"]["settings"]["path"] = "/songs"
    obs.parameters[("Output", "Mode")] = "Advanced"
    obs.parameters[("AdvOut", "RecTracks")] = "7"
    obs.parameters[("AdvOut", "RecFormat")] = "flv"
    data = {
        "version": 1,
        "since": 1_790_000_000.5,
        "collections": {
            "Untitled": {
                "made_scenes": {"Gaming": True},
                "made_inputs": {
                    "game": {
                        "name": "game",
                        "kind": TRACK_KIND,
                        "settings": {"session": "gaming", "track": "game"},
                    }
                },
                "made_items": {"Gaming": {"game": 1}},
                "inputs": {"Songs": was},
                "items": {"Gaming": {"Songs": 2}},
            }
        },
        "parameters": {
            "Untitled": {"Output/Mode": None, "AdvOut/RecTracks": None, "AdvOut/RecFormat": "mkv"}
        },
        "set_parameters": {
            "Untitled": {
                "Output/Mode": "Advanced",
                "AdvOut/RecTracks": "7",
                "AdvOut/RecFormat": "flv",
            }
        },
        "user_profile": "Untitled",
    }
    journal = Journal.of(identity_of(obs), "gaming", desk.environ)
    journal.path.parent.mkdir(parents=True)
    journal.path.write_text(json.dumps(data))
    report = desk.provisioner().restore(obs)
    assert report.errors == ()
    assert obs.state() == before
    assert desk.journals() == []


@pytest.mark.parametrize("users", [None, "Simple"])
def test_a_setting_that_was_noted_and_not_changed_yet_stays(
    obs: FakeObs, desk: Desk, users: str | None
):
    if users is not None:
        obs.parameters[("Output", "Mode")] = users
    noted = {"Untitled": {"Output/Mode": {"equals the default": "Simple"}}}
    journal = Journal.of(identity_of(obs), "gaming", desk.environ)
    journal.path.parent.mkdir(parents=True)
    journal.path.write_text(json.dumps({"version": 1, "since": 1.0, "parameters": noted}))
    assert desk.provisioner().restore(obs).complete
    assert obs.parameters.get(("Output", "Mode")) == users


def test_applying_looks_at_obs_once_and_once_more_after_changes(obs: FakeObs, desk: Desk):
    def looks() -> int:
        return [kind for kind, _ in obs.asked].count("GetSpecialInputs")

    provisioner = desk.provisioner()
    assert provisioner.apply(obs).complete
    assert looks() == 2
    obs.asked.clear()
    obs.round_trips = 0
    assert provisioner.apply(obs).complete
    assert looks() == 1
    # Two of the look, and whose OBS it is, for what was noted of it: before and after.
    assert obs.round_trips == 4


def test_applying_makes_it_so_and_applying_again_changes_nothing(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner()
    report = provisioner.apply(obs)
    assert report.complete
    assert obs.inputs["game"]["settings"] == {"session": "gaming", "track": "game"}
    assert obs.inputs["game"]["tracks"] == {1, 2}
    assert obs.inputs["Voice chat"]["tracks"] == {1, 3}
    assert obs.inputs["Voice chat"]["factor"] == pytest.approx(10 ** (-6 / 20))
    assert [item["source"] for item in obs.scenes["Gaming"]] == ["game", "Voice chat"]
    assert all(item["enabled"] for item in obs.scenes["Gaming"])
    assert obs.inputs["Desktop Audio"]["tracks"] == set()
    assert obs.inputs["Mic/Aux"]["muted"]
    assert obs.recorded_tracks() == [1, 2, 3]  # in effect, not only stored
    assert obs.profile == "Untitled"
    assert list(obs.profiles) == ["Untitled"]
    assert obs.here["program"] == "Chatting"

    obs.asked.clear()
    assert provisioner.plan(obs).empty
    assert provisioner.apply(obs).done == ()
    assert obs.changes() == []


def test_a_new_input_is_on_its_tracks_before_it_is_heard(obs: FakeObs, desk: Desk):
    desk.provisioner().apply(obs)
    kinds = [kind for kind, data in obs.asked if "game" in data.values() or "sceneItemId" in data]
    created, tracks, shown = (kinds.index(kind) for kind in (
        "CreateInput", "SetInputAudioTracks", "SetSceneItemEnabled"
    ))  # fmt: skip
    assert created < tracks < shown
    assert next(d for k, d in obs.asked if k == "CreateInput")["sceneItemEnabled"] is False


@pytest.mark.parametrize("is_late", [False, True])
@pytest.mark.parametrize("own", [{}, OWN, {"own_profile": "PyPAC"}, {"recording": None}])
def test_restoring_puts_back_all_there_was(obs: FakeObs, desk: Desk, own: dict, is_late: bool):
    obs.is_late = is_late
    before = obs.state()
    provisioner = desk.provisioner(**own)
    assert provisioner.apply(obs).complete
    assert obs.state() != before
    report = provisioner.restore(obs)
    assert report.complete
    after = obs.state()
    if "own_scene_collection" in own:
        # OBS has no request that removes one.
        assert '"PyPAC" is ours and is left' in " ".join(report.notes)
        del after[3]["PyPAC"]
    assert after == before
    assert obs.recorded_tracks() == [1]
    assert desk.journals() == []


@pytest.mark.parametrize("own", [{}, OWN])
def test_a_connection_lost_at_any_moment_loses_nothing(desk: Desk, own: dict, tmp_path: Path):
    changes = len(_applied(FakeObs(), desk.provisioner(**own)).changes())
    assert changes > 10
    for moment in range(changes):
        desk = Desk(tmp_path / str(moment))
        obs = FakeObs()
        before = obs.state()
        obs.ends_after = moment
        with pytest.raises(ObsNotRunning):
            desk.provisioner(**own).apply(obs)
        obs.ends_after = None

        # Either the user goes on,
        assert desk.provisioner(**own).apply(obs).complete
        assert desk.provisioner(**own).plan(obs).empty
        assert obs.recorded_tracks() == [1, 2, 3]
        assert all(item["enabled"] for item in obs.scenes["Gaming"])
        desk.provisioner(**own).restore(obs)
        assert _without_own(obs.state()) == before, moment

        # or he has had enough of it.
        desk = Desk(tmp_path / str(moment) / "again")
        obs = FakeObs()
        before = obs.state()
        obs.ends_after = moment
        with pytest.raises(ObsNotRunning):
            desk.provisioner(**own).apply(obs)
        obs.ends_after = None
        desk.provisioner(**own).restore(obs)
        assert _without_own(obs.state()) == before, moment


def _applied(obs: FakeObs, provisioner: Provisioner) -> FakeObs:
    provisioner.apply(obs)
    return obs


def _without_own(state: dict) -> dict:
    state[3].pop("PyPAC", None)
    return state


def test_a_restore_that_is_interrupted_can_be_finished(obs: FakeObs, desk: Desk):
    before = obs.state()
    provisioner = desk.provisioner(own_profile="PyPAC")
    moment = 0
    while True:
        provisioner.apply(obs)
        obs.ends_after = moment
        try:
            provisioner.restore(obs)
        except ObsNotRunning:
            obs.ends_after = None
            provisioner.restore(obs)
            assert obs.state() == before, moment
            moment += 1
        else:
            break
    assert moment > 5


def test_the_first_value_wins_over_later_ones(obs: FakeObs, desk: Desk):
    before = obs.state()
    desk.provisioner(desktop_audio="mute").apply(obs)
    desk.provisioner(desktop_audio="unassign").apply(obs)
    obs.request("SetInputAudioTracks", inputName="Desktop Audio", inputAudioTracks={"3": True})
    desk.provisioner(desktop_audio="unassign").apply(obs)
    desk.provisioner().restore(obs)
    assert obs.state() == before


def test_what_the_profile_leaves_out_is_the_users(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner()
    provisioner.apply(obs)
    obs.inputs["game"] |= {"factor": 0.1, "muted": True, "offset": 50}
    obs.inputs["Mic/Aux"]["tracks"] = {6}
    obs.inputs["Music"]["muted"] = True
    assert provisioner.plan(obs).empty


def test_what_the_profile_says_is_mended(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner()
    provisioner.apply(obs)
    obs.inputs["Voice chat"]["factor"] = 1.0
    obs.inputs["game"]["tracks"] = {1, 2, 3, 4, 5, 6}
    obs.scenes["Gaming"][0]["enabled"] = False
    del obs.inputs["Desktop Audio"]
    assert sorted(str(step) for step in provisioner.plan(obs).steps) == [
        '~ input "Voice chat" (volume: 0.0 dB -> -6.0 dB)',
        '~ input "game" (OBS tracks: 1, 2, 3, 4, 5, 6 -> 1, 2)',
        '~ input "game" in the scene "Gaming" (visible: no -> yes)',
    ]
    assert provisioner.apply(obs).complete
    assert provisioner.plan(obs).empty


@pytest.mark.parametrize("kind", ["ffmpeg_source", "image_source"])
def test_an_input_of_the_name_and_another_kind_is_never_taken(obs: FakeObs, desk: Desk, kind: str):
    obs.add_input("game", kind, "Chatting", path="/a")
    before = copy.deepcopy(obs.inputs["game"])
    provisioner = desk.provisioner()
    report = provisioner.apply(obs)
    assert not report.complete
    assert f'The input "game" of OBS is of another kind ({kind})' in report.errors[0]
    assert obs.inputs["game"] == before
    assert "Voice chat" in obs.inputs
    provisioner.restore(obs)
    assert obs.inputs["game"] == before


def test_an_input_of_another_session_is_never_taken(obs: FakeObs, desk: Desk):
    obs.add_input("game", TRACK_KIND, "Chatting", session="other", track="game")
    report = desk.provisioner().apply(obs)
    assert 'is of the session "other"' in report.errors[0]
    assert obs.inputs["game"]["settings"]["session"] == "other"


def test_a_microphone_of_the_users_is_never_taken_for_a_device_of_ours(obs: FakeObs, desk: Desk):
    obs.add_input("game", "pulse_input_capture", "Chatting", device_id="headset")
    report = desk.provisioner(transport="device").apply(obs)
    assert '"game" of OBS takes something else' in report.errors[0]
    assert obs.inputs["game"]["settings"] == {"device_id": "headset"}


def test_another_transport_replaces_the_inputs_that_we_made(obs: FakeObs, desk: Desk):
    before = obs.state()
    desk.provisioner().apply(obs)
    provisioner = desk.provisioner(transport="device")
    assert [str(step) for step in provisioner.plan(obs).steps] == [
        '- input "game"',
        '- input "Voice chat"',
        '+ input "game" (kind: pulse_input_capture; OBS tracks: 1, 2; scene: Gaming)',
        '+ input "Voice chat" (kind: pulse_input_capture; OBS tracks: 1, 3; volume: -6.0 dB; '
        "scene: Gaming)",
    ]
    assert provisioner.apply(obs).complete
    assert obs.inputs["game"]["kind"] == "pulse_input_capture"
    assert obs.inputs["game"]["tracks"] == {1, 2}
    assert [item["source"] for item in obs.scenes["Gaming"]] == ["game", "Voice chat"]
    assert provisioner.plan(obs).empty
    assert desk.provisioner().apply(obs).complete, "and back again"
    assert obs.inputs["game"]["kind"] == TRACK_KIND
    provisioner.restore(obs)
    assert obs.state() == before


def test_an_input_that_the_user_made_by_hand_is_used_and_given_back(obs: FakeObs, desk: Desk):
    obs.add_input("game", TRACK_KIND, "Chatting")
    before = obs.state()
    provisioner = desk.provisioner()
    assert provisioner.apply(obs).complete
    assert obs.inputs["game"]["settings"] == {"session": "gaming", "track": "game"}
    provisioner.restore(obs)
    after = obs.state()
    assert after == before


def test_a_scene_in_the_way_is_said(obs: FakeObs, desk: Desk):
    obs.request("CreateScene", sceneName="game")
    report = desk.provisioner().apply(obs)
    assert "a scene of OBS has that name" in report.errors[0]
    report = desk.provisioner(scene="Camera").apply(obs)
    assert '"Camera" is to be a scene, and is an input' in report.errors[0]


def an_obs(version: str, transport: str) -> FakeObs:
    """An OBS that has all of what a transport takes."""
    obs = FakeObs(version=version)
    if transport == "native":
        obs.kinds.append(PIPEWIRE_KIND)
        obs.defaults[PIPEWIRE_KIND] = {"CaptureMode": 0}
    return obs


@pytest.mark.parametrize("transport", ["plugin", "native"])
@pytest.mark.parametrize("version", ["29.0.2", "30.2.0"])
def test_an_input_renamed_by_hand_gets_its_name_back(desk: Desk, version: str, transport: str):
    obs = an_obs(version, transport)
    before = obs.state()
    provisioner = desk.provisioner(transport=transport)
    provisioner.apply(obs)
    obs.request("SetInputName", inputName="game", newInputName="My game")
    obs.inputs["My game"]["tracks"] = {5}
    assert [str(step) for step in provisioner.plan(obs).steps] == [
        '~ input "My game" (name: "My game" -> "game")',
        '~ input "game" (OBS tracks: 5 -> 1, 2)',
    ]
    assert provisioner.apply(obs).complete
    assert provisioner.plan(obs).empty
    obs.request("SetInputName", inputName="game", newInputName="Mine")
    provisioner.restore(obs)
    assert obs.state() == before


@pytest.mark.parametrize("version", ["29.0.2", "30.2.0"])
def test_an_input_of_the_users_that_takes_the_same_program_is_left_alone(desk: Desk, version: str):
    obs = an_obs(version, "native")
    obs.request("CreateScene", sceneName="Mine")
    provisioner = desk.provisioner(transport="native", desktop_audio=None)
    provisioner.apply(obs)
    settings = copy.deepcopy(obs.inputs["game"]["settings"])
    obs.add_input("My game", PIPEWIRE_KIND, "Mine", **settings)
    mine = copy.deepcopy(obs.inputs["My game"])

    plan = provisioner.plan(obs)
    assert plan.empty
    assert any('"My game" is on all six tracks' in warning for warning in plan.warnings)
    # Nor does it become ours when ours is gone, nor goes it in its place.
    remove_input(obs, "game")
    assert [str(step) for step in provisioner.apply(obs).done] == [
        f'+ input "game" (kind: {PIPEWIRE_KIND}; OBS tracks: 1, 2; scene: Gaming)'
    ]
    remove_input(obs, "game")
    provisioner.restore(obs)
    assert obs.inputs["My game"] == mine
    assert "Voice chat" not in obs.inputs


def test_a_capture_of_programs_that_is_too_old_is_refused(desk: Desk):
    obs = an_obs("29.0.2", "native")
    del obs.defaults[PIPEWIRE_KIND]["CaptureMode"]
    obs.defaults[PIPEWIRE_KIND]["ExceptApp"] = False
    with pytest.raises(ObsError, match="is older than"):
        desk.provisioner(transport="native").apply(obs)
    assert obs.changes() == []


def test_an_input_of_ours_that_was_renamed_and_changed_is_known_by_its_id(desk: Desk):
    obs = FakeObs(version="30.2.0")
    provisioner = desk.provisioner()
    provisioner.apply(obs)
    obs.request("SetInputName", inputName="game", newInputName="My game")
    obs.inputs["My game"]["settings"] = {"session": "elsewhere", "track": "?"}
    provisioner.apply(obs)
    assert obs.inputs["game"]["settings"] == {"session": "gaming", "track": "game"}
    assert "My game" not in obs.inputs


def test_a_track_that_leaves_the_profile_leaves_obs(obs: FakeObs, desk: Desk):
    desk.provisioner().apply(obs)
    less = desk.provisioner(tracks={"voice": {"to": 3, "name": "Chat"}})
    assert [str(step) for step in less.plan(obs).steps if step.sign == "-"] == ['- input "game"']
    assert less.apply(obs).complete
    assert set(obs.inputs) == {"Desktop Audio", "Mic/Aux", "Camera", "Music", "Chat"}
    assert less.plan(obs).empty


@pytest.mark.parametrize("output", ["Record", "Stream"])
def test_what_needs_obs_stopped_waits_and_the_rest_does_not(obs: FakeObs, desk: Desk, output: str):
    obs.running.add(output)
    provisioner = desk.provisioner()
    report = provisioner.apply(obs)
    assert not report.complete
    assert [step.subject for step in report.waiting] == ['OBS profile "Untitled"']
    assert (
        "OBS would record track 1 instead of 1, 2, 3, as its output mode is Simple; stop the"
        in (report.errors[0])
    )
    assert ("Output", "Mode") not in obs.parameters
    assert "game" in obs.inputs
    obs.running.clear()
    assert provisioner.apply(obs).complete
    assert obs.recorded_tracks() == [1, 2, 3]


def test_an_output_that_is_started_meanwhile_is_waited_for_too(
    obs: FakeObs, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    create = obs._CreateInput

    def record_meanwhile(**data: object):
        obs.running.add("Record")
        return create(**data)

    monkeypatch.setattr(obs, "_CreateInput", record_meanwhile)
    provisioner = desk.provisioner()
    report = provisioner.apply(obs)
    assert [step.subject for step in report.waiting] == ['OBS profile "Untitled"']
    assert ("Output", "Mode") not in obs.parameters
    obs.running.clear()
    assert provisioner.apply(obs).complete


def test_who_is_stopped_while_an_obs_profile_is_loaded_again_goes_back_to_it(
    obs: FakeObs, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    make = obs._make_profile

    def interrupt(name: str):
        make(name)
        monkeypatch.undo()
        raise KeyboardInterrupt

    monkeypatch.setattr(obs, "_make_profile", interrupt)
    provisioner = desk.provisioner()
    with pytest.raises(KeyboardInterrupt):
        provisioner.apply(obs)
    assert list(obs.profiles) == [obs.profile] == ["Untitled"]
    assert provisioner.apply(obs).complete


def test_an_obs_profile_that_was_left_is_gone_back_to_once_nothing_runs(
    obs: FakeObs, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    make = obs._make_profile

    def crash(name: str):
        make(name)
        obs.ends_after = 0

    monkeypatch.setattr(obs, "_make_profile", crash)
    provisioner = desk.provisioner()
    with pytest.raises(ObsNotRunning):
        provisioner.apply(obs)
    obs.ends_after = None
    monkeypatch.undo()
    obs.running.add("Record")
    provisioner.apply(obs)
    assert obs.profile == RELOADING
    obs.running.clear()
    assert provisioner.apply(obs).complete
    assert list(obs.profiles) == [obs.profile] == ["Untitled"]


def test_nothing_is_put_back_by_halves_while_obs_records(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner()
    provisioner.apply(obs)
    before = obs.state()
    obs.running.add("Record")
    with pytest.raises(ObsError, match="nothing was put back, as the recording of OBS runs"):
        provisioner.restore(obs)
    assert obs.state() == before


def test_an_obs_that_goes_on_recording_one_track_is_an_error(obs: FakeObs, desk: Desk):
    obs.ignored.add("SetProfileParameter")
    report = desk.provisioner().apply(obs)
    assert not report.complete
    assert any("OBS would record track 1 instead of 1, 2, 3" in error for error in report.errors)


def test_an_obs_that_is_changed_to_record_one_track_is_an_error_until_it_is_not(
    obs: FakeObs, desk: Desk
):
    provisioner = desk.provisioner()
    assert provisioner.apply(obs).complete
    for tracks, is_wrong in (("1", True), ("7", False)):
        obs.request(
            "SetProfileParameter",
            parameterCategory="AdvOut",
            parameterName="RecTracks",
            parameterValue=tracks,
        )
        provisioner.plan(obs)
        assert provisioner.report is not None
        said = " ".join(provisioner.report.errors)
        assert ("OBS would record track 1 instead of 1, 2, 3" in said) == is_wrong
        assert bool(provisioner.report.left) == is_wrong


def test_what_obs_does_not_keep_is_said(obs: FakeObs, desk: Desk):
    obs.ignored.add("SetInputMute")
    report = desk.provisioner().apply(obs)
    assert report.errors == ('OBS did not keep ~ input "Mic/Aux" (muted: no -> yes).',)


def test_a_request_that_obs_refuses_is_said_and_the_rest_is_made(
    obs: FakeObs, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    def refuse(inputName: str, **rest: Any) -> dict[str, Any]:  # noqa: N803 - OBS's name
        if inputName == "game":
            raise ObsRefused("CreateInput", 700, "Creation failed.")
        return create(inputName=inputName, **rest)

    create = obs._CreateInput
    monkeypatch.setattr(obs, "_CreateInput", refuse)
    provisioner = desk.provisioner()
    report = provisioner.apply(obs)
    assert "OBS did not take" in report.errors[0]
    assert '+ input "game"' in report.errors[0]
    assert "Voice chat" in obs.inputs
    # It was not made, so what comes under that name is not ours to remove.
    obs.add_input("game", TRACK_KIND, "Chatting", session="gaming", track="game")
    provisioner.restore(obs)
    assert "game" in obs.inputs


def test_a_scene_that_is_renamed_while_it_is_read_is_read_again(
    obs: FakeObs, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    provisioner = desk.provisioner(scene="*")
    assert provisioner.apply(obs).complete

    def rename_first(sceneName: str) -> dict[str, Any]:  # noqa: N803 - OBS's name
        if "Chatting" in obs.scenes:
            obs._SetSceneName("Chatting", "Just Chatting")
        return items_of(sceneName)

    items_of = obs._GetSceneItemList
    monkeypatch.setattr(obs, "_GetSceneItemList", rename_first)
    assert provisioner.plan(obs).empty


def test_a_scene_that_is_renamed_before_its_step_is_made_is_no_error(
    obs: FakeObs, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    def rename_first(sceneName: str, **rest: Any) -> dict[str, Any]:  # noqa: N803 - OBS's name
        if "Chatting" in obs.scenes:
            obs._SetSceneName("Chatting", "Just Chatting")
        return create(sceneName=sceneName, **rest)

    create = obs._CreateSceneItem
    monkeypatch.setattr(obs, "_CreateSceneItem", rename_first)
    report = desk.provisioner(scene="*").apply(obs)
    assert report.errors == ()
    assert "Just Chatting" in scenes_with(obs)


def test_a_profile_of_our_own_begins_as_the_users_and_keeps_his_stream_key_to_obs(
    obs: FakeObs, desk: Desk
):
    obs.parameters[("Video", "BaseCX")] = "2560"
    obs.parameters[("Audio", "SampleRate")] = "44100"
    before = copy.deepcopy(obs.profiles["Untitled"])
    report = desk.provisioner(own_profile="PyPAC").apply(obs)
    assert report.complete
    assert obs.profile == "PyPAC"
    assert obs.profiles["Untitled"] == before
    assert obs.parameters[("Video", "BaseCX")] == "2560"
    assert obs.parameters[("AdvOut", "RecFilePath")] == "/videos"
    assert obs.loaded == obs.parameters
    assert obs.services["PyPAC"] == {"key": "live_very_secret"}
    written = "".join(path.read_text() for path in desk.journals())
    assert "PyPAC" in written
    assert "live_very_secret" not in written
    assert "live_very_secret" not in repr(report)


def test_a_profile_of_our_own_is_a_whole_copy_also_where_the_connection_was_lost(
    obs: FakeObs, desk: Desk, tmp_path: Path
):
    obs.parameters[("Video", "BaseCX")] = "2560"
    obs.parameters[("Audio", "SampleRate")] = "44100"
    users = copy.deepcopy(obs.profiles["Untitled"])
    moment = 0
    while True:
        desk = Desk(tmp_path / str(moment))
        desk.provisioner(own_profile="PyPAC").restore(obs)
        obs.ends_after = moment
        with contextlib.suppress(ObsNotRunning):
            desk.provisioner(own_profile="PyPAC").apply(obs)
        was_lost, obs.ends_after = obs.ends_after == 0, None
        if moment % 2:  # or else the user has had enough of it
            desk.provisioner(own_profile="PyPAC").restore(obs)
            assert (list(obs.profiles), obs.profile) == (["Untitled"], "Untitled")
        provisioner = desk.provisioner(own_profile="PyPAC")
        assert provisioner.apply(obs).complete
        assert provisioner.plan(obs).empty
        assert obs.profile == "PyPAC"
        assert obs.services["PyPAC"] == {"key": "live_very_secret"}
        for key, value in {**users, ("AdvOut", "RecTracks"): "7"}.items():
            assert obs.parameters.get(key) == value or value == DEFAULTS.get(key), moment
        assert obs.profiles["Untitled"] == users
        provisioner.restore(obs)
        assert list(obs.profiles) == ["Untitled"]
        if not was_lost:
            break
        moment += 1
    assert moment > 20


@pytest.mark.parametrize("after", ["CreateProfile", "SetCurrentProfile"])
def test_an_obs_profile_that_a_crash_left_away_is_found_by_another_profile_too(
    obs: FakeObs, desk: Desk, after: str, monkeypatch: pytest.MonkeyPatch
):
    obs.parameters[("Audio", "SampleRate")] = "44100"
    before = obs.state()
    first = desk.provisioner()

    def lose(**_: Any) -> None:
        obs.ends_after = 0
        raise ObsNotRunning("the connection to OBS was lost")

    create = obs._CreateProfile
    with monkeypatch.context() as patched:
        if after == "CreateProfile":  # its sample rate is not set yet
            patched.setattr(obs, "_CreateProfile", lambda **name: (create(**name), lose()))
        else:
            patched.setattr(obs, "_SetCurrentProfile", lose)
        with pytest.raises(ObsNotRunning):
            first.apply(obs)
    obs.ends_after = None
    assert obs.profile == RELOADING
    damaged = Journal.of(identity_of(obs), "damaged", desk.environ)
    damaged.path.write_text("{")
    tracks = {"game": {"to": 4, "name": "Second game"}}
    second = desk.provisioner("second", tracks=tracks, scene="Other")
    assert second.apply(obs).complete
    assert obs.profile == "Untitled"
    for provisioner in (second, first):
        assert provisioner.restore(obs).complete
    assert obs.state() == before


def test_a_profile_of_that_name_which_the_user_had_is_put_back_not_removed(
    obs: FakeObs, desk: Desk
):
    obs.profiles["PyPAC"], obs.services["PyPAC"] = {("AdvOut", "RecTracks"): "3"}, {}
    before = obs.state()
    provisioner = desk.provisioner(own_profile="PyPAC")
    assert provisioner.apply(obs).complete
    assert obs.recorded_tracks() == [1, 2, 3]
    provisioner.restore(obs)
    assert obs.state() == before


def test_a_scene_collection_of_our_own_leaves_the_users_alone(obs: FakeObs, desk: Desk):
    before = copy.deepcopy(obs.collections["Untitled"])
    provisioner = desk.provisioner(**OWN)
    assert provisioner.apply(obs).complete
    assert obs.collections["Untitled"] == before
    assert obs.collection == "PyPAC"
    assert "game" in obs.inputs
    assert obs.here["program"] == "Gaming"  # it is ours, and nothing else is in it
    obs.request("SetCurrentSceneCollection", sceneCollectionName="Untitled")
    plan = provisioner.plan(obs)
    assert str(plan.steps[0]) == '~ scene collection "PyPAC" (in use: "Untitled" -> "PyPAC")'
    assert "shows once it is loaded" in plan.notes[1]
    assert provisioner.apply(obs).complete
    assert obs.collection == "PyPAC"


def test_a_scene_collection_of_our_own_with_something_of_the_users_stays(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner(**OWN)
    provisioner.apply(obs)
    obs.add_input("Camera of weeks", "v4l2_input", scene="Gaming")
    report = provisioner.restore(obs)
    assert report.complete
    [note] = (note for note in report.notes if "PyPAC" in note)
    assert note == (
        'The scene collection "PyPAC" stays: there is something else in it now (Camera of weeks).'
    )
    assert obs.collection == "Untitled"
    obs.request("SetCurrentSceneCollection", sceneCollectionName="PyPAC")
    assert "Camera of weeks" in obs.inputs
    assert "game" not in obs.inputs


def test_two_scene_collections_are_both_put_back(obs: FakeObs, desk: Desk):
    obs.collections["Second"] = obs._new_collection()
    before = obs.state()
    provisioner = desk.provisioner()
    provisioner.apply(obs)
    obs.request("SetCurrentSceneCollection", sceneCollectionName="Second")
    provisioner.apply(obs)
    obs.request("SetCurrentSceneCollection", sceneCollectionName="Untitled")
    assert provisioner.restore(obs).complete
    assert obs.state() == before


def test_a_setting_that_equals_the_default_is_put_back_as_set(obs: FakeObs, desk: Desk):
    obs.parameters[("AdvOut", "RecTracks")] = "1"
    before = obs.state()
    provisioner = desk.provisioner()
    provisioner.apply(obs)
    provisioner.restore(obs)
    assert obs.state() == before


def test_a_format_that_holds_one_track_is_changed(obs: FakeObs, desk: Desk):
    obs.parameters[("SimpleOutput", "RecFormat")] = "flv"
    desk.provisioner().apply(obs)
    assert obs.parameters[("AdvOut", "RecFormat")] == "mkv"


def test_the_vod_track_is_set(obs: FakeObs, desk: Desk):
    assert desk.provisioner(recording=None, vod_track=5).apply(obs).complete
    assert obs.loaded[("AdvOut", "VodTrackEnabled")] == "true"
    assert obs.loaded[("AdvOut", "VodTrackIndex")] == "5"
    assert ("AdvOut", "RecTracks") not in obs.parameters


def test_without_recording_and_vod_track_the_obs_profile_is_not_touched(obs: FakeObs, desk: Desk):
    before = copy.deepcopy(obs.profiles)
    desk.provisioner(recording=None).apply(obs)
    assert obs.profiles == before
    assert not any("Profile" in kind for kind in obs.changes())


def test_what_the_user_put_into_our_scene_stays(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner()
    provisioner.apply(obs)
    obs._add_item("Gaming", "Camera", enabled=True)
    report = provisioner.restore(obs)
    assert 'The scene "Gaming" stays: there is something else in it now (Camera).' in report.notes
    assert [item["source"] for item in obs.scenes["Gaming"]] == ["Camera"]
    assert "game" not in obs.inputs


def test_two_sessions_share_an_obs(obs: FakeObs, desk: Desk):
    before = obs.state()
    first = desk.provisioner()
    tracks = {"game": {"to": 4, "name": "Second game"}}
    second = desk.provisioner("second", tracks=tracks, scene="Other")
    assert first.apply(obs).complete
    assert second.apply(obs).complete
    assert first.plan(obs).empty
    assert second.restore(obs).complete
    assert first.plan(obs).empty
    assert first.restore(obs).complete
    assert obs.state() == before


def test_nothing_is_changed_where_the_journal_cannot_be_written(
    obs: FakeObs, desk: Desk, tmp_path: Path
):
    desk.keep_state_in(tmp_path / "file")
    (tmp_path / "file").write_text("")
    before = obs.state()
    with pytest.raises(OutputFailed, match="cannot be written"):
        desk.provisioner().apply(obs)
    assert obs.state() == before


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 2}', "null", '{"version": 1, "collections": 5}']
)
def test_a_damaged_journal_is_said_and_nothing_is_changed(obs: FakeObs, desk: Desk, text: str):
    journal = Journal.of(identity_of(obs), "gaming", desk.environ)
    journal.path.parent.mkdir(parents=True)
    journal.path.write_text(text)
    before = obs.state()
    with pytest.raises(PypacError, match="cannot be read"):
        desk.provisioner().apply(obs)
    assert obs.state() == before


def test_without_our_plugin_the_remedy_is_said(desk: Desk):
    with pytest.raises(ObsError, match="does not have our source plugin") as caught:
        desk.provisioner().plan(FakeObs(plugin=False))
    assert "pypac-obs obs install" in caught.value.remedy


def test_a_profile_without_obs_is_refused():
    data = {"version": 1, "sources": {"a": {"process": "a"}}, "tracks": {"a": {"from": "a"}}}
    with pytest.raises(ObsError, match="says nothing about OBS"):
        Provisioner(Profile.from_dict(data), "a")


# Scenes ------------------------------------------------------------------------------------------


def scenes_with(obs: FakeObs, name: str = "game") -> list[str]:
    """The scenes that have an input, once for each visible item of it."""
    return [
        scene
        for scene, items in obs.scenes.items()
        for item in items
        if item["source"] == name and item["enabled"]
    ]


def nest(obs: FakeObs, inner: str, outer: str) -> dict[str, Any]:
    obs._add_item(outer, inner, enabled=True)
    return obs.scenes[outer][-1]


@pytest.mark.parametrize(
    ("scene", "meant"),
    [
        ("*", ["Scene", "Chatting", "[Live] Game"]),
        (["chat*", "[LIVE] ?ame"], ["Chatting", "[Live] Game"]),
        (["Chatting", "New", "*ene"], ["Scene", "Chatting", "New"]),
        (["Chatting", "chatting"], ["Chatting", "chatting"]),
    ],
)
def test_one_input_is_in_each_scene_that_is_meant(
    obs: FakeObs, desk: Desk, scene: Any, meant: list[str]
):
    obs.request("CreateScene", sceneName="[Live] Game")
    before = obs.state()
    provisioner = desk.provisioner(scene=scene)
    assert provisioner.apply(obs).complete
    assert scenes_with(obs, "game") == scenes_with(obs, "Voice chat") == meant
    assert obs.here["program"] == "Chatting"
    obs.asked.clear()
    assert provisioner.plan(obs).empty
    assert provisioner.apply(obs).done == ()
    assert obs.changes() == []
    assert provisioner.restore(obs).complete
    assert obs.state() == before


def test_a_plan_names_the_scenes(obs: FakeObs, desk: Desk):
    steps = [str(step) for step in desk.provisioner(scene=["Chatting", "New"]).plan(obs).steps]
    assert steps[0] == '+ scene "New"'
    assert steps[1] == (
        f'+ input "game" (kind: {TRACK_KIND}; OBS tracks: 1, 2; scenes: Chatting, New)'
    )


def test_a_pattern_that_fits_no_scene_makes_none_and_is_said(obs: FakeObs, desk: Desk):
    before = obs.state()
    provisioner = desk.provisioner(scene=["Gam*", "x?"], recording=None)
    plan = provisioner.plan(obs)
    assert plan.conflicts == (
        'OBS has no scene that fits "Gam*" and "x?", so no input is made. Make one in OBS, or name '
        "one at `scene` in outputs.obs.",
    )
    assert not provisioner.apply(obs).complete
    assert obs.scenes.keys() == before[3]["Untitled"]["scenes"].keys()
    obs.request("CreateScene", sceneName="Gaming")
    assert provisioner.apply(obs).complete
    assert scenes_with(obs) == ["Gaming"]


def test_a_scene_that_shows_another_gets_none_of_its_own(obs: FakeObs, desk: Desk):
    for name in ("Inner", "Middle", "Outer"):
        obs.request("CreateScene", sceneName=name)
    nest(obs, "Inner", "Middle")
    nested = nest(obs, "Middle", "Outer")
    provisioner = desk.provisioner(scene="*")
    report = provisioner.apply(obs)
    assert report.complete
    assert scenes_with(obs) == ["Scene", "Chatting", "Inner"]
    assert '"Outer" and "Middle" get no inputs of their own: "Inner", shown in it, has them.' in (
        report.notes
    )
    nested["enabled"] = False
    assert [str(step) for step in provisioner.plan(obs).steps] == [
        '+ input "game" in the scene "Outer"',
        '+ input "Voice chat" in the scene "Outer"',
    ]
    assert provisioner.apply(obs).complete
    assert scenes_with(obs) == ["Scene", "Chatting", "Inner", "Outer"]
    nested["enabled"] = True
    assert [str(step) for step in provisioner.plan(obs).steps] == [
        '- input "game" in the scene "Outer"',
        '- input "Voice chat" in the scene "Outer"',
    ]
    assert provisioner.apply(obs).complete
    assert scenes_with(obs) == ["Scene", "Chatting", "Inner"]
    assert provisioner.plan(obs).empty


def test_a_scene_that_is_shown_in_a_group_counts_while_the_group_is_visible(
    obs: FakeObs, desk: Desk
):
    obs.here["groups"]["Group"] = [{"id": 1, "source": "Chatting", "enabled": True}]
    obs._add_item("Scene", "Group", enabled=True)
    provisioner = desk.provisioner(scene="*")
    provisioner.apply(obs)
    assert scenes_with(obs) == ["Chatting"]
    obs.scenes["Scene"][0]["enabled"] = False
    provisioner.apply(obs)
    assert scenes_with(obs) == ["Scene", "Chatting"]


def test_an_input_that_the_user_moved_into_a_group_is_not_heard_twice(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner(scene="Chatting")
    provisioner.apply(obs)
    obs.here["groups"]["Group"] = [{"id": 7, "source": "game", "enabled": True}]
    obs.scenes["Chatting"] = [i for i in obs.scenes["Chatting"] if i["source"] != "game"]
    obs._add_item("Chatting", "Group", enabled=True)
    assert provisioner.plan(obs).empty
    obs.here["groups"]["Group"][0]["enabled"] = False
    assert provisioner.apply(obs).complete
    assert obs.here["groups"]["Group"][0]["enabled"]
    assert scenes_with(obs) == []


def test_what_is_removed_or_hidden_in_one_of_the_scenes_is_mended(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner(scene="*")
    provisioner.apply(obs)
    obs.scenes["Scene"] = [i for i in obs.scenes["Scene"] if i["source"] != "game"]
    obs.scenes["Chatting"][-1]["enabled"] = False
    assert [str(step) for step in provisioner.plan(obs).steps] == [
        '+ input "game" in the scene "Scene"',
        '~ input "Voice chat" in the scene "Chatting" (visible: no -> yes)',
    ]
    assert provisioner.apply(obs).complete
    assert provisioner.plan(obs).empty


def test_a_scene_that_leaves_the_profile_loses_what_we_made_in_it_and_nothing_else(
    obs: FakeObs, desk: Desk
):
    before = obs.state()
    desk.provisioner(scene="*").apply(obs)
    obs.request("CreateScene", sceneName="Mine")
    obs._add_item("Mine", "game", enabled=True)
    less = desk.provisioner(scene="Chatting")
    assert less.apply(obs).complete
    assert scenes_with(obs) == ["Chatting", "Mine"]
    assert scenes_with(obs, "Voice chat") == ["Chatting"]
    assert less.plan(obs).empty
    less.restore(obs)
    obs.request("RemoveScene", sceneName="Mine")
    assert obs.state() == before


def test_a_scene_that_was_renamed_is_still_known(obs: FakeObs, desk: Desk):
    provisioner = desk.provisioner(scene="*")
    provisioner.apply(obs)
    obs.request("SetSceneName", sceneName="Scene", newSceneName="Talk")
    provisioner.note_renamed_scene(obs, "Scene", "Talk")
    assert provisioner.plan(obs).empty
    less = desk.provisioner(scene="Chatting")
    assert less.apply(obs).complete
    assert scenes_with(obs) == ["Chatting"]


def test_of_an_input_of_the_users_only_the_items_that_we_made_are_removed(obs: FakeObs, desk: Desk):
    obs.add_input("game", TRACK_KIND, "Chatting")
    obs.scenes["Chatting"][-1]["enabled"] = False
    obs.request("CreateScene", sceneName="Third")
    before = obs.state()
    provisioner = desk.provisioner(scene="*")
    assert provisioner.apply(obs).complete
    assert scenes_with(obs) == ["Scene", "Chatting", "Third"]
    assert provisioner.plan(obs).empty
    assert desk.provisioner(scene=["Scene", "Chatting"]).apply(obs).complete
    assert scenes_with(obs) == ["Scene", "Chatting"]
    provisioner.restore(obs)
    assert obs.state() == before


def test_a_request_that_is_refused_halfway_leaves_what_was_made_ours(
    obs: FakeObs, desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    def refuse(**_: Any) -> dict[str, Any]:
        raise ObsRefused("CreateSceneItem", 700, "Creation failed.")

    before = obs.state()
    provisioner = desk.provisioner(scene="*")
    with monkeypatch.context() as patched:
        patched.setattr(obs, "_CreateSceneItem", refuse)
        assert not provisioner.apply(obs).complete
    assert "game" in obs.inputs
    provisioner.restore(obs)
    assert obs.state() == before


def test_a_new_scene_collection_begins_with_a_scene_of_obss_own(obs: FakeObs, desk: Desk):
    before = copy.deepcopy(obs.collections["Untitled"])
    provisioner = desk.provisioner(scene="*", **OWN)
    assert "shows once it is loaded" in provisioner.plan(obs).notes[1]
    assert provisioner.apply(obs).complete
    assert obs.collections["Untitled"] == before
    assert scenes_with(obs) == ["Scene"]


def test_the_first_scene_that_is_named_is_shown_in_a_collection_of_our_own(
    obs: FakeObs, desk: Desk
):
    assert desk.provisioner(scene=["One", "Two"], **OWN).apply(obs).complete
    assert obs.here["program"] == "One"
    assert scenes_with(obs) == ["One", "Two"]


@pytest.mark.parametrize("scene", ["*", "Gaming"])
def test_nothing_is_made_in_the_users_scenes_while_ours_have_to_wait(
    obs: FakeObs, desk: Desk, scene: str
):
    before = copy.deepcopy(obs.collections["Untitled"])
    obs.running.add("Record")
    report = desk.provisioner(scene=scene, **OWN).apply(obs)
    assert report.waiting[0].subject == 'scene collection "PyPAC"'
    assert obs.collections["Untitled"] == before


# Whatever OBS answers -----------------------------------------------------------------------------

JUNK = [None, 5, "text", "9" * 5000, ["x", 7, None], {"x": None}]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_whatever_obs_answers_it_ends_in_an_error_or_a_report(
    desk: Desk, junk: object, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(slow_requests, "_SLOW_S", 0.2)  # of patience with an OBS that is just slow
    provisioner = desk.provisioner(own_profile="PyPAC")
    kinds = [name[1:] for name in dir(FakeObs) if name.startswith("_Get")]
    assert len(kinds) > 15
    for kind in kinds:
        for key in ("", *_keys(an_obs("29.0.2", "native"), kind)):
            obs = an_obs("29.0.2", "native")
            obs.junk[kind] = {key: junk} if key else {}
            for act in (provisioner.apply, provisioner.restore):
                # The fake complains about requests that follow from its own lies.
                with contextlib.suppress(PypacError, AssertionError):
                    act(obs)


def _keys(obs: FakeObs, kind: str) -> list[str]:
    """The keys of OBS's answer to a request."""
    data = {
        "GetProfileParameter": {"parameterCategory": "Output", "parameterName": "Mode"},
        "GetSceneItemList": {"sceneName": "Scene"},
        "GetGroupSceneItemList": {"sceneName": "Scene"},
        "GetInputDefaultSettings": {"inputKind": PIPEWIRE_KIND},
        "GetPersistentData": {"realm": "OBS_WEBSOCKET_DATA_REALM_GLOBAL", "slotName": "pypac-obs"},
    }.get(kind, {"inputName": "Mic/Aux"} if "GetInput" in kind and "List" not in kind else {})
    try:
        return list(obs.request(kind, **data))
    except ObsRefused:
        return ["outputActive"]
