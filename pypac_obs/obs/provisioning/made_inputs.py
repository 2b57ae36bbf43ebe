# SPDX-License-Identifier: MIT
"""Finds the inputs that we made in an OBS again, by what the journal has of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pypac_obs.obs.client.actual import Actual, ActualInput
from pypac_obs.obs.provisioning.transport import InputRule

__all__ = ["find_made", "made_sources", "mapping_in"]


def made_sources(noted: Mapping[str, Any], track: str, actual: Actual) -> frozenset[str]:
    """The inputs of the scene items that we made of a track.

    ``noted`` is what the journal has of the scene collection.
    """
    made = mapping_in(noted, "made_items")
    return frozenset(
        item.source
        for scene in made
        for item in actual.items.get(scene, ())
        if item.id == mapping_in(made, scene).get(track) and not item.group
    )


def find_made(
    made: Mapping[str, Any], inputs: Mapping[str, ActualInput], sources: Collection[str]
) -> ActualInput | None:
    """Finds an input that we made: by its name, or by what it takes where it was renamed.

    A program may be taken by an input of the user's as well: there it has to be one of ``sources``,
    see `made_sources`.
    """
    kind, settings = made.get("kind"), mapping_in(made, "settings")
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


def mapping_in(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Gives what the journal has below a key; nothing where that is no mapping."""
    value = values.get(key)
    return value if isinstance(value, Mapping) else {}
