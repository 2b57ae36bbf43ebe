# SPDX-License-Identifier: MIT
"""`pypac-obs fade`: moves a value of a running session to another one, over some time."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.durations import read_duration
from pypac_obs.cli.session_choice import connect_to_chosen, session_option
from pypac_obs.cli.value_words import NegativeNumbersCommand, value_from, value_text

__all__ = ["command"]


@click.command("fade", cls=NegativeNumbersCommand)
@click.argument("address")
@click.argument("value")
@click.option(
    "--over",
    "seconds",
    metavar="TIME",
    required=True,
    callback=read_duration,
    help="How long the fade takes: 2, 1.5, 10s, 1m.",
)
@session_option
def command(address: str, value: str, seconds: float, name: str | None) -> None:
    """Fade a value of a running session to another one.

    \b
      pypac-obs fade music.gain_db -30 --over 2

    The command returns at once. Setting the same address ends the fade.
    """
    with connect_to_chosen(name) as control:
        present = control.value(address)["value"]
        answer = control.fade(address, value_from(value, present), seconds)
    target = value_text(answer["value"])
    say(f"{address}: fading from {value_text(present)} to {target} in {seconds:g} s")
