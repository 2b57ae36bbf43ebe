# SPDX-License-Identifier: MIT
"""Takes of a recording that somebody else makes, told late, early, and out of the blue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from fake_reader import FakeReader, session_info

from pypac_obs.errors import OutputFailed
from pypac_obs.incidents import Incident
from pypac_obs.outputs import files
from pypac_obs.outputs.driver import OutputThread
from pypac_obs.outputs.following import (
    FILE_WITHIN_S,
    HISTORY_S,
    MARGIN_S,
    FollowingFiles,
    Take,
)
from pypac_obs.outputs.output import Block, Marker, SessionInfo, TrackInfo

RATE = 1000
START_NS = 5_000_000_000
BLOCK = 250
WALL = datetime(2026, 11, 25, 20, 0, tzinfo=UTC)
MARGIN = round(MARGIN_S * RATE)


@dataclass
class Rule:
    folder: str
    name: str = "{track}"
    format: str = "wav"
    encoding: str | None = "float32"
    tracks: tuple[str, ...] | None = None


def host(frame: int) -> int:
    """The host time of a frame."""
    return START_NS + frame * 10**9 // RATE


def signal(begin: int, end: int) -> Any:
    """Frames that carry their own number; no two files can be mixed up."""
    return (np.arange(begin, end, dtype=np.float32) + 1) / np.float32(2**20)


class Stage:
    """A following output with a timeline that is moved by hand."""

    def __init__(self, tmp_path: Path) -> None:
        self.obs = tmp_path / "obs"
        self.obs.mkdir(exist_ok=True)
        self.fallback = tmp_path / "fallback"
        self.open: list[Incident] = []
        self.files = FollowingFiles(Rule(str(self.fallback)), lambda: self.open)
        self.now = 0
        self.files.open(
            SessionInfo(
                "gaming",
                "gaming",
                {},
                RATE,
                (TrackInfo("voice", 1), TrackInfo("game", 2)),
                WALL,
                START_NS,
                {},
            )
        )

    def play(self, until: int, *more: str) -> None:
        while self.now < until:
            end = min(self.now + BLOCK, until)
            mono = signal(self.now, end)[:, None].copy()
            audio = {"voice": mono, "game": np.repeat(mono, 2, axis=1)}
            audio |= {name: mono.copy() for name in more}
            self.files.write(Block(self.now, end - self.now, RATE, audio))
            for array in audio.values():
                array[:] = np.nan  # a ring is overwritten
            self.now = end

    def lose(self, frames: int) -> None:
        self.now += frames

    def take(self, name: str, frame: int, **options: Any) -> Take:
        options = {"folder": self.obs, "zero_ns": host(frame), "uncertainty_s": 0.01} | options
        return Take(str(self.obs / f"{name}.mkv"), name, **options)

    def audio(self, name: str, track: str = "voice") -> Any:
        path = self.obs / f"{name} {track}.wav"
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        assert rate == RATE
        return audio[:, 0]

    def manifest(self, name: str) -> Any:
        return json.loads((self.obs / f"{name} session.json").read_text())

    def ledger(self, name: str) -> list[Any]:
        text = (self.obs / f"{name} ledger.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_nothing_is_written_while_nothing_is_recorded(stage: Stage, tmp_path: Path) -> None:
    stage.play(20_000)
    stage.files.close(20_000)
    assert list(stage.obs.iterdir()) == []
    assert not stage.fallback.exists()


def recording(stage: Stage, name: str, frame: int) -> Take:
    """A take whose recording's own file has to be there."""
    return stage.take(name, frame, proof=stage.obs / f"{name}.mkv")


def test_a_take_waits_for_the_recordings_own_file_and_misses_nothing(stage: Stage) -> None:
    stage.play(3000)
    stage.files.begin(recording(stage, "one", 2900))
    assert not stage.files.keeps_marks()
    waits = round((HISTORY_S + 3) * RATE)
    stage.play(3000 + waits)
    assert list(stage.obs.iterdir()) == []
    assert not stage.fallback.exists()
    assert stage.files.keeps_marks()
    stage.files.on_marker(Marker(3100, WALL, "early"))
    (stage.obs / "one.mkv").touch()
    stage.play(4000 + waits)
    stage.files.end(host(4000 + waits))
    stage.files.close(4000 + waits)
    assert np.array_equal(stage.audio("one"), signal(2900, 4000 + waits))
    assert [mark["frame"] for mark in stage.manifest("one")["markers"]] == [200]
    assert stage.ledger("one") == []


