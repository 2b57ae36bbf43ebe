# SPDX-License-Identifier: MIT
"""`pypac-obs reset-loudness`: begins the measured loudness of a running session anew."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.session_choice import connect_to_chosen, session_option

__all__ = ["command"]


@click.command("reset-loudness")
@click.argument("track", required=False)
@session_option
def command(track: str | None, name: str | None) -> None:
    """Begin the loudness of a running session's tracks anew: of TRACK, or of all.

    \b
      pypac-obs reset-loudness          as the stream begins
      pypac-obs reset-loudness voice

    That is the integrated loudness, the loudness range, and the highest loudness and true peak.
    session.json has the frame from which on they are then (since_frame).
    """
    with connect_to_chosen(name) as control:
        control.reset_loudness(track)
    say(f"{'all tracks' if track is None else track}: loudness begins anew")
