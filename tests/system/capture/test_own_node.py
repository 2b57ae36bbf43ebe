# SPDX-License-Identifier: MIT
"""Nodes of ours that somebody else takes away."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pypac_obs.sandbox import Player, Sandbox

from ..conftest import (
    RATE,
    assert_whole,
    gap,
    hear,
    missed_by,
    together,
    wait_until,
    wait_until_playing,
)
from .conftest import Record, programs

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]


def nodes(sandbox: Sandbox, name: str) -> dict[int, int]:
    """The nodes of that name: the id of each by its serial, which no other ever has."""
    found = {}
    for entry in json.loads(sandbox.run("pw-dump")):
        properties = entry.get("info", {}).get("props", {})
        if properties.get("node.name") == name:
            found[int(properties["object.serial"])] = int(entry["id"])
    return found


def test_a_source_that_is_removed_leaves_nothing_in_the_graph_and_the_others_lose_nothing(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    play("removed-one")
    other = play("other-one")
    wait_until_playing(sandbox, "removed-one", "other-one")
    recording = record(gone=programs("removed-one"), steady=programs("other-one"))
    hear(recording, 0.8)
    assert len(nodes(sandbox, "pypac-obs.gone")) == 1
    recording.capture.remove_source("gone")
    wait_until(lambda: not nodes(sandbox, "pypac-obs.gone"))
    with pytest.raises(ValueError, match="there is no source gone"):
        recording.capture.source_status("gone")
    with pytest.raises(ValueError, match="there is a source steady already"):
        recording.capture.add_source("steady", programs("other-one"))
    hear(recording, 0.4)
    tracks = recording.stop()
    together(tracks["gone"], tracks["steady"])
    assert recording.missing("steady", other) == 0
    assert_whole(tracks["steady"], missed_by(other, recording.origin_ns))
    assert recording.missing("gone") > RATE // 4


def test_a_node_of_ours_that_is_destroyed_is_made_again_and_the_others_lose_nothing(
    play: Play, record: Record, sandbox: Sandbox
) -> None:
    play("destroyed-one")
    other = play("other-one")
    wait_until_playing(sandbox, "destroyed-one", "other-one")
    recording = record(taken=programs("destroyed-one"), steady=programs("other-one"))
    hear(recording, 0.4)
    [(serial, number)] = nodes(sandbox, "pypac-obs.taken").items()
    sandbox.run("pw-cli", "destroy", str(number))
    wait_until(lambda: bool(nodes(sandbox, "pypac-obs.taken").keys() - {serial}))
    recording.wait_for_state("taken", "capturing")
    hear(recording, 0.5)
    assert recording.state("taken") == "capturing"
    assert recording.capture.server_info().reconnects == 0
    tracks = recording.stop()
    together(tracks["taken"], tracks["steady"])
    assert recording.missing("steady", other) == 0
    assert_whole(tracks["steady"], missed_by(other, recording.origin_ns))
    assert gap(tracks["taken"])[1] < RATE
    assert recording.missing("taken") == gap(tracks["taken"])[1]
