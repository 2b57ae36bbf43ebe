# SPDX-License-Identifier: MIT
"""What OBS gets changes while a session runs: the profile's file is saved, and OBS follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import RATE, level_db, wait_until
from .conftest import (
    AAC_DB,
    AS_IT_SAYS,
    TONES,
    Run,
    Websocket,
    audio_track,
    inputs,
    obs_with_our_source,
    record,
)

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]

PROFILE = """\
version: 1
session: {latency_ms: 100}
sources:
  game: {process: game}
  voice: {process: discord}
tracks:
  game: {from: game}
  voice: {from: voice}
outputs:
  files: {folder: files}
  obs:
    scene: Scene
    tracks: {game: 2}
    desktop_audio: unassign
    mic_aux: unassign
    recording: {tracks: [2, 3]}
    own_profile: PyPAC
"""
WITH_VOICE = PROFILE.replace("{game: 2}", "{game: 2, voice: 3}")
FOLLOWED = "The session follows the saved profile."


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    with obs_with_our_source(sandbox) as running:
        yield running


@pytest.mark.usefixtures("players")
def test_a_saved_profile_brings_obs_another_track_and_leaves_the_first_alone(
    obs: ObsSandbox, run: Callable[..., Run]
) -> None:
    session = run(PROFILE)
    session.wait_for(AS_IT_SAYS)
    profile = session.folder / "stream.yaml"
    with Websocket(obs) as websocket:
        first = set(inputs(websocket))
        profile.write_text(WITH_VOICE)
        session.wait_for(FOLLOWED)
        wait_until(lambda: len(set(inputs(websocket)) - first) == 1, 20, session.output)
        path = record(websocket, 2.5)
        heard = {name: audio_track(path, number) for number, name in enumerate(TONES)}
        for name, frequency in TONES.items():
            [other] = [hz for track, hz in TONES.items() if track != name]
            samples = heard[name][:, 0]
            # On a busy machine programs miss some: what counts is the loudest stretch.
            parts = [samples[at : at + 12_288] for at in range(0, len(samples) - 12_288, 3072)]
            best = max(parts, key=lambda part: level_db(part, frequency))
            assert level_db(best, frequency) == pytest.approx(-12.0, abs=0.5)
            assert level_db(best, other) < -12.0 - AAC_DB
        profile.write_text(PROFILE)
        session.wait_for(FOLLOWED, times=2)
        assert first <= set(inputs(websocket))
    output = session.end()
    assert session.process.returncode == 0, output
    tracks = session.tracks()
    assert len(tracks["game"]) == len(tracks["voice"]) > 4 * RATE
