# SPDX-License-Identifier: MIT
"""Compares what a profile wants with what an OBS has, and gives the steps between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from pypac_obs.obs.client.actual import Actual
from pypac_obs.obs.provisioning.desired import MODE, Desired, Special
from pypac_obs.obs.provisioning.input_notes import UsersInput
from pypac_obs.obs.provisioning.input_planner import InputPlanner
from pypac_obs.obs.provisioning.input_steps import ChangeInput, RemoveInput
from pypac_obs.obs.provisioning.input_values import Muted, Tracks, ValueChange
from pypac_obs.obs.provisioning.made_inputs import find_made, made_sources, mapping_in
from pypac_obs.obs.provisioning.parameter_steps import (
    ParameterChange,
    ReloadProfile,
    SetParameters,
)
from pypac_obs.obs.provisioning.plan import Plan
from pypac_obs.obs.provisioning.profile_steps import (
    MakeCollection,
    MakeProfile,
    UseCollection,
    UseProfile,
)
from pypac_obs.obs.provisioning.profiles import noted_audio
from pypac_obs.obs.provisioning.renames import input_marks
from pypac_obs.obs.provisioning.scene_steps import MakeScene
from pypac_obs.obs.provisioning.scenes import WantedScenes, is_pattern, quoted, wanted_scenes
from pypac_obs.obs.provisioning.step import Step

__all__ = ["make_plan"]


def make_plan(
    desired: Desired, actual: Actual, journal: Mapping[str, Any], warnings: Iterable[str] = ()
) -> Plan:
    """Finds the difference. ``journal`` is what was noted of this OBS and profile so far."""
    planner = _Planner(desired, actual, journal)
    steps = tuple(planner.steps())
    transport = desired.transport
    return Plan(
        steps,
        tuple(planner.conflicts),
        (f"The audio comes in by {transport.name}: {transport.why}.", *planner.notes),
        tuple(warnings),
        actual.running,
    )


class _Planner:
    def __init__(self, desired: Desired, actual: Actual, journal: Mapping[str, Any]) -> None:
        self.conflicts: list[str] = []
        self.notes: list[str] = []
        self._desired = desired
        self._actual = actual
        self._journal = journal
        self._collection = actual.collection
        self._here = mapping_in(mapping_in(journal, "collections"), actual.collection)
        made = mapping_in(self._here, "made_inputs")
        self._made = {track: mapping_in(made, track) for track in made}
        self._wanted = WantedScenes((), {})

    def steps(self) -> Iterator[Step]:
        desired, actual = self._desired, self._actual
        yield from self._own_collection()
        yield from self._own_profile()
        moves = desired.collection is not None and desired.collection != actual.collection
        named = not all(map(is_pattern, desired.scene))
        # What a scene collection of the user's has in it, and which scenes a new one begins with,
        # is not known before it is loaded, and that may have to wait.
        if moves and (desired.collection in actual.collections or actual.running or not named):
            self.notes.append(
                f'What is in the scene collection "{desired.collection}" shows once it is loaded.'
            )
            return
        if moves:
            # It will be empty, and what is in this one stays there.
            self._actual = actual = _moved(actual, desired.collection or "")
            self._collection, self._made, self._here = actual.collection, {}, {}
        yield from self._removed()
        self._wanted = wanted_scenes(desired.scene, actual)
        self._tell_of_scenes()
        if not self._wanted.own:
            return
        yield from self._new_scenes()
        planner = InputPlanner(self._actual, self._here, self._made, self._wanted)
        for wanted in desired.inputs:
            yield from planner.steps(wanted)
        self.conflicts += planner.conflicts
        yield from self._special("Desktop Audio", actual.desktop, desired.desktop_audio)
        yield from self._special("Mic/Aux", actual.mic, desired.mic_aux)
        yield from self._parameters()

    # OBS's scene collection and profile -----------------------------------------------------------

    def _own_collection(self) -> Iterator[Step]:
        name, actual = self._desired.collection, self._actual
        if name is None or name == actual.collection:
            return
        replaces = self._replaces_users("collection", actual.collection, actual.collections)
        is_there = name in actual.collections
        yield (UseCollection if is_there else MakeCollection)(name, actual.collection, replaces)

    def _own_profile(self) -> Iterator[Step]:
        name, actual = self._desired.profile, self._actual
        is_half_made = name is not None and name == self._journal.get("making_profile")
        if name is None or (name == actual.profile and not is_half_made):
            return
        replaces = self._replaces_users("profile", actual.profile, actual.profiles)
        if name in actual.profiles and not is_half_made:
            yield UseProfile(name, actual.profile, replaces)
        else:
            audio = None if is_half_made else noted_audio(actual.parameters)
            yield MakeProfile(name, actual.profile, replaces, audio)

    def _replaces_users(self, what: str, name: str, names: tuple[str, ...]) -> bool:
        """Whether what the user had in use is no longer there, so that what he has now counts."""
        noted = self._journal.get(f"user_{what}")
        is_ours = name in mapping_in(self._journal, f"made_{what}s")
        return noted not in names and not is_ours

    def _parameters(self) -> Iterator[Step]:
        actual, own = self._actual, self._desired.profile
        if own is not None and own != actual.profile and own in actual.profiles:
            self.notes.append(f'What is in the OBS profile "{own}" shows once it is loaded.')
            return
        name = own or actual.profile
        ours = name not in actual.profiles or name in mapping_in(self._journal, "made_profiles")
        changes = []
        for parameter, value in self._desired.parameters.items():
            before = actual.value(parameter)
            same = before.lower() == value.lower() if parameter == MODE else before == value
            if not same:
                changes.append(ParameterChange(parameter, actual.parameters[parameter], value))
        if changes:
            yield SetParameters(name, tuple(changes), ours)
        elif self._journal.get("reload_pending") == name:
            yield ReloadProfile(name, "its settings are not in effect yet")

    # Scenes and inputs ----------------------------------------------------------------------------

    def _at(self, *keys: str) -> tuple[str, ...]:
        return ("collections", self._collection, *keys)

    def _removed(self) -> Iterator[Step]:
        """Inputs that we made, for tracks or of kinds that the profile does not have any more."""
        kinds = {rule.track: rule.rule.kind for rule in self._desired.inputs}
        inputs = dict(self._actual.inputs)
        for track, made in list(self._made.items()):
            found = find_made(made, inputs, made_sources(self._here, track, self._actual))
            if track in kinds and (found is None or found.kind == kinds[track]):
                continue
            paths = [self._at("made_inputs", track)]
            paths += [
                self._at("made_items", scene, track)
                for scene in mapping_in(self._here, "made_items")
            ]
            if found is not None:
                yield RemoveInput(found.name, tuple(paths))
                # What comes in its place is new.
                del inputs[found.name], self._made[track]
        self._actual = replace(self._actual, inputs=inputs)

    def _tell_of_scenes(self) -> None:
        """Says which scenes get no inputs, and what is in the way."""
        named = [text for text in self._desired.scene if not is_pattern(text)]
        for text in named:
            if text in self._actual.inputs:
                self.conflicts.append(
                    f'"{text}" is to be a scene, and is an input in OBS. Give `scene` another name.'
                )
        if not self._wanted.own and not named:
            self.conflicts.append(
                f"OBS has no scene that fits {quoted(self._desired.scene)}, so no input is made. "
                "Make one in OBS, or name one at `scene` in outputs.obs."
            )
        inner: dict[tuple[str, ...], list[str]] = {}
        for scene, shown in self._wanted.shows.items():
            inner.setdefault(shown, []).append(scene)
        for shown, scenes in inner.items():
            gets = "gets" if len(scenes) == 1 else "get"
            self.notes.append(
                f"{quoted(scenes)} {gets} no inputs of {'its' if gets == 'gets' else 'their'} own:"
                f" {quoted(shown)}, shown in it, {'has' if len(shown) == 1 else 'have'} them."
            )

    def _new_scenes(self) -> Iterator[Step]:
        for scene in self._wanted.own:
            if scene in self._actual.scenes:
                continue
            # All else in a scene collection of ours is OBS's own empty scene.
            is_ours = self._collection in mapping_in(self._journal, "made_collections")
            yield MakeScene(self._collection, scene, is_ours and scene == self._wanted.own[0])

    def _special(self, what: str, names: tuple[str, ...], wish: Special) -> Iterator[Step]:
        if wish == "keep":
            return
        for name in names:
            found = self._actual.inputs.get(name)
            if found is None or found.obs_tracks is None:
                continue
            if wish == "mute" and not found.muted:
                value = ValueChange(Muted(False), Muted(True))
            elif wish == "unassign" and found.obs_tracks:
                value = ValueChange(Tracks(found.obs_tracks), Tracks(frozenset()))
            else:
                continue
            marks = input_marks(found, self._actual.special, None)
            users = UsersInput(self._collection, name, marks)
            yield ChangeInput(name, (value,), users, also="" if name == what else what)


def _moved(actual: Actual, collection: str) -> Actual:
    """What OBS has once a new and empty scene collection is in use."""
    return replace(
        actual,
        collection=collection,
        collections=(*actual.collections, collection),
        scenes=(),
        program_scene="",
        items={},
        inputs={},
        special={},
    )
