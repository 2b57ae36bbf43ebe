# SPDX-License-Identifier: MIT
"""From programs to OBS's recording, all the way: who plays what is on which of its six tracks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pypac_obs.sandbox import Player, Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import RATE, Audio
from .conftest import Websocket, heard, lossless_obs
from .test_plugin import record
from .test_run import AS_IT_SAYS, Run

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]

TONES = {
    "game": 440,
    "discord": 1000,
    "spotify": 3000,
    "mumble": 5000,
    "firefox": 7000,
    "vlc": 9000,
}
# Two tracks of one program can be compared frame by frame. With time for a busy machine.
PROFILE = """\
version: 1
session: {latency_ms: 400}
sources:
  game: {process: game}
  discord: {process: discord}
  spotify: {process: spotify}
  mumble: {process: mumble}
  firefox: {process: firefox}
  vlc: {process: vlc}
tracks:
  game: {from: game}
  discord: {from: discord}
  spotify: {from: spotify}
  mumble: {from: mumble}
  firefox: {from: firefox}
  vlc: {from: vlc}
  again: {from: vlc}
outputs:
  obs:
    transport: auto
    scene: Scene
    tracks: {game: 1, discord: 2, spotify: 3, mumble: 4, firefox: 5, vlc: 6}
"""
SAME_TWICE = PROFILE.replace("firefox: 5, vlc: 6}", "vlc: 5, again: 6}")


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    with lossless_obs(sandbox) as running:
        yield running


def recorded(
    obs: ObsSandbox, folder: Path, profile: str, good: Callable[[list[Audio]], bool]
) -> list[Audio]:
    """What OBS has recorded of a session, by OBS track.

    Programs lose cycles on a busy machine, which is heard on all frequencies: another time, then.
    """
    session = Run(obs, folder, profile)
    try:
        session.wait_for(AS_IT_SAYS)
        with Websocket(obs) as websocket:
            for _ in range(4):
                audio = record(websocket, 2.0)
                if good(audio):
                    break
    finally:
        output = session.end()
    assert session.process.returncode == 0, output
    return audio


def programs_on(track: Audio) -> dict[str, float]:
    return heard(track[RATE // 2 : 3 * RATE // 2], TONES)


def test_each_of_six_programs_is_alone_on_its_obs_track(
    obs: ObsSandbox, tone: Callable[..., Player], tmp_path: Path
) -> None:
    for index, (name, frequency) in enumerate(TONES.items()):
        tone(name, frequency, api="pulse" if index % 2 else "pipewire")

    def apart(audio: list[Audio]) -> bool:
        return all(
            list(programs_on(track)) == [name] for name, track in zip(TONES, audio, strict=True)
        )

    audio = recorded(obs, tmp_path, PROFILE, apart)
    for name, track in zip(TONES, audio, strict=True):
        assert programs_on(track) == {name: pytest.approx(-12.0, abs=0.1)}


def test_two_tracks_of_one_program_are_the_same_to_the_frame(
    obs: ObsSandbox, tone: Callable[..., Player], tmp_path: Path
) -> None:
    for name in ("game", "vlc"):
        tone(name, TONES[name])

    def same(audio: list[Audio]) -> bool:
        # A program that a busy machine keeps waiting has a gap, and a gap has all frequencies.
        whole = list(programs_on(audio[4])) == ["vlc"] and list(programs_on(audio[0])) == ["game"]
        return whole and np.array_equal(audio[4], audio[5])

    audio = recorded(obs, tmp_path, SAME_TWICE, same)
    assert len(audio[4]) > 3 * RATE // 2
    assert np.array_equal(audio[4], audio[5])
    assert programs_on(audio[4]).keys() == {"vlc"}
    assert programs_on(audio[0]).keys() == {"game"}
