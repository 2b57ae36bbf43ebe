# SPDX-License-Identifier: MIT
"""Brings an OBS to where a profile wants it, and puts it back."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace

from pypac_obs.errors import ObsError, ObsRefused
from pypac_obs.obs.client.actual import Actual, Obs, masked_tracks
from pypac_obs.obs.client.look import read_actual
from pypac_obs.obs.client.reading import (
    read_collections,
    read_input_names,
    read_running,
    read_scenes,
)
from pypac_obs.obs.provisioning.desired import (
    MODE,
    PARAMETERS,
    RECORDED,
    Desired,
    desired_state,
)
from pypac_obs.obs.provisioning.identity import give_identity, identity_of
from pypac_obs.obs.provisioning.journal import Journal, journals
from pypac_obs.obs.provisioning.lint import obs_warnings
from pypac_obs.obs.provisioning.plan import Plan, Report
from pypac_obs.obs.provisioning.planner import make_plan
from pypac_obs.obs.provisioning.profiles import finish_reloads
from pypac_obs.obs.provisioning.removal import NOT_FOUND, remove_from_scenes
from pypac_obs.obs.provisioning.renames import follow_names, with_input_renamed, with_scene_renamed
from pypac_obs.obs.provisioning.restore import restore
from pypac_obs.obs.provisioning.step import Step, When
from pypac_obs.profile import Profile

__all__ = ["Provisioner"]


class Provisioner:
    """Compares one profile with an OBS, and makes it so::

        provisioner = Provisioner(profile, session_name)
        with ObsConnection(find_server(profile.outputs.obs)) as obs:
            print(provisioner.plan(obs).steps)
            report = provisioner.apply(obs)

    The profile has `outputs.obs`. ``session_name`` is what our inputs in OBS look for. The methods
    are for any thread, one at a time. They raise ObsError where OBS cannot be asked, and
    OutputFailed where the journal cannot be written (then nothing was changed).
    """

    def __init__(
        self, profile: Profile, session_name: str, *, environ: Mapping[str, str] = os.environ
    ) -> None:
        if profile.outputs.obs is None:
            raise ObsError(
                f"the profile {profile.name} says nothing about OBS",
                remedy="Add `obs` to its outputs; docs/profile.md says how.",
            )
        self.profile = profile
        self.rule = profile.outputs.obs
        self._session = session_name
        self._environ = environ
        #: How OBS was left by `apply`, or found by `plan`, the last time.
        self.report: Report | None = None

    def plan(self, obs: Obs, gone: Collection[str] = ()) -> Plan:
        """Says what is to be done, and does nothing.

        ``gone`` are inputs that were removed, and may still be listed: see `removal`.
        """
        plan, desired, actual = self._look(obs, gone)
        self.report = Report(
            waiting=tuple(step for step in plan.steps if plan.waits(step)),
            left=tuple(step for step in plan.steps if not plan.waits(step)),
            errors=(*plan.conflicts, *_recording_trouble(desired, actual)),
            notes=plan.notes,
            warnings=plan.warnings,
            running=plan.running,
        )
        return plan

    def apply(
        self, obs: Obs, gone: Collection[str] = (), only: Collection[str] | None = None
    ) -> Report:
        """Makes OBS as the profile says, as far as that can be done now, and reads it back.

        ``only`` names the subjects of the steps that are to be made; None: all.
        """
        finish_reloads(obs, self._environ)
        ours = {rule.name or track for track, rule in self.rule.tracks.items()}
        for name in ours.intersection(gone):  # it is in the way of the next one
            remove_from_scenes(obs, name)
        done: list[Step] = []
        refused: list[tuple[Step, ObsRefused]] = []
        tried: set[str] = set()
        plan, desired, actual = self._look(obs)
        # A new scene collection or OBS profile shows only once it is loaded, so it takes rounds.
        for _ in range(4):
            steps = [s for s in plan.steps if not plan.waits(s) and str(s) not in tried]
            steps = [s for s in steps if only is None or s.subject in only]
            steps = steps[: _first_stage(steps)]
            if not steps:
                break
            journal = self._journal_to_begin(obs)
            for step in steps:
                if step.when is not When.NOW and read_running(obs):
                    break  # it was started meanwhile: look again
                tried.add(str(step))
                try:
                    step.perform(obs, journal)
                except ObsRefused as refusal:
                    refused.append((step, refusal))
                else:
                    done.append(step)
            plan, desired, actual = self._look(obs)
        waiting = tuple(step for step in plan.steps if plan.waits(step))
        left = [step for step in plan.steps if not plan.waits(step)]
        wanted = {str(step) for step in plan.steps}
        errors = list(plan.conflicts)
        for step, error in refused:
            # Else what it was about was renamed or removed just before: it is not wanted any more.
            if error.code != NOT_FOUND or str(step) in wanted:
                errors.append(f"OBS did not take {step}: {error.message}.")
        errors += [f"OBS did not keep {s}." for s in left if str(s) in {str(d) for d in done}]
        errors += _recording_trouble(desired, actual)
        self.report = Report(
            done=tuple(done),
            waiting=waiting,
            left=tuple(left),
            errors=tuple(errors),
            notes=plan.notes,
            warnings=plan.warnings,
            running=actual.running,
        )
        return self.report

    def restore(self, obs: Obs, *, forget: bool = False) -> Report:
        """Puts back what was in OBS before this profile was applied; see `restore.restore`."""
        return restore(obs, self._journal(obs), forget=forget, environ=self._environ)

    def note_renamed_scene(self, obs: Obs, before: str, after: str) -> None:
        """Keeps track of what we made in a scene that somebody renames in OBS."""
        if before not in read_scenes(obs):  # else it was in another scene collection
            name = read_collections(obs)[0]
            self._journal(obs).change(lambda noted: with_scene_renamed(noted, name, before, after))

    def note_renamed_input(self, obs: Obs, before: str, after: str) -> None:
        """Keeps track of what an input was like that somebody renames in OBS."""
        if before not in read_input_names(obs):
            name = read_collections(obs)[0]
            self._journal(obs).change(lambda noted: with_input_renamed(noted, name, before, after))

    def _journal(self, obs: Obs) -> Journal:
        return Journal.of(identity_of(obs), self.profile.name, self._environ)

    def _journal_to_begin(self, obs: Obs) -> Journal:
        identity = identity_of(obs)
        journal = Journal.of(identity, self.profile.name, self._environ)
        if journals(identity, self._environ):
            return journal
        with journal.alone():  # else two sessions may give two
            give_identity(obs)
        return self._journal(obs)

    def _look(self, obs: Obs, gone: Collection[str] = ()) -> tuple[Plan, Desired, Actual]:
        actual = read_actual(obs, PARAMETERS)
        if gone:
            inputs = {name: item for name, item in actual.inputs.items() if name not in gone}
            actual = replace(actual, inputs=inputs)
        desired = desired_state(self.profile, self._session, actual)
        journal = self._journal(obs)
        noted = journal.read()
        followed = follow_names(noted, actual)
        if followed != noted:
            journal.change(lambda noted: follow_names(noted, actual))
        warnings = obs_warnings(self.profile, desired, actual)
        return make_plan(desired, actual, followed, warnings), desired, actual


def _first_stage(steps: list[Step]) -> int:
    """How many steps can be made before one has to look again."""
    for number, step in enumerate(steps, 1):
        if step.when is When.STOPPED:
            return number
    return len(steps)


def _recording_trouble(desired: Desired, actual: Actual) -> list[str]:
    """Says so where OBS would record other tracks than the profile asks for."""
    if not desired.recorded:
        return []
    advanced = actual.value(MODE).lower() == "advanced"
    recorded = masked_tracks(actual.value(RECORDED)) if advanced else (1,)
    if recorded == tuple(sorted(desired.recorded)):
        return []
    shown, wanted = (", ".join(map(str, sorted(n))) or "none" for n in (recorded, desired.recorded))
    mode = "" if advanced else ", as its output mode is Simple"
    until = f"; stop {' and '.join(actual.running)} and apply again" if actual.running else ""
    return [f"OBS would record track {shown} instead of {wanted}{mode}{until}."]
