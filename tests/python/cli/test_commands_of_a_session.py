# SPDX-License-Identifier: MIT
"""The commands from another terminal, and a real session that writes real files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result
from fake_session import use_private_folders

from pypac_obs import _core
from pypac_obs.cli import commands
from pypac_obs.control.client import ControlClient
from pypac_obs.control.token import read_or_make_token
from pypac_obs.errors import InvalidValue
from pypac_obs.outputs import files as split_files
from pypac_obs.outputs.following import FollowingFiles, Take
from pypac_obs.profile import FilesRule, Profile
from pypac_obs.session import Session
from pypac_obs.session_registry import RunningSession, running_sessions

RATE = 48000
PROFILE: dict[str, Any] = {
    "version": 1,
    "sources": {"tone": {"synthetic": {"kind": "tone", "level_dbfs": -6}}},
    "tracks": {"tone": {"from": "tone"}},
}
KEPT_NOWHERE = ", but no files are being written that keep it"


@pytest.fixture(autouse=True)
def _private_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_private_folders(tmp_path, monkeypatch)


def with_files(folder: Path) -> Profile:
    return Profile.from_dict(PROFILE | {"outputs": {"files": {"folder": str(folder)}}})


def call(*args: str) -> Result:
    return CliRunner().invoke(commands, args, prog_name="pypac-obs")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def reachable(number: int = 1) -> list[RunningSession]:
    """Waits until that many sessions can be controlled."""
    until(lambda: sum(one.control_port is not None for one in running_sessions()) == number)
    return list(running_sessions())


def ready(session: Session) -> RunningSession:
    """Waits until a session can be controlled, and has heard something."""
    [running] = reachable()
    until(lambda: session.position > RATE // 50)
    return running


def rms_db(audio: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(audio, dtype=float))) + 1e-12))


def test_what_is_set_is_heard_in_the_file(tmp_path: Path) -> None:
    with Session(with_files(tmp_path / "rec"), name="gaming") as session:
        ready(session)
        before = session.position
        assert call("set", "tone.gain_db", "-20").stdout == "tone.gain_db: -20\n"
        quiet = session.position
        until(lambda: session.position > quiet + RATE // 2)
        assert call("get", "tone.gain_db").stdout == "-20\n"
        assert call("set", "tone.gain_db", "+200").stdout == "tone.gain_db: 40\n"
        assert call("set", "tone.gain_db", "--by", "-40").stdout == "tone.gain_db: 0\n"
        assert call("toggle", "tone.mute").stdout == "tone.mute: on\n"
        muted = session.position
        until(lambda: session.position > muted + RATE // 2)
        assert session.get("tone.mute") is True
    audio = soundfile.read(tmp_path / "rec" / "tone.wav")[0]
    assert rms_db(audio[before // 2 : before]) == pytest.approx(-9, abs=0.2)
    late = RATE // 10
    assert rms_db(audio[quiet + late : quiet + RATE // 2]) == pytest.approx(-29, abs=0.2)
    assert not audio[muted + late : muted + RATE // 2].any()


def test_the_loudness_begins_anew_and_session_json_says_where(tmp_path: Path) -> None:
    with Session(with_files(tmp_path / "rec"), name="gaming") as session:
        ready(session)
        before = session.position
        result = call("reset-loudness", "tone")
        assert (result.exit_code, result.stdout) == (0, "tone: loudness begins anew\n")
        after = session.position
        refused = call("reset-loudness", "tune")
        assert refused.exit_code == 2
        assert "there is no track 'tune'" in refused.stderr
        assert "There are: tone." in refused.stderr
    manifest = json.loads((tmp_path / "rec" / "session.json").read_text(encoding="utf-8"))
    assert before <= manifest["tracks"][0]["loudness"]["since_frame"] <= after


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (
            ("set", "tone.gain_db", "loud"),
            'tone.gain_db must be a number from -120 to 40, not "loud"',
        ),
        (("set", "tone.mute", "1"), 'tone.mute must be true or false, not "1"'),
        (("set", "tone.gain", "1"), "Did you mean tone.gain_db?"),
        (("get", "tune.gain_db"), "Did you mean tone.gain_db?"),
        (("toggle", "tone.gain_db"), "tone.gain_db"),
        (("set", "tone.mute", "+1"), "tone.mute"),
        (("fade", "tone.mute", "on", "--over", "1"), "tone.mute"),
    ],
)
def test_mistakes_are_told_and_end_with_2(args: tuple[str, ...], words: str) -> None:
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        reachable()
        result = call(*args)
        assert (result.exit_code, result.stdout) == (2, "")
        assert words in result.stderr
        assert (session.get("tone.gain_db"), session.get("tone.mute")) == (0, False)


def test_status_is_the_sessions_own() -> None:
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        ready(session)
        status = json.loads(call("status", "--json").stdout)
        assert (status["session"], status["sample_rate"]) == ("gaming", RATE)
        assert [track["name"] for track in status["tracks"]] == ["tone"]
        assert 0 < status["frames"] <= session.position
        shown = call("status").stdout
        assert "gaming  0:0" in shown
        assert "Playing." in shown


def test_stop_returns_when_the_files_are_complete(tmp_path: Path) -> None:
    session = Session(with_files(tmp_path / "rec"), name="gaming")
    with session:
        ready(session)
        result = call("stop")
        assert (result.exit_code, result.stdout) == (0, "gaming has ended.\n")
        manifest = json.loads((tmp_path / "rec" / "session.json").read_text())
        assert manifest["state"] == "complete"
        frames = soundfile.info(tmp_path / "rec" / "tone.wav").frames
        assert frames == manifest["frames"] > 0
        assert session.wait(5)
    assert call("stop").exit_code == 1


TEXT = """\
version: 1
sources: {tone: {synthetic: {kind: tone}}}
tracks:
  tone: {from: tone, gain_db: GAIN}
