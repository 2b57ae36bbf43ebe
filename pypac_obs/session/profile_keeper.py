# SPDX-License-Identifier: MIT
"""Keeps a session and its profile's file in step."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from pypac_obs.errors import PypacError
from pypac_obs.model.layers import ProfileLayers
from pypac_obs.session.live_values import RememberedValues
from pypac_obs.session.notices import Notices
from pypac_obs.session.profile_file import ProfileFileWatch

__all__ = ["ProfileKeeper"]

_LOOK_S = 0.1
# How long the end of a session waits for a change of it.
_CHANGE_S = 15.0


class ProfileKeeper:
    """Has the session follow its profile's file when that is saved, and remembers live values.

    A thread of its own, because what a file brings may take long to open. ``reload`` follows the
    file; ``file`` is None where it shall not be followed.
    """

    def __init__(
        self,
        file: Path | None,
        remembered: RememberedValues,
        notices: Notices,
        reload: Callable[[], object],
    ) -> None:
        self._watch = ProfileFileWatch(file) if file is not None else None
        self._remembered = remembered
        self._notices = notices
        self._reload = reload
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="profile keeper", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def close(self) -> None:
        """Ends it; what is to be remembered is written. Where it never began it does nothing."""
        self._ending.set()
        if self._thread.ident is not None:
            self._thread.join(_CHANGE_S)
            self._remembered.write()

    def note(self, layers: ProfileLayers) -> None:
        """Takes note of values that were set."""
        if layers.written.control.remember:
            self._remembered.changed(layers.live, layers.written)

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_S):
            now = time.monotonic()
            if self._watch is not None and self._watch.poll(now):
                self._follow()
            if self._remembered.due(now):
                self._remembered.write()
            self._notices.warn(*self._remembered.take_warnings())

    def _follow(self) -> None:
        try:
            self._reload()
        except PypacError as refusal:
            for line in str(refusal).splitlines():
                self._notices.tell(f"The saved profile is not followed: {line}")
        else:
            self._notices.tell("The session follows the saved profile.")
