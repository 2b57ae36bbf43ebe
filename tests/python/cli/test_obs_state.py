# SPDX-License-Identifier: MIT
"""`pypac-obs obs plan`, `apply` and `restore`: what they print and what they end with."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pypac_obs.cli import commands
from pypac_obs.session_registry import SessionRegistration

sys.path.insert(0, str(Path(__file__).parents[1] / "obs"))

from fake_obs import FakeObs

PROFILE = """\
version: 1
session: {latency_ms: 10}
sources: {game: {process: game}}
tracks: {game: {from: game}}
outputs:
  obs:
    tracks: {game: 2}
    desktop_audio: mute
    recording: {tracks: [1, 2]}
"""


@pytest.fixture
def obs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeObs:
    """The OBS that the commands find."""
    obs = FakeObs()

    @contextlib.contextmanager
    def connect(address: object) -> Iterator[FakeObs]:
        yield obs

    for name in ("plan", "apply", "restore"):
        monkeypatch.setattr(f"pypac_obs.cli.obs_{name}.connect", connect)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    (tmp_path / "gaming.yaml").write_text(PROFILE)
    return obs


def call(tmp_path: Path, command: str, *options: str, profile: bool = True) -> Result:
    name = [str(tmp_path / "gaming.yaml")] if profile else []
    return CliRunner().invoke(commands, ["obs", command, *name, *options])


def test_a_plan_is_printed_with_its_signs_and_moments(obs: FakeObs, tmp_path: Path):
    result = call(tmp_path, "plan")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        '+ input "game"',
        "    kind: pypac_track",
        "    OBS tracks: 2",
    ]
    assert (
        '~ OBS profile "Untitled"   '
        "[once the OBS profile is loaded again, while no output runs]" in lines
    )
    assert "    recorded tracks: 1 -> 1, 2" in lines
    assert "Note: The audio comes in by plugin: as the profile says." in lines


def test_after_apply_there_is_nothing_to_change_and_after_restore_all_again(
    obs: FakeObs, tmp_path: Path
):
    planned = call(tmp_path, "plan").stdout
    assert call(tmp_path, "apply").exit_code == 0
    for command in ("plan", "plan", "apply"):
        result = call(tmp_path, command)
        assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "nothing to change")
    restored = call(tmp_path, "restore")
    assert restored.exit_code == 0
    assert '- input "game"' in restored.stdout
    assert call(tmp_path, "plan").stdout == planned
    assert call(tmp_path, "restore").stdout == "nothing to put back\n"


def test_restore_without_a_profile_takes_all_that_there_are(obs: FakeObs, tmp_path: Path):
    assert call(tmp_path, "restore", profile=False).stdout == "nothing to put back\n"
    before = obs.state()
    call(tmp_path, "apply")
    result = call(tmp_path, "restore", profile=False)
    assert result.exit_code == 0
    assert obs.state() == before


def test_two_profiles_are_put_back_in_the_reverse_order(obs: FakeObs, tmp_path: Path):
    before = obs.state()
    call(tmp_path, "apply")
    later = PROFILE.replace("{game: 2}", "{game: {to: 3, name: Other}}").replace("[1, 2]", "[1, 3]")
    (tmp_path / "later.yaml").write_text(later)
    done = CliRunner().invoke(commands, ["obs", "apply", str(tmp_path / "later.yaml")])
    assert done.exit_code == 0
    assert obs.recorded_tracks() == [1, 3]
    assert call(tmp_path, "restore", profile=False).exit_code == 0
    assert obs.state() == before


@pytest.mark.parametrize("profile", [True, False])
def test_what_cannot_be_put_back_is_said_fails_and_is_given_up_on_demand(
    obs: FakeObs, tmp_path: Path, profile: bool
):
    call(tmp_path, "apply")
    del obs.inputs["Desktop Audio"], obs.here["special"]["desktop1"]
    for _ in range(2):
        result = call(tmp_path, "restore", profile=profile)
        assert result.exit_code == 1
        assert 'Error: The input "Desktop Audio" of the scene collection' in result.stderr
        assert "(muted: no)" in result.stderr
        assert "stays noted. If you have deleted it: `pypac-obs obs restore --forget`." in (
            result.stdout
        )
    result = call(tmp_path, "restore", "--forget", profile=profile)
    assert result.exit_code == 0
    assert 'Given up: The input "Desktop Audio" of the scene collection' in result.stdout
    assert call(tmp_path, "restore", profile=profile).stdout == "nothing to put back\n"


def test_nothing_is_put_back_under_a_session_that_runs(
    obs: FakeObs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    call(tmp_path, "apply")
    before = obs.state()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with contextlib.closing(SessionRegistration("gaming", 48000, 0)):
        for profile in (True, False):
            result = call(tmp_path, "restore", profile=profile)
            assert result.exit_code == 1
            assert "the session gaming runs, and keeps OBS as its profile says" in result.stderr
    assert obs.state() == before
    assert call(tmp_path, "restore").exit_code == 0


def test_what_waits_is_said_and_fails(obs: FakeObs, tmp_path: Path):
    obs.running.add("Record")
    planned = call(tmp_path, "plan")
    assert planned.exit_code == 0
    assert "the recording of OBS runs, so 1 of these have to wait." in planned.stdout
    result = call(tmp_path, "apply")
    assert result.exit_code == 1
    assert "Waits until the recording of OBS has stopped: ~ OBS profile" in result.stdout
    assert "Error: OBS would record track 1 instead of 1, 2" in result.stderr


def test_a_conflict_is_said_and_fails(obs: FakeObs, tmp_path: Path):
    obs.add_input("game", "ffmpeg_source")
    assert 'Conflict: The input "game" of OBS is of another kind' in call(tmp_path, "plan").stdout
    result = call(tmp_path, "apply")
    assert result.exit_code == 1
    assert 'Error: The input "game" of OBS is of another kind' in result.stderr


def test_plan_and_apply_give_json(obs: FakeObs, tmp_path: Path):
    plan = json.loads(call(tmp_path, "plan", "--json").stdout)
    assert [step["sign"] for step in plan["steps"]] == ["+", "~", "~"]
    assert plan["steps"][0]["subject"] == 'input "game"'
    assert plan["steps"][2]["changes"][0] == {
        "what": "output mode",
        "before": "Simple",
        "after": "Advanced",
    }
    done = json.loads(call(tmp_path, "apply", "--json").stdout)
    assert done["done"] == [{k: v for k, v in s.items() if k != "waits"} for s in plan["steps"]]
    assert json.loads(call(tmp_path, "plan", "--json").stdout)["steps"] == []


def test_check_says_what_of_obs_is_seldom_meant(tmp_path: Path):
    path = tmp_path / "late.yaml"
    path.write_text(PROFILE.replace("latency_ms: 10", "latency_ms: 80"))
    result = CliRunner().invoke(commands, ["check", str(path)])
    assert "Warning: With latency_ms 80 OBS buffers 85 ms more" in result.stdout
    assert "Inputs (transport plugin) in every scene of OBS" in result.stdout
