# SPDX-License-Identifier: MIT
"""Sessions of synthetic sources: exact to the frame, with no audio system."""

import asyncio
import contextlib
import json
import math
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pypac_obs import Block, Output, OutputFailed, Profile, Session, SessionClosed
from pypac_obs.outputs import FilesOutput
from pypac_obs.status import (
    BoundProgram,
    Level,
    Loudness,
    OutputStatus,
    SessionStatus,
    SourceStatus,
    TrackStatus,
)

NUMBERED = {"synthetic": {"kind": "numbered"}}


def profile(**sources: Mapping[str, object]) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "sources": sources,
            "tracks": {name: {"from": name} for name in sources},
        }
    )


def numbers(samples: np.ndarray) -> np.ndarray:
    """Decodes the frame numbers that a numbered source writes."""
    return np.rint(samples[:, 0].astype(np.float64) * 2**24).astype(np.int64)


def test_blocks_are_contiguous_and_hold_the_frames_that_they_name() -> None:
    seen = 0
    with Session(profile(a=NUMBERED, b=NUMBERED), duration_s=0.5) as session:
        for block in session:
            for samples in block.audio.values():
                assert samples.shape == (block.frames, 2)
                assert samples.dtype == np.float32
                expected = np.arange(block.start, block.start + block.frames)
                np.testing.assert_array_equal(numbers(samples), expected)
            seen += block.frames
        # The stream begins with the first block after it was opened.
        assert seen >= 24_000 - 4800
        assert session.position == 24_000
    assert session.incidents == ()


@pytest.mark.parametrize(("file_format", "clips"), [("flac", True), ("wav", False)])
def test_a_session_tells_of_clipping(tmp_path: Path, file_format: str, clips: bool) -> None:
    loud = Profile.from_dict(
        {
            "version": 1,
            "sources": {"tone": {"synthetic": {"kind": "tone", "level_dbfs": 0}}},
            "tracks": {
                "loud": {"from": {"source": "tone", "gain_db": 6}},
                "right": {"from": {"source": "tone", "gain_db": -1}},
            },
            "outputs": {"files": {"folder": str(tmp_path), "format": file_format}},
        }
    )
    with Session(loud, duration_s=1) as session:
        session.wait()
    audio = soundfile.read(tmp_path / f"loud.{file_format}")[0]
    found = [i for i in session.incidents if i.cause == "clipped"]
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [line["cause"] for line in lines].count("clipped") == len(found)
    if not clips:
        assert found == []
        assert abs(audio).max() == pytest.approx(10 ** (6 / 20), rel=1e-3)
        return
    assert [incident.tracks for incident in found] == [("loud",)]
    # A sine of twice full scale is beyond it for two thirds of the time.
    assert found[0].frames == pytest.approx(32_000, rel=0.02)
    assert (abs(audio[:, 0]) > 0.9999).sum() == pytest.approx(found[0].frames, rel=0.02)


def test_an_offline_session_is_complete_and_faster_than_real_time() -> None:
    began = time.monotonic()
    parts: list[np.ndarray] = []
    session = Session(
        profile(a=NUMBERED),
        offline=True,
        on_block=lambda block: parts.append(numbers(block.audio["a"])),
    )
    with session:
        session.run_offline(60)
    assert time.monotonic() - began < 30
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(60 * 48_000) % 2**24)
    assert session.errors == ()


def test_arrays_of_a_stream_stay_the_callers_own() -> None:
    with (
        Session(profile(a=NUMBERED), duration_s=0.3) as session,
        session.blocks(frames=480) as stream,
    ):
        blocks = list(stream)
    assert len(blocks) > 10
    for block in blocks:
        np.testing.assert_array_equal(
            numbers(block.audio["a"]), np.arange(block.start, block.start + block.frames)
        )


