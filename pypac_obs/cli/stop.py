# SPDX-License-Identifier: MIT
"""`pypac-obs stop`: ends a running session."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.session_choice import chosen_session, connect, session_option, wait_for_end
from pypac_obs.errors import PypacError

__all__ = ["command"]

_ENDS_WITHIN_S = 30.0


@click.command("stop")
@session_option
def command(name: str | None) -> None:
    """End a running session, as Ctrl-C in its terminal does.

    Everything that was heard until then is still written. The command waits for the end.
    """
    session = chosen_session(name)
    with connect(session) as control:
        control.stop()
    if not wait_for_end(session, _ENDS_WITHIN_S):
        raise PypacError(
            f"the session {session.name} has not ended within {_ENDS_WITHIN_S:g} seconds",
            remedy="It was asked to end, and may still be closing its outputs. "
            "See its state: pypac-obs status",
        )
    say(f"{session.name} has ended.")
