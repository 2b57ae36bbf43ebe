# SPDX-License-Identifier: MIT
"""Notices when somebody changes in OBS what a profile says, and mends or reports it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from pypac_obs.errors import PypacError
from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.provisioning.plan import Plan, Report

__all__ = ["WATCHED", "DriftWatch"]

# Events after which something may not be as the profile says.
WATCHED = frozenset(
    {
        "InputCreated", "InputRemoved", "InputNameChanged", "InputSettingsChanged",
        "InputAudioTracksChanged", "InputVolumeChanged", "InputMuteStateChanged",
        "InputAudioSyncOffsetChanged", "InputAudioMonitorTypeChanged",
        "SceneCreated", "SceneRemoved", "SceneNameChanged",
        "SceneItemCreated", "SceneItemRemoved", "SceneItemEnableStateChanged",
        "CurrentProfileChanged", "ProfileListChanged", "CurrentSceneCollectionChanged",
        "SceneCollectionListChanged",
        # Once they have stopped, what had to wait for that can be done.
        "RecordStateChanged", "StreamStateChanged", "ReplayBufferStateChanged",
        "VirtualcamStateChanged",
    }
)  # fmt: skip

# Events come in bursts, as of a fader that is dragged: OBS is looked at once it is quiet.
QUIET_S = 0.5
LATEST_S = 3.0
# Somebody who changes it back each time wins, for the rest of the minute.
MENDS, PER_S = 4, 60.0


class Mender(Protocol):
    """What is needed of a `Provisioner`."""

    def plan(self, obs: Obs, gone: Collection[str] = ()) -> Plan:
        """Says what is to be done."""

    def apply(
        self, obs: Obs, gone: Collection[str] = (), only: Collection[str] | None = None
    ) -> Report:
        """Does it, or what is about one of the subjects."""

    def note_renamed_scene(self, obs: Obs, before: str, after: str) -> None:
        """Keeps track of what was made in a scene."""

    def note_renamed_input(self, obs: Obs, before: str, after: str) -> None:
        """Keeps track of what an input was like."""


class DriftWatch:
    """Watches an OBS through an `ObsLink`, on the link's thread::

        watch = DriftWatch(provisioner, mend=True, report=print, post=link.post)
        link = ObsLink(find, on_connected=provide, on_event=watch.on_event)

    where ``provide`` calls `on_connected`, lets the provisioner apply, and calls `on_applied`.

    ``report`` gets a sentence for each thing that was noticed. ``post`` lets the link's thread do
    something. What the profile leaves out may change as it likes. A mend that is undone again and
    again is given up for a minute, and that is reported. What had to wait for the end of an output
    when the profile was applied is done then, also where the rest is only reported.
    """

    def __init__(
        self,
        provisioner: Mender,
        *,
        mend: bool,
        report: Callable[[str], None],
        post: Callable[[Callable[[Any], None]], bool],
        clock: Callable[[], float] = time.monotonic,
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:
        self._provisioner = provisioner
        self._mend = mend
        self._report = report
        self._post = post
        self._clock = clock
        self._new_timer = timer
        self._lock = threading.Lock()  # the timer and since when it waits
        self._timer: threading.Timer | None = None
        self._waits_since: float | None = None
        self._mends: deque[float] = deque(maxlen=MENDS)
        self._reported: set[str] = set()
        self._waiting: set[str] = set()  # what the steps are about that could not be made yet
        self._gone: set[str] = set()  # inputs that were removed, which OBS may list for long
        self._gave_up = False
        self._stopped = False

    def on_connected(self) -> None:
        """Forgets what another run of OBS said."""
        self._stop_waiting()
        self._gone.clear()

    def on_applied(self, report: Report) -> None:
        """Takes what the provisioner has done."""
        self._waiting = {step.subject for step in report.waiting}
        if report.left and not report.errors:
            self.look_soon()  # something changed while it was made

    def on_event(self, obs: Obs, kind: str, data: Mapping[str, Any]) -> None:
        """Takes an event of the link; looks at OBS a little later."""
        name = data.get("inputName")
        if kind == "InputRemoved" and isinstance(name, str):
            self._gone.add(name)
        elif kind in ("InputCreated", "InputNameChanged", "SceneCreated"):
            # Scenes and inputs share their names.
            for taken in (name, data.get("sceneName")):
                if isinstance(taken, str):
                    self._gone.discard(taken)
        elif kind == "CurrentSceneCollectionChanged":
            self._gone.clear()  # all that was in the other one
        if kind == "SceneNameChanged":
            before, after = data.get("oldSceneName"), data.get("sceneName")
            self._note_renamed(self._provisioner.note_renamed_scene, obs, before, after)
        elif kind == "InputNameChanged":
            self._note_renamed(
                self._provisioner.note_renamed_input, obs, data.get("oldInputName"), name
            )
        if kind in WATCHED:
            self.look_soon()

    def _note_renamed(
        self, note: Callable[[Obs, str, str], None], obs: Obs, before: object, after: object
    ) -> None:
        if not isinstance(before, str) or not isinstance(after, str):
            return
        try:
            note(obs, before, after)
        except PypacError as error:
            if not self._stopped:  # else it is we who end the connection
                self._say([f"OBS could not be looked at: {error.message}."])

    def look_soon(self) -> None:
        """Looks at OBS as soon as it is quiet, as after an event."""
        self._look_soon(QUIET_S)

    def check(self, obs: Obs) -> None:
        """Looks at OBS now, and mends or reports what is not as the profile says."""
        plan = self._provisioner.plan(obs, self._gone)
        can_be_done = [step for step in plan.steps if not plan.waits(step)]
        due = self._waiting & {step.subject for step in can_be_done}
        if not self._mend and due:
            report = self._provisioner.apply(obs, self._gone, due)
            self._waiting = {step.subject for step in report.waiting}
            for step in report.done:
                self._report(f"In OBS: {step}")
            plan = self._provisioner.plan(obs, self._gone)
        if not self._mend or not can_be_done:
            drift = (f"OBS is not as the profile says: {step}" for step in plan.steps)
            self._say([*plan.conflicts, *drift])
            return
        now = self._clock()
        if len(self._mends) == MENDS and now - self._mends[0] < PER_S:
            if not self._gave_up:
                self._report("OBS is changed again and again: not mended for a minute.")
            self._gave_up = True
            self._look_soon(PER_S - (now - self._mends[0]))
            return
        self._gave_up = False
        self._mends.append(now)
        report = self._provisioner.apply(obs, self._gone)
        self._gone.clear()
        for step in report.done:
            self._report(f"Mended in OBS: {step}")
        self._say([*report.errors, *(f"Waits until OBS stops: {step}" for step in report.waiting)])

    def stop(self) -> None:
        """Looks no more. May be called again."""
        self._stopped = True
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        """Does not look for what has happened until now."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None
            self._waits_since = None

    def _say(self, sentences: list[str]) -> None:
        """Reports what was not reported the last time."""
        for sentence in sentences:
            if sentence not in self._reported:
                self._report(sentence)
        self._reported = set(sentences)

    def _look_soon(self, delay_s: float) -> None:
        with self._lock:
            now = self._clock()
            if self._waits_since is None:
                self._waits_since = now
            elif now - self._waits_since > LATEST_S - QUIET_S and delay_s <= QUIET_S:
                return  # the timer that runs is not put off any further
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._new_timer(delay_s, self._look)
            self._timer.daemon = True
            self._timer.start()

    def _look(self) -> None:
        with self._lock:
            self._waits_since = None  # whether there is a connection or not
        self._post(self._check)

    def _check(self, obs: Obs) -> None:
        try:
            self.check(obs)
        except PypacError as error:
            if not self._stopped:  # else it is we who end the connection
                self._say([f"OBS could not be looked at: {error.message}."])
