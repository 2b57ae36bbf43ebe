# SPDX-License-Identifier: MIT
"""The shipped program, on a Windows whose audio service does as a script says: Wine and the double.

The tests run here, the programs under Wine. They take what `make windows` and the `windows` preset
have built; PYPAC_WINDOWS_PYTHON, PYPAC_WINDOWS_DOUBLE and PYPAC_WINDOWS_PLAYER name others.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

RATE = 48000
FRAME_BYTES = 8  # of a track
LATENCY_S = 1.5  # of a recording
NUMBERS = 1 << 24  # the double's numbers are counted modulo this
HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build" / "windows"
PYTHON = Path(os.environ.get("PYPAC_WINDOWS_PYTHON", BUILD / "python" / "python.exe"))
DOUBLE = Path(
    os.environ.get(
        "PYPAC_WINDOWS_DOUBLE", BUILD / "tests" / "windows" / "fake_mmdevapi" / "mmdevapi.dll"
    )
)
PLAYER = Path(
    os.environ.get("PYPAC_WINDOWS_PLAYER", BUILD / "tests" / "windows" / "programs" / "player.exe")
)
TELLER = BUILD / "tests" / "windows" / "emulator" / "tell_exit_code.exe"
PATIENCE_S = 90.0  # a busy machine's

Audio = npt.NDArray[np.float32]


def in_windows(path: Path) -> str:
    """A path as the programs under Wine know it."""
    return "Z:" + str(path).replace("/", "\\")


def wait_until(there: Callable[[], bool], else_say: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not there():
        assert time.monotonic() < deadline, else_say()
        time.sleep(0.02)  # neither files nor processes of Wine's tell when they change


@dataclass
class Recording:
    """What a run left behind."""

    tracks: dict[str, Audio]
    manifest: dict[str, Any]
    ledger: list[dict[str, Any]]
    output: str
    report: list[dict[str, Any]]

    @property
    def start_frame(self) -> float:
        """Which frame of the double's devices was heard when the session began."""
        return float(self.manifest["start"]["host_ns"]) * RATE / 1e9

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.report if line["event"] == kind]

    def causes(self, source: str) -> dict[str, int]:
        """Missing frames of a source, by cause."""
        found: dict[str, int] = {}
        for incident in self.ledger:
            if incident.get("source") == source:
                cause = incident["cause"]
                found[cause] = found.get(cause, 0) + incident["frames"]
        return found

    def is_clean(self) -> None:
        """Asserts that nothing was called that Windows refuses, and nothing was left."""
        assert not self.events("violation")
        assert not self.events("open")
        assert self.events("end")


