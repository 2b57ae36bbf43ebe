# SPDX-License-Identifier: MIT
from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
import soundfile
from fake_reader import FakeReader, Rule, numbered, numbered_tracks, session_info
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pypac_obs.errors import OutputFailed
from pypac_obs.incidents import Incident
from pypac_obs.outputs.driver import OutputThread
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.outputs.output import Block

if TYPE_CHECKING:
    from tests.conftest import SecondUser

HERE = Path(__file__).parent
TRACKS = {"game": 2, "voice": 1, "surround": 6}
KINDS = [
    ("wav", "float32", 24),
    ("wav", "pcm24", 24),
    ("wav", "pcm16", 16),
    ("flac", "pcm24", 24),
    ("flac", "pcm16", 16),
]
kinds = pytest.mark.parametrize(("file_format", "encoding", "bits"), KINDS)


@pytest.fixture(autouse=True)
def _leaves_no_thread_behind() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def soxi_frames(path: Path) -> int:
    return int(subprocess.run(["soxi", "-s", path], capture_output=True, check=True).stdout)


def ffprobe_frames(path: Path) -> int:
    entry = ["-show_entries", "stream=duration_ts", "-of", "csv=p=0"]
    run = subprocess.run(
        ["ffprobe", "-v", "error", *entry, path], capture_output=True, check=True, text=True
    )
    return 0 if run.stdout.strip() == "N/A" else int(run.stdout)


def frames_in(path: Path) -> int:
    """What other programs find in a file; on Windows, where tests have none, libsndfile."""
    if sys.platform == "win32":
        frames = int(soundfile.info(path).frames)
        return 0 if frames == 2**63 - 1 else frames  # "unknown", as FLAC has it before a frame
    frames = soxi_frames(path)
    assert ffprobe_frames(path) == frames
    return frames


def read(path: Path) -> NDArray[np.float32]:
    audio: NDArray[np.float32] = soundfile.read(path, dtype="float32", always_2d=True)[0]
    return audio


def one_block(start: int, frames: int, tracks: Mapping[str, int], bits: int = 24) -> Block:
    audio = numbered_tracks(start, start + frames, tracks, bits)
    return Block(start, frames, 48000, dict(zip(tracks, audio, strict=True)))


def manifest(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "session.json").read_text())
    return document


# What goes in comes out -----------------------------------------------------------------------


@kinds
def test_every_frame_of_every_track_comes_back_exactly(
    tmp_path: Path, file_format: str, encoding: str, bits: int
) -> None:
    reader = FakeReader(TRACKS, capacity=20000)  # wraps around many times
    output = FilesOutput(Rule(str(tmp_path / "rec"), format=file_format, encoding=encoding))
    thread = OutputThread(output, reader, session_info(TRACKS), block_s=0.1)
    thread.start()
    for at in range(0, 100_000, 1000):
        reader.push_when_free(numbered_tracks(at, at + 1000, TRACKS, bits))
    assert thread.stop(reader.end())
    assert thread.error is None
    for index, track in enumerate(TRACKS):
        path = tmp_path / "rec" / f"{track}.{file_format}"
        assert output.paths[track] == path
        assert np.array_equal(read(path), numbered_tracks(0, 100_000, TRACKS, bits)[index])
        assert frames_in(path) == 100_000
        info = soundfile.info(path)
        assert (info.samplerate, info.channels) == (48000, TRACKS[track])
        assert info.subtype == {"float32": "FLOAT", "pcm24": "PCM_24", "pcm16": "PCM_16"}[encoding]


def test_without_an_encoding_wav_is_float32_and_flac_pcm24(tmp_path: Path) -> None:
    for file_format, subtype in (("wav", "FLOAT"), ("flac", "PCM_24")):
        output = FilesOutput(Rule(str(tmp_path / file_format), format=file_format))
        output.open(session_info({"voice": 1}))
        output.write(one_block(0, 100, {"voice": 1}))
        output.close(100)
        assert soundfile.info(output.paths["voice"]).subtype == subtype


def test_float_files_keep_what_is_beyond_full_scale(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info({"voice": 1}))
    loud = np.linspace(-4, 4, 1001, dtype=np.float32)[:, None]
    output.write(Block(0, 1001, 48000, {"voice": loud}))
    output.close(1001)
    assert np.array_equal(read(tmp_path / "voice.wav"), loud)


@pytest.mark.parametrize(("file_format", "encoding", "bits"), KINDS[1:])
def test_pcm_clips_what_is_beyond_full_scale(
    tmp_path: Path, file_format: str, encoding: str, bits: int
) -> None:
    output = FilesOutput(Rule(str(tmp_path), format=file_format, encoding=encoding))
    output.open(session_info({"voice": 1}))
    loud = np.linspace(-4, 4, 10_001, dtype=np.float32)[:, None]
    output.write(Block(0, 10_001, 48000, {"voice": loud}))
    output.close(10_001)
    heard = read(output.paths["voice"])
    step = 2.0 ** (1 - bits)
    assert np.abs(heard - np.clip(loud, -1, 1 - step)).max() <= step
    assert np.all(np.diff(heard[:, 0]) >= 0)  # a wrapped sample would fall


def test_only_the_tracks_of_the_rule_are_written(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path), tracks=("voice",)))
    assert output.tracks == ("voice",)
    output.open(session_info(TRACKS))
    output.write(one_block(0, 100, TRACKS))
    output.close(100)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "ledger.jsonl",
        "session.json",
        "voice.wav",
    ]


@pytest.mark.parametrize(
    "audio", [np.ones((10, 1), np.float32), np.ones((10, 2)), np.ones((5, 2), np.float32)]
)
def test_an_array_of_another_shape_or_type_is_refused(tmp_path: Path, audio: Any) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info({"game": 2}))
    with pytest.raises(ValueError, match=r"track game: expected float32 of shape \(10, 2\)"):
        output.write(Block(0, 10, 48000, {"game": audio}))
    output.abort()


# Equal lengths --------------------------------------------------------------------------------


