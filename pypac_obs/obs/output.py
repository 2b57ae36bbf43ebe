# SPDX-License-Identifier: MIT
"""A session's output to OBS: its tracks on their way there, and OBS kept as the profile says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pypac_obs.errors import (
    ObsNotAnswering,
    ObsNotRunning,
    ObsWrongPassword,
    OutputFailed,
    PermissionDenied,
    PypacError,
)
from pypac_obs.incidents import OUTPUT_FAILED, Incident
from pypac_obs.obs.carriers import Carrier, Carriers, TrackSource
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
from pypac_obs.outputs.output import Marker
from pypac_obs.profile import ObsRule, Profile
from pypac_obs.status import OutputStatus

__all__ = ["ObsOutput", "rule_of"]


@dataclass(frozen=True)
class _Aim:
    """What OBS shall be, and who makes it so."""

    profile: Profile
    rule: ObsRule
    provisioner: Provisioner
    drift: DriftWatch


class ObsOutput:
    """Gives OBS the tracks of a profile's ``outputs.obs``.

    The audio goes from the pump straight to where OBS takes it, without Python. A link to OBS, on a
    thread of its own, makes OBS what the profile says as soon as it answers, and keeps it so. An
    OBS that is not running is a normal state: it is served within seconds of its start.

    ``following`` are split files that begin and end with OBS's recording (None: none do).
    ``name_sink`` gives each native sink its name in the ledger. ``on_news`` gets a sentence for
    each thing that was done in OBS or cannot be done, on the link's thread. `status` and `error`
    are for any thread, the rest for one at a time.
    """

    def __init__(
        self,
        profile: Profile,
        session: str,
        *,
        following: TakeFiles | None,
        name_sink: Callable[[str, tuple[str, ...]], str],
        on_news: Callable[[str], None],
    ) -> None:
        self.name, _ = rule_of(profile)
        self._session = session
        self._on_news = on_news
        self._source: TrackSource | None = None
        self._carriers = Carriers(self.name, session, name_sink=name_sink, tell=on_news)
        self._devices: DeviceWatch | None = None  # while OBS takes the tracks from virtual devices
        self._trouble: PypacError | None = None  # why OBS could not be looked at
        self._joining: threading.Timer | None = None
        self._address: ObsAddress | None = None
        self._finding = threading.Lock()
        self._following = following
        self._next: tuple[_Aim, TakeFiles | None, Carrier | None] | None = (
            None  # a change, and what it adds
        )
        self._link = self._make_link()
        # What has its moment does not wait for what is made in OBS, which can take long.
        self._recording = self._link if following is None else self._follow(following)
        self._aim = self._aim_at(profile)

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks that OBS gets."""
        return tuple(self._aim.rule.tracks)

    def _aim_at(self, profile: Profile) -> _Aim:
        rule = rule_of(profile)[1]
        provisioner = Provisioner(profile, self._session)
        drift = DriftWatch(
            provisioner,
            mend=rule.drift == "mend",
            report=self._on_news,
            post=self._post_look,
        )
        return _Aim(profile, rule, provisioner, drift)

    def _make_link(self) -> ObsLink:
        return ObsLink(self._find, on_connected=self._provide, on_event=self._heed)

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
        rule = self._aim.rule
        password = rule.password
        if password is None or password.keyring is None:
            return find_server(rule)
        # A keyring may ask the user each time, so it is asked again only for another password.
        with self._finding:
            if self._address is None or isinstance(self.error, ObsWrongPassword):
                self._address = find_server(rule)
            return self._address

    def open(self, source: TrackSource, *, alone: bool) -> Incident | None:
        """Lays the tracks out for OBS, before the timeline begins. Raises OutputFailed.

        A folder for them that can't be used, as it belongs to somebody else, stops nothing else:
        OBS gets no tracks until it can be, which `error` says, and what is returned. With ``alone``
        nobody else takes the tracks, and PermissionDenied or OutputFailed is raised.
        """
        self._source = source
        try:
            self._lay_out(self._aim.rule)
        except (PermissionDenied, OutputFailed) as refusal:
            if self._aim.rule.transport == "device":
                raise
            # No number of the system's: a session of this name runs, and this one must not.
            if alone or (not refusal.native_code and not isinstance(refusal, PermissionDenied)):
                raise
            self._trouble = refusal
            self._on_news(f"OBS gets no tracks: {refusal}. {refusal.remedy}")
            detail = str(refusal)
            return Incident(OUTPUT_FAILED, None, self.name, self.tracks, 0, 0, detail)
        return None

    def _lay_out(self, rule: ObsRule) -> Carrier | None:
        if rule.transport in ("plugin", "auto"):
            return self._carry("plugin", rule)
        return self._carry("device", rule) if rule.transport == "device" else None

    def start(self) -> None:
        """Looks for OBS from now on; returns at once."""
        self._link.start()
        if self._recording is not self._link:
            self._recording.start()

    # Changing -------------------------------------------------------------------------------------

    def prepare(self, profile: Profile, following: TakeFiles | None) -> None:
        """Gets ready to follow another profile: lays out the tracks that it brings.

        Raises OutputFailed or PermissionDenied; nothing has changed then. To be followed by
        `change` or `forget`.
        """
        aim = self._aim_at(profile)
        self._next = aim, following, self._lay_out(aim.rule)

    def forget(self) -> None:
        """Gives up what `prepare` has laid out."""
        if self._next is not None:
            added = self._next[2]
            self._next = None
            if added is not None:
                self._carriers.drop(added)

    def change(self) -> None:
        """Has OBS follow the profile that `prepare` was given; the tracks go on meanwhile."""
        assert self._next is not None
        (aim, following, _), self._next = self._next, None
        before, self._aim = self._aim, aim
        before.drift.stop()
        elsewhere = _server(before.rule) != _server(aim.rule)
        if elsewhere:
            self._address = None
        if following is not self._following or (elsewhere and following is not None):
            self.stop_following()
            self._following = following
        if elsewhere or before.rule.transport != aim.rule.transport:
            self._watch_devices(None)
        if elsewhere:
            self._link.stop()
            self._link = self._make_link()
        if following is None:
            self._recording = self._link
        elif elsewhere or self._recording is self._link or not self._recording.running:
            self._recording = self._follow(following)
        if elsewhere:
            self._link.start()
        else:
            self._link.post(self._make_so)  # where OBS is not there, it is made so once it comes
        if self._recording is not self._link and not self._recording.running:
            self._recording.start()

    def post_marker(self, marker: Marker) -> None:
        """Makes a chapter in OBS's recording, where OBS is there, records and can. Never waits."""
        self._recording.post(partial(_make_chapter, marker.text))

    def look_after(self) -> list[Incident]:
        """Has files made anew that others have cut off; gives what that cost. Never waits for OBS.

        For the thread that calls `close`, a few times a second.
        """
        return self._carriers.restore_lost()

    def stop_following(self) -> None:
        """Tells files no more of what OBS records, so that they can be closed."""
        if self._recording is not self._link:
            self._recording.stop()
        if self._joining is not None:
            self._joining.cancel()

    def close(self) -> None:
        """Lets go of OBS and ends the tracks; what was made in OBS stays for the next time."""
        self.stop_following()
        self._aim.drift.stop()
        self._link.stop()  # first of all: what it does just now may begin to watch devices
        self._watch_devices(None)
        self._carriers.close()

    @property
    def error(self) -> PypacError | None:
        """Why OBS does not get the tracks as the profile says; that it does not run is none."""
        report = self._aim.provisioner.report
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
        state, trouble, report = self._link.state, self._trouble, self._aim.provisioner.report
        if self._link.connection is None:
            return state if trouble is None or self._carriers else f"{state}; no tracks: {trouble}"
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
        self._aim.drift.on_connected()
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
        aim = self._aim
        try:
            # The virtual devices are there before OBS looks for them.
            kinds = read_kinds(connection)
            transport = choose_transport(aim.profile, self._session, kinds)
            self._carry(transport.name, aim.rule)
            report = aim.provisioner.apply(connection)
            self._watch_devices(transport, aim.rule)
        except PypacError as error:
            self._trouble = error
            return
        self._trouble = None
        self._tell(report)
        aim.drift.on_applied(report)

    def _watch_devices(self, transport: Transport | None, rule: ObsRule | None = None) -> None:
        if self._devices is not None:
            self._devices.stop()
            self._devices = None
        if transport is None or rule is None or transport.name != "device":
            return
        if not self._carriers.has_devices():
            return
        inputs = {
            rule.tracks[track].name or track: made.settings["device_id"]
            for track, made in transport.inputs.items()
        }
        self._devices = DeviceWatch(
            inputs,
            status=self._carriers.device_status,
            report=self._on_news,
            post=self._link.post,
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
        self._aim.drift.on_event(connection, kind, data)

    def _carry(self, transport: str, rule: ObsRule) -> Carrier | None:
        """Begins to send the tracks that way, unless they go there already."""
        assert self._source is not None
        return self._carriers.carry(self._source, transport, tuple(rule.tracks))


def rule_of(profile: Profile) -> tuple[str, ObsRule]:
    """The name and the rule of the output to OBS, which the profile has."""
    return next(
        (name, rule)
        for name, rule in profile.outputs.by_name().items()
        if isinstance(rule, ObsRule)
    )


def _server(rule: ObsRule) -> tuple[object, ...]:
    """What says where OBS is."""
    return rule.host, rule.port, rule.password


def _make_chapter(text: str, obs: ObsConnection) -> None:
    add_chapter(obs, text)
