# SPDX-License-Identifier: MIT
"""`pypac-obs status`: shows what a running session does now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import click

from pypac_obs.cli.console import counted, make_console, plain, print_json, say
from pypac_obs.cli.session_choice import chosen_session, connect, session_option, wait_for_end
from pypac_obs.control.client import ControlClient
from pypac_obs.errors import NotRunning, PypacError, SessionClosed
from pypac_obs.session_registry import RunningSession
from pypac_obs.status import SessionStatus

__all__ = ["command"]

_LIVE_S = 0.25
_JSON_S = 1.0
# A session that ends does not answer any more while it closes its outputs.
_ENDS_WITHIN_S = 10.0


@click.command("status")
@click.option("--watch", is_flag=True, help="Keep showing it, until Ctrl-C or the session's end.")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object; with --watch, one a line each second."
)
@session_option
def command(watch: bool, as_json: bool, name: str | None) -> None:
    """Show what a running session does now: its sources, tracks and outputs.

    With --watch, a terminal shows a live table, and a pipe gets a line for each change.
    """
    session = chosen_session(name)
    with connect(session) as control:
        if watch:
            with contextlib.suppress(KeyboardInterrupt):
                _watch(session, control, as_json)
        elif as_json:
            print_json(control.status())
        else:
            _print(_read(session, control))


def _read(session: RunningSession, control: ControlClient) -> SessionStatus:
    try:
        return SessionStatus.from_json(control.status())
    except ValueError as error:
        if isinstance(error, PypacError):
            raise
        raise PypacError(
            f"the session {session.name} gives a status that this version does not understand",
            remedy="Use the pypac-obs that has started the session, or restart the session.",
        ) from error


def _print(status: SessionStatus) -> None:
    from pypac_obs.cli.status_view import has_unicode, status_lines

    console = make_console()
    for part in status_lines(status, unicode=has_unicode(console), width=console.width):
        console.print(part)
    if status.incidents:
        say(f"{counted(status.incidents, 'incident')} so far.")


def _watch(session: RunningSession, control: ControlClient, as_json: bool) -> None:
    with contextlib.ExitStack() as stack:
        show: Callable[[], None]
        if as_json:
            show, period_s = lambda: print_json(control.status()), _JSON_S
        else:
            from pypac_obs.cli.status_view import StatusChanges

            console = make_console()
            if console.is_terminal:
                show = _live_table(session, control, stack)
            else:
                changes = StatusChanges()
                show = lambda: changes.show(_read(session, control))  # noqa: E731
            period_s = _LIVE_S
        due = time.monotonic()
        while True:
            try:
                show()
            except (NotRunning, SessionClosed):
                if not wait_for_end(session, _ENDS_WITHIN_S):
                    raise
                break
            due = max(due + period_s, time.monotonic())
            time.sleep(max(0.0, due - time.monotonic()))
    if not as_json:
        say(f"{session.name} has ended.")


def _live_table(
    session: RunningSession, control: ControlClient, stack: contextlib.ExitStack
) -> Callable[[], None]:
    from rich.console import Group
    from rich.live import Live

    from pypac_obs.cli.status_view import has_unicode, status_lines

    console = make_console()
    live = stack.enter_context(Live(console=console, auto_refresh=False, transient=True))

    def show() -> None:
        status = _read(session, control)
        lines = status_lines(status, unicode=has_unicode(console), width=console.width)
        if status.incidents:
            lines.append(plain(f"{counted(status.incidents, 'incident')} so far."))
        lines.append(plain("Ctrl-C ends this view; the session goes on.", "dim"))
        live.update(Group(*lines), refresh=True)

    return show
