# SPDX-License-Identifier: MIT
"""`pypac-obs toggle`: turns a switch of a running session on or off."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.session_choice import connect_to_chosen, session_option
from pypac_obs.cli.value_words import value_text

__all__ = ["command"]


@click.command("toggle")
@click.argument("address")
@session_option
def command(address: str, name: str | None) -> None:
    """Turn a switch of a running session on if it is off, and off if it is on.

    \b
      pypac-obs toggle game.mute
      pypac-obs toggle voice.chain     the other chain of filters, where the track has `compare`
    """
    with connect_to_chosen(name) as control:
        answer = control.toggle(address)
    say(f"{address}: {value_text(answer['value'])}")
