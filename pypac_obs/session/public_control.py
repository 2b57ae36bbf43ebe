# SPDX-License-Identifier: MIT
"""Lets other programs of this user know of a session, and control it."""

from __future__ import annotations

import contextlib
import importlib
import threading
from typing import TYPE_CHECKING

from pypac_obs.control.controls import Controls
from pypac_obs.errors import PypacError
from pypac_obs.profile.model import ControlRule
from pypac_obs.session.notices import Notices
from pypac_obs.session_registry import SessionRegistration

if TYPE_CHECKING:
    from pypac_obs.control.server import ControlServer

__all__ = ["PublicControl", "load_control"]

_CLOSE_S = 5.0


def load_control(rule: ControlRule) -> threading.Thread | None:
    """Loads what the API is made of, on a thread; None: it is switched off.

    It takes half a second of a core. To be joined before frame 0: beside a recording it would take
    that from the programs that are recorded.
    """
    if not rule.enabled:
        return None

    def load() -> None:
        with contextlib.suppress(Exception):  # whoever needs it says why it is not to be had
            importlib.import_module("pypac_obs.control.serving")

    thread = threading.Thread(target=load, name="loading control", daemon=True)
    thread.start()
    return thread


class PublicControl:
    """Registers a session, and opens its control API, on a thread of its own; until `close`.

    The API ends with `ask_to_end`. The session stays known until `close`, when its outputs are
    closed, so that whoever has asked for its end can wait for that.

    That either is not to be had is no reason not to run: it is warned of.
    """

    def __init__(
        self, controls: Controls, rule: ControlRule, start_host_ns: int, notices: Notices
    ) -> None:
        self._controls = controls
        self._rule = rule
        self._start_host_ns = start_host_ns
        self._notices = notices
        self._ending = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="session control", daemon=True)
        self._thread.start()

    def ask_to_end(self) -> None:
        """Has the API end; returns at once."""
        self._ending.set()

    def close(self) -> None:
        """Makes the session unknown again, and ends the API."""
        self.ask_to_end()
        self._closing.set()
        self._thread.join(_CLOSE_S)  # it may hang at a dead network drive

    def _run(self) -> None:
        try:
            registration = SessionRegistration(
                self._controls.name, self._controls.sample_rate, self._start_host_ns
            )
        except (PypacError, OSError) as error:
            remedy = f" {error.remedy}" if isinstance(error, PypacError) else ""
            self._notices.warn(f"other programs cannot find the session: {error}.{remedy}")
            return
        try:
            if self._rule.enabled:
                self._serve(registration)
            self._closing.wait()
        finally:
            registration.close()

    def _serve(self, registration: SessionRegistration) -> None:
        server: ControlServer | None = None
        try:
            # Only here: not every session has it.
            from pypac_obs.control.server import ControlServer

            server = ControlServer(self._controls, port=self._rule.port)
            registration.publish_control(server.start())
        except Exception as error:
            remedy = f" {error.remedy}" if isinstance(error, PypacError) else ""
            self._notices.warn(f"the session cannot be controlled: {error}.{remedy}")
        self._ending.wait()
        if server is not None:
            with contextlib.suppress(OSError):
                registration.publish_control(None)
            server.stop()
