# SPDX-License-Identifier: MIT
"""What OBS no longer records from is opened again, and nothing else is touched."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from fake_obs import FakeObs

from pypac_obs.errors import ObsNotRunning
from pypac_obs.obs.provisioning.devices import IDLE_LOOKS, LONGEST_PAUSE_S, NO_DEVICE, DeviceWatch

NODES = {"Game": "pypac-obs.stream.game", "Talk": "pypac-obs.stream.voice"}


@dataclass
class Device:
    """What is needed of a VirtualSourceStatus."""

    node_name: str
    state: str = "recording"
    lost_frames: int = 0


@dataclass
class Room:
    """Two virtual devices, the OBS with their inputs, and the time."""

    obs: FakeObs = field(default_factory=FakeObs)
    game: Device = field(default_factory=lambda: Device(NODES["Game"]))
    voice: Device = field(default_factory=lambda: Device(NODES["Talk"]))
    said: list[str] = field(default_factory=list)
    now: float = 100.0

    def __post_init__(self) -> None:
        for name, node in NODES.items():
            self.obs.add_input(name, "pulse_input_capture", "Scene", device_id=node)
        self.watch = self.watching()

    def watching(self, post: Any = None) -> DeviceWatch:
        return DeviceWatch(
            NODES,
            status=lambda: [self.game, self.voice],  # type: ignore[arg-type, return-value]
            report=self.said.append,
            post=post or (lambda job: True),
            clock=lambda: self.now,
        )

    def look(self, times: int = 1) -> None:
        for _ in range(times):
            self.watch.look(self.obs)
            self.now += 1

    @property
    def opened(self) -> list[tuple[str, str]]:
        """The inputs that were told a device, and which."""
        return [
            (data["inputName"], data["inputSettings"]["device_id"])
            for kind, data in self.obs.asked
            if kind == "SetInputSettings"
        ]


@pytest.fixture
def room() -> Room:
    return Room()


def test_what_is_recorded_or_out_of_reach_is_left_alone(room: Room) -> None:
    room.voice.state = "lost"  # PipeWire is gone: it is we who have to make the device again
    room.look(20)
    assert room.obs.asked == []
    assert room.said == []


def test_a_lost_device_is_let_go_and_opened_again(room: Room) -> None:
    room.game.state = "idle"
    room.look(IDLE_LOOKS - 1)
    assert room.opened == [], "it may be about to be opened"
    room.look()
    assert room.opened == [("Game", NO_DEVICE), ("Game", NODES["Game"])]
    assert room.said == ['The input "Game" had lost its device: opened again in OBS.']


def test_it_is_tried_ever_more_seldom_and_afresh_once_it_worked(room: Room) -> None:
    room.game.state = "idle"
    room.look(1000)
    tries = len(room.said)
    assert 1000 / LONGEST_PAUSE_S <= tries <= 1000 / LONGEST_PAUSE_S + 8
    room.game.state = "recording"
    room.look()
    room.game.state = "idle"
    room.look(IDLE_LOOKS)
    assert len(room.said) == tries + 1


def test_an_input_that_is_not_there_is_for_others_to_mend(room: Room) -> None:
    del room.obs.inputs["Game"]
    room.game.state = room.voice.state = "idle"
    room.look(IDLE_LOOKS)
    assert room.said == ['The input "Talk" had lost its device: opened again in OBS.']


def test_an_input_that_somebody_gave_another_device_is_left_alone(room: Room) -> None:
    room.game.state = "idle"
    room.obs.inputs["Game"]["settings"]["device_id"] = "his microphone"
    room.look(10)
    assert room.obs.inputs["Game"]["settings"]["device_id"] == "his microphone"
    assert room.said == []


def test_a_lost_connection_is_for_the_link_to_mend(room: Room) -> None:
    room.game.state = "idle"
    room.obs.ends_after = 0
    with pytest.raises(ObsNotRunning):
        room.look(IDLE_LOOKS)

    looked = []

    def post(job: Any) -> bool:
        job(room.obs)
        looked.append(job)
        return True

    watch = room.watching(post)
    watch.start()
    deadline = time.monotonic() + 30
    while len(looked) < IDLE_LOOKS and time.monotonic() < deadline:
        time.sleep(0.05)
    watch.stop()
    watch.stop()
    assert len(looked) >= IDLE_LOOKS, "it looks on"