def test_a_take_that_follows_one_begins_where_that_ends_also_if_it_waits(stage: Stage) -> None:
    (stage.obs / "one.mkv").touch()
    stage.files.begin(recording(stage, "one", 1000))
    stage.play(3000)
    stage.files.begin(recording(stage, "two", 3200))
    stage.play(6000)
    (stage.obs / "two.mkv").touch()
    stage.play(8000)
    stage.files.close(8000)
    assert np.array_equal(stage.audio("one"), signal(1000, 3200))
    joined = np.concatenate([stage.audio("one"), stage.audio("two")])
    assert np.array_equal(joined, signal(1000, 8000))


LINK = pytest.param("a link", marks=pytest.mark.linux("links need a right of their own on Windows"))


@pytest.mark.parametrize("there", ["nothing", "a folder", LINK])
def test_where_the_file_never_is_the_profiles_folder_is_taken(stage: Stage, there: str) -> None:
    if there == "a folder":
        (stage.obs / "one.mkv").mkdir()
    elif there == "a link":
        (stage.obs / "one.mkv").symlink_to(__file__)
    stage.files.begin(recording(stage, "one", 1000))
    end = 1000 + round((FILE_WITHIN_S + 1) * RATE)
    stage.play(end)
    assert stage.files.paths["voice"].parent == stage.fallback
    stage.files.close(end)
    audio, _ = soundfile.read(stage.fallback / "one voice.wav", dtype="float32")
    assert np.array_equal(audio, signal(1000, end))
    assert [path.name for path in stage.obs.iterdir() if path.name != "one.mkv"] == []


def test_the_sessions_end_waits_for_no_file(stage: Stage) -> None:
    stage.play(1000)
    stage.files.begin(recording(stage, "one", 500))
    stage.play(2000)
    stage.files.close(2000)
    audio, _ = soundfile.read(stage.fallback / "one voice.wav", dtype="float32")
    assert np.array_equal(audio, signal(500, 2000))


def test_a_take_has_its_frames_and_nothing_else(stage: Stage) -> None:
    stage.play(3000)
    stage.files.begin(stage.take("one", 2900))
    stage.play(5500)
    stage.files.end(host(5777))
    stage.play(8000)
    assert np.array_equal(stage.audio("one"), signal(2900, 5777))
    assert np.array_equal(stage.audio("one", "game"), signal(2900, 5777))
    manifest = stage.manifest("one")
    assert (manifest["state"], manifest["frames"]) == ("complete", 2877)
    assert manifest["start"]["host_ns"] == host(2900)
    assert manifest["start"]["wall"] == "2026-11-25T20:00:02.900000+00:00"
    assert manifest["obs"] == {
        "file": str(stage.obs / "one.mkv"),
        "frame_0_at_s": 0.0,
        "uncertainty_s": 0.01,
    }
    assert [track["file"] for track in manifest["tracks"]] == ["one voice.wav", "one game.wav"]
    stage.files.close(8000)
    assert sorted(path.name for path in stage.obs.iterdir()) == [
        "one game.wav",
        "one ledger.jsonl",
        "one session.json",
        "one voice.wav",
    ]


@pytest.mark.parametrize("told_late", [0, 100, 1000, round(HISTORY_S * RATE) - BLOCK])
def test_a_beginning_that_is_told_late_is_complete(stage: Stage, told_late: int) -> None:
    stage.play(7000)
    begin = 7000 - told_late
    stage.files.begin(stage.take("one", begin))
    stage.play(9000)
    stage.files.close(9000)
    assert np.array_equal(stage.audio("one"), signal(begin, 9000))
    assert stage.ledger("one") == []


def test_a_beginning_that_is_told_before_it_comes_waits(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 3333))
    stage.play(3250)
    assert list(stage.obs.iterdir()) == []
    stage.play(5000)
    stage.files.close(5000)
    assert np.array_equal(stage.audio("one"), signal(3333, 5000))


