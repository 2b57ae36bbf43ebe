# SPDX-License-Identifier: MIT
"""A session's output to OBS: its tracks on their way there, and OBS kept as the profile says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from pypac_obs import _core
from pypac_obs.errors import (
    ObsNotAnswering,
    ObsNotRunning,
    ObsWrongPassword,
    OutputFailed,
    PermissionDenied,
    PypacError,
)
from pypac_obs.incidents import OUTPUT_FAILED, SHARED_TRACK_LOST, Incident
from pypac_obs.obs.client.connection import EventGroup, ObsAddress, ObsConnection
from pypac_obs.obs.client.link import ObsLink
from pypac_obs.obs.client.reading import read_kinds
from pypac_obs.obs.client.settings import find_server
from pypac_obs.obs.following.follow import RecordFollower, TakeFiles, add_chapter
from pypac_obs.obs.provisioning.devices import DeviceWatch
from pypac_obs.obs.provisioning.plan import Report
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.provisioning.transport import Transport, choose_transport
from pypac_obs.obs.provisioning.watch import DriftWatch
from pypac_obs.profile import ObsOutput as ObsRule
from pypac_obs.profile import Profile
from pypac_obs.runtime_folder import make_folder
from pypac_obs.session.wiring import Wiring
from pypac_obs.status import OutputStatus

__all__ = ["ObsOutput"]


class NativeSink(Protocol):
    """What the pump fills without Python: shared tracks, or virtual devices."""

    def close(self) -> None:
        """Takes it out of the pump's way; nothing more goes there."""


