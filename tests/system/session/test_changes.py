# SPDX-License-Identifier: MIT
"""Programs that come back in another format, a graph that changes its rate, and one that ends."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pypac_obs import Session
from pypac_obs.sandbox import Player, Sandbox

from ..conftest import (
    RATE,
    Start,
    assert_whole,
    hear,
    missed_by,
    own,
    wait_until,
    wait_until_playing,
)
from .conftest import (
    AMPLITUDE,
    Tape,
    absences,
    breaks,
    frequency_of,
    ledger,
    level_db,
    lost,
    manifest,
    profile,
    read,
    spans,
    wait_for_state,
)

pytestmark = pytest.mark.pipewire

Play = Callable[..., Player]
Tone = Callable[..., Player]


# Programs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("api", ["pipewire", "pulse"])
def test_a_program_that_comes_back_at_44100_hz_keeps_its_pitch_and_its_place(
    play: Play, tone: Tone, sandbox: Sandbox, api: str
) -> None:
    steady = play("steady")
    name = own("game")
    old = tone(name, 440.0, api=api)
    wait_until_playing(sandbox, "steady", name)
    tape = Tape()
    with Session(profile({"steady": "steady", "game": name}), outputs=[tape]) as session:
        hear(session, 0.5)
        old.kill()
        wait_for_state(session, "game", "not_running")
        gone = session.position
        tone(name, 440.0, api=api, rate=44100)
        wait_for_state(session, "game", "playing")
        back = session.position + RATE // 5
        hear(session, 0.7)
    missed = missed_by(steady, tape.host_ns)
    assert lost(session.incidents, "steady", missed) == []
    assert_whole(tape.track("steady"), missed)
    game = tape.track("game")
    assert len(game) == len(tape.track("steady"))
    # On a busy machine these players run dry; where they do, the ledger says so.
    dry = [one for one in absences(session.incidents, "game") if one[2] - one[1] < RATE // 10]
    edges = {edge + beside for _, *ends in dry for edge in ends for beside in range(-2, 3)}
    for first, last in ((0, gone - RATE // 5), (back, len(game))):
        for side in (0, 1):
            part = game[first:last, side]
            assert set((breaks(part, 440.0) + first).tolist()) <= edges
            if not any(first <= begin < last for _, begin, _ in dry):
                assert frequency_of(part) == pytest.approx(440, abs=0.1)
                assert level_db(part, 440.0) == pytest.approx(-12, abs=0.05)


def test_a_program_that_comes_back_in_mono_is_aligned_to_the_frame(
    play: Play, sandbox: Sandbox
) -> None:
    steady = play("steady")
    name = own("game")
    first = play(name)
    wait_until_playing(sandbox, "steady", name)
    tape = Tape()
    with Session(profile({"steady": "steady", "game": name}), outputs=[tape]) as session:
        hear(session, 0.4)
        first.kill()
        wait_for_state(session, "game", "not_running")
        play(name, "--channels", "1")
        wait_for_state(session, "game", "playing")
        hear(session, 0.4)
    game, beside = tape.track("game"), tape.track("steady")
    assert_whole(beside, missed_by(steady, tape.host_ns))
    both = (game[:, 0] != 0) & (beside[:, 0] != 0)
    mono = both & (game[:, 1] == game[:, 0])
    stereo = both & ~mono
    assert min(np.count_nonzero(mono), np.count_nonzero(stereo)) > RATE // 4
    assert np.array_equal(game[stereo], beside[stereo])
    for side in (0, 1):
        assert np.array_equal(game[mono, side], beside[mono, 0])


SURROUND = ("FL", "FR", "FC", "LFE", "RL", "RR")
FREQUENCIES = {"FL": 300.0, "FR": 500.0, "FC": 700.0, "LFE": 60.0, "RL": 1100.0, "RR": 1300.0}
HALF_POWER_DB = -3.01


def surround_file(path: Path) -> Path:
    """5.1 at -20 dBFS a channel, each with a frequency of its own."""
    second = np.arange(RATE) / RATE
    channels = [np.sin(2 * np.pi * FREQUENCIES[name] * second) for name in SURROUND]
    frames = (np.stack(channels, 1) * 0.1).astype("<f4").tobytes()
    count, block = len(SURROUND), 4 * len(SURROUND)
    floats = b"\x03\x00\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71"
    form = struct.pack("<HHIIHHHHI", 0xFFFE, count, RATE, RATE * block, block, 32, 22, 32, 0x3F)
    chunks = b"fmt " + struct.pack("<I", len(form + floats)) + form + floats
    chunks += b"data" + struct.pack("<I", 10 * len(frames)) + 10 * frames
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return path


@pytest.mark.parametrize("api", ["pipewire", "pulse"])
def test_a_program_that_comes_back_in_surround_is_mixed_down_at_the_right_levels(
    play: Play, tone: Tone, sandbox: Sandbox, tmp_path: Path, api: str
) -> None:
    steady = play("steady")
    name = own("film")
    first = tone(name, 440.0, api=api)
    wait_until_playing(sandbox, "steady", name)
    tape = Tape()
    with Session(profile({"steady": "steady", "film": name}), outputs=[tape]) as session:
        hear(session, 0.2)
        first.kill()
        wait_for_state(session, "film", "not_running")
        layout = (
            [
                "--file-format=wav",
                "--channel-map=front-left,front-right,front-center,lfe,rear-left,rear-right",
            ]
            if api == "pulse"
            else ["--channel-map=FL,FR,FC,LFE,RL,RR"]
        )
        path = surround_file(tmp_path / "surround.wav")
        command = "pacat" if api == "pulse" else "pw-cat"
        film = sandbox.spawn([command, "--playback", *layout, path], name=name)
        try:
            wait_for_state(session, "film", "playing")
            begin = session.position + RATE // 5
            hear(session, 0.75)
        finally:
            film.kill()
    missed = missed_by(steady, tape.host_ns)
    assert lost(session.incidents, "steady", missed) == []
    assert_whole(tape.track("steady"), missed)
    track = tape.track("film")
    heard = track[begin : begin + RATE // 2]
    expected = {
        "FL": (0, None),
        "FR": (None, 0),
        "FC": (HALF_POWER_DB, HALF_POWER_DB),
        # For a device of two channels PipeWire mixes them itself; the LFE as it likes.
        "RL": (HALF_POWER_DB, None),
        "RR": (None, HALF_POWER_DB),
    }
    for channel, levels in expected.items():
        for side, level in enumerate(levels):
            measured = level_db(heard[:, side], FREQUENCIES[channel])
            if level is None:
                assert measured < -100, channel
            else:
                assert measured == pytest.approx(-20 + level, abs=0.05), channel


def test_six_ports_of_a_program_are_mixed_down_without_the_lfe(
    play: Play, sandbox: Sandbox
) -> None:
    play("film", "--tone", "440", "--channels", "6")
    wait_until_playing(sandbox, "film")
    tape = Tape()
    with Session(profile({"film": "film"}), outputs=[tape], duration_s=0.6) as session:
        assert session.wait(5)
    # A front, the center and a surround, the latter two at half their power.
    expected = AMPLITUDE * (1 + 2 * np.sqrt(0.5))
    for side in (0, 1):
        measured = level_db(tape.track("film")[:, side], 440.0)
        assert measured == pytest.approx(20 * np.log10(expected), abs=0.01)


# The graph ---------------------------------------------------------------------------------------


@pytest.mark.alone
def test_a_change_of_the_graphs_rate_keeps_pitch_and_length_and_the_ledger_tells_the_pause(
    play: Play, tone: Tone, sandbox: Sandbox
) -> None:
    play("one")
    play("two")
    tone("music", 440.0)
    wait_until_playing(sandbox, "one", "two", "music")
    tape = Tape()
    names = ("one", "two", "music")
    marks = [0]
    with Session(profile({name: name for name in names}), outputs=[tape]) as session:
        try:
            for rate in (44100, RATE):
                hear(session, 1.1)
                sandbox.set_rate(rate)
                marks.append(session.position)
            hear(session, 1.1)
        finally:
            sandbox.set_rate(0)
        elapsed_ns = time.monotonic_ns() - tape.host_ns
    tracks = {name: tape.track(name) for name in names}
    assert {len(track) for track in tracks.values()} == {session.position}
    assert session.position == pytest.approx(elapsed_ns * RATE / 1e9, abs=RATE // 5)
    marks.append(session.position)
    for begin, end in pairwise(marks):
        part = tracks["music"][begin + RATE * 2 // 5 : end - RATE // 5, 0]
        assert len(part) > RATE // 3
        assert frequency_of(part) == pytest.approx(440, abs=1)
        # The programs miss some, too; below, the ledger tells of every silence.
        first, last = max(spans(part, 4), key=lambda span: span[1] - span[0])
        assert last - first > RATE // 10
        assert level_db(part[first:last], 440.0) == pytest.approx(-12, abs=0.1)
    # The two stay together through it all, resampled or not. Half a kernel beside a gap, what is
    # resampled is of the gap, too.
    both = (tracks["one"][:, 0] != 0) & (tracks["two"][:, 0] != 0)
    for name in ("one", "two"):
        for _, begin, end in absences(session.incidents, name):
            both[max(0, begin - 64) : end + 64] = False
    assert np.count_nonzero(both) > 0.8 * session.position
    assert np.array_equal(tracks["one"][both], tracks["two"][both])
    for name in names:
        told = absences(session.incidents, name)
        assert len(told) >= 2
        for mark in marks[1:-1]:
            assert any(abs(begin - mark) < RATE // 2 for _, begin, _ in told), (mark, told)
        missing = sum(end - begin for _, begin, end in told)
        assert missing < RATE // 2
        print(name, told)
    # What is silent and longer than a sine's zero is in the ledger.
    quiet = np.ones(session.position, bool)
    for begin, end in spans(tracks["music"][:, 0], 4):
        quiet[begin:end] = False
    for _, begin, end in absences(session.incidents, "music"):
        quiet[max(0, begin - 64) : end + 64] = False
    assert not quiet.any()


@pytest.fixture
def own_sandbox(inside: Callable[[Sandbox], None]) -> Iterator[Sandbox]:
    with Sandbox() as running:
        inside(running)
        yield running


def test_pipewire_restarts_during_a_run_into_files(
    own_sandbox: Sandbox, start_in: Start, position_player: Path, tmp_path: Path
) -> None:
    def play(name: str, frequency: int) -> Player:
        command = [position_player, "--name", name, "--tone", str(frequency)]
        return own_sandbox.spawn(command, name=name)

    playing = [play("game", 440), play("discord", 1000)]
    wait_until_playing(own_sandbox, "game", "discord")
    folder = tmp_path / "out"
    (tmp_path / "p.yaml").write_text(
        "version: 1\nsources: {game: {process: game}, discord: {process: discord}}\n"
        "tracks: {game: {from: game}, discord: {from: discord}}\n"
        f"outputs: {{files: {{folder: '{folder}'}}}}\n"
    )
    length_s = 5
    run = start_in(own_sandbox, "run", tmp_path / "p.yaml", "--duration", str(length_s))
    wait_until(lambda: size(folder / "session.json") > 0)
    origin_ns = manifest(folder)["start"]["host_ns"]
    wait_until(lambda: size(folder / "game.wav") > 4 * RATE)
    down_ns = time.monotonic_ns()
    own_sandbox.restart_pipewire()
    for player in playing:
        player.kill()
    again = [play("game", 440), play("discord", 1000)]
    out, err = run.communicate(timeout=20)
    assert run.returncode == 0, out + err
    down = (down_ns - origin_ns) * RATE / 1e9
    for index, (name, frequency) in enumerate((("game", 440.0), ("discord", 1000.0))):
        player = again[index]
        track = read(folder / f"{name}.wav")[:, 0]
        assert len(track) == length_s * RATE
        told = [line for line in ledger(folder) if line["source"] == name]
        [gone] = [line["begin"] for line in told if line["cause"] == "backend_lost"]
        heard = np.flatnonzero(track)
        early, late = heard[heard < gone + 2], heard[heard >= gone + 2]
        before, after = ((part[0], part[-1] + 1) for part in (early, late))
        assert before[0] <= 1
        assert before[1] == pytest.approx(down, abs=RATE // 10)
        first_ns = int(player.output().split()[1])
        assert after[0] == pytest.approx((first_ns - origin_ns) * RATE / 1e9, abs=RATE)
        assert after[1] >= length_s * RATE - 1
        ends = [(line["begin"], line["begin"] + line["frames"]) for line in told]
        # Whatever the new graph loses before it has settled is in the ledger, and is little.
        edges = {end + beside for both in ends for end in both for beside in range(-2, 3)}
        assert sum(last - first for first, last in ends if first > after[0]) < RATE // 10
        for begin, end in (before, after):
            assert set((breaks(track[begin:end], frequency) + begin).tolist()) <= edges
            assert np.abs(track[begin:end]).max() == pytest.approx(AMPLITUDE, rel=1e-4)
        told = [line for line in told if before[1] <= line["begin"] + 2 < after[0]]
        assert "backend_lost" in {line["cause"] for line in told}
        assert sum(line["frames"] for line in told) == pytest.approx(after[0] - before[1], abs=2)
        print(name, [(line["cause"], line["begin"], line["frames"]) for line in told])
    bindings = manifest(folder)["sources"]["game"]["now"]["bindings"]
    assert [one["pid"] for one in bindings] == [again[0].pid]


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
