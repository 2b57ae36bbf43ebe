# SPDX-License-Identifier: MIT
"""Many stereo programs into float WAV files: CPU, memory and losses, next to others.

All capture the same players, one after another, in rounds. What each file holds is decoded
afterwards, so that losses are counted in the samples and not believed.
"""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import machine
import numpy as np
import soundfile
from peers import FLEXAUDIO_PEER, PeerMissingError, flexaudio_python, pw_record
from process_cost import Cost, CostWindow, with_children
from report import FLEXAUDIO, OURS, PW_RECORD, Options, Report
from stage import RATE, Stage, decode, shifts, signed, write_profile

_PROGRAMS = 32
_GROWTH = (1, 8, 32, 64)
_RSS_MB = 150
_DEFAULT_QUANTUM = 2048  # of a graph that no client asks anything of
_READY_WITHIN_S = 30.0


def main(options: Options) -> Report:
    report = Report("many_to_files")
    long_s = options.seconds or options.pick(60, 3)
    round_s = options.pick(12, 3)
    rounds = 1 if options.quick else 3
    captures = _captures(report)
    with Stage(options, _PROGRAMS) as stage:
        results: dict[str, list[_Result]] = {name: [] for name in captures}
        for index in range(rounds):
            order = list(captures)
            order = order[index % len(order) :] + order[: index % len(order)]
            for name in order:
                results[name].append(_measure(stage, captures[name], round_s, options))
        long = _measure(stage, captures[OURS], long_s, options)
    _compare(report, results)
    _judge_losses(report, results, long, long_s)
    _compare_at_the_default_quantum(report, captures, options, rounds, round_s)
    growth = {_PROGRAMS: results[OURS]}
    for programs in _GROWTH if not options.quick else (1, _PROGRAMS):
        if programs != _PROGRAMS:
            with Stage(options, programs) as stage:
                growth[programs] = [
                    _measure(stage, captures[OURS], round_s, options) for _ in range(min(rounds, 2))
                ]
    _show_growth(report, growth)
    report.details["rounds"] = {
        name: [asdict(result) for result in each] for name, each in results.items()
    }
    report.details["long"] = asdict(long)
    report.details["quantum"] = 1024
    report.details["seconds"] = {"rounds": round_s, "long": long_s}
    return report


# Who captures ------------------------------------------------------------------------------------


class _Capture(ABC):
    """Captures every player of a stage into a folder, from its making until stop()."""

    pids: list[int]

    @abstractmethod
    def stop(self) -> dict[str, object]:
        """Ends it properly; what it says of its own losses."""


class _Program(_Capture):
    """One process, which writes a line when it captures and a line of JSON when it has ended."""

    def __init__(self, stage: Stage, folder: Path, command: Sequence[str | Path]) -> None:
        self._output = folder / "output.log"
        with self._output.open("wb") as output:
            # Not in the repository, whose package lacks what is built.
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=stage.sandbox.env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _READY_WITHIN_S
        while b"\n" not in self._output.read_bytes():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise self._failure()
            time.sleep(0.02)
        self.pids = with_children([self._process.pid])

    def stop(self) -> dict[str, object]:
        self._process.send_signal(signal.SIGTERM)
        if self._process.wait(30) != 0:
            raise self._failure()
        said: dict[str, object] = json.loads(self._output.read_text().splitlines()[-1])
        return said

    def _failure(self) -> RuntimeError:
        self._process.kill()
        return RuntimeError(
            f"{self._process.args!r} ended with {self._process.wait()}:\n"
            + self._output.read_text(errors="replace")
        )


class _Pypac(_Program):
    """The command line, as a user runs it."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        profile = write_profile(folder / "many.yaml", stage.names, files=folder / "tracks")
        command = [sys.executable, "-m", "pypac_obs.cli", "run", profile, "--json"]
        super().__init__(stage, folder, command)

    def stop(self) -> dict[str, object]:
        said = super().stop()
        summary = said.get("summary", said)
        assert isinstance(summary, dict)
        return {"incidents": summary["incidents"], "failures": summary["failures"]}


class _PwRecord(_Capture):
    """One process for each program, linked to it by hand: the session manager does not link
    recorders to programs."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._processes = []
        for name in stage.names:
            command = [pw_record(), "--target", "0", "--format", "f32", "--rate", str(RATE)]
            command += ["--channels", "2", "--latency", str(stage.quantum)]
            command += ["-P", f"{{ node.name = record-{name} }}", str(folder / f"{name}.wav")]
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=stage.sandbox.env,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        for name in stage.names:
            for side in ("FL", "FR"):
                link = ("pw-link", f"{name}:output_{side}", f"record-{name}:input_{side}")
                _repeat(lambda link=link: stage.sandbox.run(*link))
        self.pids = [process.pid for process in self._processes]

    def stop(self) -> dict[str, object]:
        for process in self._processes:
            process.send_signal(signal.SIGINT)
        for process in self._processes:
            process.wait(10)
        return {}