@kinds
def test_what_the_reader_lost_is_silence_and_the_rest_stays_in_place(
    tmp_path: Path, file_format: str, encoding: str, bits: int
) -> None:
    reader = FakeReader(TRACKS, capacity=200_000)
    output = FilesOutput(Rule(str(tmp_path), format=file_format, encoding=encoding))
    thread = OutputThread(output, reader, session_info(TRACKS))
    expected = [audio.copy() for audio in numbered_tracks(0, 170_000, TRACKS, bits)]
    reader.lose(5000)
    reader.push(numbered_tracks(5000, 30_000, TRACKS, bits))
    reader.lose(100_000)
    reader.push(numbered_tracks(130_000, 150_000, TRACKS, bits))
    reader.lose(20_000)
    thread.start()
    assert thread.stop(reader.end())
    assert thread.error is None
    for audio, path in zip(expected, output.paths.values(), strict=True):
        for begin, end in ((0, 5000), (30_000, 130_000), (150_000, 170_000)):
            audio[begin:end] = 0
        assert np.array_equal(read(path), audio)
        assert frames_in(path) == 170_000


def test_frames_that_come_twice_are_written_once(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info(TRACKS))
    for start, frames in ((0, 1000), (600, 300), (500, 1000)):
        output.write(one_block(start, frames, TRACKS))
    output.close(1500)
    for index, path in enumerate(output.paths.values()):
        assert np.array_equal(read(path), numbered_tracks(0, 1500, TRACKS)[index])


@pytest.mark.parametrize("file_format", ["wav", "flac"])
def test_a_session_without_a_frame_leaves_files_that_open(tmp_path: Path, file_format: str) -> None:
    output = FilesOutput(Rule(str(tmp_path), format=file_format))
    output.open(session_info(TRACKS))
    output.close(0)
    for track, path in output.paths.items():
        assert frames_in(path) == 0
        assert soundfile.info(path).channels == TRACKS[track]


@settings(max_examples=25, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    runs=st.lists(st.tuples(st.integers(0, 30_000), st.integers(1, 20_000)), max_size=6),
    tail=st.integers(1, 60_000),  # libsndfile cannot read a FLAC file of no frames
)
def test_any_pattern_of_losses_gives_files_of_one_length_with_all_else_in_place(
    kind: tuple[str, str, int], runs: list[tuple[int, int]], tail: int
) -> None:
    file_format, encoding, bits = kind
    tracks = {"game": 2, "voice": 1}
    end = sum(lost + kept for lost, kept in runs) + tail
    expected = [np.zeros((end, channels), np.float32) for channels in tracks.values()]
    with tempfile.TemporaryDirectory() as folder:
        output = FilesOutput(Rule(folder, format=file_format, encoding=encoding))
        output.open(session_info(tracks))
        at = 0
        for lost, kept in runs:
            at += lost
            output.write(one_block(at, kept, tracks, bits))
            for audio, sent in zip(
                expected, numbered_tracks(at, at + kept, tracks, bits), strict=True
            ):
                audio[at : at + kept] = sent
            at += kept
        output.close(end)
        for audio, path in zip(expected, output.paths.values(), strict=True):
            assert np.array_equal(read(path), audio)


# Clipping -------------------------------------------------------------------------------------


def loud_block(start: int, peaks: Mapping[str, NDArray[np.float32]]) -> Block:
    frames = len(next(iter(peaks.values())))
    return Block(start, frames, 48000, {name: audio[:, None] for name, audio in peaks.items()})