def test_what_is_told_too_late_is_silence_with_a_line_in_the_ledger(stage: Stage) -> None:
    stage.play(10_000)
    kept_from = 10_000 - round(HISTORY_S * RATE)
    stage.files.begin(stage.take("one", kept_from - 1500))
    stage.play(12_000)
    stage.files.close(12_000)
    audio = stage.audio("one")
    assert not audio[:1500].any()
    assert np.array_equal(audio[1500:], signal(kept_from, 12_000))
    [line] = stage.ledger("one")
    assert (line["cause"], line["begin"], line["frames"]) == ("late_start", 0, 1500)
    assert line["message"] == (
        "the output files was told too late to begin: 1500 frames of voice and game are missing "
        "from 0:00.000 to 0:01.500"
    )


def test_a_recording_that_was_running_before_is_taken_from_what_is_there(stage: Stage) -> None:
    stage.play(10_000)
    kept_from = 10_000 - round(HISTORY_S * RATE)
    stage.files.begin(stage.take("one", -60_000, seen=False))
    stage.play(12_000)
    stage.files.close(12_000)
    assert np.array_equal(stage.audio("one"), signal(kept_from, 12_000))
    assert stage.manifest("one")["obs"]["frame_0_at_s"] == pytest.approx(60 + kept_from / RATE)
    assert stage.ledger("one") == []


def test_a_recording_from_before_the_session_begins_with_the_session(stage: Stage) -> None:
    stage.files.begin(stage.take("one", -750))
    stage.play(2000)
    stage.files.close(2000)
    assert np.array_equal(stage.audio("one"), signal(0, 2000))
    assert stage.manifest("one")["obs"]["frame_0_at_s"] == 0.75


def test_where_a_files_beginning_is_not_known_the_manifest_says_so(stage: Stage) -> None:
    stage.play(10_000)
    stage.files.begin(stage.take("one", -60_000, seen=False, uncertainty_s=None))
    stage.play(11_000)
    stage.files.close(11_000)
    note = stage.manifest("one")["obs"]
    assert (note["frame_0_at_s"], note["uncertainty_s"]) == (None, None)


def test_a_recording_that_is_joined_in_a_pause_begins_with_its_end(stage: Stage) -> None:
    stage.play(10_000)
    take = stage.take("one", -60_000, seen=False, since_ns=host(10_000))
    stage.files.begin(take)
    stage.files.pause(host(10_000))
    stage.play(12_000)
    stage.files.resume(host(11_500))
    stage.play(13_000)
    stage.files.close(13_000)
    assert np.array_equal(stage.audio("one"), signal(11_500, 13_000))
    note = stage.manifest("one")["obs"]
    assert note["frame_0_at_s"] == 70.0
    assert note["pauses"] == [{"frame": 0, "left_out_s": 1.5}]


@pytest.mark.parametrize("later_s", [0.5, None])
def test_a_doubt_is_told_and_leaves_frame_0_where_it_is(
    stage: Stage, later_s: float | None
) -> None:
    stage.files.begin(stage.take("one", -250))
    stage.files.doubt(host(1500), later_s)
    stage.play(3000)
    stage.files.begin(stage.take("two", 3000))
    stage.play(6000)
    stage.files.close(6000)
    note = stage.manifest("one")["obs"]
    assert (note["frame_0_at_s"], note["uncertainty_s"]) == (0.25, later_s)
    assert stage.manifest("two")["obs"]["uncertainty_s"] == 0.01


