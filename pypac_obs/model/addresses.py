# SPDX-License-Identifier: MIT
"""The addresses of a profile's values, as commands, programs and pages write them.

voice.gain_db                          a track's fader
voice.mute
voice.chain                            which chain is heard, where there is one to compare: a or b
voice.send.mic.gain_db                 a source's gain into the track
voice.filter.compressor.threshold_db   a filter's setting, by its name or its kind
voice.filter.compressor.bypass
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from pypac_obs.errors import InvalidValue, UnknownAddress
from pypac_obs.profile import Profile, TrackRule
from pypac_obs.profile.checks import describe, listed, nearest
from pypac_obs.profile.filters import FilterInfo, info_of, parameters_model
from pypac_obs.profile.model import Send
from pypac_obs.profile.plugin_rule import PluginValue

__all__ = [
    "Target",
    "Value",
    "addresses",
    "clean_value",
    "find",
    "turned_over",
    "value_of",
    "with_value",
]

#: What can be at an address.
Value = bool | float | str | tuple[str, ...] | None

#: What a track has itself, beside what its sends and filters have.
_OF_TRACK = ("gain_db", "mute")


@dataclass(frozen=True)
class Target:
    """Where a value is: of a track itself, of one of its sends, or of one of its filters."""

    track: str
    part: Literal["track", "send", "filter"]
    item: str  # the source, or the filter's name; "" for the track itself
    param: str
    kind: str = ""  # of the filter

    @property
    def address(self) -> str:
        """How it is written."""
        item = () if self.part == "track" else (self.part, self.item)
        return ".".join((self.track, *item, self.param))


def addresses(profile: Profile) -> Iterator[Target]:
    """Everything that a profile's tracks have to set, in the profile's order."""
    for track, rule in profile.tracks.items():
        yield from _targets_of(track, rule)


def _targets_of(track: str, rule: TrackRule) -> Iterator[Target]:
    for param in _OF_TRACK:
        yield Target(track, "track", "", param)
    if rule.compare is not None:
        yield Target(track, "track", "", "chain")
    for send in rule.sends:
        yield Target(track, "send", send.source, "gain_db")
    for name, one in rule.named_filters():
        for param in (*one.settings, "bypass"):
            yield Target(track, "filter", name, param, one.identity)


def find(profile: Profile, address: str) -> Target:
    """Finds what an address names; names may have dots.

    Raises UnknownAddress with the nearest one.
    """
    for track, rule in profile.tracks.items():
        if address.startswith(f"{track}."):
            for target in _targets_of(track, rule):
                if target.address == address:
                    return target
    every = {target.address: target for target in addresses(profile)}
    # Names of the profile are in front of what comes behind them: the rest tells what there is.
    tracks = [name for name in profile.tracks if address.startswith(f"{name}.")]
    meant = nearest(address, every)
    remedy = f"Did you mean {meant}?" if meant else ""
    if not remedy and not tracks:
        remedy = f"An address begins with a track: {listed(profile.tracks)}."
    elif not remedy:
        track = max(tracks, key=len)
        rest = [one.address for one in every.values() if one.track == track]
        remedy = f"{track} has {listed(rest, 'and')}."
    raise UnknownAddress(f"there is nothing at {describe(address)}", remedy=remedy)


def _adapter_of(target: Target) -> TypeAdapter[Any]:
    info = info_of(target.kind) if target.part == "filter" else None
    return _adapter(target.part, info, target.param)


@cache
def _adapter(part: str, info: FilterInfo | None, param: str) -> TypeAdapter[Any]:
    if param == "bypass" or (part == "track" and param == "mute"):
        return _of_field(TrackRule, "mute")
    if part == "filter":
        # What a plugin takes is not known before it is described.
        known = info is not None and any(one.id == param for one in info.params)
        if info is None or not known:
            return TypeAdapter(PluginValue)
        return _of_field(parameters_model(info), param)
    return _of_field(TrackRule if part == "track" else Send, param)


def _of_field(model: Any, name: str) -> TypeAdapter[Any]:
    field = model.model_fields[name]
    annotation: Any = field.annotation
    for one in field.metadata:
        annotation = _annotated(annotation, one)
    return TypeAdapter(annotation)


def _annotated(annotation: Any, metadata: Any) -> Any:
    from typing import Annotated

    return Annotated[annotation, metadata]


def clean_value(target: Target, value: object) -> Value:
    """Checks a value for its place, and gives it in the profile's form.

    Raises InvalidValue with what is valid.
    """
    try:
        checked: Value = _adapter_of(target).validate_python(value, context={"key": target.param})
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        context = found.get("ctx", {})
        expected = context.get("expected", found["msg"])
        message = f"{target.address} must be {expected}, not {describe(value)}"
        raise InvalidValue(message) from None
    return checked


def value_of(profile: Profile, target: Target) -> Value:
    """Gives the value that a profile has there."""
    rule = profile.tracks[target.track]
    if target.part == "track":
        return _plain(getattr(rule, target.param))
    if target.part == "send":
        return next(send.gain_db for send in rule.sends if send.source == target.item)
    one = dict(rule.named_filters())[target.item]
    return _plain(one.bypass if target.param == "bypass" else one.settings[target.param])


def turned_over(target: Target, value: Value) -> Value:
    """Gives the other one of two values; None where there are more than two."""
    if isinstance(value, bool):
        return not value
    if target.part == "track" and target.param == "chain":
        return "a" if value == "b" else "b"
    return None


def _plain(value: object) -> Value:
    if isinstance(value, list | tuple):
        return tuple(map(str, value))
    assert value is None or isinstance(value, bool | int | float | str)
    return value


def with_value(profile: Profile, target: Target, value: Value) -> Profile:
    """Gives the same profile with another value there, which `clean_value` has checked."""
    rule = profile.tracks[target.track]
    changed: dict[str, object]
    if target.part == "track":
        changed = {target.param: value}
    elif target.part == "send":
        sends = tuple(
            send.model_copy(update={"gain_db": value}) if send.source == target.item else send
            for send in rule.sends
        )
        changed = {"sends": sends}
    else:
        filters = _with_setting(rule, target, value)
        count = len(rule.filters)
        changed = {"filters": filters[:count]}
        if rule.compare is not None:
            changed["compare"] = filters[count:]
    tracks = {**profile.tracks, target.track: rule.model_copy(update=changed)}
    return profile.model_copy(update={"tracks": tracks})


def _with_setting(rule: TrackRule, target: Target, value: Value) -> tuple[object, ...]:
    filters = [one for _, one in rule.named_filters()]
    index = [name for name, _ in rule.named_filters()].index(target.item)
    one = filters[index]
    update: Mapping[str, object] = {"settings": {**one.settings, target.param: value}}
    if target.param == "bypass":
        update = {"bypass": value}
    filters[index] = one.model_copy(update=dict(update))
    return tuple(filters)
