# SPDX-License-Identifier: MIT
"""The layers of a running profile: what its file says, what was set since, and what is held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pypac_obs.errors import UnknownAddress
from pypac_obs.model.addresses import Target, Value, find, value_of, with_value
from pypac_obs.model.diff import diff
from pypac_obs.profile import Profile
from pypac_obs.profile.filters import key_settings

__all__ = ["Hold", "Layer", "ProfileLayers"]

#: Where a value comes from.
Layer = Literal["profile", "live", "held"]
Changes = dict[str, Value]


class Hold(NamedTuple):
    """A value that is in force for as long as a client holds it."""

    client: str
    value: Value


@dataclass
class ProfileLayers:
    """``written`` is what the file says, ``live`` what was set since, by address.

    ``held`` has the holds of each address, the newest last: that one is heard. ``kept`` is the
    profile with the live values, ``present`` also with the held ones: what is heard. ``before`` is
    what was written before the last `applied`.

    Methods that change values return those that are heard since, by address. They take the
    mappings' place and never change them, so that a copy (`copy.copy`) is a way back.

    >>> layers = ProfileLayers(Profile.from_dict({
    ...     "version": 1,
    ...     "sources": {"mic": {"device": "default"}},
    ...     "tracks": {"voice": {"from": "mic"}},
    ... }))
    >>> mute = find(layers.present, "voice.mute")
    >>> layers.hold(mute, True, "cough key")
    {'voice.mute': True}
    >>> layers.layer_of("voice.mute")
    'held'
    >>> layers.release("voice.mute", "cough key")
    {'voice.mute': False}
    """

    written: Profile
    live: Mapping[str, Value] = field(default_factory=dict)
    held: Mapping[str, tuple[Hold, ...]] = field(default_factory=dict)
    before: Profile | None = None

    def __post_init__(self) -> None:
        self.kept = self.written
        for address, value in self.live.items():
            self.kept = with_value(self.kept, find(self.kept, address), value)
        self.present = self.kept
        for address, holds in self.held.items():
            self.present = with_value(self.present, find(self.present, address), holds[-1].value)

    def value(self, address: str) -> Value:
        """Gives what is heard there. Raises UnknownAddress."""
        return value_of(self.present, find(self.present, address))

    def layer_of(self, address: str) -> Layer:
        """Tells where the value of an address comes from that the profile has."""
        if address in self.held:
            return "held"
        return "live" if address in self.live else "profile"

    def set(self, target: Target, value: Value) -> Changes:
        """Sets a live value, which `clean_value` has checked. A held one stays until released."""
        self.live = {**self.live, target.address: value}
        self.kept = with_value(self.kept, target, value)
        return {} if target.address in self.held else self._hear(target, value)

    def hold(self, target: Target, value: Value, client: str) -> Changes:
        """Holds a value, which `clean_value` has checked, in place of what the client held there.

        It is above all other holds of that address.
        """
        holds = (*self._without(target.address, client), Hold(client, value))
        self.held = {**self.held, target.address: holds}
        return self._hear(target, value)

    def release(self, address: str, client: str) -> Changes:
        """Ends a client's hold. Nothing is held by it there: does nothing."""
        if address not in self.held:
            return {}
        rest = self._without(address, client)
        self.held = {one: holds for one, holds in self.held.items() if one != address} | (
            {address: rest} if rest else {}
        )
        target = find(self.present, address)
        return self._hear(target, rest[-1].value if rest else value_of(self.kept, target))

    def release_all(self, client: str) -> Changes:
        """Ends all holds of a client."""
        changes: Changes = {}
        for address in tuple(self.held):
            changes |= self.release(address, client)
        return changes

    def applied(self, written: Profile) -> ProfileLayers:
        """Gives the layers with another file, which wins where it says something new.

        What was set stays where the file says the same of it as before. What is held stays as long
        as it has its place.
        """
        news = {target.address for target, _, _ in diff(self.written, written).values}
        live = {
            address: value
            for address, value in self.live.items()
            if address not in news and self._fits(address, value, written)
        }
        held = {
            address: stay
            for address, holds in self.held.items()
            if (stay := tuple(one for one in holds if self._fits(address, one.value, written)))
        }
        return ProfileLayers(written, live, held, before=self.written)

    def undone(self) -> ProfileLayers | None:
        """Gives the layers with the file as it was before the last `applied`; None: there is none.

        Live and held values stay as they do with any other file.
        """
        if self.before is None:
            return None
        layers = self.applied(self.before)
        layers.before = None
        return layers

    def _fits(self, address: str, value: Value, written: Profile) -> bool:
        """Tells whether a value of now has its place in another profile, too."""
        try:
            target = find(written, address)
        except UnknownAddress:
            return False
        if target != find(self.written, address):  # a filter of that name is of another kind now
            return False
        # A filter of chain a may have got the name that one of chain b had.
        if target.part == "filter" and _chain(written, target) != _chain(self.written, target):
            return False
        keys = key_settings(target.kind, {target.param: value})
        return all(key in written.tracks for _, key in keys)

    def _without(self, address: str, client: str) -> tuple[Hold, ...]:
        return tuple(one for one in self.held.get(address, ()) if one.client != client)

    def _hear(self, target: Target, value: Value) -> Changes:
        if value_of(self.present, target) == value:
            return {}
        self.present = with_value(self.present, target, value)
        return {target.address: value}


def _chain(profile: Profile, target: Target) -> str:
    """In which chain of its track a filter is."""
    rule = profile.tracks[target.track]
    names = [name for name, _ in rule.named_filters()]
    return "a" if names.index(target.item) < len(rule.filters) else "b"
