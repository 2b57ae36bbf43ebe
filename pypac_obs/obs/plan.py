# SPDX-License-Identifier: MIT
"""The difference between what a profile wants and what an OBS has, as steps that can be made.

A step is data: what it changes in words, the requests that make it so, when that may be done, and
what has to be in the journal before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal

from pypac_obs.obs.actual import (
    OBS_TRACKS,
    Actual,
    ActualInput,
    Parameter,
    SceneItem,
    masked_tracks,
)
from pypac_obs.obs.desired import (
    MODE,
    RECORDED,
    RECORDING_NAMES,
    RECORDING_TYPE,
    VOD,
    VOD_TRACK,
    Desired,
    DesiredInput,
    Special,
)
from pypac_obs.obs.journal import Entry
from pypac_obs.obs.profiles import noted_audio
from pypac_obs.obs.renames import KNOWN_BY, input_marks
from pypac_obs.obs.requests import Request as ObsRequest
from pypac_obs.obs.scenes import WantedScenes, is_pattern, quoted, wanted_scenes
from pypac_obs.obs.status import TRACK_KIND
from pypac_obs.obs.transport import InputRule

__all__ = [
    "NEW_ITEM",
    "UNSURE",
    "Change",
    "Plan",
    "Report",
    "Request",
    "Step",
    "When",
    "find_made",
    "made_sources",
    "make_plan",
    "shown_monitoring",
    "shown_numbers",
    "shown_settings",
]

# Marks a setting in the journal of which it is not known yet whether the user has set it.
UNSURE = "equals the default"
# Stands for the scene item that the request before has made.
NEW_ITEM = "the scene item that was just made"

_MONITOR = {
    "none": "OBS_MONITORING_TYPE_NONE",
    "monitor_only": "OBS_MONITORING_TYPE_MONITOR_ONLY",
    "monitor_and_output": "OBS_MONITORING_TYPE_MONITOR_AND_OUTPUT",
}
_MONITOR_WORDS = {value: words for words, value in _MONITOR.items()}
# Volumes closer than this are the same: OBS keeps them as factors of single precision.
_SAME_DB = 0.05

_PARAMETER_WORDS = {
    MODE: "output mode",
    RECORDED: "recorded tracks",
    RECORDING_TYPE: "recording type",
    VOD: "VOD track",
    VOD_TRACK: "VOD track's number",
    ("AdvOut", "RecFilePath"): "recording folder",
    ("AdvOut", "RecFormat"): "recording format",
    ("AdvOut", "RecFormat2"): "recording format",
} | {parameter: f"name of track {n}" for n, parameter in RECORDING_NAMES.items()}


class When(Enum):
    """When a step may be made."""

    NOW = "at once"
    RELOAD = "once the OBS profile is loaded again, while no output runs"
    STOPPED = "while no output runs"


@dataclass(frozen=True)
class Change:
    """One value of a step, in words; ``before`` is "" for what was not there."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        before = f"{self.before} -> " if self.before else ""
        return f"{self.what}: {before}{self.after}"


@dataclass(frozen=True)
class Request(ObsRequest):
    """The id of the scene item that it makes goes into the journal at ``item_path``, if any."""

    item_path: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One thing that is made (+), changed (~) or removed (-).

    ``entries`` go into the journal before the requests, ``forget`` is taken out after them.
    """

    sign: Literal["+", "~", "-"]
    subject: str
    changes: tuple[Change, ...] = ()
    when: When = When.NOW
    requests: tuple[ObsRequest, ...] = ()
    entries: tuple[Entry, ...] = ()
    forget: tuple[tuple[str, ...], ...] = ()
    action: Literal["requests", "remove", "profile", "reload"] = "requests"

    def __str__(self) -> str:
        changes = "; ".join(map(str, self.changes))
        return f"{self.sign} {self.subject}" + (f" ({changes})" if changes else "")

    def to_json(self) -> dict[str, Any]:
        """Gives plain values."""
        return {
            "sign": self.sign,
            "subject": self.subject,
            "when": self.when.value,
            "changes": [
                {"what": c.what, "before": c.before, "after": c.after} for c in self.changes
            ],
        }


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order.

    ``conflicts`` are things of the user's that are in the way, and stay as they are. ``notes`` and
    ``warnings`` are worth knowing, and ask nothing. ``running`` are the outputs that run now: what
    has to wait for their end cannot be done yet.
    """

    steps: tuple[Step, ...]
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    running: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        """True where OBS is as the profile says."""
        return not self.steps and not self.conflicts

    def waits(self, step: Step) -> bool:
        """Tells whether a step cannot be made now."""
        return bool(self.running) and step.when is not When.NOW

    def to_json(self) -> dict[str, Any]:
        """Gives plain values."""
        return {
            "steps": [step.to_json() | {"waits": self.waits(step)} for step in self.steps],
            "conflicts": list(self.conflicts),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "running": list(self.running),
        }


