# SPDX-License-Identifier: MIT
"""Tracks as microphones: what programs record from them, by PipeWire and by Pulse."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pypac_obs import _core
from pypac_obs.errors import BackendUnavailable
from pypac_obs.sandbox import Sandbox

from ..conftest import RATE, Audio, hear, long_or, wait_until
from .conftest import CycleRecorder, Recorder, Studio, node_property, numbers, parec

pytestmark = pytest.mark.pipewire

Open = Callable[..., Studio]

NUMBERED = {"kind": "numbered"}


def level_db(samples: Audio, frequency: float) -> float:
    """The peak level of a tone in a mono signal, in dBFS; what is elsewhere stays out."""
    window = np.kaiser(len(samples), 20)
    tone = np.exp(-2j * np.pi * frequency * np.arange(len(samples)) / RATE)
    return float(20 * np.log10(abs(np.sum(samples * window * tone)) * 2 / window.sum() + 1e-15))


def heard_part(samples: Audio) -> Audio:
    """From the first sound to the last."""
    heard = np.flatnonzero(samples.any(axis=1))
    assert len(heard), "nothing was heard"
    return samples[heard[0] : heard[-1] + 1]


def frames_of(samples: Audio) -> npt.NDArray[np.int64]:
    """Which frames of a numbered source were recorded: each once, in order, bit for bit."""
    found = numbers(samples[:, 0])
    assert np.array_equal(found, numbers(samples[:, 1]))
    found = found[np.flatnonzero(found)]
    assert (np.diff(found) > 0).all(), "a frame came twice"
    return found


def test_two_tracks_reach_one_recorder_in_the_same_cycle_bit_for_bit(
    studio: Open, sandbox: Sandbox, tmp_path: Path
) -> None:
    room = studio({"game": NUMBERED, "voice": NUMBERED})
    recorder = Recorder(sandbox, room.nodes, tmp_path / "both.wav")
    wait_until(lambda: room.states() == ["recording", "recording"])
    hear(room, 1.0)
    game, voice = recorder.stop()
    assert len(frames_of(game)) > RATE // 2
    one, two = numbers(game[:, 0]), numbers(voice[:, 0])
    both = (one != 0) & (two != 0)
    assert both.sum() > RATE // 2
    assert np.array_equal(one[both], two[both])


def test_each_tone_is_recorded_from_its_own_source_only(
    studio: Open, sandbox: Sandbox, tmp_path: Path
) -> None:
    room = studio(
        {
            "game": {"kind": "tone", "frequency_hz": 440.0, "level_dbfs": -12.0},
            "voice": {"kind": "tone", "frequency_hz": 1000.0, "level_dbfs": -20.0},
        }
    )
    heard: dict[str, Audio] = {}

    def record(node: str) -> None:
        heard[node] = parec(sandbox, node, tmp_path / f"{len(node)}.raw", 1.5)

    threads = [threading.Thread(target=record, args=(node,)) for node in room.nodes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    game, voice = (heard_part(heard[node])[RATE // 4 : RATE * 5 // 4] for node in room.nodes)
    for side in range(2):
        assert level_db(game[:, side], 440.0) == pytest.approx(-12.0, abs=0.05)
        assert level_db(voice[:, side], 1000.0) == pytest.approx(-20.0, abs=0.05)
        # What is resampled, on a busy machine, has noise of some -105 dB.
        assert level_db(game[:, side], 1000.0) < -100
        assert level_db(voice[:, side], 440.0) < -100


def test_for_as_long_as_it_runs_there_is_no_loss_that_is_not_told(
    studio: Open, sandbox: Sandbox, cycle_recorder: Path, tmp_path: Path
) -> None:
    room = studio({"game": NUMBERED, "voice": NUMBERED})
    recorder = CycleRecorder(sandbox, cycle_recorder, room.nodes, tmp_path / "cycles", 90)
    length_s = long_or(8, 60)
    hear(room, length_s)
    told = max(one.lost_frames for one in room.sources.status())
    cycles = recorder.stop()
    sounding = [i for i, cycle in enumerate(cycles) if cycle.ports.all()]
    cycles = cycles[sounding[0] : sounding[-1] + 1]
    assert sum(cycle.ports.shape[1] for cycle in cycles) > (length_s - 3) * RATE
    silent = 0
    shifts = []
    for cycle in cycles:
        if cycle.late:
            continue
        game = numbers(cycle.ports[0])
        assert (numbers(cycle.ports) == game).all(), "the tracks are apart"
        heard = np.flatnonzero(game)
        silent += len(game) - len(heard)
        shifts += np.unique(game[heard] - heard - cycle.position).tolist()
    changes = np.abs(np.diff(shifts))
    assert silent + changes.sum() <= told, f"{silent} + {changes[changes > 0]}, {told} were told"
    if told:
        wait_until(lambda: bool(room.incidents()))


def test_recorders_come_and_go_and_nothing_is_lost_while_there_is_none(
    studio: Open, sandbox: Sandbox, tmp_path: Path
) -> None:
    room = studio({"game": NUMBERED})
    hear(room, 0.6)
    assert room.lost() == 0
    distances = []
    for turn in range(3):
        recorder = Recorder(sandbox, room.nodes, tmp_path / f"turn{turn}.wav")
        wait_until(lambda: room.states() == ["recording"])
        hear(room, 0.5)
        now = room.engine.position
        (game,) = recorder.stop()
        distances.append(now - int(numbers(game[:, 0]).max()))
        frames_of(game)
        hear(room, 0.6)  # which would pile up
    # Nothing has piled up: each begins where the track is then.
    assert max(map(abs, distances)) < RATE
    wait_until(lambda: room.states() == ["idle"], 15.0, lambda: str(room.states()))
    before = room.lost()
    hear(room, 0.5)
    assert room.lost() == before


def test_they_come_back_with_pipewire(studio: Open, sandbox: Sandbox, tmp_path: Path) -> None:
    room = studio({"game": NUMBERED})
    sandbox.restart_pipewire()
    wait_until(lambda: "lost" not in room.states(), 15.0, lambda: str(room.states()))
    recorder = Recorder(sandbox, room.nodes, tmp_path / "again.wav")
    wait_until(lambda: room.states() == ["recording"])
    hear(room, 0.8)
    (game,) = recorder.stop()
    assert len(frames_of(game)) > RATE // 2


def test_a_source_that_is_destroyed_is_made_again(studio: Open, sandbox: Sandbox) -> None:
    room = studio({"game": NUMBERED})
    first = node_property(sandbox, room.nodes[0], "object.serial")
    assert first is not None
    sandbox.run("pw-cli", "destroy", room.nodes[0])
    wait_until(
        lambda: node_property(sandbox, room.nodes[0], "object.serial") not in (first, None), 10.0
    )
    wait_until(lambda: "lost" not in room.states())


def test_captures_leave_them_out(studio: Open, sandbox: Sandbox, tmp_path: Path) -> None:
    room = studio({"game": {"kind": "tone"}})
    recorder = Recorder(sandbox, room.nodes, tmp_path / "some.wav")
    wait_until(lambda: room.states() == ["recording"])
    hear(room, 0.3)
    capture = _core.PipewireCapture(remote=sandbox.remote)
    try:
        wait_until(lambda: room.nodes[0] in {one.node_name for one in capture.streams()})
        kinds = {one.node_name: one.kind for one in capture.streams()}
        assert kinds[room.nodes[0]] == "own"
        for selector in (
            _core.Selector(kind="device", patterns=["pypac-obs*"]),
            _core.Selector(kind="device", patterns=["*"]),
            _core.Selector(kind="process", patterns=["pypac-obs*", "*"]),
            _core.Selector(kind="system"),
            _core.Selector(kind="everything_except"),
        ):
            found = capture.preview([selector])[0]
            assert not found.streams, (selector.kind, found.streams)
    finally:
        capture.stop()
    recorder.stop()


def test_another_microphone_stays_the_default(studio: Open, sandbox: Sandbox) -> None:
    sandbox.add_source("headset")
    wait_until(lambda: sandbox.run("pactl", "get-default-source").strip() == "headset")
    room = studio({"game": {"kind": "tone"}})
    wait_until(lambda: room.nodes[0] in sandbox.run("pactl", "list", "short", "sources"))
    hear(room, 0.5)  # time to choose another
    assert sandbox.run("pactl", "get-default-source").strip() == "headset"


def test_names_that_are_no_words_are_written_so_that_programs_find_them(
    studio: Open, sandbox: Sandbox, tmp_path: Path
) -> None:
    room = studio({"mic 1.ü": {"kind": "tone"}}, session="my game")
    assert room.nodes == ["pypac-obs.my.20game.mic.201.2E.C3.BC"]
    assert node_property(sandbox, room.nodes[0], "node.description") == "PyPAC-OBS: mic 1.ü"
    assert room.nodes[0] in sandbox.run("pactl", "list", "short", "sources")
    assert parec(sandbox, room.nodes[0], tmp_path / "named.raw", 0.1).any()


def test_without_pipewire_it_says_what_to_do(tmp_path: Path) -> None:
    engine = _core.Engine(sample_rate=RATE, block_frames=480, latency_frames=1920)
    engine.apply([], [_core.TrackSpec("silence")])
    with pytest.raises(BackendUnavailable, match="is not running"):
        _core.VirtualSources(engine, "obs", "studio", ["silence"], str(tmp_path / "nowhere"))
