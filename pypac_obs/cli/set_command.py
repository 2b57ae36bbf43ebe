# SPDX-License-Identifier: MIT
"""`pypac-obs set`: changes a value of a running session."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.session_choice import connect_to_chosen, session_option
from pypac_obs.cli.value_words import (
    NegativeNumbersCommand,
    as_step,
    read_number,
    value_from,
    value_text,
)

__all__ = ["command"]


@click.command("set", cls=NegativeNumbersCommand)
@click.argument("address")
@click.argument("value", required=False)
@click.option(
    "--by", metavar="N", callback=read_number, help="Add this to the present value: 3, -1.5."
)
@session_option
@click.pass_context
def command(
    context: click.Context, address: str, value: str | None, by: float | None, name: str | None
) -> None:
    """Change a value of a running session.

    \b
      pypac-obs set voice.gain_db -6             the fader of the track voice
      pypac-obs set voice.gain_db +3             3 dB more than now (--by -3: less)
      pypac-obs set game.mute on                 on, off, true, false, yes, no
      pypac-obs set voice.send.mic.gain_db 2     the gain of mic in the track voice
      pypac-obs set voice.filter.gate.bypass on

    The change is heard at once, without a click. It lasts until the session ends, or until the
    profile's own value changes and is reloaded. `pypac-obs get` lists every address. A list is
    written a,b; an empty text ("") clears a key.
    """
    if (value is None) == (by is None):
        raise click.UsageError("give a value, or --by and a number", context)
    step = by if value is None else as_step(value)
    with connect_to_chosen(name) as control:
        if step is not None:
            answer = control.adjust(address, step)
        else:
            assert value is not None
            present = control.value(address)["value"]
            answer = control.set(address, value_from(value, present))
    say(f"{address}: {value_text(answer['value'])}")