@pytest.mark.parametrize(("file_format", "encoding", "bits"), KINDS)
def test_clipped_frames_are_counted_for_each_track_and_told_with_what_to_do(
    tmp_path: Path, file_format: str, encoding: str, bits: int
) -> None:
    tracks = {"game": 1, "voice": 1}
    output = FilesOutput(Rule(str(tmp_path), format=file_format, encoding=encoding))
    output.open(session_info(tracks))
    game = np.full(48_000, 0.25, np.float32)
    game[100:110] = 2.0
    game[200] = -1.5
    game[300] = 1.0  # full scale is none
    quiet = np.full(48_000, 0.25, np.float32)
    told = []
    for start in (0, 48_000, 96_000):
        output.write(loud_block(start, {"game": quiet if start else game, "voice": quiet}))
        told += output.new_incidents()
    # A second later the stretch is over, before the end.
    is_float = encoding == "float32"
    assert [(i.cause, i.tracks, i.begin, i.frames) for i in told] == (
        [] if is_float else [("clipped", ("game",), 100, 11)]
    )
    late = quiet.copy()
    late[-1] = -3.0
    output.write(loud_block(144_000, {"game": quiet, "voice": late}))
    assert list(output.new_incidents()) == []
    told += output.new_incidents(ends=True)
    output.close(192_000)
    document = manifest(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    clipped = {track["name"]: track["clipped_frames"] for track in document["tracks"]}
    heard = read(output.paths["game"])[:, 0]
    if is_float:
        assert (told, lines, document["incidents"]) == ([], [], {})
        assert clipped == {"game": 0, "voice": 0}
        assert heard[105] == 2.0
        return
    assert heard[105] == pytest.approx(1.0, abs=2.0 ** (1 - bits))
    assert clipped == {"game": 11, "voice": 1}
    assert document["incidents"] == {"clipped": {"count": 2, "frames": 12}}
    assert [(line["tracks"], line["begin"], line["frames"]) for line in lines] == [
        (["game"], 100, 11),
        (["voice"], 191_999, 1),
    ]
    assert lines[0]["message"].startswith(
        "the output files clipped 11 frames of game from 0:00.002 on: they were too loud for its "
        "encoding: the peak was +6.0 dBFS. Lower the track (a filter `gain: {gain_db: -7}`)"
    )


def test_steady_clipping_is_told_soon_and_then_seldom(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path), format="flac"))
    output.open(session_info({"game": 1}))
    loud = np.full(48_000, 1.5, np.float32)
    told = []
    for second in range(70):
        output.write(loud_block(48_000 * second, {"game": loud}))
        told += [(second, incident.frames // 48_000) for incident in output.new_incidents()]
    told += [(70, one.frames // 48_000) for one in output.new_incidents(ends=True)]
    output.close(70 * 48_000)
    assert told == [(1, 2), (5, 4), (13, 8), (29, 16), (61, 32), (70, 8)]


# Plain WAV files ------------------------------------------------------------------------------


def chunks(path: Path) -> dict[str, bytes]:
    """Walks a RIFF file as a simple reader does: each chunk's name, and its first 64 bytes."""
    found = {}
    with path.open("rb") as file:
        assert file.read(4) == b"RIFF"
        assert int.from_bytes(file.read(4), "little") == path.stat().st_size - 8
        assert file.read(4) == b"WAVE"
        while header := file.read(8):
            length = int.from_bytes(header[4:], "little")
            begin = file.tell()
            found[header[:4].decode()] = file.read(min(length, 64))
            file.seek(begin + length + length % 2)
    return found


def assert_plain(path: Path, encoding: str, frames: int) -> None:
    found = chunks(path)
    is_float = encoding == "float32"
    assert list(found) == ["JUNK", "fmt ", *(["fact"] if is_float else []), "data"]
    assert int.from_bytes(found["fmt "][:2], "little") == (3 if is_float else 1)
    assert len(found["fmt "]) == (18 if is_float else 16)
    if is_float:
        assert int.from_bytes(found["fact"], "little") == frames
    else:
        with wave.open(str(path)) as file:
            assert (file.getnframes(), file.getframerate()) == (frames, 48000)
            assert (
                len(file.readframes(frames)) == frames * file.getnchannels() * file.getsampwidth()
            )
    if sys.platform != "win32":
        told = subprocess.run(["soxi", "-s", path], capture_output=True, text=True, check=True)
        assert (told.stdout.strip(), told.stderr) == (str(frames), "")


@pytest.mark.parametrize("encoding", ["float32", "pcm24", "pcm16"])
def test_mono_and_stereo_wav_files_are_plain_while_they_grow_and_after(
    tmp_path: Path, encoding: str
) -> None:
    tracks = {"game": 2, "voice": 1, "surround": 6}
    output = FilesOutput(Rule(str(tmp_path), encoding=encoding))
    output.open(session_info(tracks))
    plain = [output.paths["game"], output.paths["voice"]]
    bits = 16 if encoding == "pcm16" else 24
    for at in (0, 501):  # an odd number of frames: a chunk may have an odd length
        for path in plain:
            assert_plain(path, encoding, at)
        output.write(one_block(at, 501, tracks, bits))
    output.close(1003)
    for path in plain:
        assert_plain(path, encoding, 1003)
    # Six channels need the extensible form, which says what speaker each of them is.
    assert chunks(output.paths["surround"])["fmt "][:2] == b"\xfe\xff"
    for path, audio in zip(
        output.paths.values(), numbered_tracks(0, 1002, tracks, bits), strict=True
    ):
        assert np.array_equal(read(path)[:1002], audio)


def test_a_wav_file_that_is_given_up_is_plain(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path), encoding="pcm24"))
    output.open(session_info({"voice": 1}))
    output.write(one_block(0, 777, {"voice": 1}))
    output.abort()
    assert_plain(output.paths["voice"], "pcm24", 777)


# Beyond 4 GiB ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "width", "channels"), [("float32", 4, 8), ("pcm24", 3, 8), ("float32", 4, 2)]
)
def test_a_wav_file_becomes_rf64_where_it_passes_4_gib(
    tmp_path: Path, encoding: str, width: int, channels: int
) -> None:
    # The gap is a hole in the file, so that 4 GiB take no room on the disk.
    tracks = {"surround": channels}
    below = (1 << 32) // (channels * width) - 2000
    output = FilesOutput(Rule(str(tmp_path), encoding=encoding))
    output.open(session_info(tracks))
    path = output.paths["surround"]
    output.write(one_block(0, 1000, tracks))
    output.write(one_block(below - 1000, 1000, tracks))
    with path.open("rb") as file:
        assert file.read(4) == b"RIFF"
    assert frames_in(path) == below
    output.write(one_block(below, 4000, tracks))
    with path.open("rb") as file:
        assert file.read(4) == b"RF64"
    frames = frames_in if sys.platform == "win32" else ffprobe_frames
    assert frames(path) == below + 4000  # soxi reads all of an RF64 file to tell
    output.close(below + 5000)

    assert path.stat().st_size > 1 << 32
    if sys.platform != "win32":
        assert path.stat().st_blocks * 512 < 50 << 20
    assert frames(path) == below + 5000
    with soundfile.SoundFile(path) as file:
        assert file.frames == below + 5000
        assert np.array_equal(file.read(1000, "float32"), numbered(0, 1000, channels, 0, 24))
        file.seek(below - 1000)
        assert np.array_equal(
            file.read(5000, "float32"), numbered(below - 1000, below + 4000, channels, 0, 24)
        )
        assert not file.read(1000, "float32").any()


# Never overwrites -----------------------------------------------------------------------------


def record(rule: Rule, tracks: Mapping[str, int], start: int = 0) -> FilesOutput:
    """A whole session of 100 frames, numbered from ``start`` on."""
    output = FilesOutput(rule)
    output.open(session_info(tracks))
    audio = dict(zip(tracks, numbered_tracks(start, start + 100, tracks), strict=True))
    output.write(Block(0, 100, 48000, audio))
    output.close(100)
    return output


def test_a_folder_with_a_date_belongs_to_one_session(tmp_path: Path) -> None:
    rule = Rule(str(tmp_path / "a" / "{date} {time}"))
    outputs = [record(rule, {"voice": 1}, start) for start in (0, 100, 200)]
    names = ["2026-11-23 18-04-05", "2026-11-23 18-04-05 (2)", "2026-11-23 18-04-05 (3)"]
    assert [output.folder for output in outputs] == [tmp_path / "a" / name for name in names]
    for index, name in enumerate(names):
        heard = read(tmp_path / "a" / name / "voice.wav")
        assert np.array_equal(heard, numbered(100 * index, 100 * index + 100, 1, 0, 24))


def test_a_folder_with_a_date_that_is_empty_is_taken(tmp_path: Path) -> None:
    (tmp_path / "2026-11-23").mkdir()
    assert record(Rule(str(tmp_path / "{date}")), {"v": 1}).folder == tmp_path / "2026-11-23"


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.fixture
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.linux("modes are POSIX's: on Windows the folder's own rights are inherited")
@pytest.mark.usefixtures("_usual_umask")
@pytest.mark.parametrize("file_format", ["wav", "flac"])
@pytest.mark.parametrize("template", ["a/b", "a/b/{date}"])
def test_recordings_are_the_users_alone(tmp_path: Path, file_format: str, template: str) -> None:
    output = record(Rule(str(tmp_path / template), format=file_format), {"v": 1})
    assert output.folder is not None
    assert modes(output.folder) == {0o600}
    made = [output.folder, tmp_path / "a", tmp_path / "a" / "b"]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in made} == {0o700}