def test_a_track_that_comes_has_a_file_from_the_next_take_on(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(RATE)
    tracks = (TrackInfo("voice", 1), TrackInfo("game", 2), TrackInfo("guest", 1))
    stage.files.tracks_changed(tracks)
    came = stage.now
    stage.play(2 * RATE, "guest")
    stage.files.begin(stage.take("two", came - 100))
    stage.play(3 * RATE, "guest")
    stage.files.close(3 * RATE)
    assert not (stage.obs / "one guest.wav").exists()
    guest = stage.audio("two", "guest")
    assert len(guest) == len(stage.audio("two")) == 3 * RATE - (came - 100)
    assert not guest[:100].any()
    assert np.array_equal(guest[100:], signal(came, 3 * RATE))


def test_frames_from_before_a_track_came_are_silence(stage: Stage) -> None:
    stage.play(RATE)
    tracks = (TrackInfo("voice", 1), TrackInfo("game", 2), TrackInfo("guest", 1))
    stage.files.tracks_changed(tracks)
    stage.play(2 * RATE, "guest")
    stage.files.begin(stage.take("one", RATE - 100))
    stage.play(3 * RATE, "guest")
    stage.files.close(3 * RATE)
    guest = stage.audio("one", "guest")
    assert not guest[:100].any()
    assert np.array_equal(guest[100:], signal(RATE, 3 * RATE))


def test_a_split_loses_no_frame_and_doubles_none(stage: Stage) -> None:
    stage.play(1000)
    stage.files.begin(stage.take("one", 1000))
    stage.play(4000)
    stage.files.begin(stage.take("two", 3210))  # told late, as all of OBS is
    stage.play(6000)
    stage.files.begin(stage.take("three", 6100))
    stage.play(8000)
    stage.files.close(8000)
    # The first had got what came before it was told: that is in both.
    assert np.array_equal(stage.audio("one"), signal(1000, 4000))
    assert np.array_equal(stage.audio("two"), signal(3210, 6100))
    assert np.array_equal(stage.audio("three"), signal(6100, 8000))


def test_a_pause_is_left_out(stage: Stage) -> None:
    stage.play(1000)
    stage.files.begin(stage.take("one", 1000))
    stage.play(1500)
    stage.files.pause(host(2000))
    stage.play(4000)
    stage.files.resume(host(3000))
    stage.play(4500)
    stage.files.pause(host(4600))
    stage.play(6000)
    stage.files.end(host(5500))
    stage.play(8000)
    expected = np.concatenate([signal(1000, 2000), signal(3000, 4600)])
    assert np.array_equal(stage.audio("one"), expected)
    assert stage.manifest("one")["obs"]["pauses"] == [
        {"frame": 1000, "left_out_s": 1.0},
        {"frame": 2600, "left_out_s": None},
    ]


def test_what_is_written_when_a_pause_is_told_stays_and_nothing_after_it_is_lost(
    stage: Stage,
) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(4000)
    stage.files.pause(host(2000))
    stage.play(6000)
    stage.files.resume(host(5500))
    stage.play(8000)
    stage.files.close(8000)
    expected = np.concatenate([signal(0, 4000), signal(5500, 8000)])
    assert np.array_equal(stage.audio("one"), expected)
    manifest = stage.manifest("one")
    assert manifest["frames"] == len(expected)
    assert manifest["obs"]["pauses"] == [{"frame": 4000, "left_out_s": 1.5, "kept_s": 2.0}]
    assert stage.ledger("one") == []


def test_a_pause_that_is_told_when_it_is_over_is_in_the_files_and_in_the_note(
    stage: Stage,
) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(4000)
    stage.files.pause(host(2000))
    stage.files.resume(host(3000))
    stage.files.pause(host(3500))
    stage.files.resume(host(4500))
    stage.play(6000)
    stage.files.close(6000)
    expected = np.concatenate([signal(0, 4000), signal(4500, 6000)])
    assert np.array_equal(stage.audio("one"), expected)
    assert stage.manifest("one")["obs"]["pauses"] == [
        {"frame": 3000, "left_out_s": 0.0, "kept_s": 1.0},
        {"frame": 4000, "left_out_s": 0.5, "kept_s": 0.5},
    ]


def test_an_incident_in_a_pause_that_was_kept_has_its_place(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(4000)
    stage.files.pause(host(2000))
    stage.files.on_incident(gap(2500, 2700))
    stage.play(5000)
    stage.files.resume(host(5000))
    stage.files.on_incident(gap(5500, 5600))
    stage.play(7000)
    stage.files.close(7000)
    lines = [(line["begin"], line["frames"]) for line in stage.ledger("one")]
    assert lines == [(2500, 200), (4500, 100)]


def test_a_resume_that_is_told_too_late_is_silence_with_a_line_in_the_ledger(
    stage: Stage,
) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.files.pause(host(1000))
    stage.play(10_000)
    kept_from = 10_000 - round(HISTORY_S * RATE)
    stage.files.resume(host(kept_from - 700))
    stage.play(12_000)
    stage.files.close(12_000)
    audio = stage.audio("one")
    expected = np.concatenate([signal(0, 1000), np.zeros(700), signal(kept_from, 12_000)])
    assert np.array_equal(audio, expected)
    [line] = stage.ledger("one")
    assert (line["cause"], line["begin"], line["frames"]) == ("late_start", 1000, 700)


def test_the_next_take_begins_unpaused(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.files.pause(host(500))
    stage.play(1000)
    stage.files.end(host(1000))
    stage.files.begin(stage.take("two", 1500))
    stage.play(3000)
    stage.files.close(3000)
    assert np.array_equal(stage.audio("one"), signal(0, 500))
    assert np.array_equal(stage.audio("two"), signal(1500, 3000))


def test_what_the_output_lost_is_silence(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(1000)
    stage.lose(500)
    stage.play(3000)
    stage.files.close(3000)
    expected = signal(0, 3000)
    expected[1000:1500] = 0
    assert np.array_equal(stage.audio("one"), expected)


def gap(begin: int, end: int) -> Incident:
    return Incident("not_running", "discord", None, ("voice",), begin, end - begin)


def test_incidents_are_cut_to_the_take_and_counted_from_its_beginning(stage: Stage) -> None:
    stage.play(1000)
    stage.files.on_incident(gap(0, 400))  # over before the take
    stage.files.begin(stage.take("one", 1000))
    stage.play(2000)
    stage.files.on_incident(gap(500, 1200))  # lasts into it
    stage.files.on_incident(gap(1500, 1600))
    stage.play(3000)
    stage.files.end(host(3000))
    stage.play(3250)
    stage.files.on_incident(gap(2800, 3100))  # lasts beyond it
    stage.files.on_incident(gap(3120, 3140))  # after it
    stage.play(5000)
    lines = [(line["begin"], line["frames"]) for line in stage.ledger("one")]
    assert sorted(lines) == [(0, 200), (500, 100), (1800, 200)]
    assert stage.manifest("one")["incidents"] == {"not_running": {"count": 3, "frames": 500}}


def test_an_incident_that_is_not_over_at_the_end_is_told_once(stage: Stage) -> None:
    stage.play(500)
    stage.files.begin(stage.take("one", 500))
    stage.open = [gap(200, 600)]  # is open, and grows
    stage.play(2000)
    stage.open = [gap(200, 2000)]
    stage.files.begin(stage.take("two", 2000))
    stage.open = [gap(200, 2300)]
    stage.play(2250)
    stage.open = []
    stage.files.on_incident(gap(200, 2300))  # it is over before the first take is closed
    stage.play(4000)
    stage.files.close(4000)
    [line] = stage.ledger("one")
    assert (line["begin"], line["frames"]) == (0, 1500)
    [line] = stage.ledger("two")
    assert (line["begin"], line["frames"]) == (0, 300)


def test_a_source_that_never_ran_is_in_the_ledger_of_each_take(stage: Stage) -> None:
    stage.open = [gap(0, 100)]  # so far: it is told of in steps
    for number in range(3):
        stage.files.begin(stage.take(str(number), number * 1000))
    stage.files.end(host(3000))
    stage.play(6000)
    for number in range(3):
        [line] = stage.ledger(str(number))
        assert (line["begin"], line["frames"]) == (0, 1000)


def test_an_end_that_is_told_late_leaves_what_was_written_and_says_what_it_holds(
    stage: Stage,
) -> None:
    stage.open = [gap(0, 100)]
    stage.files.begin(stage.take("one", 0))
    stage.play(5000)
    stage.files.end(host(3000))
    stage.play(6000)
    assert np.array_equal(stage.audio("one"), signal(0, 5000))
    [line] = stage.ledger("one")
    assert (line["begin"], line["frames"]) == (0, 5000)


def test_marks_lie_in_the_take_they_belong_to(stage: Stage) -> None:
    def mark(frame: int, text: str) -> None:
        stage.files.on_marker(Marker(frame, WALL, text))

    stage.play(1000)
    mark(900, "before")
    stage.files.begin(stage.take("one", 800))
    stage.play(2000)
    mark(1500, "within")
    mark(2100, "ahead")
    stage.files.end(host(2500))
    mark(2600, "after")
    stage.play(5000)
    markers = [(entry["frame"], entry["text"]) for entry in stage.manifest("one")["markers"]]
    assert markers == [(100, "before"), (700, "within"), (1300, "ahead")]
    assert stage.manifest("one")["markers"][0]["time"] == WALL.isoformat()


def test_a_folder_that_is_not_ours_to_write_is_replaced_by_the_profiles(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 0, folder=Path("/proc/nowhere")))
    stage.files.begin(stage.take("two", 1000, folder=None))
    stage.play(3000)
    stage.files.close(3000)
    assert (stage.fallback / "one voice.wav").exists()
    assert (stage.fallback / "two voice.wav").exists()
    manifest = json.loads((stage.fallback / "one session.json").read_text())
    assert manifest["obs"]["file"] == str(stage.obs / "one.mkv")


def test_what_is_there_already_is_not_overwritten(stage: Stage) -> None:
    (stage.obs / "one game.wav").write_text("somebody's")
    stage.files.begin(stage.take("one", 0))
    stage.play(1000)
    stage.files.close(1000)
    assert (stage.obs / "one game.wav").read_text() == "somebody's"
    assert np.array_equal(stage.audio("one", "voice (2)"), signal(0, 1000))
    assert stage.files.paths["voice"] == stage.obs / "one voice (2).wav"


def test_a_session_that_ends_ends_its_take(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 500))
    stage.play(2222)
    stage.files.close(2222)
    assert np.array_equal(stage.audio("one"), signal(500, 2222))
    assert stage.manifest("one")["state"] == "complete"


def test_a_given_up_take_keeps_what_it_has(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 500))
    stage.files.pause(host(1000))
    stage.files.resume(host(1500))
    stage.play(3000)
    assert stage.files.kept() == 3000
    stage.files.abort()
    expected = np.concatenate([signal(500, 1000), signal(1500, 3000)])
    assert np.array_equal(stage.audio("one"), expected)
    assert stage.manifest("one")["state"] == "failed"
    stage.files.abort()


def test_an_end_a_pause_and_a_resume_without_a_take_do_nothing(stage: Stage) -> None:
    calls: list[Callable[[int], None]] = [stage.files.end, stage.files.pause, stage.files.resume]
    for number, call in enumerate(calls):
        call(host(100 * number))
    stage.play(1000)
    stage.files.close(1000)
    assert list(stage.obs.iterdir()) == []
    assert stage.files.kept() is None


def test_a_full_disk_ends_it_with_what_was_written(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(1000)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files._WavFile, "commit", full)
    with pytest.raises(OutputFailed, match="the disk is full"):
        stage.play(2000)
    monkeypatch.undo()
    stage.files.abort()
    assert 0 < len(stage.audio("one")) <= 1000


@contextmanager
def failing(cause: str, stage: Stage) -> Iterator[None]:
    """Takes cannot be written while this lasts: the disk is full, or the folders are in the way."""
    if cause == "full disk":

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files._WavFile, "commit", full)
            yield
        return
    away = stage.obs.with_name("away")
    stage.obs.rename(away)
    stage.obs.write_text("in the way")
    stage.fallback.write_text("in the way")
    yield
    stage.obs.unlink()
    stage.fallback.unlink()
    away.rename(stage.obs)


