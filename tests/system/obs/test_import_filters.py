# SPDX-License-Identifier: MIT
"""The filters of a real OBS's source, as a track has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from pypac_obs.sandbox.obs import ObsSandbox

from ..conftest import PROGRAM
from .conftest import PATIENCE_S, Websocket

pytestmark = pytest.mark.obs

SOURCE = "Mic/Aux"
FILTERS = {
    "Cut": ("noise_suppress_filter_v2", {}),
    "Door": ("noise_gate_filter", {"open_threshold": -30.5}),
    "Squeeze": ("compressor_filter", {"ratio": 4.0, "sidechain_source": "Desktop Audio"}),
    "Tone": ("basic_eq_filter", {"mid": -3.0}),
    "Softer": ("expander_filter", {"presets": "gate"}),
    "More": ("upward_compressor_filter", {}),
    "Trim": ("gain_filter", {"db": 2.5}),
    "Turn": ("invert_polarity_filter", {}),
    "Stop": ("limiter_filter", {"release_time": 80}),
}


def test_what_a_user_has_set_in_obs_is_written_as_a_track_has_it(
    obs: ObsSandbox, websocket: Websocket, tmp_path: Path
):
    for name, (kind, settings) in FILTERS.items():
        websocket.request(
            "CreateSourceFilter",
            sourceName=SOURCE,
            filterName=name,
            filterKind=kind,
            filterSettings=settings,
        )
    websocket.request(
        "SetSourceFilterEnabled", sourceName=SOURCE, filterName="Trim", filterEnabled=False
    )
    before = websocket.request("GetSourceFilterList", sourceName=SOURCE)
    told = subprocess.run(
        [*PROGRAM, "obs", "import-filters", SOURCE],
        cwd=tmp_path,
        env=obs.env,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    written = [
        (kind, settings)
        for one in yaml.safe_load(told.stdout)["filters"]
        for kind, settings in one.items()
    ]
    assert [kind for kind, _ in written] == [
        "gate",
        "compressor",
        "eq",
        "expander",
        "upward_compressor",
        "gain",
        "invert",
        "limiter",
    ]
    found = dict(written)
    assert found["gate"] == {
        "open_db": -30.5,
        "close_db": -32,
        "attack_ms": 25,
        "hold_ms": 200,
        "release_ms": 150,
    }
    assert found["compressor"]["ratio"] == 4
    assert found["compressor"]["threshold_db"] == -18
    assert found["eq"]["band1_db"] == -3
    assert (found["expander"]["ratio"], found["expander"]["release_ms"]) == (10, 125)
    assert (found["upward_compressor"]["ratio"], found["upward_compressor"]["knee_db"]) == (0.5, 10)
    assert found["gain"] == {"gain_db": 2.5, "bypass": True}
    assert found["limiter"] == {"ceiling_db": -6, "release_ms": 80}
    assert "Cut; noise suppression has no counterpart here yet" in told.stdout
    assert 'ducked by "Desktop Audio" in OBS' in told.stdout
    assert websocket.request("GetSourceFilterList", sourceName=SOURCE) == before