@pytest.mark.linux("modes are POSIX's: on Windows the folder's own rights are inherited")
@pytest.mark.usefixtures("_usual_umask")
@pytest.mark.parametrize(
    ("mode", "umask", "files"),
    [
        (0o755, 0o022, 0o644),
        (0o750, 0o022, 0o640),
        (0o700, 0o000, 0o600),
        (0o2775, 0o002, 0o664),
        (0o777, 0o077, 0o600),
    ],
)
def test_in_a_folder_that_is_there_its_mode_rules(
    tmp_path: Path, mode: int, umask: int, files: int
) -> None:
    for folder in ("shared", "2026-11-23"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder).chmod(mode)
    os.umask(umask)
    record(Rule(str(tmp_path / "shared")), {"v": 1})
    record(Rule(str(tmp_path / "{date}")), {"v": 1})
    for folder in ("shared", "2026-11-23"):
        assert modes(tmp_path / folder) == {files}
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == mode


@pytest.mark.linux("Windows lets administrators make links only")
def test_a_link_that_bears_the_folders_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "2026-11-23").symlink_to(tmp_path / "elsewhere")
    output = record(Rule(str(tmp_path / "{date}")), {"v": 1})
    assert output.folder == tmp_path / "2026-11-23 (2)"
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.linux("Windows has no such numbers of users")
def test_another_users_folder_of_that_name_is_not_used(second_user: SecondUser) -> None:
    theirs = second_user.shared / "2026-11-23"
    second_user.run("mkdir", "-m", "777", str(theirs))
    output = record(Rule(str(second_user.shared / "{date}")), {"v": 1})
    assert output.folder == second_user.shared / "2026-11-23 (2)"
    assert list(theirs.iterdir()) == []


def test_a_file_that_bears_the_folders_name_stays(tmp_path: Path) -> None:
    (tmp_path / "2026-11-23").write_text("mine")
    output = record(Rule(str(tmp_path / "{date}")), {"v": 1})
    assert output.folder == tmp_path / "2026-11-23 (2)"
    assert (tmp_path / "2026-11-23").read_text() == "mine"


def test_in_a_shared_folder_all_files_of_a_session_get_one_number(tmp_path: Path) -> None:
    rule = Rule(str(tmp_path))
    record(rule, {"voice": 1, "game": 2})
    (tmp_path / "game (2).wav").write_text("mine")
    output = record(rule, {"voice": 1, "game": 2}, start=500)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "game (2).wav",
        "game (3).wav",
        "game.wav",
        "ledger (3).jsonl",
        "ledger.jsonl",
        "session (3).json",
        "session.json",
        "voice (3).wav",
        "voice.wav",
    ]
    assert (tmp_path / "game (2).wav").read_text() == "mine"
    assert np.array_equal(read(tmp_path / "voice.wav"), numbered(0, 100, 1, 0, 24))
    assert np.array_equal(read(output.paths["voice"]), numbered(500, 600, 1, 0, 24))
    document = json.loads((tmp_path / "session (3).json").read_text())
    assert [track["file"] for track in document["tracks"]] == ["voice (3).wav", "game (3).wav"]
    assert document["ledger"] == "ledger (3).jsonl"


@pytest.mark.parametrize("folder", ["{date} {time}", "shared"])
def test_sessions_that_start_at_the_same_moment_never_share_a_file(
    tmp_path: Path, folder: str
) -> None:
    outputs: list[FilesOutput] = []
    gate = threading.Barrier(8)

    def session(index: int) -> None:
        gate.wait()
        outputs.append(record(Rule(str(tmp_path / folder)), {"a": 1, "b": 1}, 1000 * index))

    threads = [threading.Thread(target=session, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({path for output in outputs for path in output.paths.values()}) == 16
    first = {float(read(output.paths["a"])[0, 0]) for output in outputs}
    assert len(first) == 8
    assert all(o.paths["a"].parent == o.paths["b"].parent for o in outputs)


@pytest.mark.parametrize("template", ["{file}", "{file}/below", "{file}/{date}", "{file}/a/{time}"])
def test_a_folder_that_cannot_be_is_refused_in_plain_words(tmp_path: Path, template: str) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    output = FilesOutput(Rule(template.replace("{file}", str(file))))
    where = re.escape(str(file))
    with pytest.raises(OutputFailed, match=f"files: {where}.* is no folder") as raised:
        output.open(session_info(TRACKS))
    assert raised.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_two_tracks_of_one_file_name_are_refused_and_nothing_is_left(tmp_path: Path) -> None:
    for rule, tracks in (
        (Rule(str(tmp_path / "{date}"), name="mix"), {"a": 1, "b": 1}),
        (Rule(str(tmp_path / "{date}")), {"Voice": 1, "voice": 1}),
    ):
        with pytest.raises(OutputFailed, match="would both be"):
            FilesOutput(rule).open(session_info(tracks))
    assert list(tmp_path.iterdir()) == []


def test_flac_of_more_than_8_channels_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path / "{date}"), format="flac"))
    with pytest.raises(OutputFailed, match="the track wide has 9 channels"):
        output.open(session_info({"voice": 1, "wide": 9}))
    assert list(tmp_path.iterdir()) == []


def test_what_libsndfile_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path / "{date}")))
    with pytest.raises(OutputFailed, match="files: LibsndfileError"):
        output.open(session_info({"voice": 1, "wide": 5000}))
    assert list(tmp_path.iterdir()) == []


# While it runs, and after a kill ----------------------------------------------------------------