@dataclass(frozen=True)
class Report:
    """What came of applying or restoring.

    ``done`` was made, ``waiting`` has to wait until no output of OBS runs, ``left`` could be done
    and was not, ``errors`` are what OBS did not take and what is in the way, in sentences;
    ``notes`` are worth knowing.
    """

    done: tuple[Step, ...] = ()
    waiting: tuple[Step, ...] = ()
    left: tuple[Step, ...] = ()
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    running: tuple[str, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """True where OBS is now as it is to be."""
        return not self.waiting and not self.errors

    def to_json(self) -> dict[str, Any]:
        """Gives plain values."""
        return {
            "done": [step.to_json() for step in self.done],
            "waiting": [step.to_json() for step in self.waiting],
            "left": [step.to_json() for step in self.left],
            "errors": list(self.errors),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "running": list(self.running),
        }


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
        self._here = _mapping(_mapping(journal, "collections"), actual.collection)
        made = _mapping(self._here, "made_inputs")
        self._made = {track: _mapping(made, track) for track in made}
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
            empty: Mapping[str, ActualInput] = {}
            self._actual = actual = _moved(actual, desired.collection or "", empty)
            self._collection, self._made, self._here = actual.collection, {}, {}
        yield from self._removed()
        self._wanted = wanted_scenes(desired.scene, actual)
        self._tell_of_scenes()
        if not self._wanted.own:
            return
        yield from self._new_scenes()
        for wanted in desired.inputs:
            yield from self._input(wanted)
        yield from self._special("Desktop Audio", actual.desktop, desired.desktop_audio)
        yield from self._special("Mic/Aux", actual.mic, desired.mic_aux)
        yield from self._parameters()

    # OBS's scene collection and profile -----------------------------------------------------------

    def _own_collection(self) -> Iterator[Step]:
        name, actual = self._desired.collection, self._actual
        if name is None or name == actual.collection:
            return
        entries = (self._used_before("collection", actual.collection, actual.collections),)
        change = Change("in use", f'"{actual.collection}"', f'"{name}"')
        if name in actual.collections:
            request = Request("SetCurrentSceneCollection", {"sceneCollectionName": name})
            subject = f'scene collection "{name}"'
            yield Step("~", subject, (change,), When.STOPPED, (request,), entries)
        else:
            request = Request("CreateSceneCollection", {"sceneCollectionName": name})
            noted = (*entries, Entry(("made_collections", name), True))
            subject = f'scene collection "{name}"'
            yield Step("+", subject, (change,), When.STOPPED, (request,), noted)

    def _own_profile(self) -> Iterator[Step]:
        name, actual = self._desired.profile, self._actual
        is_half_made = name is not None and name == self._journal.get("making_profile")
        if name is None or (name == actual.profile and not is_half_made):
            return
        entries = (self._used_before("profile", actual.profile, actual.profiles),)
        changes = (Change("in use", f'"{actual.profile}"', f'"{name}"'),)
        subject = f'OBS profile "{name}"'
        if name in actual.profiles and not is_half_made:
            request = Request("SetCurrentProfile", {"profileName": name})
            yield Step("~", subject, changes, When.STOPPED, (request,), entries)
        else:
            request = Request("CreateProfile", {"profileName": name})
            noted = (
                *entries,
                Entry(("made_profiles", name), True),
                *(() if is_half_made else self._making(name)),
                Entry(("reload_pending",), name, replace=True),
            )
            copied = Change("video, audio, folders, formats and stream", "", "as in yours")
            yield Step(
                "+",
                subject,
                (*changes, copied),
                When.STOPPED,
                (request,),
                noted,
                (("making_profile",),),
                "profile",
            )

    def _making(self, name: str) -> tuple[Entry, ...]:
        audio = noted_audio(self._actual.parameters)
        return (
            Entry(("making_profile",), name, replace=True),
            Entry(("making_audio",), audio, replace=True),
        )

    def _used_before(self, what: str, name: str, names: tuple[str, ...]) -> Entry:
        """Notes what the user had in use, or, where that is no longer there, what he has now."""
        noted = self._journal.get(f"user_{what}")
        is_ours = name in _mapping(self._journal, f"made_{what}s")
        return Entry((f"user_{what}",), name, replace=noted not in names and not is_ours)

    def _parameters(self) -> Iterator[Step]:
        actual, own = self._actual, self._desired.profile
        if own is not None and own != actual.profile and own in actual.profiles:
            self.notes.append(f'What is in the OBS profile "{own}" shows once it is loaded.')
            return
        name = own or actual.profile
        ours = name not in actual.profiles or name in _mapping(self._journal, "made_profiles")
        changes: list[Change] = []
        requests: list[Request] = []
        entries: list[Entry] = []
        for parameter, value in self._desired.parameters.items():
            before = actual.value(parameter)
            same = before.lower() == value.lower() if parameter == MODE else before == value
            if same:
                continue
            words = _PARAMETER_WORDS.get(parameter, "/".join(parameter))
            shown = _shown(parameter, before), _shown(parameter, value)
            changes.append(Change(words, *shown))
            category, key = parameter
            requests.append(
                Request(
                    "SetProfileParameter",
                    {
                        "parameterCategory": category,
                        "parameterName": key,
                        "parameterValue": value,
                    },
                )
            )
            if not ours:
                path = ("parameters", name, f"{category}/{key}")
                old = actual.parameters[parameter]
                # OBS does not tell what is set to the default from what is not set.
                unsure = old.value is not None and old.value == old.default
                entries.append(Entry(path, {UNSURE: old.value} if unsure else old.value))
                entries.append(Entry(("set_parameters", name, path[-1]), value, replace=True))
        subject = f'OBS profile "{name}"'
        if changes:
            entries.append(Entry(("reload_pending",), name, replace=True))
            yield Step(
                "~", subject, tuple(changes), When.RELOAD, tuple(requests), tuple(entries), (),
                "reload",
            )  # fmt: skip
        elif self._journal.get("reload_pending") == name:
            change = Change("load it again", "", "its settings are not in effect yet")
            yield Step("~", subject, (change,), When.RELOAD, action="reload")

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
                self._at("made_items", scene, track) for scene in _mapping(self._here, "made_items")
            ]
            if found is not None:
                request = Request("RemoveInput", {"inputName": found.name})
                yield Step(
                    "-",
                    f'input "{found.name}"',
                    requests=(request,),
                    forget=tuple(paths),
                    action="remove",
                )
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
            requests = [Request("CreateScene", {"sceneName": scene})]
            is_ours = self._collection in _mapping(self._journal, "made_collections")
            if is_ours and scene == self._wanted.own[0]:
                # All else in a scene collection of ours is OBS's own empty scene.
                requests.append(Request("SetCurrentProgramScene", {"sceneName": scene}))
            entry = Entry(self._at("made_scenes", scene), True)
            yield Step("+", f'scene "{scene}"', requests=tuple(requests), entries=(entry,))

    def _input(self, wanted: DesiredInput) -> Iterator[Step]:
        found = self._find(wanted)
        if isinstance(found, str):
            self.conflicts.append(found)
        elif found is None:
            yield self._new(wanted)
        else:
            yield from self._renamed(wanted, found)
            yield from self._changed(wanted, found)
            yield from self._shown(wanted, found)
            yield from self._superfluous(wanted, found)

    def _find(self, wanted: DesiredInput) -> ActualInput | str | None:
        """Finds the input of a track, also under another name; a text says what is in the way."""
        inputs = self._actual.inputs
        made = self._made.get(wanted.track, {})
        named = inputs.get(wanted.name)
        if named is not None and wanted.rule.fits(named.kind, named.settings):
            return named
        found = find_made(made, inputs, made_sources(self._here, wanted.track, self._actual))
        if found is not None and found.kind == wanted.rule.kind and named in (None, found):
            return found
        fitting = [
            item
            for item in inputs.values()
            if wanted.rule.names_us
            and wanted.rule.fits(item.kind, item.settings)
            and item.name != wanted.name
        ]
        if named is None:
            if wanted.name in self._actual.scenes:
                return (
                    f'The input "{wanted.name}" cannot be made: a scene of OBS has that name. '
                    f"Give the track another `name` in outputs.obs.tracks."
                )
            return fitting[0] if fitting else None
        if named.kind == wanted.rule.kind == TRACK_KIND:
            session = named.settings.get("session", "")
            if session in ("", wanted.rule.settings["session"]) and not fitting:
                return named
            other = f'is of the session "{session}"'
        elif named.kind == wanted.rule.kind:
            other = "takes something else"
        else:
            other = f"is of another kind ({named.kind})"
        return (
            f'The input "{wanted.name}" of OBS {other}, so it is left alone. Give the track '
            "another `name` in outputs.obs.tracks, or rename the input in OBS."
        )

    def _new(self, wanted: DesiredInput) -> Step:
        scene, *others = self._wanted.own
        name = wanted.name
        # It is shown last: it is heard only where it belongs.
        requests = [
            Request(
                "CreateInput",
                {
                    "sceneName": scene,
                    "inputName": name,
                    "inputKind": wanted.rule.kind,
                    "inputSettings": dict(wanted.rule.settings),
                    "sceneItemEnabled": False,
                },
                self._at("made_items", scene, wanted.track),
            ),
            _set_tracks(name, wanted.obs_tracks),
        ]
        changes = [
            Change("kind", "", wanted.rule.kind),
            Change("OBS tracks", "", shown_numbers(wanted.obs_tracks)),
        ]
        fresh = ActualInput(
            name, wanted.rule.kind, "", {}, wanted.obs_tracks, monitor=_MONITOR["none"]
        )
        for what, _, after, request, _ in _differences(wanted, fresh):
            changes.append(Change(what, "", after))
            requests.append(request)
        shown = {"sceneName": scene, "sceneItemId": NEW_ITEM, "sceneItemEnabled": True}
        requests.append(Request("SetSceneItemEnabled", shown))
        for other in others:
            data = {"sceneName": other, "sourceName": name, "sceneItemEnabled": True}
            path = self._at("made_items", other, wanted.track)
            requests.append(Request("CreateSceneItem", data, path))
        changes.append(Change("scenes" if others else "scene", "", ", ".join(self._wanted.own)))
        items = (self._at("made_items", at, wanted.track) for at in self._wanted.own)
        return Step(
            "+",
            f'input "{name}"',
            tuple(changes),
            requests=tuple(requests),
            entries=(self._made_entry(wanted), *(Entry(at, None, replace=True) for at in items)),
        )

    def _made_entry(self, wanted: DesiredInput) -> Entry:
        made = {
            "name": wanted.name,
            "kind": wanted.rule.kind,
            "settings": dict(wanted.rule.settings),
        }
        if uuid := self._made.get(wanted.track, {}).get("uuid"):
            made["uuid"] = uuid
        return Entry(self._at("made_inputs", wanted.track), made, replace=True)

    def _renamed(self, wanted: DesiredInput, found: ActualInput) -> Iterator[Step]:
        if found.name == wanted.name:
            return
        data = {"inputName": found.name, "newInputName": wanted.name}
        change = Change("name", f'"{found.name}"', f'"{wanted.name}"')
        if wanted.track in self._made:
            entries: tuple[Entry, ...] = (self._made_entry(wanted),)
        else:
            noted = Entry(self._at("inputs", wanted.name, "name"), found.name)
            entries = (self._known_by(wanted.name, found, wanted.rule), noted)
        request = Request("SetInputName", data)
        yield Step("~", f'input "{found.name}"', (change,), requests=(request,), entries=entries)

    def _changed(self, wanted: DesiredInput, found: ActualInput) -> Iterator[Step]:
        name = wanted.name
        changes: list[Change] = []
        requests: list[Request] = []
        before: dict[str, Any] = {}
        if not wanted.rule.fits(found.kind, found.settings):
            own = {key: found.settings.get(key) for key in wanted.rule.settings}
            changes.append(
                Change("takes", shown_settings(own), shown_settings(wanted.rule.settings))
            )
            data = {"inputName": name, "inputSettings": dict(wanted.rule.settings)}
            requests.append(Request("SetInputSettings", data))
            before["settings"] = own
        if found.obs_tracks != wanted.obs_tracks:
            tracks = found.obs_tracks or frozenset()
            changes.append(
                Change("OBS tracks", shown_numbers(tracks), shown_numbers(wanted.obs_tracks))
            )
            requests.append(_set_tracks(name, wanted.obs_tracks))
            before["tracks"] = sorted(tracks)
        for what, old, new, request, noted in _differences(wanted, found):
            changes.append(Change(what, old, new))
            requests.append(request)
            before |= noted
        if not changes:
            return
        if wanted.track in self._made:
            entries: tuple[Entry, ...] = (self._made_entry(wanted),)
        else:
            kept = (Entry(self._at("inputs", name, k), v) for k, v in before.items())
            entries = (self._known_by(name, found, wanted.rule), *kept)
        yield Step(
            "~", f'input "{name}"', tuple(changes), requests=tuple(requests), entries=entries
        )

    def _shown(self, wanted: DesiredInput, found: ActualInput) -> Iterator[Step]:
        """Has the input in each scene that is to have it, and visible there."""
        name, is_made = wanted.name, wanted.track in self._made
        for scene in self._wanted.own:
            subject = f'input "{name}" in the scene "{scene}"'
            items = self._items(scene, found)
            if not items:
                path = self._item_path(wanted, scene)
                # Had the user hidden an item of his, that is what is put back.
                kept = not is_made and self._noted_item(wanted, scene) is False
                data = {"sceneName": scene, "sourceName": name, "sceneItemEnabled": True}
                request = Request("CreateSceneItem", data, () if kept else path)
                entries: tuple[Entry, ...] = (Entry(path, None, replace=not kept),)
                if not is_made:
                    entries += (self._known_by(name, found, wanted.rule),)
                yield Step("+", subject, requests=(request,), entries=entries)
            elif not any(item.enabled for item in items):
                item: SceneItem = items[0]
                at = item.group or scene
                data = {"sceneName": at, "sceneItemId": item.id, "sceneItemEnabled": True}
                noted = Entry(self._at("items", scene, name), False)
                change = Change("visible", "no", "yes")
                request = Request("SetSceneItemEnabled", data)
                known_by = self._known_by(name, found, wanted.rule)
                entries = () if is_made else (noted, known_by)
                yield Step("~", subject, (change,), requests=(request,), entries=entries)

    def _superfluous(self, wanted: DesiredInput, found: ActualInput) -> Iterator[Step]:
        """Items that we made in scenes which are not to have them any more."""
        section = "made_items" if wanted.track in self._made else "items"
        for scene in _mapping(self._here, section):
            noted = self._noted_item(wanted, scene)
            if noted is None or noted is False:
                continue
            items = self._items(scene, found)
            others = [item for item in items if item.enabled and (item.id != noted or item.group)]
            if scene in self._wanted.own and not others:
                continue
            if any(item.id == noted and not item.group for item in items):
                data = {"sceneName": scene, "sceneItemId": noted}
                yield Step(
                    "-",
                    f'input "{wanted.name}" in the scene "{scene}"',
                    requests=(Request("RemoveSceneItem", data),),
                    forget=(self._item_path(wanted, scene),),
                )

    def _items(self, scene: str, found: ActualInput) -> list[SceneItem]:
        return [item for item in self._actual.items.get(scene, ()) if item.source == found.name]

    def _item_path(self, wanted: DesiredInput, scene: str) -> tuple[str, ...]:
        """Where the journal has the item that we made of an input in a scene."""
        if wanted.track in self._made:
            return self._at("made_items", scene, wanted.track)
        return self._at("items", scene, wanted.name)

    def _noted_item(self, wanted: DesiredInput, scene: str) -> object:
        """The id of the item that we made; False for one of the user's that he had hidden."""
        *_, section, _scene, key = self._item_path(wanted, scene)
        return _mapping(_mapping(self._here, section), scene).get(key)

    def _special(self, what: str, names: tuple[str, ...], wish: Special) -> Iterator[Step]:
        if wish == "keep":
            return
        for name in names:
            found = self._actual.inputs.get(name)
            if found is None or found.obs_tracks is None:
                continue
            at = self._at("inputs", name)
            subject = f'input "{name}"' + ("" if name == what else f" ({what})")
            if wish == "mute" and not found.muted:
                request = Request("SetInputMute", {"inputName": name, "inputMuted": True})
                change, entry = Change("muted", "no", "yes"), Entry((*at, "muted"), False)
            elif wish == "unassign" and found.obs_tracks:
                request = _set_tracks(name, frozenset())
                change = Change("OBS tracks", shown_numbers(found.obs_tracks), "none")
                entry = Entry((*at, "tracks"), sorted(found.obs_tracks))
            else:
                continue
            known_by = self._known_by(name, found)
            yield Step("~", subject, (change,), requests=(request,), entries=(known_by, entry))

    def _known_by(self, name: str, found: ActualInput, rule: InputRule | None = None) -> Entry:
        """Notes what an input of the user's is known by where he renames it."""
        marks = input_marks(found, self._actual.special, rule)
        return Entry(self._at("inputs", name, KNOWN_BY), marks, replace=True)


