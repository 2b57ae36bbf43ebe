# SPDX-License-Identifier: MIT
"""Tracks of a real engine as PipeWire virtual sources, and programs that record from them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from pypac_obs import _core
from pypac_obs.sandbox import Player, Sandbox, missing_packages

from ..conftest import RATE, Audio, build_player, one_track_each, require, wait_until

NUMBERED = 1 << 24


class Studio:
    """An engine with synthetic sources, each in a track of its own, and a microphone for each."""

    def __init__(
        self, sandbox: Sandbox, signals: dict[str, dict[str, Any]], session: str = "studio"
    ) -> None:
        self.sandbox = sandbox
        self.names = tuple(signals)
        self.engine = _core.Engine(sample_rate=RATE, block_frames=480, latency_frames=1920)
        sources: list[tuple[str, _core.Source]] = [
            (
                name,
                _core.SyntheticSource(sample_rate=RATE, channels=2, capacity_frames=RATE, **signal),
            )
            for name, signal in signals.items()
        ]
        self.engine.apply(sources, one_track_each(self.names))
        self.sources = _core.VirtualSources(
            self.engine, "obs", session, list(self.names), sandbox.remote
        )
        self.nodes = [one.node_name for one in self.sources.status()]
        self.engine.start(_core.host_now_ns())

    @property
    def position(self) -> int:
        return self.engine.position

    def states(self) -> list[str]:
        return [one.state for one in self.sources.status()]

    def lost(self) -> int:
        """Frames that the virtual sources say were lost while somebody recorded."""
        return sum(one.lost_frames for one in self.sources.status())

    def incidents(self) -> list[Any]:
        return [one for one in self.engine.pop_incidents() if one.kind == "output"]

    def close(self) -> None:
        self.sources.close()
        self.engine.abort()
        assert self.engine.wait_finished(5.0)


class Recorder:
    """One pw-record process that records several virtual sources at once, in one cycle each."""

    SIDES = ("FL", "FR", "RL", "RR")

    def __init__(self, sandbox: Sandbox, nodes: Sequence[str], path: Path) -> None:
        self._path = path
        name = path.stem
        channels = 2 * len(nodes)
        self._player: Player = sandbox.spawn(
            [
                *("pw-cat", "--record", "--target=0", "--format=f32", f"--rate={RATE}"),
                *(f"--channels={channels}", f"--channel-map={','.join(self.SIDES[:channels])}"),
                str(path),
            ],
            name=name,
        )
        for index, node in enumerate(nodes):
            for side in range(2):
                output = f"{node}:capture_{self.SIDES[side]}"
                _link(sandbox, output, f"{name}:input_{self.SIDES[2 * index + side]}")

    def stop(self) -> list[Audio]:
        """Ends it, and returns what it has heard of each source, once all were linked."""
        self._player.stop()
        samples, rate = soundfile.read(self._path, dtype="float32", always_2d=True)
        assert rate == RATE
        linked = np.flatnonzero(samples.all(axis=1))
        assert len(linked), "nothing was heard"
        samples = samples[linked[0] :]
        return [samples[:, i : i + 2] for i in range(0, samples.shape[1], 2)]


@dataclass(frozen=True)
class Cycle:
    """One cycle of the graph, as a recorder got it; ``late``: it cannot be trusted."""

    position: int
    late: bool
    ports: Audio  # a row each


class CycleRecorder:
    """Records virtual sources cycle by cycle, and knows which cycles it missed itself."""

    def __init__(
        self, sandbox: Sandbox, program: Path, nodes: Sequence[str], path: Path, seconds: int
    ) -> None:
        self._path = path
        self._port_count = 2 * len(nodes)
        self._player = sandbox.spawn(
            [program, path.stem, str(self._port_count), str(seconds), path]
        )
        for port in range(self._port_count):
            output = f"{nodes[port // 2]}:capture_{Recorder.SIDES[port % 2]}"
            _link(sandbox, output, f"{path.stem}:input_{port}")

    def stop(self) -> list[Cycle]:
        """Ends it, and returns the cycles, without those that it missed."""
        self._player.stop()
        raw = self._path.read_bytes()
        cycles: list[Cycle] = []
        at = 0
        while at < len(raw):
            position, frames, late = (int(one) for one in np.frombuffer(raw, "<i8", 3, at))
            count = self._port_count * frames
            ports = np.frombuffer(raw, "<f4", count, at + 24).reshape(self._port_count, frames)
            # The one behind a gap is late as well: it may hold the frames of the one before.
            goes_on = bool(cycles) and (position == cycles[-1].position + cycles[-1].ports.shape[1])
            cycles.append(Cycle(position, bool(late) or not goes_on, ports))
            at += 24 + 4 * count
        return cycles


def _link(sandbox: Sandbox, output: str, input_: str) -> None:
    wait_until(lambda: sandbox._succeeds(("pw-link", output, input_)))


@pytest.fixture(scope="session")
def cycle_recorder() -> Path:
    """The program that records cycle by cycle, built."""
    return build_player("cycle_recorder")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    missing = missing_packages()
    require(not missing, f"not installed: {', '.join(missing)}")
    with Sandbox() as running:
        yield running


@pytest.fixture
def studio(sandbox: Sandbox) -> Iterator[Callable[..., Studio]]:
    """Opens studios; all are closed after the test."""
    opened: list[Studio] = []

    def begin(signals: dict[str, dict[str, Any]], **options: str) -> Studio:
        opened.append(Studio(sandbox, signals, **options))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


def numbers(side: Audio) -> npt.NDArray[np.int64]:
    """Which frame each sample of a numbered source is; 0 is silence as well."""
    scaled = side.astype(np.float64) * NUMBERED
    found = np.rint(scaled).astype(np.int64)
    assert np.array_equal(scaled, found), "frames were not passed bit for bit"
    return found


def node_property(sandbox: Sandbox, node: str, key: str) -> str | None:
    for entry in json.loads(sandbox.run("pw-dump")):
        properties = entry.get("info", {}).get("props", {})
        if properties.get("node.name") == node:
            return str(properties.get(key))
    return None


def parec(sandbox: Sandbox, node: str, path: Path, seconds: float) -> Audio:
    """What a Pulse program records from a device, until it has so much from a first sound on."""
    player = sandbox.spawn(
        [
            *("pacat", "--record", f"--device={node}", "--format=float32le", "--channels=2"),
            *(f"--rate={RATE}", "--latency-msec=50", "--raw", str(path)),
        ],
        name=path.stem,
    )

    def recorded() -> Audio:
        samples = np.fromfile(path, dtype="<f4") if path.exists() else np.zeros(0, np.float32)
        return samples[: len(samples) // 2 * 2].reshape(-1, 2)

    def is_enough() -> bool:
        samples = recorded()
        sounds = samples.any(axis=1)
        return bool(sounds.any()) and len(samples) - np.argmax(sounds) >= seconds * RATE

    wait_until(is_enough, seconds + 30, lambda: f"{len(recorded())} frames: {player.output()}")
    player.stop()
    return recorded()