@kinds
def test_a_file_opens_with_its_length_while_it_is_being_written(
    tmp_path: Path, file_format: str, encoding: str, bits: int
) -> None:
    output = FilesOutput(Rule(str(tmp_path), format=file_format, encoding=encoding))
    output.open(session_info(TRACKS))
    held_back = 4097 if file_format == "flac" else 0
    for at in range(0, 48000, 12000):
        output.write(one_block(at, 12000, TRACKS, bits))
        for index, path in enumerate(output.paths.values()):
            frames = frames_in(path)
            assert at + 12000 - held_back < frames + 1 <= at + 12001
            expected = numbered_tracks(0, frames, TRACKS, bits)[index]
            assert np.array_equal(read(path), expected)
    output.close(48000)


@pytest.mark.parametrize(
    ("file_format", "encoding", "bits", "seconds"),
    # Until the ledger has a line, or a second could have been lost and more is there.
    [(*KINDS[0], 2.1), (*KINDS[2], 1.3), (*KINDS[3], 1.3), (*KINDS[3], 0.0)],
)
def test_a_kill_costs_at_most_the_last_second(
    tmp_path: Path, file_format: str, encoding: str, bits: int, seconds: float
) -> None:
    folder = tmp_path / "rec"
    arguments = [str(folder), file_format, encoding]
    process = subprocess.Popen(
        [sys.executable, HERE / "recording_process.py", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    frame = 0
    with process:
        assert process.stdout.readline() == "open\n"
        while frame < seconds * 48000:
            frame = int(process.stdout.readline())
        process.kill()
        printed = process.stdout.read().split()
    assert process.returncode == (1 if sys.platform == "win32" else -signal.SIGKILL)
    frame = max([frame, *map(int, printed[:-1])])

    tracks = {"game": 2, "voice": 1, "music": 2}
    for index, track in enumerate(tracks):
        path = folder / f"{track}.{file_format}"
        frames = frames_in(path)
        assert frame - 48000 <= frames <= frame + 48000
        if frames:
            assert np.array_equal(read(path), numbered_tracks(0, frames, tracks, bits)[index])
        if sys.platform != "win32":
            subprocess.run(
                ["ffmpeg", "-v", "error", "-xerror", "-i", path, "-f", "null", "-"], check=True
            )
    document = manifest(folder)
    assert document["state"] == "running"
    # The audio files know better: while nothing happens, its numbers may be ten seconds old.
    assert all(0 <= frame - t["frames"] <= 11 * 48000 for t in document["tracks"])
    assert datetime.fromisoformat(document["written"]).tzinfo is not None
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    assert len(lines) >= int(seconds) - 1
    assert all(line["cause"] == "late" for line in lines)


# A full disk, and a folder that goes away -------------------------------------------------------


def can_mount() -> bool:
    """Whether a disk of our own can be mounted where nobody else sees it."""
    if shutil.which("unshare") is None:
        return False
    mount = "mount -t tmpfs -o size=1m none /mnt"
    return subprocess.run([*unshare(), "sh", "-c", mount], capture_output=True).returncode == 0


def unshare() -> list[str]:
    return (
        ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    )


WAYS = [
    "limit",
    pytest.param(
        "tmpfs", marks=pytest.mark.skipif(not can_mount(), reason="no disk may be mounted here")
    ),
]


@pytest.mark.linux("Windows limits no file's size; see tests/windows/test_run.py")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("file_format", "encoding", "bits"), [KINDS[0], KINDS[1], KINDS[3]])
def test_a_full_disk_stops_that_output_and_its_files_stay_readable(
    tmp_path: Path, file_format: str, encoding: str, bits: int, way: str
) -> None:
    arguments = [str(tmp_path), file_format, encoding, way]
    run = subprocess.run(
        [
            *(unshare() if way == "tmpfs" else []),
            sys.executable,
            HERE / "full_disk_process.py",
            *arguments,
        ],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["stopped"] == [True, True]
    full = tmp_path / "full"
    if way == "tmpfs":
        assert result["error"].startswith("full: the disk is full: ")
        assert result["error"].endswith(f"in {full}")
        assert result["code"] == errno.ENOSPC
        cause = "disk_full"
    else:
        assert result["error"] == f"full: a file in {full} cannot grow any further"
        assert result["code"] == errno.EFBIG
        cause = "output_failed"
    assert result["remedy"]
    (incident,) = result["incidents"]
    assert (incident["cause"], incident["output"]) == (cause, "full")

    # All files of one length, whole, exact, and of what fitted at most 0.5 s and a block is gone.
    lengths = {file["frames"] for file in result["files"].values()}
    assert len(lengths) == 1
    (frames,) = lengths
    room = 2_000_000 / 2 if way == "tmpfs" else 600_000
    per_frame = {"float32": 8, "pcm24": 6}[encoding]
    assert frames >= room / per_frame - 2 * 12000 - 4096 - 4000
    for file in result["files"].values():
        assert file["exact"]
        assert file["channels"]
        assert file["soxi"] == int(file["ffprobe"]) == file["decoded"] == frames

    document = result["manifest"]
    assert document["state"] == "failed"
    assert [track["frames"] for track in document["tracks"]] == [frames, frames]
    assert document["frames"] == incident["begin"] == frames
    assert document["error"] == incident["detail"]
    (line,) = map(json.loads, result["ledger"].splitlines())
    assert line["cause"] == cause
    assert line["message"].startswith("the output full stopped at 0:")
    assert sorted(result["left"]) == sorted(
        ["ledger.jsonl", "session.json", *(f"{t}.{file_format}" for t in ("game", "voice"))]
    )
    assert (result["other"], result["other_error"]) == (48000 * 20, False)


@pytest.mark.linux("Windows removes no folder in which a file is open")
def test_a_folder_that_is_removed_stops_the_output_instead_of_writing_into_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "rec"
    reader = FakeReader(TRACKS)
    incidents: list[Incident] = []
    thread = OutputThread(
        FilesOutput(Rule(str(folder))),
        reader,
        session_info(TRACKS),
        on_incident=incidents.append,
        block_s=0.1,
    )
    thread.start()
    reader.push(numbered_tracks(0, 4800, TRACKS))
    deadline = time.monotonic() + 30
    while thread.position < 4800 and time.monotonic() < deadline:
        time.sleep(0.01)
    shutil.rmtree(folder)
    at = 4800
    while thread.running and time.monotonic() < deadline:
        reader.push(numbered_tracks(at, at + 4800, TRACKS))
        at += 4800
        time.sleep(0.05)  # so that it need not keep up with all that can be pushed
    assert thread.stop(reader.end())
    assert str(thread.error) == f"files: {folder} is not there, or no longer"
    assert [incident.cause for incident in incidents] == ["output_failed"]


@pytest.mark.parametrize(
    ("folder", "name", "refused", "said"),
    [
        ("Rec/12:30", "{track}", ":", """the character ":" in a name, as in "12:30\""""),
        ("12:30/a", "{track}", ":", """the character ":" in a name, as in "12:30\""""),
        ("what?: now", "{track}", "?", """the characters "?" ":" in a name, as in "what?: now\""""),
        ("plain", "{track}? now", "?", """the character "?" in a name, as in "voice? now.wav\""""),
        ("caf\udce9", "{track}", "\udce9", """the character "0xE9" in a name, as in "caf"""),
    ],
)
@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOENT, errno.EILSEQ])
@pytest.mark.linux("Windows refuses such names itself, before the drive does")
def test_a_drive_that_does_not_take_a_name_is_said_with_the_character(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder: str,
    name: str,
    refused: str,
    said: str,
    code: int,
) -> None:
    make_folder, open_file = os.mkdir, os.open

    def check(path: object) -> None:
        if refused in Path(os.fsdecode(str(path))).name:
            raise OSError(code, os.strerror(code), str(path))

    def mkdir(path: Any, *args: Any, **options: Any) -> None:
        check(path)
        make_folder(path, *args, **options)

    def open_(path: Any, *args: Any, **options: Any) -> int:
        check(path)
        return open_file(path, *args, **options)

    if code == errno.EINVAL:  # so do some drives when they are only asked for it
        look = os.stat

        def stat_(path: Any, *args: Any, **options: Any) -> os.stat_result:
            for part in Path(path).parts if isinstance(path, str | Path) else ():
                check(part)
            return look(path, *args, **options)

        monkeypatch.setattr(os, "stat", stat_)
    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setattr(os, "open", open_)
    output = FilesOutput(Rule(str(tmp_path / folder), name=name))
    with pytest.raises(OutputFailed) as raised:
        output.open(session_info({"voice": 1}))
    assert "can't hold " + said in str(raised.value)
    assert raised.value.remedy == "Leave it out in the profile, or choose another drive."
    assert not list(tmp_path.rglob("*.wav"))


