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

from pypac_obs.cli.console import (
    column_table,
    level_text,
    make_console,
    plain,
    print_json,
)
from pypac_obs.processes import ProcessAudio, ProcessWatch, list_processes

__all__ = ["command", "process_table"]

_NOTHING = "Nothing plays now: no program has an audio stream."
_REFRESH_S = 0.5


@click.command("ps")
@click.option("--watch", is_flag=True, help="Go on, twice a second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array; with --watch one a line.")
def command(watch: bool, as_json: bool) -> None:
    """List the programs that have audio streams now.

    Peaks are in dBFS, after the program's own volume and mute, as they would be captured. Below
    the list it says of each program that is silent why, as far as that shows without capturing it.
    """
    if watch:
        with contextlib.suppress(KeyboardInterrupt):
            _watch(as_json)
        return
    processes = list_processes()
    if as_json:
        print_json([process.to_json() for process in processes])
    elif processes:
        make_console().print(_view(processes))
    else:
        click.echo(_NOTHING, err=True)


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
                live.update(_view(processes), refresh=True)
            else:
                console.print(_view(processes))


def _view(processes: Sequence[ProcessAudio]) -> RenderableType:
    if not processes:
        return plain(_NOTHING)
    # Sentences of their own: in a column they would leave no room for the rest.
    reasons = [
        plain(f"{process.program or process.application_name or '?'}: {process.silence}")
        for process in processes
        if process.silence
    ]
    return Group(process_table(processes), *reasons)


def process_table(processes: Sequence[ProcessAudio]) -> Table:
    """Shows programs, one a row."""
    numbers = ("PID", "Streams", "Volume", "Peak")
    table = column_table(
        ("PID", "Program", "Application", "Streams", "Plays to", "State", "Volume", "Mute", "Peak"),
        numbers,
    )
    for process in processes:
        table.add_row(
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
    return table