class ObsOutput:
    """Gives OBS the tracks of a profile's ``outputs.obs``.

    The audio goes from the pump straight to where OBS takes it, without Python. A link to OBS, on a
    thread of its own, makes OBS what the profile says as soon as it answers, and keeps it so. An
    OBS that is not running is a normal state: it is served within seconds of its start.

    ``following`` are split files that begin and end with OBS's recording (None: none do).
    ``on_sink`` is told of each native sink: its name in the ledger, and its tracks. ``on_news``
    gets a sentence for each thing that was done in OBS or cannot be done, on the link's thread.
    `open`, `start` and `close` are for one thread, `status` and `error` for any.
    """

    def __init__(
        self,
        profile: Profile,
        session: str,
        *,
        following: TakeFiles | None,
        on_sink: Callable[[str, tuple[str, ...]], None],
        on_news: Callable[[str], None],
    ) -> None:
        self.name, rule = next(
            (name, rule)
            for name, rule in profile.outputs.by_name().items()
            if isinstance(rule, ObsRule)
        )
        self.tracks = tuple(rule.tracks)
        self._profile = profile
        self._rule = rule
        self._session = session
        self._on_sink = on_sink
        self._on_news = on_news
        self._wiring: Wiring | None = None
        self._sinks: dict[str, NativeSink] = {}  # by transport
        self._virtual_sources: _core.VirtualSources | None = None
        self._devices: DeviceWatch | None = None  # while OBS takes the tracks from virtual devices
        self._trouble: PypacError | None = None  # why OBS could not be looked at
        self._provisioner = Provisioner(profile, session)
        self._joining: threading.Timer | None = None
        self._address: ObsAddress | None = None
        self._finding = threading.Lock()
        self._link = ObsLink(self._find, on_connected=self._provide, on_event=self._heed)
        # What has its moment does not wait for what is made in OBS, which can take long.
        self._recording = self._link if following is None else self._follow(following)
        self._drift = DriftWatch(
            self._provisioner, mend=rule.drift == "mend", report=on_news, post=self._post_look
        )

    def _follow(self, files: TakeFiles) -> ObsLink:
        follower = RecordFollower(files, report=self._on_news, later=self._join_later)

        def heed(obs: ObsConnection, kind: str, data: Mapping[str, Any]) -> None:
            follower.heed(obs, kind, data, link.arrived_ns)

        link = ObsLink(
            self._find,
            on_connected=follower.connected,
            on_event=heed,
            subscriptions=EventGroup.OUTPUTS,
        )
        return link

    def _join_later(self, delay_s: float, join: Callable[[ObsConnection], None]) -> None:
        """On the following link's thread."""
        if self._joining is not None:
            self._joining.cancel()
        self._joining = threading.Timer(delay_s, self._recording.post, (join,))
        self._joining.name, self._joining.daemon = "obs join", True
        self._joining.start()

    def _find(self) -> ObsAddress:
        password = self._rule.password
        if password is None or password.keyring is None:
            return find_server(self._rule)
        # A keyring may ask the user each time, so it is asked again only for another password.
        with self._finding:
            if self._address is None or isinstance(self.error, ObsWrongPassword):
                self._address = find_server(self._rule)
            return self._address

    def open(self, wiring: Wiring, *, alone: bool) -> Incident | None:
        """Lays the tracks out for OBS, before the timeline begins. Raises OutputFailed.

        A folder for them that can't be used, as it belongs to somebody else, stops nothing else:
        OBS gets no tracks until it can be, which `error` says, and what is returned. With ``alone``
        nobody else takes the tracks, and PermissionDenied or OutputFailed is raised.
        """
        self._wiring = wiring
        if self._rule.transport in ("plugin", "auto"):
            try:
                self._carry("plugin")
            except (PermissionDenied, OutputFailed) as refusal:
                # No number of the system's: a session of this name runs, and this one must not.
                if alone or (not refusal.native_code and not isinstance(refusal, PermissionDenied)):
                    raise
                self._trouble = refusal
                self._on_news(f"OBS gets no tracks: {refusal}. {refusal.remedy}")
                detail = str(refusal)
                return Incident(OUTPUT_FAILED, None, self.name, self.tracks, 0, 0, detail)
        elif self._rule.transport == "device":
            self._carry("device")
        return None

    def add_chapter(self, text: str) -> None:
        """Makes a chapter in OBS's recording, where OBS is there, records and can. Never waits."""
        self._recording.post(partial(_make_chapter, text))

    def start(self) -> None:
        """Looks for OBS from now on; returns at once."""
        self._link.start()
        if self._recording is not self._link:
            self._recording.start()

    def look_after_tracks(self) -> list[Incident]:
        """Has files made anew that others have cut off; gives what that cost. Never waits for OBS.

        For the thread that calls `close`, a few times a second.
        """
        incidents = []
        for sink in list(self._sinks.values()):
            if isinstance(sink, _core.SharedTracks):
                for track, begin, frames, error in sink.restore_lost():
                    lost = Incident(SHARED_TRACK_LOST, None, self.name, (track,), begin, frames)
                    if error:
                        detail = (
                            f"the shared file of {track} was cut off by another program, and "
                            f"cannot be made anew: {error}"
                        )
                        lost = replace(lost, cause=OUTPUT_FAILED, detail=detail)
                    incidents.append(lost)
        return incidents

    def stop_following(self) -> None:
        """Tells files no more of what OBS records, so that they can be closed."""
        if self._recording is not self._link:
            self._recording.stop()
        if self._joining is not None:
            self._joining.cancel()

    def close(self) -> None:
        """Lets go of OBS and ends the tracks; what was made in OBS stays for the next time."""
        self.stop_following()
        self._drift.stop()
        self._link.stop()  # first of all: what it does just now may begin to watch devices
        self._watch_devices(None)
        for sink in self._sinks.values():
            sink.close()

    @property
    def error(self) -> PypacError | None:
        """Why OBS does not get the tracks as the profile says; that it does not run is none."""
        report = self._provisioner.report
        error = self._trouble or self._link.error or self._recording.error
        if isinstance(error, ObsNotRunning | ObsNotAnswering):
            error = None
        if error is None and report is not None and report.errors:
            error = OutputFailed(
                f"OBS is not as the profile says: {' '.join(report.errors)}",
                remedy="`pypac-obs obs plan` shows what is to be done.",
            )
        return error

    def status(self) -> OutputStatus:
        """Tells how it is now, in words."""
        return OutputStatus(self.name, "", 0, self._state())

    def _state(self) -> str:
        state, trouble, report = self._link.state, self._trouble, self._provisioner.report
        if self._link.connection is None:
            return state if trouble is None or self._sinks else f"{state}; no tracks: {trouble}"
        if trouble is not None:
            return f"{state}: {trouble}"
        if report is None:
            return state
        if report.errors:
            return f"{state}: {report.errors[0]}"
        if report.waiting:
            return f"{state}; some of it waits until {' and '.join(report.running)} has stopped"
        if report.left:
            return f"{state}, which is not as the profile says: {report.left[0]}"
        return f"{state}, which is as the profile says"

    # On the link's thread -------------------------------------------------------------------------

    def _provide(self, connection: ObsConnection) -> None:
        self._drift.on_connected()
        self._link.let_settle()
        self._make_so(connection)
        if isinstance(self._trouble, ObsNotAnswering):
            raise self._trouble  # the link connects again

    def _post_look(self, look: Callable[[ObsConnection], None]) -> bool:
        """Looks; where OBS could not be made so the last time, all of that is tried again."""
        return self._link.post(
            lambda obs: look(obs) if self._trouble is None else self._make_so(obs)
        )

    def _make_so(self, connection: ObsConnection) -> None:
        try:
            # The virtual devices are there before OBS looks for them.
            kinds = read_kinds(connection)
            transport = choose_transport(self._profile, self._session, kinds)
            self._carry(transport.name)
            report = self._provisioner.apply(connection)
            self._watch_devices(transport)
        except PypacError as error:
            self._trouble = error
            return
        self._trouble = None
        self._tell(report)
        self._drift.on_applied(report)

    def _watch_devices(self, transport: Transport | None) -> None:
        if self._devices is not None:
            self._devices.stop()
            self._devices = None
        sources = self._virtual_sources
        if transport is None or transport.name != "device" or sources is None:
            return
        inputs = {
            self._rule.tracks[track].name or track: rule.settings["device_id"]
            for track, rule in transport.inputs.items()
        }
        self._devices = DeviceWatch(
            inputs, status=sources.status, report=self._on_news, post=self._link.post
        )
        self._devices.start()

    def _tell(self, report: Report) -> None:
        for step in report.done:
            self._on_news(f"In OBS: {step}")
        for step in report.waiting:
            self._on_news(f"Waits until {' and '.join(report.running)} of OBS has stopped: {step}")
        for sentence in (*report.errors, *report.warnings):
            self._on_news(sentence)

    def _heed(self, connection: ObsConnection, kind: str, data: Mapping[str, Any]) -> None:
        self._drift.on_event(connection, kind, data)

    def _carry(self, transport: str) -> None:
        """Begins to send the tracks that way, unless they go there already."""
        assert self._wiring is not None
        if transport in self._sinks or transport == "native":
            return
        sink: NativeSink
        output = f"{self.name} by {transport}"
        self._on_sink(output, self.tracks)
        if transport == "device":
            capture = self._wiring.capture
            if capture is not None and not capture.server_info().default_source:
                self._on_news(
                    "There is no microphone: programs that record from the default one may take a "
                    "virtual device of this session for it."
                )
            sink = self._virtual_sources = self._wiring.add_virtual_sources(
                output, self._session, self.tracks
            )
        else:
            make_folder("tracks")  # says who owns what is in the way
            sink = self._wiring.add_shared_tracks(output, self._session, self.tracks)
        self._sinks[transport] = sink


def _make_chapter(text: str, obs: ObsConnection) -> None:
    add_chapter(obs, text)
