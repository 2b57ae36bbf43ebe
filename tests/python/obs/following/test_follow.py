# SPDX-License-Identifier: MIT
"""The follower against an OBS that is played by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeObs, Peer

from pypac_obs import _core
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection
from pypac_obs.obs.client.link import ObsLink
from pypac_obs.obs.following import follow
from pypac_obs.obs.following.follow import RecordFollower, add_chapter
from pypac_obs.obs.following.record_folders import RecordFolder
from pypac_obs.outputs.following import Take

PATIENCE_S = 30.0
FRAME_S = 1 / 60
STATE = "OBS_WEBSOCKET_OUTPUT_"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


class FakeTakes:
    """Keeps what the follower tells."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []
        self.doubts: list[float | None] = []

    def begin(self, take: Take) -> None:
        self.told.append(("begin", take))

    def pause(self, host_ns: int) -> None:
        self.told.append(("pause", host_ns))

    def resume(self, host_ns: int) -> None:
        self.told.append(("resume", host_ns))

    def doubt(self, host_ns: int, uncertainty_s: float | None) -> None:
        self.doubts.append(uncertainty_s)

    def end(self, host_ns: int) -> None:
        self.told.append(("end", host_ns))

    @property
    def words(self) -> list[str]:
        return [word for word, _ in self.told]

    @property
    def takes(self) -> list[Take]:
        return [take for word, take in self.told if word == "begin"]


