# SPDX-License-Identifier: MIT
"""The layers of a running profile: what its file says, and what was set since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pypac_obs.errors import UnknownAddress
from pypac_obs.model.addresses import Target, find, with_value
from pypac_obs.model.diff import diff
from pypac_obs.profile import AnyOutput, FilesOutput, ObsOutput, Profile

__all__ = ["ProfileLayers", "outputs_beyond"]

Value = bool | float | str | tuple[str, ...] | None


@dataclass
class ProfileLayers:
    """``written`` is what the file says, ``live`` what was set since, by address."""

    written: Profile
    live: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.present = self.written
        for address, value in self.live.items():
            self.present = with_value(self.present, find(self.present, address), value)

    def set(self, target: Target, value: Value) -> None:
        """Sets a value, which `clean_value` has checked."""
        self.live = {**self.live, target.address: value}
        self.present = with_value(self.present, target, value)

    def applied(self, written: Profile) -> ProfileLayers:
        """Gives the layers with another file, which wins where it says something new.

        What was set stays where the file says the same of it as before.
        """
        news = {target.address for target, _, _ in diff(self.written, written).values}
        stays: dict[str, Value] = {}
        for address, value in self.live.items():
            if address in news:
                continue
            try:
                same = find(written, address) == find(self.written, address)
            except UnknownAddress:
                continue
            if not same:  # a filter of that name is of another kind now
                continue
            stays[address] = value
        return ProfileLayers(written, stays)


def outputs_beyond(old: Profile, new: Profile) -> Iterator[str]:
    """Says which changes of outputs a running session cannot follow."""
    before, after = old.outputs.by_name(), new.outputs.by_name()
    for name in dict.fromkeys((*before, *after)):
        rules = before.get(name), after.get(name)
        if rules[0] != rules[1] and any(map(_is_bound_to_obs, rules)):
            yield f"outputs.{name} takes a restart of the session"


def _is_bound_to_obs(rule: AnyOutput | None) -> bool:
    """OBS is set up once, and files that follow its recording are part of that."""
    return isinstance(rule, ObsOutput) or (isinstance(rule, FilesOutput) and bool(rule.follow))