def looked_at(output: FilesOutput) -> None:
    """Lets the next block write session.json, and look for the files, at once."""
    output._next_look = output._next_manifest = 0.0


@pytest.mark.linux("Windows renames no folder in which a file is open")
@pytest.mark.parametrize("file_format", ["wav", "flac"])
def test_a_folder_that_is_renamed_keeps_its_files_and_what_is_said_of_them(
    tmp_path: Path, file_format: str
) -> None:
    old, new = tmp_path / "old", tmp_path / "elsewhere" / "new"
    output = FilesOutput(Rule(str(old), format=file_format))
    output.open(session_info(TRACKS))
    output.write(one_block(0, 10_000, TRACKS))
    new.parent.mkdir()
    old.rename(new)
    looked_at(output)
    output.write(one_block(10_000, 10_000, TRACKS))
    assert manifest(new)["frames"] == 20_000
    output.on_incident(Incident("stalled", "game", None, ("game",), 15_000, 100))
    output.close(20_000)
    assert output.folder == new
    assert not old.exists()
    assert sorted(path.name for path in new.iterdir()) == sorted(
        ["session.json", "ledger.jsonl", *(f"{track}.{file_format}" for track in TRACKS)]
    )
    document = manifest(new)
    assert (document["state"], document["error"], document["frames"]) == ("complete", None, 20_000)
    assert len((new / "ledger.jsonl").read_text().splitlines()) == 1
    for path, audio in zip(output.paths.values(), numbered_tracks(0, 20_000, TRACKS), strict=True):
        assert path.parent == new
        assert np.array_equal(read(path), audio)


@pytest.mark.linux("Windows renames no folder in which a file is open")
def test_a_folder_that_is_renamed_at_the_very_end_is_found(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path / "old")))
    output.open(session_info({"voice": 1}))
    output.write(one_block(0, 1000, {"voice": 1}))
    (tmp_path / "old").rename(tmp_path / "new")
    output.close(1000)
    assert output.paths == {"voice": tmp_path / "new" / "voice.wav"}
    assert manifest(tmp_path / "new")["state"] == "complete"


@pytest.mark.linux("Windows deletes no file that is open")
@pytest.mark.parametrize("how", ["deleted", "replaced", ".nfs0001", ".fuse_hidden0001"])
def test_a_file_that_is_gone_is_told_and_the_others_are_written(tmp_path: Path, how: str) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info(TRACKS))
    output.write(one_block(0, 10_000, TRACKS))
    if how.startswith("."):  # as these file systems delete what is open
        output.paths["voice"].rename(tmp_path / how)
    else:
        output.paths["voice"].unlink()
    if how == "replaced":
        output.paths["voice"].write_text("another program's")
    looked_at(output)
    output.write(one_block(10_000, 10_000, TRACKS))
    (told,) = output.new_incidents()
    assert (told.cause, told.tracks, told.begin) == ("file_gone", ("voice",), 20_000)
    assert output.new_incidents() == []
    failure = output.failure()
    assert failure is not None
    assert str(failure) == "files: voice.wav was deleted or replaced while recording"
    output.write(one_block(20_000, 10_000, TRACKS))
    output.close(30_000)
    assert output.gone == {"voice"}
    document = manifest(tmp_path)
    assert document["state"] == "failed"
    assert document["error"] == "voice.wav was deleted or replaced while recording"
    held = {track["name"]: track["frames"] for track in document["tracks"]}
    assert held == {"game": 30_000, "voice": 0, "surround": 30_000}
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert lines[0]["message"] == (
        "the output files keeps nothing of voice: somebody deleted or replaced its file before "
        "0:00.417: voice.wav"
    )
    game = numbered_tracks(0, 30_000, {"game": 2})[0]
    assert np.array_equal(read(output.paths["game"]), game)


