# SPDX-License-Identifier: MIT
"""Whole sessions on real programs: profiles in, files and blocks out, judged by their sound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from pypac_obs import Block, Output, Profile, Session, SessionInfo
from pypac_obs.sandbox import Sandbox, missing_packages

from ..conftest import RATE, Audio, excused, require, wait_until
from ..conftest import level_db as level_db

AMPLITUDE = 10 ** (-12 / 20)  # of every tone, unless told otherwise


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    missing = missing_packages()
    require(not missing, f"not installed: {', '.join(missing)}")
    with Sandbox(sinks=("speakers", "headphones")) as running:
        yield running


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Callable[[Sandbox], None]:
    """Lets sessions of this very process see no audio system but a sandbox's."""

    def enter(sandbox: Sandbox) -> None:
        for name in ("PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR"):
            monkeypatch.delenv(name, raising=False)
        for name, value in sandbox.env.items():
            if name.startswith(("XDG_", "DBUS_", "PULSE_")):
                monkeypatch.setenv(name, value)

    return enter


@pytest.fixture(autouse=True)
def _inside_the_sandbox(sandbox: Sandbox, inside: Callable[[Sandbox], None]) -> None:
    inside(sandbox)


class Tape(Output):
    """Keeps every frame of every track."""

    def __init__(self, name: str = "tape", tracks: tuple[str, ...] | None = None) -> None:
        self.name = name
        self.tracks = tracks
        self.blocks: list[Block] = []
        self.host_ns = 0
        self.end: int | None = None

    def open(self, info: SessionInfo) -> None:
        self.host_ns = info.start_host_ns

    def write(self, block: Block) -> None:
        audio = {track: view.copy() for track, view in block.audio.items()}
        self.blocks.append(Block(block.start, block.frames, block.sample_rate, audio))

    def close(self, end: int) -> None:
        self.end = end

    def abort(self) -> None:
        pass

    def track(self, name: str) -> Audio:
        """All of a track, in one piece; nothing may be lost."""
        starts = np.cumsum([0, *(block.frames for block in self.blocks)])
        assert [block.start for block in self.blocks] == starts[:-1].tolist()
        assert self.end == starts[-1]
        return np.concatenate([block.audio[name] for block in self.blocks])


def profile(sources: dict[str, Any], **more: Any) -> Profile:
    """A profile with a track for each source; a plain value is the name of its program."""
    rules = {
        name: rule if isinstance(rule, dict) else {"process": rule}
        for name, rule in sources.items()
    }
    tracks = {name: {"from": name} for name in sources}
    return Profile.from_dict({"version": 1, "sources": rules, "tracks": tracks, **more})


def wait_for_state(session: Session, source: str, *states: str, timeout_s: float = 3.0) -> None:
    wait_until(
        lambda: state(session, source) in states,
        timeout_s,
        lambda: f"{source} is {state(session, source)}, not {states}",
    )


def state(session: Session, source: str) -> str:
    return next(one.state for one in session.status().sources if one.name == source)


# What lies in a folder ---------------------------------------------------------------------------


def ledger(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]


def manifest(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "session.json").read_text())
    return loaded


def read(path: Path) -> Audio:
    samples: Audio
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    return samples


# What a tone tells -------------------------------------------------------------------------------


def frequency_of(samples: Audio) -> float:
    """The frequency of the one tone in a mono signal, from its phase at both ends, in Hz."""
    windowed = samples * np.hanning(len(samples))
    near = np.fft.rfftfreq(len(samples), 1 / RATE)[np.argmax(np.abs(np.fft.rfft(windowed)))]
    half = len(samples) // 2
    tone = np.exp(-2j * np.pi * near * np.arange(len(samples)) / RATE)
    begin, end = (
        np.sum(part * np.hanning(half))
        for part in ((samples * tone)[:half], (samples * tone)[half : 2 * half])
    )
    return float(near + np.angle(end / begin) / (2 * np.pi) * RATE / half)


def breaks(samples: Audio, frequency: float) -> npt.NDArray[np.int64]:
    """The frames at which a mono sine does not follow from the two before.

    A sine has x[n + 1] = 2 cos(w) x[n] - x[n - 1]; a lost, doubled or silent frame breaks that,
    a volume or a phase does not.
    """
    x = samples.astype(np.float64)
    rest = x[2:] - 2 * np.cos(2 * np.pi * frequency / RATE) * x[1:-1] + x[:-2]
    return np.flatnonzero(np.abs(rest) > 1e-5) + 2


def spans(samples: Audio, silence_frames: int = RATE // 20) -> list[tuple[int, int]]:
    """Where a mono signal sounds: begin and end of each stretch between silences of that length."""
    heard = np.flatnonzero(samples)
    if not len(heard):
        return []
    cuts = np.flatnonzero(np.diff(heard) > silence_frames)
    begins = heard[[0, *(cuts + 1)]]
    ends = heard[[*cuts, len(heard) - 1]] + 1
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def absences(incidents: Sequence[Any], source: str) -> list[tuple[str, int, int]]:
    """What the ledger says is missing of a source: cause, begin and end of each stretch."""
    return [
        (one.cause, one.begin, one.begin + one.frames)
        for one in incidents
        if one.source == source and one.frames
    ]


def lost(
    incidents: Sequence[Any], source: str, missed: Sequence[tuple[int, int]]
) -> list[tuple[str, int, int]]:
    """What is missing of a source though its program did play it."""
    return [one for one in absences(incidents, source) if not excused(*one, missed)]
