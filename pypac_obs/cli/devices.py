# SPDX-License-Identifier: MIT
"""`pypac-obs devices`: the inputs that a profile can name."""

from __future__ import annotations

import click

from pypac_obs.cli.console import make_console, plain, print_json
from pypac_obs.cli.fitted_table import Column, fitted_table
from pypac_obs.input_devices import list_inputs

__all__ = ["command"]

_NOTHING = "There is no input: no microphone, and no virtual source."
_COLUMNS = (
    Column("Name"),
    Column("Default", weight=5),
    Column("Mute", weight=3),
    Column("Channels", weight=2, right=True),
    Column("Name in the audio system", weight=1, shrinks=True),
)


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def command(as_json: bool) -> None:
    """List the inputs that can be captured: microphones, line inputs, virtual sources.

    A profile takes the name as it stands here: mic: {device: "NAME"}. Where two inputs are called
    alike, that is their name in the audio system.
    """
    inputs = list_inputs()
    if as_json:
        print_json([one.to_json() for one in inputs])
    elif inputs:
        console = make_console()
        rows = [
            (
                plain(one.name),
                plain("default", "green") if one.is_default else plain(""),
                plain("muted", "yellow") if one.muted else plain("no", "dim"),
                plain(str(one.channels) if one.channels else "?"),
                plain(one.system_name if one.system_name != one.name else one.description),
            )
            for one in inputs
        ]
        console.print(fitted_table(_COLUMNS, rows, console.width))
    else:
        click.echo(_NOTHING, err=True)
