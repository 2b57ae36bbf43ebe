# SPDX-License-Identifier: MIT
"""What a benchmark gives: figures, each next to its peers and its target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

OURS = "pypac-obs"
PW_RECORD = "pw-record"
FLEXAUDIO = "flexaudio"
PULSE_INPUT_CAPTURE = "pulse-input-capture"  # OBS's own
ONE_AT_A_TIME = "one-at-a-time"  # our requests to OBS, without batches
PEDALBOARD = "pedalboard"
FFMPEG = "ffmpeg"
SOXR = "soxr"
_PROGRAMS = (
    OURS, PW_RECORD, FLEXAUDIO, PULSE_INPUT_CAPTURE, ONE_AT_A_TIME, PEDALBOARD, FFMPEG, SOXR,
)  # fmt: skip


@dataclass(frozen=True)
class Options:
    """How the benchmarks are to run; ``seconds`` replaces the length of the long recording."""

    quick: bool
    seconds: float | None
    build: Path

    def pick(self, full: float, quick: float) -> float:
        """Chooses between a setting of the full and one of the quick run."""
        return quick if self.quick else full

    def program(self, *parts: str) -> Path:
        """A program of the native build. Raises FileNotFoundError."""
        path = self.build.joinpath("tests", *parts)
        if not path.exists():
            raise FileNotFoundError(f"{path} is not built: run `make bench`")
        return path


@dataclass(frozen=True)
class Figure:
    """One line of the table: a value for each program that was measured."""

    name: str
    unit: str
    values: Mapping[str, float | None]
    target: str = ""
    met: bool | None = None
    digits: int = 1

    def text(self, program: str) -> str:
        value = self.values.get(program)
        return "" if value is None else f"{value:.{self.digits}f}"


@dataclass
class Report:
    """All that one benchmark tells. ``details`` are its raw numbers, for the JSON only."""

    benchmark: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_measured: dict[str, str] = field(default_factory=dict)
    details: dict[str, object] = field(default_factory=dict)
    machine: dict[str, object] = field(default_factory=dict)

    def add(
        self,
        name: str,
        unit: str,
        ours: float | None,
        *,
        target: str = "",
        met: bool | None = None,
        digits: int = 1,
        **peers: float | None,
    ) -> None:
        """Adds a figure; peers by keyword, such as ``pw_record``."""
        values = {OURS: ours} | {key.replace("_", "-"): value for key, value in peers.items()}
        self.figures.append(Figure(name, unit, values, target, met, digits))

    def to_json(self) -> dict[str, object]:
        return {
            "benchmark": self.benchmark,
            "machine": self.machine,
            "figures": [
                {
                    "name": figure.name,
                    "unit": figure.unit,
                    "values": dict(figure.values),
                    "target": figure.target or None,
                    "met": figure.met,
                }
                for figure in self.figures
            ],
            "not_measured": self.not_measured,
            "notes": self.notes,
            "details": self.details,
        }


def print_table(console: Console, reports: Iterable[Report]) -> None:
    """Prints all figures in one table, then the notes."""
    reports = list(reports)
    table = Table(title="Benchmarks", title_justify="left")
    table.add_column("Figure", overflow="fold")
    figures = [figure for report in reports for figure in report.figures]
    programs = [name for name in _PROGRAMS if any(figure.text(name) for figure in figures)]
    for program in programs:
        table.add_column(program, justify="right")
    table.add_column("Unit")
    table.add_column("Target")
    table.add_column("Met")
    for report in reports:
        table.add_section()
        table.add_row(f"[bold]{report.benchmark}[/bold]")
        for figure in report.figures:
            met = {True: "[green]yes[/green]", False: "[red]no[/red]", None: ""}[figure.met]
            values = (figure.text(program) for program in programs)
            table.add_row(figure.name, *values, figure.unit, figure.target, met)
    console.print(table)
    for report in reports:
        for program, reason in report.not_measured.items():
            console.print(f"{report.benchmark}: {program} not measured: {reason}", markup=False)
        for note in report.notes:
            console.print(f"{report.benchmark}: {note}", markup=False)
