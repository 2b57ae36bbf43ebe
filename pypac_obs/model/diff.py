# SPDX-License-Identifier: MIT
"""What is different between two profiles, object by object, and what of it a session can follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pypac_obs.model.addresses import Target, addresses, value_of
from pypac_obs.profile import (
    AnyOutput,
    EverythingExceptSource,
    PluginRule,
    PluginSource,
    Profile,
    TrackRule,
)

__all__ = ["ProfileDiff", "captured_by", "diff"]


@dataclass(frozen=True)
class ProfileDiff:
    """What another profile changes. Names are those of the profiles.

    ``values`` are addresses with the old and the new value; ``rerouted`` tracks have other sends
    or filters. ``changed_sources`` capture something else; ``changed_outputs`` are begun
    anew. ``restart`` has a sentence for each difference that a running session cannot follow.
    """

    values: tuple[tuple[Target, object, object], ...] = ()
    added_sources: tuple[str, ...] = ()
    removed_sources: tuple[str, ...] = ()
    changed_sources: tuple[str, ...] = ()
    added_tracks: tuple[str, ...] = ()
    removed_tracks: tuple[str, ...] = ()
    rerouted: tuple[str, ...] = ()
    added_outputs: tuple[str, ...] = ()
    removed_outputs: tuple[str, ...] = ()
    changed_outputs: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """True if anything is different."""
        return any(vars(self).values())

    def lines(self) -> Iterator[str]:
        """Says it, a line each: + comes, - goes, ~ changes, ! takes a restart."""
        yield from (f"+ source {name}" for name in self.added_sources)
        yield from (f"- source {name}" for name in self.removed_sources)
        yield from (f"~ source {name}" for name in self.changed_sources)
        yield from (f"+ track {name}" for name in self.added_tracks)
        yield from (f"- track {name}" for name in self.removed_tracks)
        yield from (f"~ track {name}: other sends or filters" for name in self.rerouted)
        for target, before, after in self.values:
            yield f"~ {target.address}: {_shown(before)} -> {_shown(after)}"
        yield from (f"+ output {name}" for name in self.added_outputs)
        yield from (f"- output {name}" for name in self.removed_outputs)
        yield from (f"~ output {name}" for name in self.changed_outputs)
        yield from (f"! {reason}" for reason in self.restart)


def diff(old: Profile, new: Profile) -> ProfileDiff:
    """Tells what is different in ``new``."""
    removed, added, kept = _by_name(old.tracks, new.tracks)
    gone, come, stay = _by_name(old.sources, new.sources)
    old_outputs, new_outputs = old.outputs.by_name(), new.outputs.by_name()
    ended, begun, going = _by_name(old_outputs, new_outputs)
    return ProfileDiff(
        values=tuple(_values(old, new)),
        added_sources=come,
        removed_sources=gone,
        changed_sources=tuple(
            name for name in stay if captured_by(old, name) != captured_by(new, name)
        ),
        added_tracks=added,
        removed_tracks=removed,
        rerouted=tuple(
            name
            for name in kept
            if _structure(old, old.tracks[name]) != _structure(new, new.tracks[name])
        ),
        added_outputs=begun,
        removed_outputs=ended,
        changed_outputs=tuple(
            name
            for name in going
            if _output(old, old_outputs[name]) != _output(new, new_outputs[name])
        ),
        restart=tuple(_restart(old, new)),
    )


def _by_name(
    old: Mapping[str, object], new: Mapping[str, object]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    return (
        tuple(name for name in old if name not in new),
        tuple(name for name in new if name not in old),
        tuple(name for name in new if name in old),
    )


def captured_by(profile: Profile, name: str) -> tuple[object, ...]:
    """Tells what a capture depends on: its source's rule, and those of sources that it names."""
    rule = profile.sources[name]
    named: list[object] = []
    if isinstance(rule, EverythingExceptSource):
        named = [profile.sources[one] for one in rule.everything_except if isinstance(one, str)]
    elif isinstance(rule, PluginSource):
        from pypac_obs.plugins import file_stamp

        file = _plugin_file(profile, rule.use)
        named = [file, *file_stamp(file)]  # what is in it may be another plugin
    return (rule, *named)


def _output(profile: Profile, rule: AnyOutput) -> tuple[object, ...]:
    return (rule, _plugin_file(profile, rule.use if isinstance(rule, PluginRule) else None))


def _plugin_file(profile: Profile, use: str | None) -> Path | None:
    """The file that a plugin is in: the same name may mean another one in another folder."""
    if use is None:
        return None
    from pypac_obs.plugins import plugin_file  # most profiles have none

    return plugin_file(use, profile.folder)


def _structure(profile: Profile, rule: TrackRule) -> tuple[object, ...]:
    """What of a track is no value: which sends and filters it has, and in which chain."""
    filters = [
        (name, one.identity, _plugin_file(profile, one.use)) for name, one in rule.named_filters()
    ]
    return ([send.source for send in rule.sends], filters, len(rule.filters))


def _values(old: Profile, new: Profile) -> Iterator[tuple[Target, object, object]]:
    before = {target: value_of(old, target) for target in addresses(old)}
    for target in addresses(new):
        if target in before and before[target] != (value := value_of(new, target)):
            yield target, before[target], value


def _restart(old: Profile, new: Profile) -> Iterator[str]:
    for name in type(old.session).model_fields:
        before, after = getattr(old.session, name), getattr(new.session, name)
        if before != after:
            yield f"session.{name} takes a restart of the session"
    for name in ("enabled", "port"):  # what to remember is asked when there is something to keep
        if getattr(old.control, name) != getattr(new.control, name):
            yield f"control.{name} takes a restart of the session"
    for name, rule in new.tracks.items():
        if name in old.tracks and old.tracks[name].channels != rule.channels:
            yield f"tracks.{name}.channels takes a restart of the session"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