@pytest.mark.linux("Windows moves no file that is open")
def test_a_file_that_is_moved_is_found_and_none_of_it_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    output = FilesOutput(Rule(str(folder)))
    output.open(session_info({"game": 2, "voice": 1}))
    output.write(one_block(0, 1000, {"game": 2, "voice": 1}))
    output.paths["voice"].rename(tmp_path / "kept.wav")
    output.paths["game"].rename(folder / "the game.wav")
    output.close(2000)
    assert output.paths == {"game": folder / "the game.wav", "voice": tmp_path / "kept.wav"}
    assert output.failure() is None
    files = [track["file"] for track in manifest(folder)["tracks"]]
    assert files == ["the game.wav", str(tmp_path / "kept.wav")]
    assert frames_in(tmp_path / "kept.wav") == 2000


@pytest.mark.linux("Windows deletes no file that is open")
def test_a_ledger_and_a_manifest_that_are_deleted_are_written_again(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info({"voice": 1}))
    output.on_incident(Incident("stalled", "game", None, ("voice",), 0, 100))
    (tmp_path / "ledger.jsonl").unlink()
    (tmp_path / "session.json").unlink()
    looked_at(output)
    output.write(one_block(0, 1000, {"voice": 1}))
    output.on_incident(Incident("stalled", "game", None, ("voice",), 500, 100))
    output.close(1000)
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert [json.loads(line)["begin"] for line in lines] == [0, 500]
    assert manifest(tmp_path)["state"] == "complete"


@pytest.mark.linux("Windows deletes no file that is open")
def test_another_file_in_the_ledgers_place_is_left_alone(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info({"voice": 1}))
    output.on_incident(Incident("stalled", "game", None, ("voice",), 0, 100))
    (tmp_path / "ledger.jsonl").unlink()
    (tmp_path / "ledger.jsonl").write_text("precious")
    looked_at(output)
    output.write(one_block(0, 1000, {"voice": 1}))
    output.on_incident(Incident("stalled", "game", None, ("voice",), 500, 100))
    output.close(1000)
    assert (tmp_path / "ledger.jsonl").read_text() == "precious"
    assert manifest(tmp_path)["incidents"]["stalled"]["count"] == 2
    assert frames_in(output.paths["voice"]) == 1000


@pytest.mark.linux("modes are POSIX's")
def test_a_folder_that_takes_no_new_file_ends_no_recording(tmp_path: Path) -> None:
    folder = tmp_path / "rec"
    output = FilesOutput(Rule(str(folder)))
    output.open(session_info({"voice": 1}))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pypac_obs.outputs.manifest.replace_file", refuse)
        looked_at(output)
        output.write(one_block(0, 1000, {"voice": 1}))
        output.write(one_block(1000, 1000, {"voice": 1}))
        with pytest.raises(OutputFailed, match="no permission to write in"):
            output.close(2000)
    output.abort()
    assert np.array_equal(read(output.paths["voice"]), numbered(0, 2000, 1, 0, 24))


# session.json and ledger.jsonl -------------------------------------------------------------------


def test_the_manifest_tells_what_was_recorded(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path), format="flac", encoding="pcm16"))
    output.open(session_info({"game": 2, "voice": 1}))
    document = manifest(tmp_path)
    assert (document["state"], document["frames"]) == ("running", 0)
    output.write(one_block(0, 100, {"game": 2, "voice": 1}))
    output.close(150)
    document = manifest(tmp_path)
    assert (document["state"], document["error"], document["frames"]) == ("complete", None, 150)
    assert (document["session"], document["profile_name"]) == ("evening", "game-and-discord")
    assert document["start"] == {"wall": "2026-11-23T18:04:05+00:00", "host_ns": 123_456_789_000}
    assert document["sample_rate"] == 48000
    assert document["versions"] == {"pypac-obs": "0.1.0"}
    assert document["profile"]["version"] == 1
    assert document["tracks"][0] == {
        "name": "game",
        "file": "game.flac",
        "channels": 2,
        "format": "flac",
        "encoding": "pcm16",
        "frames": 150,
        "clipped_frames": 0,
    }
    assert document["tracks"][1]["frames"] == 150


def test_the_manifest_keeps_what_a_source_was_bound_to_over_time(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info({"voice": 1}))
    states: list[tuple[str, list[dict[str, int]]]] = [
        ("not_running", []),
        ("not_running", []),
        ("playing", [{"pid": 7}]),
        ("playing", [{"pid": 7}]),
        ("playing", [{"pid": 8}]),
    ]
    for index, (state, bindings) in enumerate(states):
        level = float("-inf") if index == 4 else index
        discord = {"state": state, "bindings": bindings, "peak_db": level, "at": np.int64(index)}
        output.on_status({"sources": {"discord": discord}, "warnings": [Path("a")]})
        output.write(one_block(100 * index, 100, {"voice": 1}))
    output.close(500)
    document = manifest(tmp_path)
    assert document["sources"]["discord"]["history"] == [
        {"frame": 0, "state": "not_running", "bindings": []},
        {"frame": 200, "state": "playing", "bindings": [{"pid": 7}]},
        {"frame": 400, "state": "playing", "bindings": [{"pid": 8}]},
    ]
    assert document["sources"]["discord"]["now"]["peak_db"] is None
    assert document["sources"]["discord"]["now"]["at"] == 4
    assert document["status"] == {"warnings": ["a"]}


def test_the_ledger_has_a_line_per_incident_at_once_and_the_manifest_their_counts(
    tmp_path: Path,
) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info({"voice": 1}))
    sent = [
        Incident("not_running", "discord", None, ("voice",), 0, 240_000),
        Incident("stalled", "discord", None, ("voice",), 240_000, 10),
        Incident("stalled", "discord", None, ("voice",), 240_100, 32),
        Incident("restamped", "discord", None, ("voice",), 241_000, 480),
        Incident("overlap", "discord", None, ("voice",), 242_000, 480),
    ]
    for count, incident in enumerate(sent, 1):
        output.on_incident(incident)
        lines = [json.loads(x) for x in (tmp_path / "ledger.jsonl").read_text().splitlines()]
        assert len(lines) == count
        fields = incident.to_json()
        assert list(lines[-1].items())[: len(fields)] == list(fields.items())
    assert lines[0]["message"] == "discord was not running from 0:00.000 to 0:05.000"
    output.write(one_block(0, 100, {"voice": 1}))
    output.close(100)
    assert manifest(tmp_path)["incidents"] == {
        "not_running": {"count": 1, "frames": 240_000},
        "stalled": {"count": 2, "frames": 42},
        "restamped": {"count": 1, "frames": 0},
        "overlap": {"count": 1, "frames": 0},
    }


