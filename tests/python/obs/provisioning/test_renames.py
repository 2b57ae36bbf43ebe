# SPDX-License-Identifier: MIT
"""What the user renames in OBS is put back all the same, and what is left is not forgotten."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from fake_obs import FakeObs

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.status import TRACK_KIND
from pypac_obs.obs.provisioning.identity import identity_of
from pypac_obs.obs.provisioning.journal import Journal
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.provisioning.removal import remove_input
from pypac_obs.obs.provisioning.renames import KNOWN_BY
from pypac_obs.obs.provisioning.watch import DriftWatch
from pypac_obs.profile import Profile

pytestmark = pytest.mark.parametrize("version", ["29.0.2", "30.2.0"])


class Desk:
    """An OBS with something of its user's in it, a profile for it, and the journal of both."""

    def __init__(self, folder: Path, version: str) -> None:
        self.obs = FakeObs(version=version)
        self.obs.inputs["Desktop Audio"] |= {"tracks": {1, 4}, "factor": 0.25}
        self.obs.parameters[("AdvOut", "RecTracks")] = "2"
        self.environ = {name: str(folder) for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA")}

    @property
    def journal(self) -> Journal:
        return Journal.of(identity_of(self.obs), "gaming", self.environ)

    def provisioner(self, **changes: Any) -> Provisioner:
        rule = {
            "tracks": {"game": 2},
            "desktop_audio": "unassign",
            "mic_aux": "mute",
            "recording": {"tracks": [1, 2], "names": {1: "Mix"}},
        }
        data = {
            "version": 1,
            "session": {"latency_ms": 10},
            "sources": {"game": {"process": "game"}},
            "tracks": {"game": {"from": "game"}},
            "outputs": {"obs": rule | changes},
        }
        profile = Profile.from_dict(data, name="gaming")
        return Provisioner(profile, "gaming", environ=self.environ)

    def rename(self, before: str, after: str) -> None:
        self.obs.request("SetInputName", inputName=before, newInputName=after)

    def forget_marks(self) -> None:
        """Makes the journal one of a version that noted names alone."""

        def without(value: Any) -> Any:
            if not isinstance(value, dict):
                return value
            return {
                k: without(v) for k, v in value.items() if k not in (KNOWN_BY, "set_parameters")
            }

        self.journal.path.write_text(json.dumps(without(self.journal.read())))


@pytest.fixture
def desk(tmp_path: Path, version: str) -> Desk:
    return Desk(tmp_path, version)


def renamed(state: dict[int, Any], **names: str) -> dict[int, Any]:
    """The state of an OBS, with other names in it."""
    text = repr(state)
    for before, after in names.items():
        text = text.replace(repr(before.replace("_", " ")), repr(after))
    changed: dict[int, Any] = eval(text)
    return changed


def test_an_input_that_was_renamed_is_put_back_under_its_new_name(desk: Desk):
    before = desk.obs.state()
    assert desk.provisioner().apply(desk.obs).complete
    assert desk.obs.inputs["Desktop Audio"]["tracks"] == set()
    desk.rename("Desktop Audio", "Speakers")
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.state() == renamed(before, Desktop_Audio="Speakers")
    assert not desk.journal.path.exists()


def test_inputs_that_swapped_their_names_are_not_taken_for_each_other(desk: Desk):
    before = copy.deepcopy(desk.obs.inputs)
    assert desk.provisioner().apply(desk.obs).complete
    desk.rename("Desktop Audio", "Meanwhile")
    desk.rename("Mic/Aux", "Desktop Audio")
    desk.rename("Meanwhile", "Mic/Aux")
    assert desk.provisioner().plan(desk.obs).empty
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.inputs["Mic/Aux"] == before["Desktop Audio"]
    assert desk.obs.inputs["Desktop Audio"] == before["Mic/Aux"]


def test_another_input_that_got_the_name_is_left_alone(desk: Desk):
    assert desk.provisioner().apply(desk.obs).complete
    desk.rename("Desktop Audio", "Speakers")
    desk.obs.add_input("Desktop Audio", "ffmpeg_source", "Scene")["tracks"] = {6}
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.inputs["Speakers"]["tracks"] == {1, 4}
    assert desk.obs.inputs["Desktop Audio"]["tracks"] == {6}


def test_an_input_of_the_users_that_we_use_is_known_by_what_it_takes(desk: Desk):
    desk.obs.add_input("game", TRACK_KIND, "Scene")
    desk.obs.scenes["Scene"][-1]["enabled"] = False
    before = desk.obs.state()
    assert desk.provisioner().apply(desk.obs).complete
    assert desk.obs.inputs["game"]["tracks"] == {2}
    desk.rename("game", "Mine")
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.state() == renamed(before, game="Mine")


def test_an_input_of_the_users_that_is_renamed_again_and_again_is_put_back(desk: Desk):
    desk.obs.add_input("Mine", TRACK_KIND, "Scene", session="gaming", track="game")
    before = desk.obs.state()
    for name in ("Mine", "Ours"):
        assert desk.provisioner().apply(desk.obs).complete
        assert desk.obs.inputs["game"]["tracks"] == {2}
        desk.rename("game", name)
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.inputs["Mine"]["tracks"] == set(range(1, 7))
    assert desk.obs.state() == before


def test_an_input_of_ours_in_the_place_of_one_of_the_users_is_not_taken_for_that(desk: Desk):
    desk.obs.add_input("game", TRACK_KIND, "Scene")
    assert desk.provisioner().apply(desk.obs).complete
    remove_input(desk.obs, "game")
    assert desk.provisioner().apply(desk.obs).complete
    assert "game" in desk.obs.inputs
    report = desk.provisioner().restore(desk.obs)
    assert "game" not in desk.obs.inputs
    [error] = report.errors
    assert error.startswith('The input "game" of the scene collection "Untitled" is gone')
    assert "(takes: nothing, OBS tracks: 1, 2, 3, 4, 5, 6)" in error


def test_the_first_value_wins_also_under_another_name(desk: Desk):
    assert desk.provisioner().apply(desk.obs).complete
    desk.rename("Desktop Audio", "Speakers")
    desk.obs.inputs["Speakers"]["tracks"] = {6}
    assert desk.provisioner().apply(desk.obs).complete
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.inputs["Speakers"]["tracks"] == {1, 4}


def test_what_is_renamed_while_a_session_runs_is_heard(desk: Desk):
    provisioner = desk.provisioner()
    assert provisioner.apply(desk.obs).complete
    desk.forget_marks()  # as if nothing outlasted the name
    said: list[str] = []
    watch = DriftWatch(provisioner, mend=True, report=said.append, post=lambda job: True)
    try:
        for before, after in (("Desktop Audio", "Speakers"), ("Speakers", "Loud")):
            desk.rename(before, after)
            data = {"oldInputName": before, "inputName": after}
            watch.on_event(desk.obs, "InputNameChanged", data)
        # What is said of another scene collection, which was in use before, is not of this one.
        data = {"oldInputName": "Mic/Aux", "inputName": "Headset"}
        watch.on_event(desk.obs, "InputNameChanged", data)
        for data in ({}, {"oldInputName": 5, "inputName": "x"}, {"oldInputName": "Loud"}):
            watch.on_event(desk.obs, "InputNameChanged", data)
    finally:
        watch.stop()
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.inputs["Loud"]["tracks"] == {1, 4}
    assert not desk.obs.inputs["Mic/Aux"]["muted"]
    assert said == []


def test_a_scene_collection_that_was_renamed_is_put_back(desk: Desk):
    before = desk.obs.state()
    assert desk.provisioner().apply(desk.obs).complete
    desk.obs.rename_collection("Evening")
    assert desk.provisioner().plan(desk.obs).empty
    assert desk.provisioner().restore(desk.obs).complete
    before[3]["Evening"] = before[3].pop("Untitled")
    assert desk.obs.state() == before | {4: "Evening"}


def test_a_scene_collection_in_the_place_of_one_that_was_deleted_is_left_alone(desk: Desk):
    assert desk.provisioner().apply(desk.obs).complete
    desk.obs.collections["New"] = desk.obs._new_collection()
    desk.obs.request("SetCurrentSceneCollection", sceneCollectionName="New")
    desk.obs.add_special("desktop1", "Desktop Audio", "pulse_output_capture")
    gone = desk.obs.collections.pop("Untitled")
    before = copy.deepcopy(desk.obs.collections)
    report = desk.provisioner().restore(desk.obs)
    assert report.errors == (
        'The scene collection "Untitled" is gone or has another name now, so nothing in it was put '
        'back. If it was renamed, name it "Untitled" again in OBS, and restore once more.',
    )
    assert desk.obs.collections == before
    assert desk.obs.recorded_tracks() == [1]  # the OBS profile is put back all the same

    desk.obs.collections["Untitled"] = gone
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.collections["Untitled"]["inputs"].keys() == {"Desktop Audio", "Mic/Aux"}
    assert desk.obs.collections["Untitled"]["inputs"]["Desktop Audio"]["tracks"] == {1, 4}
    assert desk.obs.collection == "New"
    assert not desk.journal.path.exists()


def test_an_obs_profile_that_was_renamed_is_put_back(desk: Desk):
    before = desk.obs.state()
    assert desk.provisioner().apply(desk.obs).complete
    desk.obs.rename_profile("Stream")
    assert desk.provisioner().plan(desk.obs).empty
    assert desk.provisioner().restore(desk.obs).complete
    for kept in (before[0], before[1]):
        kept["Stream"] = kept.pop("Untitled")
    assert desk.obs.state() == before | {2: "Stream"}
    assert desk.obs.recorded_tracks() == [1]


def test_another_obs_profile_is_not_taken_for_the_one_that_is_gone(desk: Desk):
    assert desk.provisioner().apply(desk.obs).complete
    desk.obs.rename_profile("Stream")
    other = {("Output", "Mode"): "Advanced", ("AdvOut", "RecTracks"): "3"}
    desk.obs.profiles["Other"], desk.obs.services["Other"] = dict(other), {}
    desk.obs.request("SetCurrentProfile", profileName="Other")
    report = desk.provisioner().restore(desk.obs)
    assert [error.partition(",")[0] for error in report.errors] == [
        'The OBS profile "Untitled" is gone or has another name now'
    ]
    assert desk.obs.profiles["Other"] == other

    desk.obs.request("SetCurrentProfile", profileName="Stream")  # shows that it is the one
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.profiles["Stream"][("AdvOut", "RecTracks")] == "2"
    assert not desk.journal.path.exists()


def test_names_of_what_was_in_use_that_are_gone_do_not_keep_ours_there(desk: Desk):
    own = {"own_profile": "PyPAC", "own_scene_collection": "PyPAC"}
    for number in (1, 2):
        assert desk.provisioner(**own).apply(desk.obs).complete
        desk.obs.request("SetCurrentProfile", profileName=f"Untitled{' 1' * (number - 1)}")
        desk.obs.request(
            "SetCurrentSceneCollection", sceneCollectionName=f"Untitled{' 1' * (number - 1)}"
        )
        desk.obs.rename_profile(f"Untitled{' 1' * number}")
        desk.obs.rename_collection(f"Untitled{' 1' * number}")
    desk.obs.collections["Spare"] = desk.obs._new_collection()
    assert desk.provisioner(**own).apply(desk.obs).complete
    assert desk.provisioner(**own).restore(desk.obs).complete
    assert (desk.obs.profile, desk.obs.collection) == ("Untitled 1 1", "Untitled 1 1")
    assert "PyPAC" not in desk.obs.profiles
    del desk.obs.collections["PyPAC"]  # OBS has no request for it

    assert desk.provisioner(**own).apply(desk.obs).complete
    del desk.obs.profiles["Untitled 1 1"], desk.obs.services["Untitled 1 1"]
    del desk.obs.collections["Untitled 1 1"]
    report = desk.provisioner(**own).restore(desk.obs)
    assert report.complete
    assert desk.obs.collection == "Spare"
    assert 'The OBS profile "PyPAC" stays: it is in use.' in report.notes


def test_what_was_deleted_is_said_and_stays_noted_until_it_is_given_up(desk: Desk):
    assert desk.provisioner().apply(desk.obs).complete
    desk.obs.inputs.pop("Desktop Audio")
    del desk.obs.here["special"]["desktop1"]
    for _ in range(2):
        report = desk.provisioner().restore(desk.obs)
        assert report.errors == (
            'The input "Desktop Audio" of the scene collection "Untitled" is gone or has another '
            "name now, so it was not put back (OBS tracks: 1, 4). If it was renamed, name it "
            '"Desktop Audio" again in OBS, and restore once more.',
        )
        assert not desk.obs.inputs["Mic/Aux"]["muted"]
        assert "game" not in desk.obs.inputs
        assert desk.obs.recorded_tracks() == [1]
        # What was put back is the user's again, and no longer noted.
        desk.obs.request("SetInputMute", inputName="Mic/Aux", inputMuted=True)
        before = desk.obs.state()
        assert desk.provisioner().restore(desk.obs).done == ()
        assert desk.obs.state() == before
        desk.obs.request("SetInputMute", inputName="Mic/Aux", inputMuted=False)
    report = desk.provisioner().restore(desk.obs, forget=True)
    assert report.complete
    assert report.notes[0].startswith('Given up: The input "Desktop Audio" of the scene collection')
    assert not desk.journal.path.exists()


def test_what_nothing_is_known_of_but_its_name_is_put_back_once_it_has_that_again(desk: Desk):
    assert desk.provisioner().apply(desk.obs).complete
    desk.forget_marks()
    desk.rename("Desktop Audio", "Speakers")
    desk.obs.rename_profile("Stream")
    assert len(desk.provisioner().restore(desk.obs).errors) == 2
    assert desk.obs.inputs["Speakers"]["tracks"] == set()
    desk.rename("Speakers", "Desktop Audio")
    desk.obs.rename_profile("Untitled")
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.inputs["Desktop Audio"]["tracks"] == {1, 4}
    assert desk.obs.parameters[("AdvOut", "RecTracks")] == "2"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("SetInputAudioTracks", 'take back OBS tracks: 1, 2, 3, 4, 5, 6 of the input "game"'),
        ("SetSceneItemEnabled", 'take ~ input "game" in the scene "Scene"'),
        ("SetProfileParameter", 'take back AdvOut/RecTracks of the OBS profile "Untitled"'),
        ("RemoveScene", 'take - scene "Ours"'),
        ("RemoveProfile", 'take - OBS profile "PyPAC"'),
    ],
)
def test_one_thing_that_obs_refuses_does_not_keep_the_rest_from_being_put_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: str, words: str
):
    obs = desk.obs
    obs.add_input("game", TRACK_KIND, "Scene")["muted"] = True
    obs.scenes["Scene"][-1]["enabled"] = False
    changes: dict[str, Any] = {"scene": ["Scene", "Ours"]}
    changes |= {"tracks": {"game": {"to": 2, "mute": False}}}
    changes |= {"own_profile": "PyPAC"} if kind == "RemoveProfile" else {}
    before = obs.state()
    assert desk.provisioner(**changes).apply(obs).complete
    ask = getattr(obs, f"_{kind}")

    def refuse(**data: Any) -> Any:
        if data.get("parameterName") in (None, "RecTracks") and "PyPAC-OBS reloads" not in str(
            data
        ):
            raise ObsRefused(kind, 703, "Not now.")
        return ask(**data)

    with monkeypatch.context() as patched:
        patched.setattr(obs, f"_{kind}", refuse)
        report = desk.provisioner(**changes).restore(obs)
    assert any(f"OBS did not {words}" in error for error in report.errors), report.errors
    assert "Not now" in report.errors[0]
    assert not obs.inputs["Mic/Aux"]["muted"]
    assert obs.inputs["game"]["muted"]
    assert obs.loaded.get(("Output", "Mode")) is None
    assert desk.provisioner(**changes).restore(obs).complete
    assert obs.state() == before


def test_a_profile_that_is_gone_does_not_count_as_one_that_obs_must_stop_for(desk: Desk):
    assert desk.provisioner().apply(desk.obs).complete
    desk.obs.rename_profile("Stream")
    desk.obs.parameters.clear()
    desk.obs.running.add("Stream")
    assert len(desk.provisioner().restore(desk.obs).errors) == 1
    assert "game" not in desk.obs.inputs


def test_names_that_obs_does_not_list_while_it_saves_them_are_not_taken_for_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    before = desk.obs.state()
    assert desk.provisioner().apply(desk.obs).complete
    for kind, key in (
        ("GetProfileList", "profiles"),
        ("GetSceneCollectionList", "sceneCollections"),
    ):
        whole = getattr(desk.obs, f"_{kind}")
        monkeypatch.setattr(desk.obs, f"_{kind}", lambda whole=whole, key=key: whole() | {key: []})
    assert desk.provisioner().plan(desk.obs).empty
    monkeypatch.setattr(
        "pypac_obs.obs.provisioning.parameter_steps.reload_profile", lambda obs, journal: None
    )
    assert desk.provisioner().restore(desk.obs).complete
    assert desk.obs.state() == before
