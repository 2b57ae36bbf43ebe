# SPDX-License-Identifier: MIT
"""The parts of a session that runs, and the order in which they begin and end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from pypac_obs import _core
from pypac_obs.capabilities import versions
from pypac_obs.errors import SessionClosed
from pypac_obs.events import EventBus, SessionEnding
from pypac_obs.model.layers import ProfileLayers
from pypac_obs.outputs.output import Output, SessionInfo
from pypac_obs.profile import Profile
from pypac_obs.session.changes_seen import ChangesSeen
from pypac_obs.session.controller import Controller
from pypac_obs.session.courtesies import Courtesies
from pypac_obs.session.incident_log import IncidentLog
from pypac_obs.session.live_values import RememberedValues
from pypac_obs.session.marks import Marks
from pypac_obs.session.notices import Notices
from pypac_obs.session.output_set import OutputSet
from pypac_obs.session.profile_file import ProfileFileWatch
from pypac_obs.session.profile_keeper import ProfileKeeper
from pypac_obs.session.profile_outputs import ProfileOutputs
from pypac_obs.session.public_control import PublicControl, load_control
from pypac_obs.session.session_controls import SessionControls
from pypac_obs.session.status_reader import StatusReader
from pypac_obs.session.supervisor import Supervisor
from pypac_obs.session.wiring import Wiring

__all__ = ["Running"]

# From the engine's start to frame 0: longer than any common quantum, so that capture runs before
# frame 0 and nothing is missing at the beginning.
_LEAD_S = 0.1
# What outputs get to open before frame 0. Rings keep what comes in while one takes longer.
_OPENING_S = 0.1
# How long start() waits for the control API's code. A slow disk holds up no recording.
_LOADING_S = 3.0
# How long start() waits for the audio graph before it begins all the same.
_GRAPH_PATIENCE_S = 3.0


class Running:
    """One run of a profile.

    ``on_profile`` is called with each profile that it follows from then on, ``on_ended`` when every
    output is closed, and ``stop`` asks the session for its end.
    """

    def __init__(
        self,
        profile: Profile,
        name: str,
        *,
        events: EventBus,
        notices: Notices,
        log: IncidentLog,
        profile_outputs: ProfileOutputs,
        offline: bool,
        on_profile: Callable[[Profile], None],
        on_ended: Callable[[], None],
        stop: Callable[[], None],
    ) -> None:
        self._profile = profile
        self._name = name
        self._events = events
        self._notices = notices
        self._log = log
        self._profile_outputs = profile_outputs
        self._offline = offline
        self._on_profile = on_profile
        self._stop = stop
        self._origin: tuple[int, datetime] | None = None  # frame 0, in host time and in wall time
        self._control: PublicControl | None = None
        self.begun = False
        self._loading = None if offline else load_control(profile.control)
        self.marks: Marks | None = None
        self._remembered = RememberedValues()
        # Before anything that takes long: what is saved meanwhile is followed.
        watched = profile.file if profile.control.enabled and not offline else None
        watch = ProfileFileWatch(watched) if watched is not None else None
        live = self._remembered.load(profile)
        notices.warn(*self._remembered.take_warnings())
        layers = ProfileLayers(profile, live)
        self.wiring = Wiring(layers.present, offline=offline)
        self.outputs = OutputSet(
            self.wiring, log, info=self._info, status=lambda: self.status.for_manifest()
        )
        self.status = StatusReader(name, self.wiring, log, notices, self.outputs.states)
        self.controller = Controller(
            layers,
            self.wiring,
            self.outputs,
            profile_outputs,
            events,
            on_layers=self._take_layers,
        )
        log.who_muted = self.controller.who_muted
        self._keeper = ProfileKeeper(
            watch,
            self._remembered,
            notices,
            lambda: self.controller.reload(origin="file"),
        )
        on_profile(layers.present)
        courtesies = Courtesies(self.wiring, self.status, notices)
        seen = ChangesSeen(self.wiring, self.status, self.outputs, events)
        self._supervisor = Supervisor(
            self.wiring.engine,
            notices,
            courtesies=(
                lambda: log.collect(self.wiring),
                self.wiring.collect,
                lambda: notices.warn(*self.wiring.filter_news()),
                self.outputs.look_after,
                seen.look,
                courtesies.look,
            ),
            finish=self.finish,
            put_away=(
                self._end_control,
                self._end_changes,
                self.outputs.stop_following,
                self.outputs.close_threads,
                # To let go of OBS may take a while: the files are closed before.
                self.outputs.close_natives,
                self._stop_capture,
                self._close_sources,
                self.wiring.close_filters,
                self._close_control,
                lambda: events.publish(SessionEnding()),
                on_ended,
            ),
        )

    # Beginning ----------------------------------------------------------------------------------

    def start(
        self, outputs: Sequence[Output], duration_s: float | None, *, refuse: Callable[[], None]
    ) -> None:
        """Fixes frame 0 and opens the outputs, before frame 0 if they take no longer.

        ``refuse`` raises where the session is not wanted any more.
        """
        engine = self.wiring.engine
        lead_s = self._lead_s()
        if duration_s is not None:
            engine.set_end(round(duration_s * self.wiring.sample_rate))
        prepared = [self.outputs.prepare(output) for output in outputs]
        refused = self._profile_outputs.open_obs(self.wiring, self.outputs, alone=not outputs)
        if self._loading is not None:
            self._loading.join(_LOADING_S)
        refuse()
        begun_at = time.monotonic()
        opening_s = 0.0 if self._offline or not outputs else _OPENING_S
        origin_ns = _core.host_now_ns() + round((opening_s + lead_s) * 1e9)
        ahead_s = (origin_ns - _core.host_now_ns()) / 1e9
        origin_wall = datetime.fromtimestamp(time.time() + ahead_s, UTC).astimezone()
        self._origin = origin_ns, origin_wall
        marks = Marks(self._origin, self.wiring.sample_rate, self._events, self.outputs.post_marker)
        self.marks = marks
        self.outputs.begin(prepared, self._profile)
        self.outputs.wait_open(begun_at + opening_s)
        if not self._offline:
            engine.start(origin_ns)
        self.outputs.leave_hanging(begun_at)
        if refused is not None:
            self._log.note(refused)
        self.outputs.start_natives()
        if self._profile.file is not None:  # else there is nothing to follow or to remember
            self._keeper.start()
        if not self._offline:
            self._control = self._public_control(origin_ns, marks)
        self._supervisor.start()  # last: it ends all of it, and that may be at once
        self.begun = True

    def _lead_s(self) -> float:
        capture = self.wiring.capture
        if capture is None:
            return 0.0 if self._offline else _LEAD_S
        if self._offline:
            raise SessionClosed("only synthetic sources run offline", remedy="Leave `offline` out.")
        if not capture.wait_until_running(_GRAPH_PATIENCE_S):
            self._notices.warn("the audio graph does not run yet; the session waits for it")
        graph = capture.server_info()
        return max(_LEAD_S, 2 * graph.quantum / graph.rate) if graph.rate else _LEAD_S

    def _info(self, profile: Profile) -> SessionInfo:
        assert self._origin is not None
        origin_ns, origin_wall = self._origin
        return SessionInfo(
            session=self._name,
            profile_name=profile.name,
            profile=profile.model_dump(mode="json", exclude={"file", "name"}),
            sample_rate=self.wiring.sample_rate,
            tracks=(),  # the thread fills in its reader's
            start_wall=origin_wall,
            start_host_ns=origin_ns,
            versions=versions(),
        )

    def _public_control(self, origin_ns: int, marks: Marks) -> PublicControl:
        controls = SessionControls(
            self._name,
            self._events,
            self.wiring,
            self.controller,
            marks,
            status=self.status.read,
            stop=self._stop,
        )
        return PublicControl(controls, self._profile.control, origin_ns, self._notices)

    # Ending -------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Asks for the end: all that has been heard until this moment is still written."""
        if self._offline:
            self.wiring.engine.finish_offline()
        else:
            self.wiring.engine.finish()

    def give_up(self) -> None:
        """Ends a session that could not start."""
        self.wiring.engine.abort()
        if self._supervisor.started:
            self._supervisor.join()
        else:
            self._supervisor.put_away()

    def join(self) -> None:
        """Waits until everything is closed."""
        self._supervisor.join()

    def is_output_thread(self) -> bool:
        """Tells whether the caller runs on the thread of an output."""
        return any(thread.is_current() for thread in self.outputs.threads)

    def run_offline(self, seconds: float) -> None:
        """Runs that much of the timeline here and now."""
        rate, block = self.wiring.sample_rate, self.wiring.block_frames
        rest = round(seconds * rate)
        # In pieces, so that the ledger's list is fetched before it is full.
        piece = -(-rate // block) * block
        while rest > 0:
            self.wiring.feed_offline(min(rest, piece))
            self.wiring.engine.run_offline(min(rest, piece))
            self._log.collect(self.wiring)
            rest -= piece

    def _take_layers(self, layers: ProfileLayers) -> None:
        self._on_profile(layers.present)
        self._keeper.note(layers)

    def _end_changes(self) -> None:
        self._keeper.close()
        self.controller.close()

    def _end_control(self) -> None:
        if self._control is not None:
            self._control.ask_to_end()

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()

    def _close_sources(self) -> None:
        self._notices.warn(*self.wiring.close_sources())

    def _stop_capture(self) -> None:
        capture = self.wiring.capture
        if capture is not None:
            try:
                self.status.remember_captured()
            finally:
                capture.stop()