def test_a_take_that_fails_ends_alone(stage: Stage) -> None:
    incidents: list[Incident] = []
    tracks = {"voice": 1, "game": 2}
    reader = FakeReader(tracks, capacity=20_000)
    thread = OutputThread(
        stage.files,
        reader,
        replace(session_info(tracks, RATE), start_host_ns=START_NS),
        on_incident=incidents.append,
    )
    now = 0

    def play(until: int) -> None:
        nonlocal now
        mono = signal(now, until)[:, None]
        assert reader.push([mono, np.repeat(mono, 2, axis=1)])
        now = until
        wait_for(lambda: thread.position == until)

    def wait_for(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.005)

    thread.start()
    stage.files.begin(stage.take("one", 0))
    play(2000)
    thread.post_incident(gap(1000, 1200))
    play(2500)
    with failing("full disk", stage):
        play(3000)
        wait_for(lambda: len(incidents) == 1)
    stage.files.begin(stage.take("two", 3000))
    play(4000)
    stage.files.end(host(4000))
    play(6000)
    with failing("folder", stage):
        stage.files.begin(stage.take("three", 6000))
        play(7000)
        wait_for(lambda: len(incidents) == 2)
    stage.files.end(host(7500))
    stage.files.begin(stage.take("four", 8000))
    play(9000)
    assert thread.running
    assert thread.error is not None
    assert "is no folder" in str(thread.error)
    assert thread.stop(reader.end())

    held = len(stage.audio("one"))
    assert 1000 < held <= 2500
    assert np.array_equal(stage.audio("one"), signal(0, held))
    assert stage.manifest("one")["state"] == "failed"
    assert "full" in stage.manifest("one")["error"] or "free" in stage.manifest("one")["error"]
    causes = [(line["cause"], line["begin"]) for line in stage.ledger("one")]
    assert causes == [("not_running", 1000), ("disk_full", held)]
    assert [incident.cause for incident in incidents] == ["disk_full", "output_failed"]
    for name, begin, end in (("two", 3000, 4000), ("four", 8000, 9000)):
        assert np.array_equal(stage.audio(name), signal(begin, end))
        assert (stage.manifest(name)["state"], stage.manifest(name)["error"]) == ("complete", None)
        assert stage.ledger(name) == []
    assert not list(stage.obs.glob("three*"))


