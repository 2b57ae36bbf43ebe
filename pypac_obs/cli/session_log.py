# SPDX-License-Identifier: MIT
"""Keeps the log of a session that a command runs."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pypac_obs.capabilities import versions
from pypac_obs.errors import PypacError
from pypac_obs.log import LEVELS, LOGGER, SessionLog
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.session import Session
from pypac_obs.session.log_events import EventLog
from pypac_obs.state_folder import state_folder

__all__ = ["log_level_option", "session_log"]

_LOG = LOGGER.getChild("run")
_KEPT = 10  # logs in the state folder


def log_level_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --log-level to a command."""
    return click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        default="info",
        show_default=True,
        help="How much goes into session.log, beside session.json.",
    )(command)


@contextlib.contextmanager
def session_log(session: Session, level: str) -> Iterator[None]:
    """Logs a session beside its first ``session.json``; without one, in the state folder.

    Nothing that becomes of the log ends the session.
    """

    def beside_manifest() -> Path | None:
        for output in session.outputs:
            if isinstance(output, FilesOutput) and output.manifest_path is not None:
                return output.manifest_path.with_suffix(".log")
        return None if any(isinstance(o, FilesOutput) for o in session.outputs) else in_state()

    def in_state() -> Path:
        return _in_state_folder(session.name)

    with (
        SessionLog(level, beside_manifest, in_state),
        EventLog(session.events, session.sample_rate),
    ):
        told = ", ".join(f"{name} {version}" for name, version in versions().items())
        _LOG.info("%s starts, by the profile %s (%s)", session.name, session.profile.name, told)
        try:
            yield
        except PypacError as error:
            _LOG.error("%s", error)
            raise
        except Exception:
            _LOG.exception("unexpected")
            raise
        finally:
            _LOG.info("%s has ended", session.name)


def _in_state_folder(session: str) -> Path:
    folder = state_folder() / "logs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    logs = sorted(folder.glob("*.log"))
    for old in logs[: max(0, len(logs) - _KEPT + 1)]:
        for path in (old, *folder.glob(f"{old.name}.?")):
            with contextlib.suppress(OSError):
                path.unlink()
    name = re.sub(r"[^\w .-]", "_", session)[:60].strip(" .") or "session"
    return folder / f"{datetime.now():%Y-%m-%d %H%M%S} {name}.log"
