# SPDX-License-Identifier: MIT
"""`pypac-obs obs demo`, as somebody sees it who has just installed the package."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from pypac_obs.sandbox.obs import missing_packages

from ..conftest import PROGRAM, require

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]


def test_it_shows_each_program_on_its_obs_track_and_a_picture_of_the_mixer(tmp_path: Path) -> None:
    missing = missing_packages()
    require(not missing, f"not installed: {', '.join(missing)}")
    for attempt in range(3):  # where the machine is too busy for it, another time
        out = tmp_path / str(attempt)
        command = [*PROGRAM, "obs", "demo", "--duration", "5s", "--out", str(out)]
        demo = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False
        )
        if demo.returncode == 0:
            break
    said = demo.stdout + demo.stderr
    assert demo.returncode == 0, said
    below = {
        track: (own, float(level_db), other, float(below_db))
        for track, own, level_db, other, below_db in re.findall(
            r"OBS track (\d), .*: (\w+) (-[\d.]+) dB, (\w+) ([\d.]+) dB below it", said
        )
    }
    assert {track: found[::2] for track, found in below.items()} == {
        "2": ("game", "voice"),
        "3": ("voice", "game"),
    }
    assert all(found[3] > 90.0 for found in below.values())
    assert "offset between OBS tracks 2 and 3, by what track 1 has of both: 0 frames" in said
    assert "obs plan: nothing to change" in said
    assert re.findall(r"OBS track \d, (.*?):", said) == ["Mix", "Game", "Voice chat"]
    [recording] = [*out.glob("*.mkv"), *out.glob("*.mp4")]
    assert recording.stat().st_size > 100_000
    shown = subprocess.run(
        ["identify", "-format", "%m %w %h %k", out / "mixer.png"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert shown[0] == "PNG"
    width, height, colours = map(int, shown[1:])
    assert width >= 300
    assert height >= 200
    assert colours > 16, "it shows something"
