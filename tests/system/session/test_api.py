# SPDX-License-Identifier: MIT
"""The Python API on real programs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pypac_obs import (
    Block,
    NotRunning,
    ProcessRecorder,
    Session,
    list_processes,
    record_process,
    record_process_id,
)
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import RATE, Audio, hear, shifts, wait_until, wait_until_playing
from .conftest import (
    AMPLITUDE,
    breaks,
    ledger,
    level_db,
    profile,
    read,
)

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]
Tone = Callable[..., Player]


@pytest.fixture
def game_and_voice(play: Play, tone: Tone, sandbox: Sandbox) -> tuple[Player, Player]:
    game = play("game", "--tone", "440")
    voice = tone("voice", 1000.0, api="pulse")
    wait_until_playing(sandbox, "game", "voice")
    return game, voice


# record_process ----------------------------------------------------------------------------------


def test_record_process_takes_a_program_by_name_and_by_pid(
    game_and_voice: tuple[Player, Player],
) -> None:
    for key, frequency, other in (
        ("game", 440.0, 1000.0),
        (game_and_voice[0].pid, 440.0, 1000.0),
        (game_and_voice[1].pid, 1000.0, 440.0),
    ):
        audio = record_process(key, 0.5)
        assert (audio.shape, audio.dtype) == ((RATE // 2, 2), np.float32)
        # On a busy machine a player has gaps; a tenth of a second without one there is.
        parts = np.split(audio, 5)
        whole = max(parts, key=lambda part: level_db(part[:, 0], frequency))
        assert level_db(whole[:, 0], frequency) == pytest.approx(-12, abs=0.01)
        assert level_db(whole[:, 0], other) < -110
        assert breaks(whole[:, 1], frequency).size == 0


@pytest.mark.usefixtures("game_and_voice")
def test_pid_0_is_the_whole_system() -> None:
    audio = record_process_id(0, 0.6, channels=1)
    assert audio.shape == (round(0.6 * RATE), 1)
    assert level_db(audio[:, 0], 440.0) == pytest.approx(-12, abs=0.01)
    assert level_db(audio[:, 0], 1000.0) == pytest.approx(-12, abs=0.01)
    assert np.abs(audio).max() <= 2 * AMPLITUDE + 1e-4


def test_a_pid_that_is_gone_and_a_name_that_gives_nothing_are_not_running(play: Play) -> None:
    dead = play("game")
    dead.kill()
    with pytest.raises(NotRunning, match=f"no process has the PID {dead.pid}"):
        record_process_id(dead.pid, 0.5)
    with pytest.raises(NotRunning, match=r"'gaem' gave no audio in 0\.3 s: The program is"):
        record_process("gaem", 0.3)


# ProcessRecorder ---------------------------------------------------------------------------------


@pytest.mark.alone
def test_the_recorder_gives_contiguous_blocks_of_all_programs(play: Play, sandbox: Sandbox) -> None:
    one, two = play("one"), play("two")
    wait_until_playing(sandbox, "one", "two")
    names = ["one", f"pid {two.pid}", "absent"]
    blocks: list[Block] = []
    with ProcessRecorder() as recorder:
        recorder.start_processes(["one", two.pid, "absent"])
        for _ in range(6):
            until = recorder.status().frames + RATE // 10
            wait_until(lambda: recorder.status().frames >= until)  # noqa: B023
            blocks.append(recorder.get_audio())
        assert [source.name for source in recorder.status().sources] == names
        assert recorder.status().sources[0].programs[0].pid == one.pid
        recorder.stop()
        blocks.append(recorder.get_audio())
        assert recorder.get_audio().frames == 0
        end = recorder.status().frames
        assert recorder.lost_frames == 0
        assert {incident.source for incident in recorder.incidents} == {"absent"}
    assert all(block.frames for block in blocks[1:-1])
    assert blocks[0].start <= RATE // 10  # it was opened just after the session had begun
    for block, following in pairwise(blocks):
        assert following.start == block.start + block.frames
    assert blocks[-1].start + blocks[-1].frames == end
    tracks = {name: np.concatenate([block.audio[name] for block in blocks]) for name in names}
    assert all((track.dtype, track.shape[1]) == (np.float32, 2) for track in tracks.values())
    frames, shift = shifts(tracks["one"])
    assert len(frames) == len(tracks["one"]) > RATE // 2
    assert np.unique(shift).size == 1
    assert np.array_equal(tracks["one"], tracks[f"pid {two.pid}"])
    assert not tracks["absent"].any()


# list_processes ----------------------------------------------------------------------------------


def test_list_processes_tells_volume_mute_and_peak_as_they_were_set(
    game_and_voice: tuple[Player, Player], tone: Tone, sandbox: Sandbox
) -> None:
    native = tone("music", 600.0, level_dbfs=-6.0)
    wait_until_playing(sandbox, "music")

    def listed() -> dict[str, object]:
        return {process.program: process for process in list_processes()}

    before = listed()
    assert set(before) == {"game", "voice", "music"}
    assert before["music"].pid == native.pid
    assert before["music"].peak_db == pytest.approx(-6, abs=0.01)
    assert (before["voice"].volume, before["voice"].muted) == (1.0, False)
    [stream] = before["voice"].streams
    assert (stream.channels, stream.sample_rate, stream.device) == (2, RATE, "speakers")
    assert stream.playing

    inputs = sandbox.run("pactl", "list", "sink-inputs").split("Sink Input #")[1:]
    [voice] = [text.split()[0] for text in inputs if str(game_and_voice[1].pid) in text]
    sandbox.run("pactl", "set-sink-input-volume", voice, "50%")
    nodes = sandbox.run("pw-cli", "list-objects", "Node").split("\tid ")[1:]
    [node] = [text.split(",")[0] for text in nodes if 'node.name = "music"' in text]
    sandbox.run("wpctl", "set-volume", node, "0.25")
    quiet = listed()
    assert quiet["voice"].volume == pytest.approx(0.5, abs=0.001)
    assert quiet["voice"].peak_db == pytest.approx(-12 - 18.06, abs=0.05)
    assert quiet["music"].volume == pytest.approx(0.25, abs=0.001)
    assert quiet["music"].peak_db == pytest.approx(-6 - 36.12, abs=0.05)
    assert quiet["game"].peak_db == pytest.approx(-12, abs=0.05)

    sandbox.run("pactl", "set-sink-input-mute", voice, "1")
    sandbox.run("wpctl", "set-mute", node, "1")
    silent = listed()
    assert silent["voice"].muted
    assert silent["music"].muted
    assert silent["voice"].peak_db == silent["music"].peak_db == -np.inf
    assert not silent["game"].muted
    # Undone, for WirePlumber remembers them by the program's name.
    sandbox.run("wpctl", "set-mute", node, "0")
    sandbox.run("wpctl", "set-volume", node, "1.0")
    sandbox.run("pactl", "set-sink-input-mute", voice, "0")
    sandbox.run("pactl", "set-sink-input-volume", voice, "100%")
    wait_until(lambda: not listed()["music"].muted)


# Session -----------------------------------------------------------------------------------------


def assert_contiguous(blocks: list[Block]) -> Audio:
    for block, following in pairwise(blocks):
        assert following.start == block.start + block.frames
    return np.concatenate([block.audio["game"] for block in blocks])


def test_a_session_calls_back_with_every_block_from_frame_0_on(
    play: Play, sandbox: Sandbox
) -> None:
    play("game")
    wait_until_playing(sandbox, "game")
    blocks: list[Block] = []

    def keep(block: Block) -> None:
        audio = {name: view.copy() for name, view in block.audio.items()}
        blocks.append(Block(block.start, block.frames, block.sample_rate, audio))

    with Session(profile({"game": "game"}), on_block=keep, duration_s=0.8) as session:
        assert session.running
        assert session.wait(5)
    assert not session.running
    assert session.errors == ()
    track = assert_contiguous(blocks)
    assert blocks[0].start == 0
    assert len(track) == round(0.8 * RATE)
    frames, shift = shifts(track)
    assert len(frames) == len(track)
    assert np.unique(shift).size == 1


def test_a_session_is_an_iterator_and_an_async_iterator_of_blocks(
    play: Play, sandbox: Sandbox
) -> None:
    play("game")
    wait_until_playing(sandbox, "game")

    async def collect(session: Session) -> list[Block]:
        return [block async for block in session]

    for iterate in (list, lambda session: asyncio.run(collect(session))):
        with Session(profile({"game": "game"}), duration_s=0.7) as session:
            blocks = iterate(session)  # type: ignore[operator]
        track = assert_contiguous(blocks)
        assert {block.frames for block in blocks[:-1]} == {RATE // 50}
        assert blocks[-1].start + blocks[-1].frames == round(0.7 * RATE)
        frames, shift = shifts(track)
        assert len(frames) == len(track) > RATE // 2
        assert np.unique(shift).size == 1


def test_a_slow_reader_loses_its_own_frames_and_the_files_stay_whole(
    play: Play, sandbox: Sandbox, tmp_path: Path
) -> None:
    play("game")
    wait_until_playing(sandbox, "game")
    rules = profile(
        {"game": "game"},
        session={"rings": {"output_ms": 250}},
        outputs={"files": {"folder": str(tmp_path / "out")}},
    )
    slow: list[Block] = []
    quick: list[Block] = []
    with (
        Session(rules, on_block=lambda block: quick.append(block)) as session,
        session.blocks() as stream,
    ):
        for block in stream:
            slow.append(block)
            if len(slow) == 10:
                hear(session, 0.9)
            if len(slow) == 25:
                break
        lost = stream.lost_frames
    assert lost > RATE // 2
    jumps = [b.start - a.start - a.frames for a, b in pairwise(slow)]
    assert sum(jumps) == lost
    assert sum(jump > 0 for jump in jumps) == 1
    # What it did get is in its place all the same.
    shift = {int(one) for block in slow for one in np.unique(in_place(block))}
    assert len(shift) == 1
    [incident] = [one for one in session.incidents if one.output is not None]
    assert (incident.cause, incident.output) == ("output_overrun", "a reader")
    assert incident.frames == lost
    assert sum(block.frames for block in quick) == session.position
    track = read(tmp_path / "out" / "game.wav")
    frames, shifted = shifts(track)
    assert len(frames) == len(track) == session.position
    assert {*shifted.tolist()} == shift
    assert [line["cause"] for line in ledger(tmp_path / "out")] == ["output_overrun"]


def in_place(block: Block) -> np.ndarray:
    return shifts(block.audio["game"])[1] - block.start


def test_nothing_of_a_session_is_left_when_it_has_ended(play: Play, sandbox: Sandbox) -> None:
    play("game")
    wait_until_playing(sandbox, "game")

    def left() -> tuple[set[str], int]:
        threads = set(os.listdir("/proc/self/task"))
        return threads, sandbox.run("pw-cli", "list-objects", "Node").count("pypac-obs")

    before = left()
    with Session(profile({"game": "game"}), duration_s=0.2) as session:
        assert left() != before
        assert session.wait(5)
    # A thread that has been joined is still listed until the kernel has put it away.
    wait_until(lambda: left() == before, 1.0, lambda: f"{left()}, not {before}")