class Stage:
    """An OBS that records what it is told to, a link to it, and a follower."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = FakeObs()
        self.active = False
        self.paused = False
        self.file = str(folder / "take 1.mkv")
        self.began_ns = 0
        self.encoder_lag_s = 0.0
        self.left_out_s = 0.0
        self.splits: bool | None = None
        self.connected = 0
        answers = self.server.answers
        answers["GetVideoSettings"] = {"fpsNumerator": 60, "fpsDenominator": 1}
        answers["GetRecordStatus"] = lambda peer, request: peer.reply(request, self.status())
        answers["GetOutputSettings"] = lambda peer, request: self.output(
            peer, request, {"outputSettings": self.settings()}
        )
        answers["GetOutputStatus"] = lambda peer, request: self.output(
            peer, request, {"outputActive": self.active}
        )
        self.takes = FakeTakes()
        self.reports: list[str] = []
        self.joins: list[tuple[float, Callable[[ObsConnection], None]]] = []
        self.follower = RecordFollower(
            self.takes,
            folders=lambda: [RecordFolder(folder)],
            report=self.reports.append,
            later=lambda delay_s, join: self.joins.append((delay_s, join)),
        )
        self.link = ObsLink(
            lambda: ObsAddress("127.0.0.1", self.server.port),
            on_connected=self._connected,
            on_event=lambda obs, kind, data: self.follower.heed(
                obs, kind, data, self.link.arrived_ns
            ),
        )

    def _connected(self, obs: ObsConnection) -> None:
        self.follower.connected(obs)
        self.connected += 1

    def status(self) -> dict[str, Any]:
        ran_s = (_core.host_now_ns() - self.began_ns) / 1e9 - self.encoder_lag_s - self.left_out_s
        return {
            "outputActive": self.active,
            "outputPaused": self.paused,
            "outputDuration": round(1000 * ran_s) if self.active else 0,
        }

    def settings(self) -> dict[str, Any]:
        splits = {} if self.splits is None else {"split_file": self.splits}
        return {"path": self.file} | splits

    @staticmethod
    def output(peer: Peer, request: Any, answer: Any) -> None:
        if request["requestData"]["outputName"] == "simple_file_output":
            peer.reply(request, answer)
        else:
            peer.refuse(request, 600, "No output was found by the name.")

    def event(self, state: str, file: str | None = None) -> None:
        data = {"outputActive": self.active, "outputState": STATE + state, "outputPath": file}
        self.server.peers[-1].send_event("RecordStateChanged", data)

    def start(self) -> None:
        """Starts recording as OBS does: it says so, and is active a little later."""
        self.event("STARTING")
        time.sleep(0.03)  # as OBS takes
        self.began_ns = _core.host_now_ns()
        self.active = True
        self.event("STARTED", self.file)

    def stop(self) -> None:
        self.event("STOPPING")
        self.active = False
        self.event("STOPPED", self.file)

    def __enter__(self) -> Stage:
        self.server.__enter__()
        self.link.start()
        wait_for(lambda: self.connected == 1)
        return self

    def __exit__(self, *_: object) -> None:
        self.link.stop()
        self.server.__exit__(None, None, None)
        assert self.link.error is None or not self.link.error.remedy.startswith("The connection")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path) as running:
        yield running


def told(stage: Stage, *words: str) -> None:
    wait_for(lambda: len(stage.takes.told) >= len(words))
    time.sleep(0.05)  # and nothing comes after them
    assert stage.takes.words == list(words)


def test_a_take_begins_and_ends_with_the_recording(stage: Stage) -> None:
    stage.start()
    told(stage, "begin")
    [take] = stage.takes.takes
    assert (take.file, take.stem, take.folder) == (stage.file, "take 1", stage.folder)
    assert take.proof == Path(stage.file)
    assert not stage.reports
    assert take.seen
    assert abs(take.zero_ns - stage.began_ns) / 1e9 <= take.uncertainty_s
    before_ns = _core.host_now_ns()
    stage.stop()
    told(stage, "begin", "end")
    assert before_ns <= stage.takes.told[1][1] <= _core.host_now_ns()


def test_a_link_that_was_busy_meanwhile_is_no_less_sure(stage: Stage) -> None:
    assert stage.link.post(lambda obs: time.sleep(0.6))  # longer than it may be unsure
    stage.start()
    told(stage, "begin")
    [take] = stage.takes.takes
    assert abs(take.zero_ns - stage.began_ns) / 1e9 <= take.uncertainty_s < 0.3


def test_each_recording_is_a_take(stage: Stage) -> None:
    for number in range(3):
        stage.file = str(stage.folder / f"take {number}.mkv")
        stage.start()
        wait_for(lambda: len(stage.takes.told) % 2 == 1)
        stage.stop()
        wait_for(lambda: len(stage.takes.told) % 2 == 0)
    assert [take.stem for take in stage.takes.takes] == ["take 0", "take 1", "take 2"]


def test_a_folder_that_is_none_of_obs_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "obs").mkdir()
    (tmp_path / "autostart").mkdir()
    with Stage(tmp_path / "obs") as stage:
        stage.file = str(tmp_path / "autostart" / "take 1.mkv")
        stage.start()
        told(stage, "begin")
        [take] = stage.takes.takes
        assert (take.stem, take.folder, take.proof) == ("take 1", None, None)
        [report] = stage.reports
        assert "autostart, which is none of the folders of its own settings" in report


def test_recordings_without_end_begin_a_few_takes_and_are_an_error(stage: Stage) -> None:
    for number in range(3 * follow.MAX_TAKES):
        stage.file = str(stage.folder / f"take {number}.mkv")
        stage.start()
        stage.stop()
    wait_for(lambda: len(stage.joins) == 2 * follow.MAX_TAKES)
    assert len(stage.takes.takes) == follow.MAX_TAKES
    assert stage.link.error is not None
    assert "more than 10 recordings within 60 s" in str(stage.link.error)
    assert 0 < stage.joins[-1][0] <= follow.PER_S


def test_splits_without_end_leave_the_take_that_runs(stage: Stage) -> None:
    stage.start()
    for number in range(3 * follow.MAX_TAKES):
        file = str(stage.folder / f"split {number}.mkv")
        stage.server.peers[-1].send_event("RecordFileChanged", {"newOutputPath": file})
    wait_for(lambda: len(stage.joins) == 2 * follow.MAX_TAKES + 1)
    assert stage.takes.words == ["begin"] * follow.MAX_TAKES
    stage.stop()
    wait_for(lambda: stage.takes.words[-1] == "end")


def test_what_is_recorded_after_too_many_takes_is_joined(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(follow.MAX_TAKES):
        stage.start()
        stage.stop()
    stage.start()
    wait_for(lambda: len(stage.joins) == 1)
    monkeypatch.setattr(follow, "PER_S", 0.0)
    assert stage.link.post(stage.joins[0][1])
    wait_for(lambda: len(stage.takes.takes) == follow.MAX_TAKES + 1)
    assert not stage.takes.takes[-1].seen


def test_a_start_that_fails_begins_nothing(stage: Stage) -> None:
    stage.event("STARTING")
    stage.event("STOPPED")
    time.sleep(0.5)  # longer than it may be unsure
    stage.start()
    told(stage, "begin")
    assert stage.takes.takes[0].uncertainty_s < 0.3  # the first start does not count


def test_a_start_that_was_not_seen_coming_begins_all_the_same(stage: Stage) -> None:
    stage.active = True
    stage.event("STARTED", stage.file)
    told(stage, "begin")
    assert stage.takes.takes[0].file == stage.file


def test_pauses_are_told_once(stage: Stage) -> None:
    stage.start()
    for state in ("PAUSED", "PAUSED", "RESUMED", "RESUMED"):
        stage.event(state)
    stage.stop()
    told(stage, "begin", "pause", "resume", "end")


def test_a_split_begins_another_take_where_the_first_file_ends(stage: Stage) -> None:
    stage.encoder_lag_s = 0.4  # what OBS has drawn and not written yet
    stage.start()
    wait_for(lambda: bool(stage.takes.told))
    time.sleep(0.6)  # longer than the encoder lags behind
    split_ns = _core.host_now_ns() - round(0.4e9)
    file = str(stage.folder / "take 2.mkv")
    stage.server.peers[-1].send_event("RecordFileChanged", {"newOutputPath": file})
    told(stage, "begin", "begin")
    take = stage.takes.takes[1]
    assert (take.file, take.stem, take.seen) == (file, "take 2", True)
    assert abs(take.zero_ns - split_ns) / 1e9 <= take.uncertainty_s + 2 * FRAME_S
    stage.server.peers[-1].send_event("RecordFileChanged", {"newOutputPath": file})
    stage.stop()
    told(stage, "begin", "begin", "end")


def test_a_split_while_nothing_is_recorded_is_nothing(stage: Stage) -> None:
    stage.server.peers[-1].send_event("RecordFileChanged", {"newOutputPath": "/x.mkv"})
    stage.server.peers[-1].send_event("RecordFileChanged", {"newOutputPath": 7})
    stage.server.peers[-1].send_event("RecordStateChanged", {"outputState": ["x"]})
    stage.stop()
    stage.start()
    told(stage, "begin")


@pytest.mark.parametrize("splits", [None, False])
def test_a_recording_that_runs_already_is_joined(tmp_path: Path, splits: bool | None) -> None:
    stage = Stage(tmp_path)
    stage.splits = splits
    stage.active, stage.began_ns = True, _core.host_now_ns() - round(100e9)
    with stage:
        told(stage, "begin")
        [take] = stage.takes.takes
        assert not take.seen
        assert take.uncertainty_s is not None
        assert abs(take.zero_ns - stage.began_ns) / 1e9 <= take.uncertainty_s < 1.0


def test_where_a_recording_may_have_been_split_its_beginning_is_not_known(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.active, stage.began_ns = True, _core.host_now_ns() - round(7200e9)
    stage.splits = True
    with stage:
        told(stage, "begin")
        assert stage.takes.takes[0].uncertainty_s is None
        # The next split is heard of.
        stage.server.peers[-1].send_event("RecordFileChanged", {"newOutputPath": "/x/take 9.mkv"})
        told(stage, "begin", "begin")
        uncertainty_s = stage.takes.takes[1].uncertainty_s
        assert uncertainty_s is not None
        assert abs(stage.takes.takes[1].zero_ns - _core.host_now_ns()) / 1e9 < uncertainty_s + 1
        # OBS goes on telling the first file.
        cut(stage)
        told(stage, "begin", "begin")
        assert stage.takes.doubts == [None]


def test_a_recording_that_is_paused_already_is_joined_paused(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.active, stage.paused = True, True
    with stage:
        told(stage, "begin", "pause")
        # What we have of before may be of the pause.
        assert stage.takes.takes[0].since_ns == stage.takes.told[1][1]
        stage.event("RESUMED")
        told(stage, "begin", "pause", "resume")


def cut(stage: Stage) -> None:
    """The websocket goes, and comes again."""
    connections = stage.connected
    stage.server.peers[-1].socket.shutdown(2)
    wait_for(lambda: stage.connected > connections)


def test_a_take_goes_on_while_obs_is_not_heard(stage: Stage) -> None:
    stage.start()
    wait_for(lambda: bool(stage.takes.told))
    cut(stage)
    told(stage, "begin")
    stage.stop()
    told(stage, "begin", "end")


def test_a_take_ends_when_obs_is_back_and_does_not_record(stage: Stage) -> None:
    stage.start()
    wait_for(lambda: bool(stage.takes.told))
    stage.active = False  # it crashed
    cut(stage)
    told(stage, "begin", "end")


def test_another_recording_after_a_crash_is_another_take(stage: Stage) -> None:
    stage.start()
    wait_for(lambda: bool(stage.takes.told))
    stage.file, stage.began_ns = str(stage.folder / "take 2.mkv"), _core.host_now_ns()
    cut(stage)
    told(stage, "begin", "begin")
    assert [take.seen for take in stage.takes.takes] == [True, False]


def test_a_pause_that_was_missed_is_made_up_for(stage: Stage) -> None:
    stage.start()
    wait_for(lambda: bool(stage.takes.told))
    stage.paused = True
    cut(stage)
    told(stage, "begin", "pause")
    stage.paused = False
    cut(stage)
    told(stage, "begin", "pause", "resume")


def begun(stage: Stage, ago_s: float) -> None:
    """A recording that began some time ago, and is followed."""
    stage.start()
    wait_for(lambda: bool(stage.takes.told))
    # Nothing in the follower waits for that time to pass.
    stage.follower._zero_ns -= round(ago_s * 1e9)
    stage.began_ns -= round(ago_s * 1e9)


LAG_S = 20 * FRAME_S


def test_a_pause_during_an_outage_is_made_up_for_from_obs_count(stage: Stage) -> None:
    begun(stage, 100)
    stage.encoder_lag_s = 0.3
    stage.left_out_s = 42.0
    cut(stage)
    told(stage, "begin", "pause", "resume")
    (_, paused_ns), (_, resumed_ns) = stage.takes.told[1:]
    [doubt] = stage.takes.doubts
    assert doubt is not None
    assert abs((resumed_ns - paused_ns) / 1e9 - 42) <= doubt
    assert resumed_ns < _core.host_now_ns() - 1e9  # nothing that is not written yet is left out
    assert LAG_S < doubt < 2 * LAG_S
    cut(stage)  # that is known now
    told(stage, "begin", "pause", "resume")


def test_an_outage_in_which_nothing_was_missed_leaves_little_doubt(stage: Stage) -> None:
    begun(stage, 100)
    stage.encoder_lag_s = 0.3
    cut(stage)
    told(stage, "begin")
    [doubt] = stage.takes.doubts
    [take] = stage.takes.takes
    assert doubt is not None
    assert take.uncertainty_s is not None
    assert take.uncertainty_s + 0.3 <= doubt + 2 * FRAME_S
    assert doubt < take.uncertainty_s + 1.0


def test_a_pause_that_began_during_an_outage_began_then(stage: Stage) -> None:
    begun(stage, 100)
    stage.left_out_s, stage.paused = 17.0, True
    cut(stage)
    told(stage, "begin", "pause")
    [doubt] = stage.takes.doubts
    assert doubt is not None
    ago_s = (_core.host_now_ns() - stage.takes.told[1][1]) / 1e9
    assert 17 - doubt <= ago_s < 17 + doubt + PATIENCE_S


def test_a_pause_that_ended_during_an_outage_ended_then(stage: Stage) -> None:
    begun(stage, 100)
    stage.event("PAUSED")
    wait_for(lambda: len(stage.takes.told) == 2)
    stage.follower._paused_at_ns -= round(60e9)
    stage.left_out_s, stage.paused = 45.0, False
    cut(stage)
    told(stage, "begin", "pause", "resume")
    [doubt] = stage.takes.doubts
    assert doubt is not None
    left_out_s = (stage.takes.told[2][1] - stage.follower._paused_at_ns) / 1e9
    assert abs(left_out_s - 45) <= doubt + 2 * FRAME_S


def test_what_was_recorded_between_two_pauses_during_an_outage_is_made_up_for(
    stage: Stage,
) -> None:
    begun(stage, 100)
    stage.event("PAUSED")
    wait_for(lambda: len(stage.takes.told) == 2)
    stage.follower._paused_at_ns -= round(60e9)
    stage.left_out_s, stage.paused = 50.0, True
    cut(stage)
    told(stage, "begin", "pause", "resume", "pause")
    [doubt] = stage.takes.doubts
    assert doubt is not None
    recorded_s = (stage.takes.told[3][1] - stage.takes.told[2][1]) / 1e9
    # It has been counting since, as this OBS does.
    assert 10 - doubt <= recorded_s < 10 + doubt + PATIENCE_S


def test_without_obs_count_an_outage_leaves_it_open(stage: Stage) -> None:
    begun(stage, 100)
    stage.server.answers["GetRecordStatus"] = {"outputActive": True, "outputPaused": True}
    cut(stage)
    told(stage, "begin", "pause")
    assert stage.takes.doubts == [None]


def test_a_recording_that_was_split_is_the_same_after_an_outage(stage: Stage) -> None:
    stage.splits = True
    begun(stage, 100)
    stage.server.peers[-1].send_event("RecordFileChanged", {"newOutputPath": "/x/take 2.mkv"})
    told(stage, "begin", "begin")
    cut(stage)
    told(stage, "begin", "begin")
    assert stage.takes.doubts == [None]  # another split may have been missed
    stage.stop()
    told(stage, "begin", "begin", "end")


PLACES = {
    "/no/such/folder/take 3.mkv": "take 3",
    "C:\\Users\\u\\Videos\\take 4.mp4": "take 4",
    "relative.mkv": "relative",
    "/tmp/../../etc/x:y|z\x1b.mkv": "x_y_z_",
    "/" + "x" * 300 + ".mkv": "x" * 160,
    "/" + "é" * 300 + ".mkv": "é" * 80,
    "/ . .mkv": None,
    "": None,
}


@pytest.mark.parametrize("file", PLACES)
def test_names_from_obs_are_made_fit_for_files(stage: Stage, file: str) -> None:
    stage.file = file
    stage.start()
    told(stage, "begin")
    [take] = stage.takes.takes
    assert take.file == file
    expected = PLACES[file]
    assert take.stem == expected if expected else take.stem.startswith("20")
    assert take.folder is None or take.folder.is_dir()


def test_an_obs_that_tells_nothing_useful_is_followed_with_defaults(stage: Stage) -> None:
    stage.server.answers["GetVideoSettings"] = {"fpsNumerator": "x", "fpsDenominator": 0}
    cut(stage)
    stage.start()
    told(stage, "begin")


def test_a_chapter_is_made_where_obs_can(stage: Stage) -> None:
    obs = stage.link.connection
    assert obs is not None
    assert not add_chapter(obs, "x")  # its version does not know them
    version = stage.server.answers["GetVersion"]
    stage.server.answers["GetVersion"] = version | {"availableRequests": ["CreateRecordChapter"]}
    with ObsConnection(ObsAddress("127.0.0.1", stage.server.port)) as newer:
        assert add_chapter(newer, "first kill")
        assert stage.server.requests[-1]["requestData"] == {"chapterName": "first kill"}
        stage.server.answers["CreateRecordChapter"] = lambda peer, request: peer.refuse(
            request, 702, "The output does not support chapters."
        )
        assert not add_chapter(newer, "x")