def made_sources(noted: Mapping[str, Any], track: str, actual: Actual) -> frozenset[str]:
    """The inputs of the scene items that we made of a track.

    ``noted`` is what the journal has of the scene collection.
    """
    made = _mapping(noted, "made_items")
    return frozenset(
        item.source
        for scene in made
        for item in actual.items.get(scene, ())
        if item.id == _mapping(made, scene).get(track) and not item.group
    )


def find_made(
    made: Mapping[str, Any], inputs: Mapping[str, ActualInput], sources: Collection[str]
) -> ActualInput | None:
    """Finds an input that we made: by its name, or by what it takes where it was renamed.

    A program may be taken by an input of the user's as well: there it has to be one of ``sources``,
    see `made_sources`.
    """
    kind, settings = made.get("kind"), _mapping(made, "settings")
    if not isinstance(kind, str):
        return None
    uuid = made.get("uuid")
    for item in inputs.values():
        if uuid and item.uuid == uuid:
            return item
    named = inputs.get(str(made.get("name")))
    if named is not None and named.kind == kind and not (uuid and named.uuid):
        return named
    for item in inputs.values():
        rule = InputRule(kind, settings)
        if rule.fits(item.kind, item.settings) and (rule.names_us or item.name in sources):
            return item
    return None


_Difference = tuple[str, str, str, Request, dict[str, Any]]


