# SPDX-License-Identifier: MIT
"""Runs the checks and tests that a target of the Makefile names, and tells where the time went.

    python3 .ci/checks.py TARGET...

Stages run on three lanes side by side: tests on one, where most of the time is waiting for sound to
pass, a test that does little else on another, and what only computes (builds, lints) on the third,
at low priority. At the end come a table
of the stages and the slowest tests; build/reports has the log of each stage and JUnit files.
Ends with 0 when everything passed, else with 1; a failure stops only what needs what failed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from stages import TARGETS, Stage, stages_of

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "build" / "reports"
SLOWEST = 20
TAIL_LINES = 120  # of the log of a stage that failed, where it was not shown


@dataclass
class Run:
    """One stage of this call."""

    stage: Stage
    state: str = "waiting"  # running, passed, failed, not run
    begin_s: float = 0.0
    seconds: float = 0.0
    #: Of itself and of all its children that it waited for.
    cpu_seconds: float = 0.0

    @property
    def log(self) -> Path:
        """What its commands print."""
        return REPORTS / f"{self.stage.name}.log"


@dataclass
class Checks:
    """The stages of a call, and the threads that work them off, one a lane."""

    runs: dict[str, Run]
    begun_s: float = field(default_factory=time.monotonic)
    changed: threading.Condition = field(default_factory=threading.Condition)
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    stopped: bool = False

    def run(self) -> None:
        """Returns when every stage has ended, or cannot run."""
        names = ("test", "wait", "build")
        lanes = [threading.Thread(target=self._work, args=(lane,)) for lane in names]
        for lane in lanes:
            lane.start()
        try:
            for lane in lanes:
                lane.join()
        except KeyboardInterrupt:
            self.stop()
            for lane in lanes:
                lane.join()
            raise

    def stop(self) -> None:
        """Ends what runs, and begins nothing more."""
        with self.changed:
            self.stopped = True
            for child in self.children.values():
                _signal(child, signal.SIGTERM)
            self.changed.notify_all()

    def _work(self, lane: str) -> None:
        while (run := self._next(lane)) is not None:
            self._run(run)
            with self.changed:
                self.changed.notify_all()

    def _next(self, lane: str) -> Run | None:
        """The next stage of a lane that may begin; None when there is none left."""
        with self.changed:
            while not self.stopped:
                mine = [one for one in self._waiting() if one.stage.lane == lane]
                if not mine:
                    return None
                for run in mine:
                    if self._may_begin(run):
                        run.state = "running"
                        run.begin_s = time.monotonic()
                        return run
                self.changed.wait()
            return None

    def _waiting(self) -> list[Run]:
        """What may still run; marks what cannot, because something that it needs did not pass."""
        found = []
        for run in self.runs.values():
            needs = [self.runs[name].state for name in run.stage.needs if name in self.runs]
            if run.state == "waiting" and any(state in ("failed", "not run") for state in needs):
                run.state = "not run"
                self.changed.notify_all()
            if run.state == "waiting":
                found.append(run)
        return found

    def _may_begin(self, run: Run) -> bool:
        needs = (self.runs[name].state for name in run.stage.needs if name in self.runs)
        if any(state != "passed" for state in needs):
            return False
        before = (self.runs[name].state for name in run.stage.after if name in self.runs)
        if any(state in ("waiting", "running") for state in before):
            return False
        running = [one for one in self.runs.values() if one.state == "running"]
        if run.stage.alone:
            return not running
        return not any(one.stage.alone for one in running)

    def _run(self, run: Run) -> None:
        stage = run.stage
        say(f"--> {stage.name}")
        command = ["bash", "-euo", "pipefail", "-c", stage.command]
        if stage.lane == "build":
            command = ["nice", "-n", "19", *command]
        with run.log.open("wb") as log:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            with self.changed:
                self.children[stage.name] = child
                if self.stopped:
                    _signal(child, signal.SIGTERM)
            assert child.stdout is not None
            while said := os.read(child.stdout.fileno(), 2**16):
                log.write(said)
                if stage.lane == "test":
                    sys.stdout.buffer.write(said)
                    sys.stdout.buffer.flush()
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            passed = child.returncode == 0
            run.cpu_seconds = used.ru_utime + used.ru_stime
        with self.changed:
            del self.children[stage.name]
        run.seconds = time.monotonic() - run.begin_s
        if not passed and stage.lane != "test":
            show_end(run)
        say(f"<-- {stage.name}: {'passed' if passed else 'FAILED'} after {run.seconds:.0f} s")
        with self.changed:
            run.state = "passed" if passed else "failed"


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def say(text: str) -> None:
    """Prints a line at once, whole."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def show_end(run: Run) -> None:
    """Prints the last lines of a stage's log."""
    lines = run.log.read_text(errors="replace").splitlines()
    say("\n".join([f"The end of {run.log}:", *lines[-TAIL_LINES:]]))


def slowest_tests() -> Iterator[tuple[float, str, str]]:
    """Seconds, stage and name of each test in the JUnit files of this call, the slowest first."""
    found = []
    for file in REPORTS.glob("*.xml"):
        for case in ET.parse(file).iter("testcase"):
            names = (case.get("classname", ""), case.get("name", ""))
            name = " ".join(dict.fromkeys(one for one in names if one))
            found.append((float(case.get("time") or 0), file.stem, name))
    yield from sorted(found, reverse=True)


def table(checks: Checks) -> str:
    """Where the time of this call went."""
    lines = ["", f"{'stage':32} {'lane':6} {'from':>6} {'seconds':>8} {'CPU':>6}  result"]
    for run in sorted(checks.runs.values(), key=lambda run: run.begin_s or float("inf")):
        begin = f"{run.begin_s - checks.begun_s:6.0f}" if run.begin_s else " " * 6
        lines.append(
            f"{run.stage.name:32} {run.stage.lane:6} {begin} {run.seconds:8.0f}"
            f" {run.cpu_seconds:6.0f}  {run.state}"
        )
    lines.append(f"{'all':32} {'':6} {'':6} {time.monotonic() - checks.begun_s:8.0f}")
    slowest = list(slowest_tests())
    if slowest:
        lines += ["", f"The slowest of {len(slowest)} tests, in seconds:"]
        lines += [f"{s:8.1f}  {stage:20} {name}" for s, stage, name in slowest[:SLOWEST]]
    failed = [run for run in checks.runs.values() if run.state != "passed"]
    lines += [""] if failed else ["", "All passed."]
    lines += [f"{run.stage.name}: {run.state}; {run.log}" for run in failed]
    return "\n".join(lines)


def main() -> int:
    """Runs the targets of the command line."""
    targets = sys.argv[1:]
    unknown = [one for one in targets if one not in TARGETS]
    if unknown or not targets:
        print(f"usage: {sys.argv[0]} {'|'.join(TARGETS)}...", file=sys.stderr)
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    for old in REPORTS.iterdir():
        old.unlink()
    os.environ["PYPAC_REPORTS"] = str(REPORTS)
    checks = Checks({stage.name: Run(stage) for stage in stages_of(targets)})
    try:
        checks.run()
    except KeyboardInterrupt:
        say(table(checks))
        return 130
    say(table(checks))
    return 0 if all(run.state == "passed" for run in checks.runs.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
