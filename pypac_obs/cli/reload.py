# SPDX-License-Identifier: MIT
"""`pypac-obs reload`: applies a profile's changed file to the session that runs it."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.session_choice import chosen_session, connect, session_option

__all__ = ["command"]


@click.command("reload")
@click.option("--plan", is_flag=True, help="Only show what would change.")
@click.option("--undo", is_flag=True, help="Go back to the profile before the last reload.")
@session_option
@click.pass_context
def command(context: click.Context, plan: bool, undo: bool, name: str | None) -> None:
    """Apply the changes in a profile's file to the running session.

    It prints a line for each change: + added, - removed, ~ changed, ! needs a restart. A profile
    with a mistake changes nothing, and the session goes on. Values that were set while the session
    runs stay, unless the file's own value has changed.
    """
    if plan and undo:
        raise click.UsageError("--plan and --undo don't go together", context)
    session = chosen_session(name)
    with connect(session) as control:
        lines = control.undo() if undo else control.plan() if plan else control.reload()
    for line in lines:
        say(line)
    if not lines:
        say(f"{session.name}: nothing to change")
