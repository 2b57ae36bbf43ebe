# SPDX-License-Identifier: MIT
"""The journal follows what the user renames in OBS.

OBS tells of a scene or an input that is renamed, and nobody hears it while we are not connected; of
a scene collection or an OBS profile it tells nothing. So each time that OBS is looked at, what the
journal knows by a name that is gone is looked for by what outlasts the name.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from pypac_obs.obs.client.actual import Actual, ActualInput
from pypac_obs.obs.provisioning.transport import InputRule

__all__ = [
    "KNOWN_BY",
    "follow_names",
    "input_marks",
    "input_name_now",
    "with_input_renamed",
    "with_scene_renamed",
]

# Where the journal has the marks of an input of the user's, beside what he had set.
KNOWN_BY = "known_by"


def input_marks(
    found: ActualInput, special: Mapping[str, str], rule: InputRule | None
) -> dict[str, Any]:
    """Gives what an input is known by under any name.

    Those are its id, where OBS tells one; its place among OBS's audio devices, if it has one; and
    what it is to take by ``rule``, if there is one and nobody else's input takes that.
    """
    marks: dict[str, Any] = {}
    if found.uuid:
        marks["uuid"] = found.uuid
    for place, name in special.items():
        if name == found.name:
            marks["place"] = place
    if rule is not None and rule.names_us:
        marks |= {"kind": rule.kind, "settings": dict(rule.settings)}
    return marks


def input_name_now(name: str, marks: Mapping[str, Any], actual: Actual) -> str | None:
    """Finds the name that an input of the user's has now; None where it is gone."""
    uuid, place = marks.get("uuid"), marks.get("place")
    for item in actual.inputs.values():
        if uuid and item.uuid == uuid:
            return item.name
    if isinstance(place, str):
        there = actual.special.get(place)
        return there if there in actual.inputs else None
    named = actual.inputs.get(name)
    if named is not None and not (uuid and named.uuid):
        return name
    for item in actual.inputs.values():
        if _takes(marks, item):
            return item.name
    return None


def with_input_renamed(
    noted: Mapping[str, Any], collection: str, before: str, after: str
) -> dict[str, Any]:
    """Gives the journal with an input of a scene collection under another name."""
    data = copy.deepcopy(dict(noted))
    _rename_inputs(_mapping(_mapping(data, "collections"), collection), {before: after})
    return data


def with_scene_renamed(
    noted: Mapping[str, Any], collection: str, before: str, after: str
) -> dict[str, Any]:
    """Gives the journal with a scene of a scene collection under another name."""
    data = copy.deepcopy(dict(noted))
    here = _mapping(_mapping(data, "collections"), collection)
    for section in ("made_scenes", "made_items", "items"):
        _rename(_mapping(here, section), {before: after})
    return data


def follow_names(noted: Mapping[str, Any], actual: Actual) -> dict[str, Any]:
    """Gives the journal with the names that OBS has now, as far as they can be told.

    That is so for the scene collection and the OBS profile in use, and for the inputs there.
    """
    data = copy.deepcopy(dict(noted))
    _follow_collection(data, actual)
    _follow_profile(data, actual)
    here = _mapping(_mapping(data, "collections"), actual.collection)
    names = {}
    for name, values in _mapping(here, "inputs").items():
        marks = _mapping(values, KNOWN_BY) if isinstance(values, dict) else {}
        now = input_name_now(name, marks, actual)
        if now is not None and now != name:
            names[name] = now
    _rename_inputs(here, names)
    return data


def _follow_collection(data: dict[str, Any], actual: Actual) -> None:
    """The one in use is one that is gone, if it has what we made in that one."""
    collections, now = _mapping(data, "collections"), actual.collection
    if now in collections:
        return
    found = [
        name
        for name, values in collections.items()
        if name not in actual.collections and isinstance(values, dict) and _is(values, actual)
    ]
    if len(found) != 1:
        return
    [name] = found
    _rename(collections, {name: now})
    if data.get("user_collection") == name:
        data["user_collection"] = now
    # If it was ours, it is the user's now that he has named it.
    made = _mapping(data, "made_collections")
    if made.pop(name, None) is not None and not made:
        del data["made_collections"]


def _is(noted: dict[str, Any], actual: Actual) -> bool:
    """Tells whether a scene collection is the one in use."""
    ids = {item.uuid for item in actual.inputs.values() if item.uuid}
    made = [one for one in _mapping(noted, "made_inputs").values() if isinstance(one, dict)]
    users = [
        _mapping(one, KNOWN_BY)
        for one in _mapping(noted, "inputs").values()
        if isinstance(one, dict)
    ]
    if any(one.get("uuid") in ids for one in (*made, *users)):
        return True
    return any(
        _takes(one, item) or (item.name == one.get("name") and _takes(one, item, anybodys=True))
        for one in made
        for item in actual.inputs.values()
    )


def _follow_profile(data: dict[str, Any], actual: Actual) -> None:
    """The OBS profile in use is one that is gone, if all is set there as we set it in that one."""
    parameters, ours = _mapping(data, "parameters"), _mapping(data, "set_parameters")
    now = actual.profile
    if now in parameters or now in _mapping(data, "made_profiles"):
        return
    values = {
        "/".join(parameter): found.value
        for parameter, found in actual.parameters.items()
        if found.value is not None
    }
    found = [
        name
        for name in parameters
        if name not in actual.profiles
        and (wanted := _mapping(ours, name))
        and all(values.get(key) == value for key, value in wanted.items())
    ]
    if len(found) != 1:
        return
    [name] = found
    for section in (parameters, ours):
        _rename(section, {name: now})
    for key in ("user_profile", "reload_pending"):
        if data.get(key) == name:
            data[key] = now


def _takes(marks: Mapping[str, Any], item: ActualInput, *, anybodys: bool = False) -> bool:
    """Tells whether an input takes what is noted; unless ``anybodys``, only we make such."""
    kind, settings = marks.get("kind"), marks.get("settings")
    if not isinstance(kind, str) or not isinstance(settings, dict):
        return False
    rule = InputRule(kind, settings)
    return rule.fits(item.kind, item.settings) and (anybodys or rule.names_us)


def _rename_inputs(here: dict[str, Any], names: Mapping[str, str]) -> None:
    _rename(_mapping(here, "inputs"), names)
    for items in _mapping(here, "items").values():
        if isinstance(items, dict):
            _rename(items, names)


def _rename(entries: dict[str, Any], names: Mapping[str, str]) -> None:
    """Renames all at once. Where two come together, the one that is renamed was noted first."""
    if not any(name in entries for name in names):
        return
    before = sorted(entries.items(), key=lambda entry: entry[0] in names)
    entries.clear()
    for name, value in before:
        now = names.get(name, name)
        there = entries.get(now)
        if isinstance(there, dict) and isinstance(value, dict):
            value = there | value
        entries[now] = value


def _mapping(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = values.get(key)
    return value if isinstance(value, dict) else {}
