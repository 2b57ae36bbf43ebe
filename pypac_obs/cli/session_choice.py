# SPDX-License-Identifier: MIT
"""Which running session a command means, and the connection to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from pypac_obs.control.client import ControlClient
from pypac_obs.control.token import read_or_make_token
from pypac_obs.errors import NotRunning, PypacError
from pypac_obs.host_time import now_ns
from pypac_obs.session_registry import RunningSession, running_sessions

__all__ = [
    "chosen_session",
    "connect",
    "connect_to_chosen",
    "session_option",
    "sessions_named",
    "wait_for_end",
]

_POLL_S = 0.05
# A session's control API is there well within that.
_STARTS_WITHIN_S = 3.0
# The origin that other clients see.
_CLIENT = "command line"


def session_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --session to a command: a name or a PID, or None where it is left out."""
    return click.option(
        "--session",
        "name",
        metavar="NAME",
        help="The session of this name or PID. Needed only if several run.",
    )(command)


def sessions_named(name: str | None) -> list[RunningSession]:
    """Gives the running sessions of that name, or of that PID; all for None.

    Raises NotRunning if there is none.
    """
    sessions = running_sessions()
    found = [one for one in sessions if name is None or one.name == name]
    if not found:
        found = [one for one in sessions if str(one.pid) == name]
    if found:
        return found
    if name is None or not sessions:
        raise NotRunning("no session runs", remedy="Start one: pypac-obs run PROFILE")
    others = sorted({one.name for one in sessions})
    raise NotRunning(f"no session named {name} runs", remedy=f"These do: {', '.join(others)}.")


def chosen_session(name: str | None) -> RunningSession:
    """Gives the one session that is meant. Raises NotRunning, or PypacError if several are."""
    found = sessions_named(name)
    if len(found) > 1:
        raise _several(found, name)
    return found[0]


def _several(found: Sequence[RunningSession], name: str | None) -> PypacError:
    names = [one.name for one in found]
    if len(set(names)) == len(names):
        return PypacError(
            f"{len(found)} sessions run: {', '.join(names)}",
            remedy=f"Name one of them: --session {_quoted(names[0])}",
        )
    listed = ", ".join(f"{one.name} (PID {one.pid})" for one in found)
    named = f" named {name}" if name is not None else ""
    return PypacError(
        f"{len(found)} sessions{named} run: {listed}",
        remedy=f"Give the PID of one of them: --session {found[0].pid}",
    )


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def connect(session: RunningSession) -> ControlClient:
    """Makes a client of a session; waits for its control API while it is starting.

    Raises NotRunning if it has none.
    """
    session = _once_started(session)
    if session.control_port is None:
        raise NotRunning(
            f"the session {session.name} has no control API",
            remedy="Its profile switches it off (control: {enabled: false}), it is just ending, or "
            "an older version of pypac-obs runs it.",
        )
    return ControlClient(session.control_port, read_or_make_token(), client=_CLIENT)


def _once_started(session: RunningSession) -> RunningSession:
    """Gives the session as it is once it has started."""
    while session.control_port is None and _age_s(session) < _STARTS_WITHIN_S:
        time.sleep(_POLL_S)
        session = next((one for one in running_sessions() if _is_same(one, session)), session)
    return session


def _age_s(session: RunningSession) -> float:
    return (now_ns() - session.start_host_ns) / 1e9


def _is_same(one: RunningSession, other: RunningSession) -> bool:
    return (one.folder, one.start_host_ns) == (other.folder, other.start_host_ns)


def connect_to_chosen(name: str | None) -> ControlClient:
    """Makes a client of the session that is meant; raises what both steps raise."""
    return connect(chosen_session(name))


def wait_for_end(session: RunningSession, timeout_s: float) -> bool:
    """Waits until a session has ended; False: not in time."""
    until = time.monotonic() + timeout_s
    while any(_is_same(one, session) for one in running_sessions()):
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True