def test_the_manifest_is_whole_whenever_it_is_read_and_follows_within_a_second(
    tmp_path: Path,
) -> None:
    reader = FakeReader({"voice": 1})
    thread = OutputThread(
        FilesOutput(Rule(str(tmp_path))), reader, session_info({"voice": 1}), block_s=0.02
    )
    thread.start()
    seen = []
    begun = time.monotonic()
    for at in range(0, 120_000, 960):  # in real time: it follows by the clock
        if at % 9600 == 0:
            thread.post_incident(Incident("stalled", "game", None, ("voice",), at, 10))
        reader.push([numbered(at, at + 960, 1, 0, 24)])
        time.sleep(max(0, begun + (at + 960) / 48000 - time.monotonic()))
        seen.append(manifest(tmp_path)["frames"])
    assert thread.stop(reader.end())
    changes = sorted(set(seen))
    assert len(changes) >= 3
    assert all(later - earlier < 2 * 48000 for earlier, later in pairwise(changes))
    assert manifest(tmp_path)["frames"] == 120_000
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ledger.jsonl",
        "session.json",
        "voice.wav",
    ]


def test_the_manifest_is_left_alone_while_only_numbers_grow(tmp_path: Path) -> None:
    output = FilesOutput(Rule(str(tmp_path)))
    output.open(session_info({"voice": 1}))
    path = tmp_path / "session.json"

    def second(at: int, state: str, warnings: Sequence[str] = ()) -> int:
        """The length that session.json tells after one more second."""
        output._next_look = 0.0
        game = {"state": state, "bindings": [], "drift_ppm": float(at), "captured_frames": at}
        loudness = {"voice": {"integrated_lufs": -20.0 - at}, "music": {}}
        status = {"frames": at, "warnings": warnings, "sources": {"game": game}}
        output.on_status({**status, "loudness": loudness})
        output.write(one_block(at, 100, {"voice": 1}))
        return int(manifest(tmp_path)["frames"])

    assert second(0, "playing") == 0  # the first thing that is known of the source
    assert [second(at, "playing") for at in (100, 200)] == [0, 0]
    assert second(300, "paused") == 300
    assert second(400, "paused") == 300
    assert second(500, "paused", ["quiet"]) == 500
    [voice] = manifest(tmp_path)["tracks"]
    assert voice["loudness"] == {"integrated_lufs": -520.0}
    assert "loudness" not in manifest(tmp_path)["status"]
    output.on_incident(Incident("stalled", "game", None, ("voice",), 0, 10))
    assert second(600, "paused", ["quiet"]) == 600
    path.unlink()
    assert second(700, "paused", ["quiet"]) == 700  # written again
    output._next_manifest = 0.0
    assert second(800, "paused", ["quiet"]) == 800  # old by now
    written = datetime.fromisoformat(manifest(tmp_path)["written"])
    assert abs((datetime.now(UTC) - written).total_seconds()) < 60
    output.close(900)
    assert manifest(tmp_path)["frames"] == 900


@pytest.mark.linux("libsndfile opens files by name there")
@pytest.mark.parametrize("file_format", ["wav", "flac"])
def test_a_file_that_becomes_a_link_while_it_is_opened_leads_nowhere(
    tmp_path: Path, file_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    folder = tmp_path / "rec"
    path = folder / f"voice.{file_format}"
    open_sound_file = soundfile.SoundFile

    def swap_and_open(*arguments: Any, **options: Any) -> soundfile.SoundFile:
        path.unlink()
        path.symlink_to(victim)
        return open_sound_file(*arguments, **options)

    monkeypatch.setattr(soundfile, "SoundFile", swap_and_open)
    output = FilesOutput(Rule(str(folder), format=file_format))
    output.open(session_info({"voice": 1}))
    with pytest.raises(OutputFailed, match="all of its files were deleted"):
        output.write(one_block(0, 10_000, {"voice": 1}))
    output.abort()
    assert victim.read_text() == "precious"


def open_descriptors() -> int:
    if sys.platform == "win32":  # handles, which are more
        return psutil.Process().num_handles()
    return len(os.listdir("/proc/self/fd"))


def test_a_session_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = open_descriptors()
    for ended, file_format in product(("close", "abort", "refused"), ("wav", "flac")):
        output = FilesOutput(Rule(str(tmp_path), format=file_format))
        if ended == "refused":
            with pytest.raises(OutputFailed):
                output.open(session_info({"voice": 1, "crowd": 2000}))
            continue
        output.open(session_info(TRACKS))
        output.write(one_block(0, 10_000, TRACKS))
        output.close(10_000) if ended == "close" else output.abort()
    assert open_descriptors() == before


@pytest.mark.parametrize("when", ["before", "while"])
def test_the_manifest_follows_no_link_that_somebody_put_into_a_shared_folder(
    tmp_path: Path, when: str
) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    folder = tmp_path / "rec"
    folder.mkdir()
    if when == "before":
        (folder / ".session.json.part").symlink_to(victim)
    output = FilesOutput(Rule(str(folder)))
    output.open(session_info({"voice": 1}))
    if when == "while":
        (folder / ".session.json.part").symlink_to(victim)
    output.close(0)
    assert victim.read_text() == "precious"
    assert not (folder / "session.json").is_symlink()
    assert manifest(folder)["state"] == "complete"


def test_an_aborted_session_keeps_what_was_written_and_says_failed(tmp_path: Path) -> None:
    for file_format in ("wav", "flac"):
        folder = tmp_path / file_format
        output = FilesOutput(Rule(str(folder), format=file_format))
        output.open(session_info(TRACKS))
        output.write(one_block(0, 10_000, TRACKS))
        output.abort()
        output.abort()
        assert manifest(folder)["state"] == "failed"
        for index, path in enumerate(output.paths.values()):
            assert np.array_equal(read(path), numbered_tracks(0, 10_000, TRACKS)[index])
