# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from pypac_obs import _core
from pypac_obs.cli import commands
from pypac_obs.errors import OutputFailed, PermissionDenied
from pypac_obs.profile import Profile
from pypac_obs.runtime_folder import file_name_of, runtime_folder
from pypac_obs.session import Session
from pypac_obs.session.wiring import Wiring

if TYPE_CHECKING:
    from tests.conftest import SecondUser

PROFILE = {
    "version": 1,
    "sources": {
        "one": {"synthetic": {"kind": "numbered"}},
        "two": {"synthetic": {"kind": "tone", "frequency_hz": 1000}},
    },
    "tracks": {"game": {"from": "one"}, "voice": {"from": "two", "channels": 1}},
}

RUN_UNTIL_KILLED = """
import sys, time
from pypac_obs import _core
engine = _core.Engine(sample_rate=48000, block_frames=480, latency_frames=480)
tone = _core.SyntheticSource(sample_rate=48000, channels=2, capacity_frames=4800, kind="tone")
engine.apply([("a", tone)], [_core.TrackSpec("game", sends=[_core.SendSpec("a")])])
shared = _core.SharedTracks(engine, "obs", "stream", ["game"], 48000)
engine.start(_core.host_now_ns())
print("started", flush=True)
time.sleep(60)  # until it is killed
"""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_RUNTIME_DIR", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    return runtime_folder()


@pytest.fixture
def wiring() -> Wiring:
    return Wiring(Profile.from_dict(PROFILE))


def read_all(reader: _core.SharedTrackReader) -> tuple[int, np.ndarray]:
    first, frames, _ = reader.read(100_000)
    pieces = [frames]
    while len(pieces[-1]):
        pieces.append(reader.read(100_000)[1])
    return first, np.concatenate(pieces)


def test_tracks_are_read_as_other_outputs_have_them(wiring: Wiring, runtime: Path):
    shared = wiring.add_shared_tracks("obs", "stream", ["voice", "game"])
    assert shared.paths == [str(runtime / "tracks" / "stream" / n) for n in ("voice", "game")]
    other = wiring.add_reader("test", ["voice", "game"])
    voice = _core.SharedTrackReader("stream", "voice")
    game = _core.SharedTrackReader("stream", "game")
    assert (voice.poll(), game.poll()) == ("starting", "starting")
    assert _core.list_shared_tracks() == [
        ("stream", "game", "starting"),
        ("stream", "voice", "starting"),
    ]
    wiring.engine.run_offline(20_000)
    assert (voice.poll(), game.poll()) == ("running", "running")
    wiring.engine.finish_offline()
    assert voice.poll() == "ended"
    _, frames, (voice_frames, game_frames) = other.peek(100_000)
    assert frames == 20_000
    assert np.ptp(voice_frames) > 0.1
    start, read = read_all(voice)
    assert start == 0
    np.testing.assert_array_equal(read, voice_frames)
    np.testing.assert_array_equal(read_all(game)[1], game_frames)
    info = game.info()
    assert (info.channels, info.sample_rate, info.first_frame) == (2, 48_000, 0)
    assert info.session_id == shared.session_id
    shared.close()
    assert not (runtime / "tracks" / "stream").exists()
    assert _core.list_shared_tracks() == []


def test_an_output_that_is_added_while_running_begins_then(wiring: Wiring):
    wiring.engine.run_offline(10_000)
    shared = wiring.add_shared_tracks("obs", "stream", ["game"])
    reader = _core.SharedTrackReader("stream", "game")
    assert reader.poll() == "running"
    wiring.engine.run_offline(1_000)
    assert read_all(reader)[0] == 10_000
    shared.close()
    wiring.engine.finish_offline()


def test_a_reader_that_is_too_slow_is_told_what_it_lost(wiring: Wiring):
    shared = _core.SharedTracks(wiring.engine, "obs", "stream", ["game"], 4800)
    reader = _core.SharedTrackReader("stream", "game")
    assert reader.poll() == "starting"
    wiring.engine.run_offline(9600)
    start, frames, lost = reader.read(4096)
    assert lost == start > 0
    assert start + len(frames) == 9600
    shared.close()
    wiring.engine.finish_offline()


