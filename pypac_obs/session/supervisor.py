# SPDX-License-Identifier: MIT
"""Watches a session's engine, and ends the session with it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence

from pypac_obs import _core
from pypac_obs.errors import PypacError
from pypac_obs.log import LOGGER
from pypac_obs.session.awake import kept_awake
from pypac_obs.session.notices import Notices

__all__ = ["Supervisor"]

_WATCH_S = 0.25


class Supervisor:
    """A thread that looks after a session four times a second, until its engine has finished.

    None of the ``courtesies`` can end a recording: one that raises is warned of, and done again the
    next time. ``finish`` asks the engine for its end; ``put_away`` closes everything, in that
    order, whatever goes wrong on the way.
    """

    def __init__(
        self,
        engine: _core.Engine,
        notices: Notices,
        *,
        courtesies: Sequence[Callable[[], None]],
        finish: Callable[[], None],
        put_away: Sequence[Callable[[], None]],
    ) -> None:
        self._engine = engine
        self._notices = notices
        self._courtesies = courtesies
        self._finish = finish
        self._steps = put_away
        self._thread = threading.Thread(target=self._watch, name="session watch")

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    @property
    def started(self) -> bool:
        """True from `start` on."""
        return self._thread.ident is not None

    def join(self) -> None:
        """Waits until everything is closed; on the thread itself it returns at once."""
        if self.started and threading.current_thread() is not self._thread:
            self._thread.join()

    def put_away(self) -> None:
        """Closes everything, for a session that was never watched."""
        with contextlib.ExitStack() as last_first:
            for step in reversed(self._steps):
                last_first.callback(step)

    @kept_awake()
    def _watch(self) -> None:
        try:
            while not self._engine.wait_finished(_WATCH_S):
                self._look()
                if not threading.main_thread().is_alive():
                    # The program has ended and forgot to stop the session.
                    self._finish()
            self._look()
        finally:
            self._engine.abort()
            self.put_away()

    def _look(self) -> None:
        for courtesy in self._courtesies:
            try:
                courtesy()
            except Exception as error:
                # Sources come and go meanwhile: what was looked at may be gone.
                if not isinstance(error, PypacError | LookupError):
                    LOGGER.exception("a courtesy of the session failed")
                    what = f"{type(error).__name__}: {error}"
                    self._notices.warn(f"the session's watch failed: {what}")
