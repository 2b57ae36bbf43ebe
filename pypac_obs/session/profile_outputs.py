# SPDX-License-Identifier: MIT
"""Makes the outputs that a profile names, and what becomes of them with another profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pypac_obs.errors import ChangeRefused
from pypac_obs.incidents import Incident
from pypac_obs.model import ProfileDiff
from pypac_obs.obs.output import ObsOutput, rule_of
from pypac_obs.outputs.files import FilesOutput
from pypac_obs.outputs.following import FollowingFiles
from pypac_obs.outputs.output import Output
from pypac_obs.profile import FilesRule, ObsRule, PluginRule, Profile
from pypac_obs.session.incident_log import IncidentLog
from pypac_obs.session.notices import Notices
from pypac_obs.session.output_set import OutputChange, OutputSet
from pypac_obs.session.wiring import Wiring

__all__ = ["ProfileOutputs"]


class ProfileOutputs:
    """The outputs of a profile, by name: each is made here, and nowhere else known by its kind.

    ``without_obs`` leaves OBS out. Raises OutputFailed for a plugin that cannot be loaded.
    """

    def __init__(
        self,
        profile: Profile,
        session: str,
        *,
        without_obs: bool,
        log: IncidentLog,
        notices: Notices,
        open_incidents: Callable[[], Sequence[Incident]],
    ) -> None:
        self._session = session
        self._without_obs = without_obs
        self._log = log
        self._notices = notices
        self._open_incidents = open_incidents
        self._present: dict[str, Output] = {}
        self._obs: ObsOutput | None = None
        self._made: tuple[Output, ...] = ()  # that were ever in force
        self._next: dict[str, Output] = {}  # what a change would leave
        self._next_obs: ObsOutput | None = None
        for name, rule in profile.outputs.by_name().items():
            if not isinstance(rule, ObsRule):
                self._present[name] = self._make(name, rule, profile)
        self._made = tuple(self._present.values())
        if self._has_obs(profile):
            self._obs = self._make_obs(profile, _following(self._present))

    @property
    def made(self) -> tuple[Output, ...]:
        """Those that have a thread, also those that the profile no longer has."""
        return self._made

    def open_obs(self, wiring: Wiring, outputs: OutputSet, *, alone: bool) -> Incident | None:
        """Lays out what OBS takes; see `ObsOutput.open`."""
        if self._obs is None:
            return None
        refused = self._obs.open(wiring, alone=alone)
        outputs.add_native(self._obs)
        return refused

    def _has_obs(self, profile: Profile) -> bool:
        return not self._without_obs and profile.outputs.obs is not None

    def _make_obs(self, profile: Profile, following: FollowingFiles | None) -> ObsOutput:
        return ObsOutput(
            profile,
            self._session,
            following=following,
            name_sink=self._log.new_sink,
            on_news=self._notices.tell,
        )

    def _make(self, name: str, rule: FilesRule | PluginRule, profile: Profile) -> Output:
        if isinstance(rule, PluginRule):
            from pypac_obs.plugins import make_output  # most profiles have none

            folder = profile.folder
            return make_output(name, rule, folder, profile.tracks)
        if rule.follow is not None:
            return FollowingFiles(rule, self._open_incidents, name)
        return FilesOutput(rule, name)

    # Changing -----------------------------------------------------------------------------------

    def prepare(
        self,
        difference: ProfileDiff,
        profile: Profile,
        wiring: Wiring,
        outputs: OutputSet,
        change: OutputChange,
    ) -> None:
        """Opens what another profile brings, into ``change``. To be followed by `commit`.

        Raises ChangeRefused, OutputFailed, or what opening an output raises.
        """
        rules = profile.outputs.by_name()
        gone = {*difference.changed_outputs, *difference.removed_outputs}
        come = [*difference.changed_outputs, *difference.added_outputs]
        ended = [one for name, one in self._present.items() if name in gone]
        change.ended = [thread for thread in outputs.threads if thread.output in ended]
        self._next = {name: one for name, one in self._present.items() if name not in gone}
        begun: list[Output] = []
        for name in come:
            rule = rules[name]
            if not isinstance(rule, ObsRule):
                begun.append(self._make(name, rule, profile))
                self._next[name] = begun[-1]
        self._prepare_obs(difference, profile, wiring, change)
        outputs.begin_late(begun, profile, change)

    def _prepare_obs(
        self, difference: ProfileDiff, profile: Profile, wiring: Wiring, change: OutputChange
    ) -> None:
        following = _following(self._next)
        self._next_obs = self._obs
        if not self._has_obs(profile):
            if self._obs is not None:
                change.removed_natives.append(self._obs)
                self._next_obs = None
            return
        name, _ = rule_of(profile)
        if self._obs is None:
            self._next_obs = self._make_obs(profile, following)
            self._next_obs.open(wiring, alone=True)
            change.added_natives.append(self._next_obs)
            return
        if name != self._obs.name:
            raise ChangeRefused(
                f"outputs.{self._obs.name} is OBS, and cannot be called {name} while it runs",
                remedy="Keep its name, or stop the session and start it with that profile.",
            )
        changed = name in difference.changed_outputs
        if changed or following is not _following(self._present):
            self._obs.prepare(profile, following)
            change.natives.append(self._obs)

    def commit(self) -> None:
        """Keeps what `prepare` has made."""
        self._present, self._obs = self._next, self._next_obs
        came = (one for one in self._present.values() if one not in self._made)
        self._made = (*self._made, *came)


def _following(outputs: dict[str, Output]) -> FollowingFiles | None:
    found = [one for one in outputs.values() if isinstance(one, FollowingFiles)]
    return found[-1] if found else None