MORE
"""


def test_reload_follows_the_file_and_undo_goes_back(tmp_path: Path) -> None:
    profile = tmp_path / "evening.yaml"

    def write(gain: str, more: str = "") -> None:
        profile.write_text(TEXT.replace("GAIN", gain).replace("MORE", more))

    write("0")
    with Session(profile) as session:
        reachable()
        write("-6", "  second: {from: tone}")
        lines = ["+ track second", "~ tone.gain_db: 0 -> -6"]
        # The session follows the saved file by itself, but not that soon.
        assert call("reload", "--plan").stdout.splitlines() == lines
        assert call("reload").exit_code == 0
        until(lambda: session.get("tone.gain_db") == -6)
        tracks = json.loads(call("status", "--json").stdout)["tracks"]
        assert [track["name"] for track in tracks] == ["tone", "second"]
        undone = call("reload", "--undo")
        assert (undone.exit_code, session.get("tone.gain_db")) == (0, 0)
        assert "- track second" in undone.stdout
        write("loud")
        checked, reloaded = call("check", str(profile)), call("reload")
        assert (checked.exit_code, reloaded.exit_code) == (2, 2)
        assert reloaded.stderr == checked.stderr
        assert "evening.yaml:4:" in reloaded.stderr
        assert session.running


# Marks --------------------------------------------------------------------------------------------


def test_marks_are_in_the_manifest(tmp_path: Path) -> None:
    session = Session(with_files(tmp_path / "rec"), name="gaming")
    with session:
        ready(session)
        result = call("mark", "first kill")
        assert (result.exit_code, result.stderr) == (0, "")
        own = session.mark("by Python")
    manifest = json.loads((tmp_path / "rec" / "session.json").read_text())
    assert [entry["text"] for entry in manifest["markers"]] == ["first kill", "by Python"]
    frame = manifest["markers"][0]["frame"]
    assert result.stdout.startswith("gaming: marked 0:0")
    assert result.stdout.endswith(f"(frame {frame})\n")
    assert frame <= own == manifest["markers"][1]["frame"]


def test_the_command_says_whether_a_file_keeps_the_mark(tmp_path: Path) -> None:
    files = FollowingFiles(FilesRule(folder=str(tmp_path / "rec")), list)
    with Session(Profile.from_dict(PROFILE), name="gaming", outputs=[files]) as session:
        reachable()
        between = call("mark", "between").stdout
        assert between.rstrip().endswith(KEPT_NOWHERE)
        marked = session.position
        until(lambda: session.position > marked + RATE // 10)
        files.begin(Take("take.mkv", "take", None, _core.host_now_ns(), 0.0))
        until(files.keeps_marks)
        assert call("mark", "within").stdout.rstrip().endswith(")")
        files.end(_core.host_now_ns())
        until(lambda: not files.keeps_marks())
        assert call("mark", "after").stdout.rstrip().endswith(KEPT_NOWHERE)
    manifest = json.loads((tmp_path / "rec" / "take session.json").read_text())
    assert [entry["text"] for entry in manifest["markers"]] == ["within"]


def test_files_that_have_failed_keep_no_mark(tmp_path: Path) -> None:
    with Session(with_files(tmp_path / "rec"), name="gaming") as session:
        reachable()
        assert KEPT_NOWHERE not in call("mark", "kept").stdout
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(split_files.FilesOutput, "write", lambda *_: 1 / 0)
            until(lambda: bool(session.errors))
        assert KEPT_NOWHERE in call("mark", "not kept").stdout


def test_a_session_with_all_its_marks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypac_obs.session.marks.MOST_MARKERS", 1)
    with Session(Profile.from_dict(PROFILE), name="gaming"):
        reachable()
        assert call("mark", "first").exit_code == 0
        second = call("mark", "second")
        assert (second.exit_code, second.stdout) == (1, "")
        assert "it has 1 marks already" in second.stderr


@pytest.mark.parametrize(
    ("off_s", "why"), [(3600.0, "in the future"), (1.0, "in the future"), (-60.0, "before")]
)
def test_a_mark_of_an_impossible_time_is_refused(off_s: float, why: str) -> None:
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        running = ready(session)
        assert running.control_port is not None
        from_ns = running.start_host_ns if off_s < 0 else _core.host_now_ns() + 10**9
        with ControlClient(running.control_port, read_or_make_token()) as control:
            with pytest.raises(InvalidValue, match=why):
                control.mark("x", round(from_ns + off_s * 1e9))
            assert control.mark("just before it began", running.start_host_ns - 10**9)["frame"] == 0
            assert control.mark("now")["frame"] > 0
    assert [marker.text for marker in session.markers] == ["just before it began", "now"]


def test_every_session_gets_the_mark_and_a_change_needs_a_name() -> None:
    profile = Profile.from_dict(PROFILE)
    with Session(profile, name="one") as one, Session(profile, name="two") as two:
        ports = {session.control_port for session in reachable(2)}
        assert len(ports) == 2
        assert call("mark", "for both").stdout.count("marked") == 2
        assert call("set", "tone.gain_db", "-6").exit_code == 1
        assert call("set", "tone.gain_db", "-6", "--session", "two").exit_code == 0
        assert (one.get("tone.gain_db"), two.get("tone.gain_db")) == (0, -6)
    assert [[mark.text for mark in session.markers] for session in (one, two)] == [["for both"]] * 2


def test_a_session_that_has_just_started_gets_the_command_too() -> None:
    with Session(Profile.from_dict(PROFILE), name="gaming") as session:
        until(running_sessions)
        result = call("mark", "at once")
        assert (result.exit_code, result.stderr) == (0, "")
        assert [marker.text for marker in session.markers] == ["at once"]


def test_a_profile_can_switch_control_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pypac_obs.cli.session_choice._STARTS_WITHIN_S", 0.5)
    profile = Profile.from_dict(PROFILE | {"control": {"enabled": False}})
    with Session(profile, name="gaming"):
        until(running_sessions)
        result = call("mark", "x")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: the session gaming has no control API.\n")