def _differences(wanted: DesiredInput, found: ActualInput) -> Iterator[_Difference]:
    """What differs of what the profile says: what, before, after, the request, the old values."""
    name = wanted.name
    if wanted.volume_db is not None and abs(wanted.volume_db - found.volume_db) > _SAME_DB:
        request = Request("SetInputVolume", {"inputName": name, "inputVolumeDb": wanted.volume_db})
        old, new = f"{found.volume_db:.1f} dB", f"{wanted.volume_db:.1f} dB"
        yield "volume", old, new, request, {"volume_factor": found.volume_factor}
    if wanted.muted is not None and wanted.muted != found.muted:
        request = Request("SetInputMute", {"inputName": name, "inputMuted": wanted.muted})
        yield "muted", _yes(found.muted), _yes(wanted.muted), request, {"muted": found.muted}
    if wanted.monitor is not None and _MONITOR[wanted.monitor] != found.monitor:
        data = {"inputName": name, "monitorType": _MONITOR[wanted.monitor]}
        old = shown_monitoring(found.monitor)
        request = Request("SetInputAudioMonitorType", data)
        yield "monitoring", old, wanted.monitor, request, {"monitor": found.monitor}
    if wanted.sync_offset_ms is not None and wanted.sync_offset_ms != found.sync_offset_ms:
        offset = {"inputName": name, "inputAudioSyncOffset": wanted.sync_offset_ms}
        old, new = f"{found.sync_offset_ms} ms", f"{wanted.sync_offset_ms} ms"
        request = Request("SetInputAudioSyncOffset", offset)
        yield "sync offset", old, new, request, {"sync_offset_ms": found.sync_offset_ms}


