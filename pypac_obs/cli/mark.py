# SPDX-License-Identifier: MIT
"""`pypac-obs mark`: marks this moment in the sessions that run."""

from __future__ import annotations

import click

from pypac_obs import _core
from pypac_obs.cli.console import say
from pypac_obs.errors import NotRunning, PypacError
from pypac_obs.incidents import timeline_text
from pypac_obs.session_registry import checked_text, running_sessions

__all__ = ["command"]


def _check_text(context: click.Context, parameter: click.Parameter, value: str) -> str:
    try:
        return checked_text(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("mark")
@click.argument("text", callback=_check_text)
@click.option("--session", "name", metavar="NAME", help="Only the session of this name.")
@click.pass_context
def command(context: click.Context, text: str, name: str | None) -> None:
    """Mark this moment in the sessions that run.

    The mark goes into session.json beside the files, and becomes a chapter of OBS's recording where
    OBS can do that. It tells where the mark lies on each session's timeline, and if no files are
    being written that could keep it.
    """
    # The moment of the call, where the program knows it, not that of having loaded Python.
    called_at = context.find_object(int)
    host_ns = called_at if called_at is not None else _core.host_now_ns()
    sessions = running_sessions()
    chosen = [session for session in sessions if name is None or session.name == name]
    if not chosen:
        raise _none_runs(name, [session.name for session in sessions])
    refusals: list[PypacError] = []
    for session in chosen:
        try:
            taken = session.mark(text, host_ns)
        except PypacError as refusal:  # the others are to get it all the same
            refusals.append(refusal)
            continue
        at = timeline_text(taken.frame, session.sample_rate)
        kept = "" if taken.in_file else ", but no files are being written that keep it"
        say(f"{session.name}: marked {at} (frame {taken.frame}){kept}")
    if refusals:
        raise refusals[0]


def _none_runs(name: str | None, others: list[str]) -> NotRunning:
    if name is None or not others:
        return NotRunning("no session runs", remedy="Start one: pypac-obs run PROFILE")
    return NotRunning(
        f"no session named {name} runs", remedy=f"These do: {', '.join(sorted(set(others)))}."
    )