def test_async_iteration_gives_the_same_blocks_without_blocking_the_loop() -> None:
    async def collect() -> tuple[int, int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticker = asyncio.create_task(tick())
        frames = 0
        with Session(profile(a=NUMBERED), duration_s=0.4) as session:
            async for block in session:
                frames += block.frames
        ticker.cancel()
        return frames, ticks

    frames, ticks = asyncio.run(collect())
    assert frames >= 19_200 - 4800
    assert ticks > 10


def test_a_slow_reader_loses_its_own_frames_counted_and_nobody_elses() -> None:
    document = profile(a=NUMBERED).model_dump()
    document["session"]["rings"]["output_ms"] = 250
    taken: list[int] = []
    session = Session(
        Profile.from_dict(document),
        duration_s=1.0,
        on_block=lambda block: taken.append(block.frames),
    )
    with session:
        stream = session.blocks(frames=480)
        opened_at = session.position
        session.wait(10)
        late = list(stream)
    assert sum(taken) == 48_000
    received = sum(block.frames for block in late)
    assert stream.lost_frames > 0
    assert received + stream.lost_frames <= 48_000 - opened_at
    assert received + stream.lost_frames >= 48_000 - opened_at - 960
    [loss] = [incident for incident in session.incidents if incident.cause == "output_overrun"]
    assert loss.frames == stream.lost_frames
    assert loss.tracks == ("a",)


def test_each_drop_out_is_in_the_ledger_with_its_track_and_length() -> None:
    numbered = {"kind": "numbered", "dropouts": [{"at_s": 0.2, "length_ms": 50}]}
    with Session(profile(a={"synthetic": numbered}, b=NUMBERED), offline=True) as session:
        session.run_offline(1)
    [incident] = session.incidents
    assert (incident.source, incident.tracks) == ("a", ("a",))
    assert (incident.begin, incident.frames) == (9600, 2400)


class Failing(Output):
    """Fails at the second block."""

    name = "failing"
    blocks = 0
    aborted = False

    def open(self, info: object) -> None:
        pass

    def write(self, block: Block) -> None:
        self.blocks += 1
        if self.blocks == 2:
            raise OSError(28, "No space left on device", "/nowhere/voice.wav")

    def close(self, end: int) -> None:
        raise AssertionError("a failed output is aborted, not closed")

    def abort(self) -> None:
        self.aborted = True


def test_an_output_that_fails_stops_alone_with_an_incident_and_an_error() -> None:
    failing = Failing()
    frames = 0

    def count(block: Block) -> None:
        nonlocal frames
        frames += block.frames

    with Session(profile(a=NUMBERED), outputs=[failing], on_block=count, duration_s=1.0) as session:
        session.wait(10)
    assert frames == 48_000
    assert failing.aborted
    [error] = session.errors
    assert isinstance(error, OutputFailed)
    assert [incident.cause for incident in session.incidents] == ["disk_full"]
    status = {output.name: output.error for output in session.status().outputs}
    assert "disk is full" in status["failing"]
    assert status["callback"] == ""


def test_an_output_that_cannot_open_ends_the_session_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    document = profile(a=NUMBERED).model_dump()
    document["outputs"] = {"files": {"folder": str(tmp_path / "file" / "below")}}
    before = threading.active_count()
    session = Session(Profile.from_dict(document))
    with pytest.raises(OutputFailed):
        session.start()
    assert not session.running
    assert threading.active_count() == before


def test_split_files_are_equal_in_length_and_hold_every_frame(tmp_path: Path) -> None:
    document = profile(a=NUMBERED, b=NUMBERED).model_dump()
    document["outputs"] = {"files": {"folder": str(tmp_path / "take"), "name": "{track}"}}
    with Session(Profile.from_dict(document), duration_s=1.25) as session:
        assert session.wait(20)
    for track in ("a", "b"):
        samples, rate = soundfile.read(tmp_path / "take" / f"{track}.wav", dtype="float32")
        assert rate == 48_000
        np.testing.assert_array_equal(numbers(samples), np.arange(60_000))
    manifest = json.loads((tmp_path / "take" / "session.json").read_text())
    assert manifest["state"] == "complete"


def test_session_json_has_the_loudness_of_each_track(tmp_path: Path) -> None:
    tone = {"synthetic": {"kind": "tone", "frequency_hz": 1000, "level_dbfs": -20}}
    document = profile(a=tone, b={"synthetic": {"kind": "silence"}}).model_dump()
    document["outputs"] = {"files": {"folder": str(tmp_path), "name": "{track}"}}
    with Session(Profile.from_dict(document), offline=True) as session:
        session.run_offline(5)
    manifest = json.loads((tmp_path / "session.json").read_text(encoding="utf-8"))
    loud, silent = (one["loudness"] for one in manifest["tracks"])
    assert loud["integrated_lufs"] == pytest.approx(-20, abs=0.02)
    assert loud["max_true_peak_dbtp"] == pytest.approx(-20, abs=0.05)
    assert loud["range_lu"] == pytest.approx(0, abs=0.01)
    assert silent == {
        "integrated_lufs": None,
        "range_lu": 0,
        "max_true_peak_dbtp": None,
        "since_frame": 0,
    }


def test_session_json_says_from_where_on_a_loudness_is(tmp_path: Path) -> None:
    tone = {"synthetic": {"kind": "tone", "frequency_hz": 1000, "level_dbfs": -20}}
    document = profile(a=tone, b=tone).model_dump()
    document["outputs"] = {"files": {"folder": str(tmp_path), "name": "{track}"}}
    with Session(Profile.from_dict(document), offline=True) as session:
        session.run_offline(1)
        session.reset_loudness("a")
        session.set("a.gain_db", -10)
        session.run_offline(2)
    manifest = json.loads((tmp_path / "session.json").read_text(encoding="utf-8"))
    one, other = (track["loudness"] for track in manifest["tracks"])
    assert one["since_frame"] == 48_000
    assert one["integrated_lufs"] == pytest.approx(-30, abs=0.5)
    assert other["since_frame"] == 0
    assert other["integrated_lufs"] == pytest.approx(-20, abs=0.1)


@pytest.mark.parametrize("folders", [("take", "take"), ("{session} x", "{session} x")])
def test_outputs_of_one_kind_have_names_and_do_not_collide(
    tmp_path: Path, folders: tuple[str, str]
) -> None:
    document = profile(a=NUMBERED, b=NUMBERED).model_dump()
    first, second = (str(tmp_path / folder) for folder in folders)
    document["outputs"] = {
        "archive": {"files": {"folder": first}},
        "talk": {"files": {"folder": second, "tracks": "b"}},
    }
    with Session(Profile.from_dict(document), duration_s=0.3, name="gaming") as session:
        assert [one.name for one in session.status().outputs] == ["archive", "talk"]
        session.wait()
    assert session.errors == ()
    archive, talk = session.outputs
    assert isinstance(archive, FilesOutput)
    assert isinstance(talk, FilesOutput)
    paths = [*archive.paths.values(), *talk.paths.values()]
    assert len({*paths}) == 3
    assert {path.parent.name for path in paths} <= {"take", "gaming x", "gaming x (2)"}
    for path in paths:
        audio = soundfile.read(path, dtype="float32")[0]
        np.testing.assert_array_equal(numbers(audio), np.arange(14_400))
    manifests = [json.loads(path.read_text()) for path in tmp_path.glob("*/session*.json")]
    assert sorted(one["output"] for one in manifests) == ["archive", "talk"]
    assert set(manifests[0]["profile"]["outputs"]) >= {"archive", "talk"}


def test_a_session_runs_once_and_says_so() -> None:
    session = Session(profile(a=NUMBERED))
    with pytest.raises(SessionClosed):
        session.blocks()
    with session, pytest.raises(SessionClosed):
        session.start()
    with pytest.raises(SessionClosed):
        session.blocks()
    session.stop()


def test_an_unknown_track_is_refused_by_name() -> None:
    with Session(profile(a=NUMBERED)) as session, pytest.raises(ValueError, match="'b'"):
        session.blocks(["b"])


def test_stop_keeps_all_that_was_heard_until_then() -> None:
    frames = 0

    def count(block: Block) -> None:
        nonlocal frames
        frames += block.frames

    session = Session(profile(a=NUMBERED), on_block=count)
    begun = time.monotonic()
    session.start()
    while (heard := session.position) < 0.2 * 48_000:
        assert time.monotonic() < begun + 30
        time.sleep(0.01)
    session.stop()
    assert frames == session.position
    assert heard <= frames <= (time.monotonic() - begun) * 48_000


def test_levels_of_a_tone_are_those_that_were_asked_for() -> None:
    tone = {"kind": "tone", "frequency_hz": 1000, "level_dbfs": -20}
    with Session(profile(a={"synthetic": tone}), offline=True) as session:
        session.run_offline(5)
        [track] = session.status().tracks
    assert track.level.peak == pytest.approx(-20, abs=0.01)
    assert track.level.rms == pytest.approx(-23.01, abs=0.02)
    # A sine of 1 kHz in both channels has as many LUFS as its peak has dBFS.
    loudness = track.loudness
    assert loudness.integrated == pytest.approx(-20, abs=0.02)
    assert (loudness.momentary, loudness.short_term) == pytest.approx((-20, -20), abs=0.02)
    assert loudness.true_peak == pytest.approx(-20, abs=0.05)
    assert loudness.range == pytest.approx(0, abs=0.01)
    assert track.reduction_db == {}
    assert track.frames == 240_000


def test_the_status_is_plain_json() -> None:
    with Session(profile(a={"synthetic": {"kind": "silence"}}), offline=True) as session:
        session.run_offline(1)
        plain = json.loads(json.dumps(session.status().to_json()))
    assert plain["sources"][0]["level"]["peak"] is None
    assert plain["seconds"] == 1.0


def test_the_status_as_json_has_every_field() -> None:
    program = BoundProgram(7, "game.exe", "Game", ("Headset",))
    level = Level(-1.0, -math.inf, -0.12345)
    source = SourceStatus("game", "playing", "it plays", (program,), 0.5, True, 10, 1, level)
    status = SessionStatus(
        "evening",
        48000,
        96000,
        (source,),
        (TrackStatus("game", 96000, level, Loudness(momentary=-20.12345), {"gate": 3.0}),),
        (OutputStatus("files", "", 3, "it writes"),),
        incidents=2,
        warnings=("quiet",),
        news=("hello",),
        news_total=1,
    )
    expected = {**asdict(status), "seconds": 2.0}
    for one in (expected["sources"][0], expected["tracks"][0]):
        one["level"] = {"peak": -1.0, "rms": None, "max_peak": -0.123}
    none = dict.fromkeys(expected["tracks"][0]["loudness"])
    expected["tracks"][0]["loudness"] = none | {"momentary": -20.123, "range": 0.0}
    assert status.to_json() == json.loads(json.dumps(expected))


def test_stop_in_a_callback_ends_the_session_without_waiting_for_itself() -> None:
    session: Session
    frames = 0

    def stop_soon(block: Block) -> None:
        nonlocal frames
        frames += block.frames
        if frames > 4800:
            session.stop()

    session = Session(profile(a=NUMBERED), on_block=stop_soon)
    session.start()
    assert session.wait(5)
    assert session.errors == ()
    assert frames == session.position


def test_a_session_that_is_stopped_first_does_not_start() -> None:
    session = Session(profile(a=NUMBERED))
    session.stop()
    with pytest.raises(SessionClosed):
        session.start()
    assert not session.running


def test_stop_while_starting_ends_the_session_in_any_case() -> None:
    for delay_s in (0.0, 0.001, 0.005, 0.02):
        session = Session(profile(a=NUMBERED))

        def start(session: Session = session) -> None:
            with contextlib.suppress(SessionClosed):
                session.start()

        starter = threading.Thread(target=start)
        starter.start()
        time.sleep(delay_s)  # it has come that far: nothing tells how far
        session.stop()
        starter.join(5)
        assert not starter.is_alive()
        assert not session.running


def test_a_program_that_forgets_to_stop_still_ends(tmp_path: Path) -> None:
    script = tmp_path / "forgets.py"
    script.write_text(
        "from pypac_obs import Profile, Session\n"
        "session = Session(Profile.from_dict({'version': 1,\n"
        "    'sources': {'a': {'synthetic': {'kind': 'tone'}}}, 'tracks': {'a': {'from': 'a'}},\n"
        f"    'outputs': {{'files': {{'folder': {str(tmp_path / 'take')!r}}}}}}}))\n"
        "session.start()\n"
        "raise ValueError('the script fails')\n"
    )
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=20, check=False
    )
    assert "the script fails" in ended.stderr
    assert json.loads((tmp_path / "take" / "session.json").read_text())["state"] == "complete"