def _set_tracks(name: str, tracks: frozenset[int]) -> Request:
    wanted = {str(number): number in tracks for number in OBS_TRACKS}
    return Request("SetInputAudioTracks", {"inputName": name, "inputAudioTracks": wanted})


def _moved(actual: Actual, collection: str, inputs: Mapping[str, ActualInput]) -> Actual:
    """What OBS has once a new and empty scene collection is in use."""
    return Actual(
        actual.version, actual.kinds, actual.profile, actual.profiles, collection,
        (*actual.collections, collection), (), "", {}, inputs, {}, actual.running,
        actual.parameters,
    )  # fmt: skip


def _shown(parameter: Parameter, value: str) -> str:
    if parameter == RECORDED:
        return shown_numbers(masked_tracks(value))
    if parameter == VOD:
        return "on" if value == "true" else "off"
    return value or "none"


def shown_numbers(tracks: Iterable[int]) -> str:
    """OBS tracks in words."""
    return ", ".join(map(str, sorted(tracks))) or "none"


def shown_monitoring(monitor: str) -> str:
    """A kind of monitoring in words."""
    return _MONITOR_WORDS.get(monitor, monitor)


def shown_settings(settings: Mapping[str, Any]) -> str:
    """What an input takes, in words."""
    words = [f"{key} {value}" for key, value in settings.items() if value is not None]
    return ", ".join(words) or "nothing"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _mapping(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}