class _Flexaudio(_Program):
    """One Python process that polls a stream for each program."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        pids = [str(player.pid) for player in stage.players]
        super().__init__(
            stage, folder, [flexaudio_python(), FLEXAUDIO_PEER, "record", folder, *pids]
        )


def _captures(report: Report) -> dict[str, Callable[[Stage, Path], _Capture]]:
    """Those that can be measured here."""
    found: dict[str, Callable[[Stage, Path], _Capture]] = {OURS: _Pypac}
    for name, probe, capture in (
        (PW_RECORD, pw_record, _PwRecord),
        (FLEXAUDIO, flexaudio_python, _Flexaudio),
    ):
        try:
            probe()
            found[name] = capture
        except PeerMissingError as error:
            report.not_measured[name] = str(error)
    return found


def _repeat(action: Callable[[], object]) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while True:
        try:
            action()
            return
        except subprocess.CalledProcessError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


# Measuring ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Content:
    """What the samples of all files tell. ``spread`` is between files laid side by side."""

    files: int
    shortest_frames: int
    longest_frames: int
    lost_frames: int
    breaks: int
    silent_frames: int
    spread_frames: int


@dataclass(frozen=True)
class _Result:
    seconds: float
    cost: Cost
    daemon_percent: float
    others_percent: float
    claims: dict[str, object]
    content: _Content


def _measure(
    stage: Stage,
    capture: Callable[[Stage, Path], _Capture],
    seconds: float,
    options: Options,
) -> _Result:
    daemon = [stage.daemon_pid]
    idle_daemon = CostWindow(daemon)
    others = machine.busy_percent(options.pick(3, 1))
    without = idle_daemon.cost().cpu_percent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running = capture(stage, folder)
        time.sleep(options.pick(2, 1))
        window, daemon_window = CostWindow(running.pids), CostWindow(daemon)
        time.sleep(seconds)
        cost, daemon_cost = window.cost(), daemon_window.cost()
        claims = running.stop()
        content = _content(folder)
    daemon_percent = daemon_cost.cpu_percent - without
    return _Result(seconds, cost, daemon_percent, others, claims, content)


def _content(folder: Path) -> _Content:
    paths = sorted(folder.rglob("*.wav"))
    lengths, lost, breaks, silent, firsts = [], 0, 0, 0, []
    for path in paths:
        audio, _ = soundfile.read(path, dtype="float32", always_2d=True)
        frames, shift = shifts(decode(audio))
        lengths.append(len(audio))
        if not len(frames):
            silent += len(audio)
            continue
        # Before the first and after the last frame a file may well be silent: no loss.
        silent += int(frames[-1] - frames[0] + 1 - len(frames))
        steps = [signed(int(step)) for step in np.diff(shift) if step]
        breaks += len(steps)
        lost += sum(step for step in steps if step > 0)
        firsts.append(int(shift[0]))
    spread = max((abs(signed(first - firsts[0])) for first in firsts), default=0)
    return _Content(
        len(paths), min(lengths, default=0), max(lengths, default=0), lost, breaks, silent, spread
    )


# Telling -----------------------------------------------------------------------------------------


def _median(results: list[_Result], value: Callable[[_Result], float]) -> float | None:
    return statistics.median(value(result) for result in results) if results else None


def _each(
    results: dict[str, list[_Result]], value: Callable[[_Result], float]
) -> dict[str, float | None]:
    medians = {name: _median(each, value) for name, each in results.items()}
    keys = {OURS: "ours", PW_RECORD: "pw_record", FLEXAUDIO: "flexaudio"}
    return {keys[name]: median for name, median in medians.items()}


def _compare(report: Report, results: dict[str, list[_Result]]) -> None:
    report.add(
        f"{_PROGRAMS} programs: CPU",
        "% of a core",
        digits=2,
        **_each(results, lambda one: one.cost.cpu_percent),
    )
    for peer, most in ((PW_RECORD, 1.0), (FLEXAUDIO, 0.25)):
        if not results.get(peer):
            continue
        # Round by round: what disturbs one of a round is likely to disturb the other.
        ratios = [
            ours.cost.cpu_percent / other.cost.cpu_percent
            for ours, other in zip(results[OURS], results[peer], strict=True)
        ]
        ratio = statistics.median(ratios)
        report.add(
            f"{_PROGRAMS} programs: CPU, ours to {peer}'s",
            "ratio",
            ratio,
            target=f"<= {most:g}",
            met=ratio <= most,
            digits=2,
        )
        report.details[f"ratios to {peer}"] = ratios
    report.add(
        f"{_PROGRAMS} programs: CPU that PipeWire's daemon spends more",
        "% of a core",
        digits=2,
        **_each(results, lambda one: one.daemon_percent),
    )
    rss = _each(results, lambda one: one.cost.rss_mb)
    report.add(
        f"{_PROGRAMS} programs: RSS",
        "MB",
        target=f"< {_RSS_MB}",
        met=(rss["ours"] or 0) < _RSS_MB,
        digits=0,
        **rss,
    )
    report.add(
        f"{_PROGRAMS} programs: PSS",
        "MB",
        digits=0,
        **_each(results, lambda one: one.cost.pss_mb),
    )
    report.add(
        f"{_PROGRAMS} programs: offset between files laid side by side, at most",
        "frames",
        digits=0,
        **_each(results, lambda one: one.content.spread_frames),
    )


def _compare_at_the_default_quantum(
    report: Report,
    captures: dict[str, Callable[[Stage, Path], _Capture]],
    options: Options,
    rounds: int,
    seconds: float,
) -> None:
    """The fewer the cycles, the less a recorder costs; and what is told each second costs more."""
    if PW_RECORD not in captures:
        return
    ratios = []
    with Stage(options, _PROGRAMS, quantum=_DEFAULT_QUANTUM) as stage:
        for index in range(rounds):
            order = [OURS, PW_RECORD] if index % 2 == 0 else [PW_RECORD, OURS]
            cpu = {
                name: _measure(stage, captures[name], seconds, options).cost.cpu_percent
                for name in order
            }
            ratios.append(cpu[OURS] / cpu[PW_RECORD])
    ratio = statistics.median(ratios)
    report.add(
        f"{_PROGRAMS} programs, quantum {_DEFAULT_QUANTUM}: CPU, ours to {PW_RECORD}'s",
        "ratio",
        ratio,
        target="<= 1",
        met=ratio <= 1,
        digits=2,
    )
    report.details[f"ratios to {PW_RECORD} at {_DEFAULT_QUANTUM}"] = ratios


def _judge_losses(
    report: Report, results: dict[str, list[_Result]], long: _Result, long_s: float
) -> None:
    report.add(
        f"{_PROGRAMS} programs: frames lost in a round, all files together",
        "frames",
        digits=0,
        **_each(results, lambda one: one.content.lost_frames + one.content.silent_frames),
    )
    content = long.content
    lost = content.lost_frames + content.silent_frames
    complete = content.files == _PROGRAMS and content.shortest_frames == content.longest_frames
    report.add(
        f"{_PROGRAMS} programs, {long_s:g} s: frames lost, all files together",
        "frames",
        lost,
        target="0",
        met=lost == 0 and complete and content.shortest_frames >= long_s * RATE,
        digits=0,
    )
    report.add(f"{_PROGRAMS} programs, {long_s:g} s: CPU", "% of a core", long.cost.cpu_percent)
    incidents = long.claims["incidents"]
    assert isinstance(incidents, list)
    report.add(f"{_PROGRAMS} programs, {long_s:g} s: incidents", "", len(incidents), digits=0)
    if not complete:
        report.notes.append(
            f"the {content.files} files have {content.shortest_frames} to "
            f"{content.longest_frames} frames"
        )
    busiest = max(one.others_percent for each in results.values() for one in each)
    report.notes.append(
        f"players, and whatever else ran, kept up to {busiest:.0f} % of all cores busy before a "
        "measurement"
    )


def _show_growth(report: Report, growth: dict[int, list[_Result]]) -> None:
    per_source: dict[int, float] = {}
    for programs, results in sorted(growth.items()):
        cpu = _median(results, lambda one: one.cost.cpu_percent) or 0.0
        daemon = _median(results, lambda one: one.daemon_percent)
        per_source[programs] = cpu / programs
        label = f"{programs} program{'s' if programs > 1 else ''}"
        if programs != _PROGRAMS:
            report.add(f"{label}: CPU", "% of a core", cpu, digits=2)
            report.add(
                f"{label}: CPU that PipeWire's daemon spends more", "% of a core", daemon, digits=2
            )
        last = programs == max(growth)
        fewer = [cost for number, cost in per_source.items() if number < programs]
        report.add(
            f"{label}: CPU per source",
            "% of a core",
            per_source[programs],
            target="<= 1.1 x that with fewer" if last else "",
            met=per_source[programs] <= 1.1 * min(fewer) if last and fewer else None,
            digits=3,
        )
    report.details["growth"] = {
        str(programs): [asdict(result) for result in results]
        for programs, results in growth.items()
    }
