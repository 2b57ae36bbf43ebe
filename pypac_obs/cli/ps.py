# SPDX-License-Identifier: MIT
"""`pypac-obs ps`: what can be captured now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import click
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table

from pypac_obs.cli.console import level_text, make_console, plain, print_json
from pypac_obs.cli.fitted_table import Column, fitted_table
from pypac_obs.input_devices import InputDevice, inputs_in_words
from pypac_obs.processes import METER_S, ProcessAudio, ProcessWatch
from pypac_obs.seen_programs import remember

__all__ = ["command", "process_table"]

_COLUMNS = (
    Column("PID", weight=8, right=True),
    Column("Program"),
    Column("Application", weight=4, shrinks=True),
    Column("Streams", weight=1, right=True),
    Column("Plays to", weight=5, shrinks=True),
    Column("State", weight=7),
    Column("Volume", weight=2, right=True),
    Column("Mute", weight=3),
    Column("Peak", weight=6, right=True),
)

_NOTHING = "Nothing plays now: no program has an audio stream."
_REFRESH_S = 0.5


@click.command("ps")
@click.option("--watch", is_flag=True, help="Go on, twice a second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array; with --watch one a line.")
def command(watch: bool, as_json: bool) -> None:
    """List the programs that have audio streams now.

    Peaks are in dBFS, after the program's own volume and mute, as they would be captured. Below
    the list it says of each program that is silent why, as far as that shows without capturing it,
    and which inputs there are. A narrow terminal leaves out columns, never a part of a program's
    name: that is what a profile takes.
    """
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(as_json)
        return
    with ProcessWatch() as now:
        time.sleep(METER_S)
        processes, inputs = now.processes(), now.inputs()
    remember(process.program for process in processes)
    console = make_console()
    if as_json:
        print_json([process.to_json() for process in processes])
        return
    if not processes:
        click.echo(_NOTHING, err=True)
    if processes or inputs:
        console.print(_view(processes, inputs, console.width))


def _watch(as_json: bool) -> None:
    console = make_console()
    with contextlib.ExitStack() as stack:
        watch = stack.enter_context(ProcessWatch())
        live = None
        if console.is_terminal and not as_json:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
        while True:
            # Peaks are those since the last look, so the first look comes after a wait, too.
            time.sleep(_REFRESH_S)
            processes = watch.processes()
            if as_json:
                print_json([process.to_json() for process in processes])
            elif live is not None:
                live.update(_now(processes, watch.inputs(), console.width), refresh=True)
            else:
                console.print(_now(processes, watch.inputs(), console.width))


def _now(
    processes: Sequence[ProcessAudio], inputs: list[InputDevice], width: int
) -> RenderableType:
    return _view(processes, inputs, width) if processes else plain(_NOTHING)


def _view(
    processes: Sequence[ProcessAudio], inputs: list[InputDevice], width: int
) -> RenderableType:
    # Sentences of their own: in a column they would leave no room for the rest.
    reasons = [
        plain(f"{process.program or process.application_name or '?'}: {process.silence}")
        for process in processes
        if process.silence
    ]
    if inputs:
        reasons.append(plain(f"Inputs (pypac-obs devices): {inputs_in_words(inputs)}"))
    return Group(process_table(processes, width), *reasons) if processes else Group(*reasons)


def process_table(processes: Sequence[ProcessAudio], width: int) -> Table:
    """Shows programs, one a row, in at most ``width`` columns."""
    rows = [
        (
            plain(str(process.pid) if process.pid else "?"),
            plain(process.program or "?"),
            plain(process.application_name),
            plain(str(len(process.streams))),
            plain(", ".join(process.devices)),
            plain("playing", "green") if process.playing else plain("paused", "dim"),
            plain(f"{100 * process.volume:.0f} %"),
            plain("muted", "yellow") if process.muted else plain("no", "dim"),
            plain(level_text(process.peak_db)),
        )
        for process in processes
    ]
    return fitted_table(_COLUMNS, rows, width)
