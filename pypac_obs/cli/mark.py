# SPDX-License-Identifier: MIT
"""`pypac-obs mark`: marks this moment in the sessions that run."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.session_choice import connect, sessions_named
from pypac_obs.errors import PypacError
from pypac_obs.incidents import timeline_text
from pypac_obs.session_registry import checked_text

__all__ = ["command"]


def _check_text(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return checked_text(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("mark")
@click.argument("text", callback=_check_text)
@click.option("--session", "name", metavar="NAME", help="Only the session of this name or PID.")
@click.pass_context
def command(context: click.Context, text: str, name: str | None) -> None:
    """Mark this moment in the sessions that run.

    The mark goes into session.json beside the files, and becomes a chapter of OBS's recording where
    OBS can do that. The command prints where the mark is on each session's timeline, and says so if
    no files are being written that could keep it.
    """
    # The moment of the call, where the program knows it, not that of having loaded Python.
    called_at = context.find_object(int)
    refusals: list[PypacError] = []
    for session in sessions_named(name):
        try:
            with connect(session) as control:
                taken = control.mark(text, called_at)
        except PypacError as refusal:  # the others are to get it all the same
            refusals.append(refusal)
            continue
        at = timeline_text(taken["frame"], taken["sample_rate"])
        kept = "" if taken["in_file"] else ", but no files are being written that keep it"
        say(f"{session.name}: marked {at} (frame {taken['frame']}){kept}")
    if refusals:
        raise refusals[0]