@pytest.mark.parametrize("latency_ms", [5, 1000, 2000])
def test_every_latency_that_a_profile_allows_keeps_every_frame(latency_ms: float) -> None:
    document = profile(a={"synthetic": {"kind": "numbered", "quantum": 48}}).model_dump()
    document["session"]["latency_ms"] = latency_ms
    parts: list[np.ndarray] = []
    with Session(
        Profile.from_dict(document),
        duration_s=0.5,
        on_block=lambda block: parts.append(numbers(block.audio["a"])),
    ) as session:
        assert session.wait(10)
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(24_000))
    assert session.incidents == ()


def test_packets_that_come_after_their_time_are_a_gap_and_say_so() -> None:
    document = profile(a={"synthetic": {"kind": "numbered", "quantum": 4800}}).model_dump()
    document["session"]["latency_ms"] = 20
    with Session(Profile.from_dict(document), offline=True) as session:
        session.run_offline(1)
        [source] = session.status().sources
    late = sum(incident.frames for incident in session.incidents if incident.cause == "late")
    missing = sum(incident.frames for incident in session.incidents if incident.cause == "stalled")
    assert late > 0
    assert source.late_frames == late
    assert source.captured_frames == 48_000 - missing


def test_a_ledger_that_overflows_says_by_how_much() -> None:
    broken = {
        "kind": "numbered",
        "quantum": 16,
        "dropouts": [{"at_s": at / 1000, "length_ms": 0.1} for at in range(1, 1000)],
    }
    sources = {f"s{index}": {"synthetic": broken} for index in range(8)}
    with Session(profile(**sources), offline=True) as session:
        session.run_offline(1)
    assert sum(incident.frames for incident in session.incidents) == 8 * 999 * 16


@pytest.mark.linux("no program there can send another SIGINT; see tests/windows")
def test_an_offline_run_whose_reader_waits_can_be_interrupted(tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(
        "from pypac_obs import Profile, Session\n"
        "session = Session(Profile.from_dict({'version': 1,\n"
        "    'sources': {'a': {'synthetic': {'kind': 'tone'}}}, 'tracks': {'a': {'from': 'a'}}}),\n"
        "    offline=True)\n"
        "with session:\n"
        "    stream = session.blocks()\n"
        "    print('waits', flush=True)\n"
        "    session.run_offline(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        time.sleep(0.3)  # for the next line, which never comes back
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert "KeyboardInterrupt" in errors