@dataclass
class Windows:
    """One test's Windows."""

    folder: Path
    prefix: Path
    programs: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {
            "WINEPREFIX": str(self.prefix),
            "PYPAC_FAKE_MMDEVAPI": in_windows(self.folder / "script.txt"),
            "PYPAC_FAKE_MMDEVAPI_REPORT": in_windows(self.folder / "report.jsonl"),
        }

    def script(self, text: str) -> None:
        """What the audio service does from now on."""
        new = self.folder / "script.new"
        new.write_text(text)
        new.rename(self.folder / "script.txt")

    def program(self, name: str, *options: str) -> subprocess.Popen[str]:
        """Starts a program of that name, and waits until it is there."""
        path = self.folder / name
        if not path.exists():
            shutil.copy(PLAYER, path)
        complaints = self.folder / f"{name}.txt"
        for _ in range(2):  # seen once: Wine ended it before its first line
            with complaints.open("w") as stderr:
                process = subprocess.Popen(
                    [HERE / "in_wine", path, *options],
                    env=self.env,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    start_new_session=True,
                )
            self.programs.append(process)
            assert process.stdout is not None
            says_something, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
            assert says_something, f"{name} does not start"
            if process.stdout.readline().startswith(name):
                return process
        raise AssertionError(f"{name} does not start: {complaints.read_text()}")

    def kill(self, process: subprocess.Popen[str]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Starts a command of the program, with the double."""
        return self.python("-Im", "pypac_obs.cli", *args)

    def listening(self, *args: str) -> subprocess.Popen[str]:
        """Starts Python, with the double, so that `tell` reaches it."""
        events = self.folder / "events"
        events.mkdir()
        sender = in_windows(HERE / "send_console_event.py")
        return self.python(sender, in_windows(events), in_windows(PYTHON), *args)

    def tell(self, event: int) -> None:
        """Lets the program that listens hear one of the events of a console."""
        (self.folder / "events" / f"event-{event}").touch()

    def python(self, *args: str) -> subprocess.Popen[str]:
        """Starts Python, with the double."""
        process = subprocess.Popen(
            [HERE / "in_wine_with_double", DOUBLE, PYTHON, *args],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.programs.append(process)
        return process

    def call(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return self.call_python("-Im", "pypac_obs.cli", *args)

    def call_python(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs Python, with the double, to its end."""
        process = self.python(*args)
        output, _ = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def report(self) -> list[dict[str, Any]]:
        """What the double has seen so far."""
        path = self.folder / "report.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines()]

    def saw(self, event: str, **values: object) -> bool:
        return any(
            line["event"] == event and values.items() <= line.items() for line in self.report()
        )

    def begin(self, sources: dict[str, str], seconds: float | None) -> subprocess.Popen[str]:
        """Starts to record each source into a track of its name; without a time, until told."""
        # Long enough for a busy machine: lateness is not what these tests are about.
        lines = ["version: 1", f"session: {{latency_ms: {LATENCY_S * 1000:.0f}}}", "sources:"]
        lines += [f"  {name}: {source}" for name, source in sources.items()]
        lines += ["tracks:", *(f"  {name}: {{from: {name}}}" for name in sources)]
        target = in_windows(self.folder / "out").replace("\\", "/")
        lines += ["outputs:", f'  files: {{folder: "{target}", name: "{{track}}", format: wav}}']
        profile = self.folder / "profile.yaml"
        profile.write_text("\n".join(lines) + "\n")
        if seconds is None:
            return self.listening("-Im", "pypac_obs.cli", "run", in_windows(profile))
        return self.start("run", in_windows(profile), "--duration", str(seconds))

    def finish(self, run: subprocess.Popen[str]) -> Recording:
        """Waits for the end of a recording, and reads it."""
        output, _ = run.communicate(timeout=PATIENCE_S)
        assert run.returncode == 0, output
        out = self.folder / "out"
        manifest = json.loads((out / "session.json").read_text())
        tracks = {}
        for track in manifest["tracks"]:
            samples, rate = soundfile.read(out / track["file"], dtype="float32", always_2d=True)
            assert rate == RATE
            tracks[track["name"]] = samples
        ledger = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
        return Recording(tracks, manifest, ledger, output, self.report())

    def await_recorded(self, track: str, seconds: float) -> None:
        """Waits until so much more of a track is in its file, heard LATENCY_S before."""
        file = self.folder / "out" / f"{track}.wav"
        wait_until(file.exists)
        enough = file.stat().st_size + seconds * RATE * FRAME_BYTES
        wait_until(lambda: file.stat().st_size >= enough, lambda: f"{track} grows no more")

    def record(self, sources: dict[str, str], seconds: float = 3) -> Recording:
        return self.finish(self.begin(sources, seconds))


def free_prefix() -> tuple[Path, TextIO]:
    """A Windows that no other process tests in, and its lock; with what a killed one has left."""
    for number in itertools.count():
        prefix = BUILD / f"wine-double-{number}"
        lock = prefix.with_suffix(".lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return prefix, lock
    raise AssertionError  # there is always another number


def remove(prefix: Path) -> None:
    """Ends all that runs in a Windows, and takes it away."""
    if not prefix.exists():
        return
    env = os.environ | {"WINEPREFIX": str(prefix)}
    for option in ("-k", "-w"):  # the former fails where nothing runs
        subprocess.run(["wineserver", option], env=env, check=False, timeout=PATIENCE_S)
    shutil.rmtree(prefix)


@pytest.fixture(scope="session")
def wine_prefix() -> Iterator[Path]:
    """One Windows for each process that tests: in_wine copies it from the build's."""
    for path in (PYTHON, DOUBLE, PLAYER, TELLER):
        if not path.exists():
            assert not os.environ.get("PYPAC_REQUIRE_ALL"), f"{path} has not been built"
            pytest.skip(f"{path} has not been built")
    prefix, lock = free_prefix()
    with lock:
        remove(prefix)
        subprocess.run(
            [HERE / "in_wine_with_double", DOUBLE, "cmd.exe", "/c", "exit"],
            env=os.environ | {"WINEPREFIX": str(prefix)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=300,
            check=True,
        )
        yield prefix
        remove(prefix)


@pytest.fixture
def windows(tmp_path: Path, wine_prefix: Path) -> Iterator[Windows]:
    made = Windows(tmp_path, wine_prefix)
    yield made
    for process in made.programs:
        made.kill(process)


def level_db(track: Audio, hz: float) -> float:
    """The level of a tone in the left channel, in dBFS; what is elsewhere stays out."""
    samples = track[:, 0].astype(np.float64)
    window = np.kaiser(len(samples), 20)
    tone = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / RATE)
    return float(20 * np.log10(abs(np.sum(samples * window * tone)) * 2 / window.sum() + 1e-15))


def levels_db(track: Audio, tones: Iterable[float]) -> list[float]:
    """The levels of tones in the left channel of what is there: a late machine's gaps are zeros."""
    frames = np.flatnonzero(track[:, 0])
    turns = 2 * np.pi * frames[:, None] * np.array(list(tones)) / RATE
    waves = np.hstack([np.cos(turns), np.sin(turns)])
    parts = np.linalg.lstsq(waves, track[frames, 0].astype(np.float64), rcond=None)[0]
    return list(20 * np.log10(np.hypot(*parts.reshape(2, -1)) + 1e-15))


def zeros(track: Audio) -> int:
    return int(np.count_nonzero(track[:, 0] == 0))


def shifts(recording: Recording, track: str) -> npt.NDArray[np.int64]:
    """As `offsets`, of a program: its right channel has the same numbers, negated."""
    samples = recording.tracks[track]
    left = np.rint(samples[:, 0].astype(np.float64) * NUMBERS).astype(np.int64)
    right = np.rint(samples[:, 1].astype(np.float64) * -NUMBERS).astype(np.int64)
    assert np.array_equal(left, right), "not one program's numbers"
    return offsets(recording, track)


def offsets(recording: Recording, track: str) -> npt.NDArray[np.int64]:
    """Of each frame that has a number: by how much it is later than the double's clock says."""
    left = np.rint(recording.tracks[track][:, 0].astype(np.float64) * NUMBERS).astype(np.int64)
    frames = np.flatnonzero(left)
    expected = (frames + round(recording.start_frame)) % NUMBERS
    return (expected - left[frames] + NUMBERS // 2) % NUMBERS - NUMBERS // 2