@pytest.mark.linux("that reader is POSIX's; Windows has no file")
def test_the_reader_in_the_documentation_reads(wiring: Wiring):
    names: dict[str, Any] = {}
    document = Path(__file__).parents[2] / "docs" / "shared-track.md"
    exec(re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)[0], names)
    shared = wiring.add_shared_tracks("obs", "stream", ["game", "voice"])
    other = wiring.add_reader("test", ["game", "voice"])
    for frames in (20_000, 80_000):  # before and after the ring has gone round
        wiring.engine.run_offline(frames)
        _, frames, views = other.peek(100_000)
        for path, view in zip(shared.paths, views, strict=True):
            np.testing.assert_array_equal(names["newest_second"](path), view[-48_000:])
        other.release(frames)
    shared.close()
    wiring.engine.finish_offline()


def test_any_name_will_do(wiring: Wiring, runtime: Path):
    name = "../Stream / Käse %2F"
    shared = wiring.add_shared_tracks("obs", name, ["game"])
    assert shared.paths == [str(runtime / "tracks" / file_name_of(name) / "game")]
    assert _core.list_shared_tracks() == [(name, "game", "starting")]
    assert _core.SharedTrackReader(name, "game").poll() == "starting"


def test_a_name_that_is_too_long_is_refused(wiring: Wiring, runtime: Path):
    with pytest.raises(ValueError, match="shorten it"):
        wiring.add_shared_tracks("obs", "x" * 256, ["game"])


@pytest.mark.linux("modes are POSIX's; see test_shared_track")
def test_a_runtime_folder_of_others_is_refused(wiring: Wiring, runtime: Path):
    runtime.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="cannot be used"):
        wiring.add_shared_tracks("obs", "stream", ["game"])
    assert _core.SharedTrackReader("stream", "game").poll() == "absent"


