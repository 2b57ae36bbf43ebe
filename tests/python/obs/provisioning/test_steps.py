# SPDX-License-Identifier: MIT
"""Steps by themselves: their words, what the journal has before, and what undoes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_obs import FakeObs

from pypac_obs.errors import ObsNotRunning, ObsRefused
from pypac_obs.obs.client.look import read_actual
from pypac_obs.obs.client.status import TRACK_KIND
from pypac_obs.obs.provisioning.input_notes import MadeInput, UsersInput
from pypac_obs.obs.provisioning.input_steps import (
    ChangeInput,
    MakeInput,
    PutBackInput,
    RemoveInput,
)
from pypac_obs.obs.provisioning.input_values import (
    InputValue,
    Monitoring,
    Muted,
    Name,
    SyncOffset,
    Takes,
    Tracks,
    ValueChange,
    Volume,
    noted_values,
)
from pypac_obs.obs.provisioning.journal import Journal
from pypac_obs.obs.provisioning.scene_steps import (
    AddItem,
    HideItem,
    MakeScene,
    RemoveItem,
    RemoveScene,
    ShowItem,
)
from pypac_obs.obs.provisioning.step import When

VALUES: list[tuple[InputValue, InputValue, str]] = [
    (Takes({"path": "/music"}), Takes({"path": "/else"}), "takes: path /music -> path /else"),
    (Tracks(frozenset({1, 4})), Tracks(frozenset()), "OBS tracks: 1, 4 -> none"),
    (Volume(0.0, 1.0), Volume(-6.0), "volume: 0.0 dB -> -6.0 dB"),
    (Muted(False), Muted(True), "muted: no -> yes"),
    (
        Monitoring("OBS_MONITORING_TYPE_NONE"),
        Monitoring("OBS_MONITORING_TYPE_MONITOR_ONLY"),
        "monitoring: none -> monitor_only",
    ),
    (SyncOffset(0), SyncOffset(120), "sync offset: 0 ms -> 120 ms"),
    (Name("Music"), Name("Songs"), 'name: "Music" -> "Songs"'),
]


@pytest.fixture
def obs() -> FakeObs:
    obs = FakeObs()
    obs.add_input("Music", "ffmpeg_source", "Scene", path="/music")["tracks"] = {1, 4}
    return obs


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.json")


def made_input() -> MadeInput:
    settings = {"session": "gaming", "track": "game"}
    return MadeInput("Untitled", "game", "game", TRACK_KIND, settings)


def here(journal: Journal) -> Any:
    return journal.read()["collections"]["Untitled"]


@pytest.mark.parametrize(("before", "after", "words"), VALUES, ids=[v[0].key for v in VALUES])
def test_a_value_of_the_users_is_put_back_by_what_the_journal_has_of_it(
    obs: FakeObs, journal: Journal, before: InputValue, after: InputValue, words: str
):
    state = obs.state()
    users = UsersInput("Untitled", "Music", {"place": "mic2"})
    step = ChangeInput("Music", (ValueChange(before, after),), users)
    assert str(step) == f'~ input "Music" ({words})'
    step.perform(obs, journal)
    assert obs.state() != state
    noted = here(journal)["inputs"]["Music"]
    assert noted == {"known_by": {"place": "mic2"}, before.key: before.noted}
    name = after.name if isinstance(after, Name) else "Music"
    values = tuple(noted_values(noted))
    PutBackInput(name, values).perform(obs, journal)
    assert obs.state() == state


def test_the_name_is_put_back_last():
    noted = {"name": "Music", "muted": True, "tracks": [1], "known_by": {}}
    assert noted_values(noted) == [Tracks(frozenset({1})), Muted(True), Name("Music")]


@pytest.mark.parametrize("noted", [{"tracks": 7}, {"settings": 3}, {"volume_factor": "loud"}])
def test_a_note_that_can_be_none_is_told(noted: dict[str, Any]):
    with pytest.raises((TypeError, ValueError)):
        noted_values(noted)


def test_an_input_is_made_in_its_scenes_and_its_ids_are_noted(obs: FakeObs, journal: Journal):
    obs.request("CreateScene", sceneName="Other")
    state = obs.state()
    step = MakeInput(made_input(), (Tracks(frozenset({2})), Muted(True)), ("Scene", "Other"))
    assert str(step) == (
        f'+ input "game" (kind: {TRACK_KIND}; OBS tracks: 2; muted: yes; scenes: Scene, Other)'
    )
    step.perform(obs, journal)
    assert obs.inputs["game"]["tracks"] == {2}
    assert obs.inputs["game"]["muted"] is True
    assert here(journal)["made_items"] == {"Scene": {"game": 2}, "Other": {"game": 1}}
    assert [item["enabled"] for item in obs.scenes["Scene"]] == [True, True]
    noted = (("collections", "Untitled", "made_inputs", "game"),)
    RemoveInput("game", noted).perform(obs, journal)
    assert obs.state() == state
    assert "made_inputs" not in here(journal)


def test_what_obs_refuses_to_make_is_not_noted(obs: FakeObs, journal: Journal):
    obs.kinds.remove(TRACK_KIND)
    step = MakeInput(made_input(), (Tracks(frozenset({2})),), ("Scene",))
    with pytest.raises(ObsRefused):
        step.perform(obs, journal)
    assert journal.read() == {}


@pytest.mark.parametrize("changes", [1, 2, 3])
def test_what_was_made_when_the_connection_was_lost_stays_noted(
    obs: FakeObs, journal: Journal, changes: int
):
    obs.ends_after = changes
    step = MakeInput(made_input(), (Tracks(frozenset({2})), Muted(True)), ("Scene",))
    with pytest.raises(ObsNotRunning):
        step.perform(obs, journal)
    assert here(journal)["made_inputs"]["game"]["name"] == "game"
    assert here(journal)["made_items"] == {"Scene": {"game": 2}}


def test_a_scene_and_its_undoing(obs: FakeObs, journal: Journal):
    state = obs.state()
    step = MakeScene("Untitled", "Gaming", goes_on_air=True)
    assert (str(step), step.when) == ('+ scene "Gaming"', When.NOW)
    step.perform(obs, journal)
    assert obs.here["program"] == "Gaming"
    assert here(journal)["made_scenes"] == {"Gaming": True}
    RemoveScene("Gaming").perform(obs, journal)
    assert obs.state() == state


def test_an_item_in_a_scene_and_its_undoing(obs: FakeObs, journal: Journal):
    obs.request("CreateScene", sceneName="Other")
    state = obs.state()
    users = UsersInput("Untitled", "Music", {})
    AddItem("Music", "Other", users, had_hidden=False).perform(obs, journal)
    number = here(journal)["items"]["Other"]["Music"]
    assert [item.id for item in read_actual(obs, ()).items["Other"]] == [number]
    at = users.item_path("Other")
    RemoveItem("Music", "Other", "Other", number, at).perform(obs, journal)
    assert obs.state() == state
    assert "items" not in here(journal)


def test_an_item_that_is_shown_and_its_undoing(obs: FakeObs, journal: Journal):
    [item] = obs.scenes["Scene"]
    item["enabled"] = False
    state = obs.state()
    step = ShowItem("Music", "Scene", "Scene", item["id"], UsersInput("Untitled", "Music", {}))
    assert str(step) == '~ input "Music" in the scene "Scene" (visible: no -> yes)'
    step.perform(obs, journal)
    assert obs.scenes["Scene"][0]["enabled"] is True
    assert here(journal)["items"] == {"Scene": {"Music": False}}
    HideItem("Music", "Scene", "Scene", item["id"]).perform(obs, journal)
    assert obs.state() == state
