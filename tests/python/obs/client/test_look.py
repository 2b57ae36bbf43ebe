# SPDX-License-Identifier: MIT
"""What is read of an OBS at one look, and in how many round trips, also while it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from fake_obs import FakeObs

from pypac_obs.obs.client.look import read_actual, read_items
from pypac_obs.obs.client.reading import read_running
from pypac_obs.obs.client.requests import Answer, Request
from pypac_obs.obs.provisioning.desired import PARAMETERS


class ChangingObs(FakeObs):
    """Something is done in it before the n-th round trip from its making on, counted from 1."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.before: dict[int, Callable[[], None]] = {}

    def request_all(
        self, requests: Sequence[Request], *, timeout_s: float | None = None
    ) -> list[Answer]:
        self.before.pop(self.round_trips + 1, lambda: None)()
        return super().request_all(requests)


def large_obs(scenes: int, inputs: int) -> ChangingObs:
    obs = ChangingObs()
    for number in range(scenes):
        obs.scenes[f"scene {number}"] = []
    for number in range(inputs):
        made = obs.add_input(f"input {number}", "ffmpeg_source", f"scene {number % scenes}")
        made["offset"] = number
    return obs


def add_group(obs: FakeObs, name: str) -> None:
    obs.here["groups"][name] = [{"id": 7, "source": "input 1", "enabled": True}]
    obs.scenes["scene 0"].append({"id": 99, "source": name, "enabled": True})


def test_a_look_at_many_scenes_and_inputs_takes_two_round_trips() -> None:
    obs = large_obs(20, 30)
    actual = read_actual(obs, PARAMETERS)
    assert obs.round_trips == 2
    assert len(actual.scenes) == 21
    assert len(actual.inputs) == 32
    assert actual.inputs["input 29"].sync_offset_ms == 29
    assert [item.source for item in actual.items["scene 3"]] == ["input 3", "input 23"]
    assert actual.value(("Output", "Mode")) == "Simple"
    assert actual.desktop == ("Desktop Audio",)


def test_groups_take_one_more_however_many_there_are() -> None:
    obs = large_obs(2, 4)
    for name in ("first", "second", "third"):
        add_group(obs, name)
    actual = read_actual(obs, PARAMETERS)
    assert obs.round_trips == 3
    found = [item for item in actual.items["scene 0"] if item.group]
    assert [(item.id, item.group) for item in found] == [(7, "first"), (7, "second"), (7, "third")]


def test_an_input_without_audio_has_no_tracks() -> None:
    obs = FakeObs()
    obs.add_input("picture", "image_source", "Scene", file="a.png")
    picture = read_actual(obs, ()).inputs["picture"]
    assert picture.obs_tracks is None
    assert picture.settings == {"file": "a.png"}


def test_a_scene_that_vanishes_between_two_batches_is_no_error() -> None:
    obs = large_obs(3, 3)
    obs.before[2] = lambda: obs._RemoveScene("scene 1")
    actual = read_actual(obs, PARAMETERS)
    assert obs.round_trips == 4  # it was looked at once more
    assert "scene 1" not in actual.scenes
    assert set(actual.items) == set(actual.scenes)


@pytest.mark.parametrize(
    "change",
    [
        lambda obs: obs._SetInputName("input 1", "renamed"),
        lambda obs: obs._SetSceneName("scene 1", "renamed"),
        lambda obs: obs.add_input("renamed", "ffmpeg_source", "scene 1"),
    ],
    ids=["an input is renamed", "a scene is renamed", "an input is made"],
)
def test_what_is_renamed_or_made_between_two_batches_is_there(
    change: Callable[[FakeObs], None],
) -> None:
    obs = large_obs(3, 3)
    obs.before[2] = lambda: change(obs)
    actual = read_actual(obs, PARAMETERS)
    assert "renamed" in {*actual.inputs, *actual.scenes}


def test_a_group_that_vanishes_between_two_batches_is_no_error() -> None:
    obs = large_obs(2, 2)
    add_group(obs, "group")
    obs.before[3] = lambda: obs.here["groups"].clear()
    actual = read_actual(obs, PARAMETERS)
    assert [item.source for item in actual.items["scene 0"]] == ["input 0", "group"]


def test_an_obs_that_changes_without_end_is_looked_at_only_so_often() -> None:
    obs = large_obs(2, 2)
    for trip in range(1, 100):
        name = f"made {trip}"
        obs.before[trip] = lambda name=name: obs.add_input(name, "ffmpeg_source", "scene 0")
    read_actual(obs, PARAMETERS)
    assert obs.round_trips == 8


def test_the_items_of_scenes_are_one_round_trip_and_those_that_are_gone_are_left_out() -> None:
    obs = large_obs(5, 5)
    items = read_items(obs, ["scene 4", "no such scene", "scene 2"])
    assert {scene: len(found) for scene, found in items.items()} == {"scene 4": 1, "scene 2": 1}


def test_which_outputs_run_is_one_round_trip() -> None:
    obs = FakeObs()
    obs.running = {"Stream", "Record"}
    assert read_running(obs) == ("the recording", "the stream")
    assert obs.round_trips == 1