def test_a_living_session_keeps_its_name_and_a_killed_one_does_not(wiring: Wiring):
    with subprocess.Popen(
        [sys.executable, "-Ic", RUN_UNTIL_KILLED], stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline().rstrip() == b"started"
            reader = _core.SharedTrackReader("stream", "game")
            assert reader.poll() == "running"
            assert reader.info().writer_pid == process.pid
            with pytest.raises(OutputFailed, match=f"by the process {process.pid}") as caught:
                wiring.add_shared_tracks("obs", "stream", ["game"])
            assert caught.value.remedy
        finally:
            process.kill()
    before = reader.info().session_id
    shared = wiring.add_shared_tracks("obs", "stream", ["game"])
    assert _core.list_shared_tracks() == [("stream", "game", "starting")]
    again = _core.SharedTrackReader("stream", "game")
    assert again.poll() == "starting"
    assert again.info().session_id == shared.session_id != before


@pytest.mark.linux("nobody can shorten a section of Windows'")
@pytest.mark.parametrize("name", ["obs", "studio"])
def test_a_track_that_is_cut_off_costs_the_session_nothing_but_that(tmp_path: Path, name: str):
    """A whole session, with files: it goes on, says so, and OBS gets the track again."""
    rule = {"tracks": {"game": 1, "voice": 2}, "port": 1, "transport": "plugin"}
    profile = Profile.from_dict(
        PROFILE
        | {
            "outputs": {
                name: rule if name == "obs" else {"obs": rule},
                "files": {"folder": str(tmp_path / "rec")},
            }
        }
    )
    with Session(profile, name="stream") as session:
        game = runtime_folder() / "tracks" / "stream" / "game"
        with game.open("rb") as before:  # as a reader has it: its number is not used again
            os.truncate(game, 0)
            until(lambda: any(i.cause == "shared_track_lost" for i in session.incidents))
            assert not os.path.samestat(os.fstat(before.fileno()), game.stat())
        reader = _core.SharedTrackReader("stream", "game")
        until(lambda: reader.poll() == "running" and len(reader.read(1000)[1]) > 0)
        voice = _core.SharedTrackReader("stream", "voice")
        assert voice.poll() == "running"
        position = session.position
        until(lambda: session.position > position)
    [lost] = [i for i in session.incidents if i.cause == "shared_track_lost"]
    assert (lost.output, lost.tracks) == (name, ("game",))
    assert [one.name for one in session.status().outputs] == ["files", name]
    assert lost.frames > 0
    assert session.errors == ()
    ledger = (tmp_path / "rec" / "ledger.jsonl").read_text()
    assert f"the output {name} lost" in ledger
    assert json.loads((tmp_path / "rec" / "session.json").read_text())["state"] == "complete"


@pytest.mark.linux("Windows keeps each user's profile closed")
def test_another_user_cannot_reach_a_shared_track(
    wiring: Wiring, second_user: SecondUser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(second_user.shared))
    shared = wiring.add_shared_tracks("obs", "stream", ["game"])
    [path] = shared.paths
    for command in (["truncate", "-s", "0", path], ["cat", path], ["rm", "-rf", path]):
        assert second_user.run(*command, check=False) != 0
    assert _core.list_shared_tracks() == [("stream", "game", "starting")]
    shared.close()


def with_files_and_obs(tmp_path: Path) -> Path:
    profile = tmp_path / "stream.yaml"
    obs = {"tracks": {"game": 1, "voice": 2}, "port": 1, "transport": "plugin"}
    outputs = {"obs": obs, "files": {"folder": str(tmp_path / "rec")}}
    profile.write_text(json.dumps(PROFILE | {"outputs": outputs}))
    return profile


@pytest.mark.linux("Windows keeps each user's profile closed")
def test_another_user_who_takes_the_runtime_folder_stops_no_recording(
    tmp_path: Path, second_user: SecondUser, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(second_user.shared))
    taken = second_user.shared / "pypac-obs"
    second_user.run("mkdir", "-m", "777", str(taken))
    result = CliRunner().invoke(
        commands, ["run", str(with_files_and_obs(tmp_path)), "--duration", "1"]
    )
    assert result.exit_code == 1  # OBS got nothing, and that is a failure
    whose = rf"{re.escape(str(taken))} is not your folder: it belongs to .*UID {second_user.uid}"
    assert re.search(whose, result.output.replace("\n", " "))
    assert f"sudo rm -r {taken}" in result.output.replace("\n", " ")
    for track in ("game", "voice"):
        assert soundfile.info(tmp_path / "rec" / f"{track}.wav").frames == 48000
    assert json.loads((tmp_path / "rec" / "session.json").read_text())["state"] == "complete"
    [line] = (tmp_path / "rec" / "ledger.jsonl").read_text().splitlines()
    assert json.loads(line)["cause"] == "output_failed"
    assert json.loads(line)["output"] == "obs"
    assert list(taken.iterdir()) == []


@pytest.mark.linux("a user's profile is there, and closed, on Windows")
@pytest.mark.parametrize("way", ["open to others", "a file", "a link", "not there"])
def test_a_runtime_folder_that_cannot_be_used_stops_no_recording(
    tmp_path: Path, runtime: Path, monkeypatch: pytest.MonkeyPatch, way: str
):
    if way == "open to others":
        runtime.mkdir(mode=0o755)
    elif way == "a file":
        runtime.write_text("mine")
    elif way == "a link":
        runtime.symlink_to(tmp_path)
    else:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "nowhere"))
    with Session(with_files_and_obs(tmp_path)) as session:
        [error] = session.errors
        assert str(runtime) in str(error) or "nowhere" in str(error)
        assert error.remedy
        assert any(str(error) in text for text in session.status().news)
        assert str(error) in session.status().outputs[-1].state
        until(lambda: session.position > 4800)
    assert soundfile.info(tmp_path / "rec" / "game.wav").frames > 4800
    assert [i.cause for i in session.incidents] == ["output_failed"]


@pytest.mark.linux("a user's profile is there, and closed, on Windows")
def test_a_session_for_obs_alone_says_what_is_in_its_way(tmp_path: Path, runtime: Path):
    runtime.mkdir(mode=0o755)
    obs = {"tracks": {"game": 1}, "port": 1, "transport": "plugin"}
    session = Session(Profile.from_dict(PROFILE | {"outputs": {"obs": obs}}))
    with pytest.raises(PermissionDenied, match="is open to other users") as caught:
        session.start()
    assert "chmod 700" in caught.value.remedy


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
