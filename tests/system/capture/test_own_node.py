# SPDX-License-Identifier: MIT
"""Nodes of ours that somebody else takes away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pytest

from pypac_obs.sandbox import Player, Sandbox

from ..conftest import RATE, gap, shifts, together
from .conftest import Record, programs

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]


def node_id(sandbox: Sandbox, name: str) -> int:
    for entry in json.loads(sandbox.run("pw-dump")):
        if entry.get("info", {}).get("props", {}).get("node.name") == name:
            return int(entry["id"])
    raise AssertionError(f"there is no node {name}")


def test_a_node_of_ours_that_is_destroyed_is_made_again_and_the_others_lose_nothing(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    play("destroyed-one")
    play("other-one")
    time.sleep(0.3)
    recording = record(taken=programs("destroyed-one"), steady=programs("other-one"))
    time.sleep(0.5)
    sandbox.run("pw-cli", "destroy", str(node_id(sandbox, "pypac-obs.taken")))
    time.sleep(1.5)
    assert recording.state("taken") == "capturing"
    assert recording.capture.server_info().reconnects == 0
    tracks = recording.stop()
    together(tracks["taken"], tracks["steady"])
    assert recording.missing("steady") == 0
    assert len(shifts(tracks["steady"])[0]) == len(tracks["steady"])
    assert gap(tracks["taken"])[1] < RATE
    assert recording.missing("taken") == gap(tracks["taken"])[1]
