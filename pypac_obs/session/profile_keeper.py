# SPDX-License-Identifier: MIT
"""Keeps a session and its profile's file in step."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from pypac_obs.errors import ProfileError, PypacError
from pypac_obs.model.layers import ProfileLayers
from pypac_obs.session.live_values import RememberedValues
from pypac_obs.session.notices import Notices
from pypac_obs.session.output_set import CHANGE_S
from pypac_obs.session.profile_file import ProfileFileWatch

__all__ = ["ProfileKeeper"]

_LOOK_S = 0.05

_log = logging.getLogger(__name__)


class ProfileKeeper:
    """Has the session follow its profile's file when that is saved, and remembers live values.

    A thread of its own, because what a file brings may take long to open. ``reload`` follows the
    file; ``watch`` is None where it shall not be followed.
    """

    def __init__(
        self,
        watch: ProfileFileWatch | None,
        remembered: RememberedValues,
        notices: Notices,
        reload: Callable[[], object],
    ) -> None:
        self._watch = watch
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
            self._thread.join(CHANGE_S)
            self._remembered.write()

    def note(self, layers: ProfileLayers) -> None:
        """Takes note of values that were set, and of another file that the session follows now."""
        watch, file = self._watch, layers.written.file
        if watch is not None and file is not None and not watch.is_of(file):
            self._watch = ProfileFileWatch(file)
        if layers.written.control.remember:
            self._remembered.changed(layers.live, layers.written)

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_S):
            try:
                self._look(time.monotonic())
            except Exception as error:  # a fault of ours: the next save is followed all the same
                _log.exception("the profile's file cannot be followed")
                what = f"{type(error).__name__}: {error}"
                self._notices.tell(f"The saved profile is not followed: {what}")

    def _look(self, now: float) -> None:
        watch = self._watch
        if watch is not None and watch.poll(now):
            self._follow()
        if self._remembered.due(now):
            self._remembered.write()
        self._notices.warn(*self._remembered.take_warnings())

    def _follow(self) -> None:
        try:
            self._reload()
        except ProfileError as refusal:
            for line in str(refusal).splitlines():
                self._notices.tell(f"The saved profile is not followed: {line}")
        except PypacError as refusal:
            remedy = f" {refusal.remedy}" if refusal.remedy else ""
            self._notices.tell(f"The saved profile is not followed: {refusal}.{remedy}")
        else:
            self._notices.tell("The session follows the saved profile.")