def test_a_take_that_cannot_be_closed_is_saved_and_the_next_one_is_written(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(1500)
    stage.files.end(host(1500))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.FilesOutput, "_pad", _full)
        patch.setattr(files.FilesOutput, "close", _full)
        with pytest.raises(OutputFailed):
            stage.play(4000)
    assert stage.files.recover()
    assert np.array_equal(stage.audio("one"), signal(0, 1500))
    assert stage.manifest("one")["state"] == "failed"
    stage.files.begin(stage.take("two", 2000))
    stage.now += BLOCK  # that was at hand
    stage.play(4500)
    stage.files.close(4500)
    assert len(stage.audio("two")) == 2500


def _full(*_: object) -> None:
    raise OutputFailed("files: the disk is full", native_code=28)


def test_clipping_is_told_at_its_place_in_the_take_and_on_the_timeline(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.files._rule.encoding = "pcm24"
    take_audio = signal

    def loud(begin: int, end: int) -> Any:
        audio = take_audio(begin, end)
        audio[(np.arange(begin, end) >= 3100) & (np.arange(begin, end) < 3110)] = 1.5
        return audio

    monkeypatch.setitem(Stage.play.__globals__, "signal", loud)
    stage.files.begin(stage.take("one", 3000))
    stage.play(4000)
    stage.files.end(host(4000))
    stage.play(6000)
    told = stage.files.new_incidents()
    assert [(i.cause, i.tracks, i.begin, i.frames) for i in told] == [
        ("clipped", ("voice",), 3100, 10),
        ("clipped", ("game",), 3100, 10),
    ]
    stage.files.close(6000)
    assert stage.files.new_incidents(ends=True) == []
    lines = [(line["cause"], line["begin"], line["frames"]) for line in stage.ledger("one")]
    assert lines == [("clipped", 100, 10)] * 2
    assert [t["clipped_frames"] for t in stage.manifest("one")["tracks"]] == [10, 10]


@pytest.mark.linux("Windows deletes and renames nothing that is open")
def test_a_take_whose_folder_is_renamed_or_whose_file_is_deleted_is_told(stage: Stage) -> None:
    stage.files.begin(stage.take("one", 0))
    stage.play(2000)
    moved = stage.obs.with_name("moved")
    stage.obs.rename(moved)
    stage.obs = moved
    stage.files.end(host(3000))
    stage.play(5000)
    assert np.array_equal(stage.audio("one"), signal(0, 3000))
    assert stage.manifest("one")["state"] == "complete"
    assert stage.files.paths["voice"] == moved / "one voice.wav"
    assert stage.files.failure() is None
    stage.files.begin(stage.take("two", 5000, folder=moved))
    stage.play(6000)
    (moved / "two game.wav").unlink()
    stage.play(6500)
    stage.files.close(6500)
    told = stage.files.new_incidents(ends=True)
    assert [(i.cause, i.tracks) for i in told] == [("file_gone", ("game",))]
    assert stage.files.gone == {"game"}
    assert "two game.wav was deleted" in str(stage.files.failure())
    assert stage.manifest("two")["state"] == "failed"
    assert np.array_equal(stage.audio("two"), signal(5000, 6500))


def test_the_margin_is_shorter_than_the_history() -> None:
    assert 2 * MARGIN_S < HISTORY_S
    assert MARGIN > BLOCK
