# SPDX-License-Identifier: MIT
"""The real OBS at 44100 Hz: what is said of it, and what is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from pypac_obs.obs.install.plugin import default_folders, install
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import RATE
from .conftest import AAC_DB, AS_IT_SAYS, Run, Websocket, assert_only, audio_track, record

pytestmark = [pytest.mark.obs, pytest.mark.pipewire, pytest.mark.usefixtures("players")]

PROFILE = """\
version: 1
session: {latency_ms: 100, sample_rate: %d}
sources:
  game: {process: game}
tracks:
  game: {from: game}
outputs:
  obs:
    tracks: {game: 1}
    desktop_audio: unassign
    mic_aux: unassign
"""
SENTENCE = (
    "OBS runs at 44100 Hz and the session at 48000 Hz, so OBS converts all tracks; "
    "set session.sample_rate to 44100."
)


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    for folder in default_folders(sandbox.env):
        install(folder)
    with ObsSandbox(sandbox, sample_rate=44100) as running:
        yield running


@pytest.mark.parametrize(("rate", "is_said"), [(48000, True), (44100, False)])
def test_another_rate_than_obss_is_said_with_what_to_do_and_does_no_harm(
    websocket: Websocket, run: Callable[..., Run], rate: int, is_said: bool
) -> None:
    session = run(PROFILE % rate)
    session.wait_for(AS_IT_SAYS)
    assert_only("game", audio_track(record(websocket, 3.0), 0)[-2 * RATE :], AAC_DB)
    assert (SENTENCE in session.end()) == is_said
    planned = session.command("obs", "plan", "stream.yaml")
    assert planned.returncode == 0, planned.stderr
    assert (f"Warning: {SENTENCE}" in planned.stdout) == is_said
