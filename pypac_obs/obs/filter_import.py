# SPDX-License-Identifier: MIT
"""Reads the filters of an OBS source, and writes them as the filters of a track.

The kinds of filter and their settings are those of OBS's own obs-filters. OBS is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from pypac_obs.errors import InvalidValue, ObsProtocolError, ObsRefused
from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.client.answers import mappings_in, number_in, text_in
from pypac_obs.obs.client.reading import read_input_names
from pypac_obs.obs.client.requests import Request, given
from pypac_obs.profile.checks import describe, listed, nearest, printable
from pypac_obs.profile.filters import ParamInfo, filter_infos

__all__ = ["ImportedFilter", "ObsFilter", "as_yaml", "import_filters", "read_filters"]

_NO_SUCH_SOURCE = 600
# What a track has at the most.
_MOST_FILTERS = 64

Settings = dict[str, float | bool | str]


@dataclass(frozen=True)
class ObsFilter:
    """A filter of an OBS source, with all of its settings."""

    name: str
    kind: str
    enabled: bool
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class ImportedFilter:
    """What a track has in its place: ``kind`` is None where there is nothing like it.

    ``notes`` are sentences on what is different.
    """

    name: str
    kind: str | None
    settings: Settings = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def written(self) -> dict[str, Settings]:
        """Gives it in the profile's form."""
        return {} if self.kind is None else {self.kind: self.settings}


def read_filters(obs: Obs, source: str) -> list[ObsFilter]:
    """Reads the filters of a source, in the order in which they are applied.

    Raises InvalidValue where OBS has no such source, or ObsError.
    """
    try:
        answer = obs.request("GetSourceFilterList", sourceName=source)
    except ObsRefused as refused:
        if refused.code != _NO_SUCH_SOURCE:
            raise
        raise _no_source(obs, source) from None
    found = mappings_in(answer, "filters")
    if len(found) > _MOST_FILTERS:
        raise InvalidValue(
            f"the source has {len(found)} filters in OBS, and a track has at most {_MOST_FILTERS}",
            remedy="Remove some of them in OBS, at least from a copy of the source.",
        )
    kinds = list(dict.fromkeys(text_in(one, "filterKind") for one in found))
    asked = [Request("GetSourceFilterDefaultSettings", {"filterKind": kind}) for kind in kinds]
    defaults = {
        kind: {}
        if isinstance(one, ObsRefused)
        else _mapping_in(given(one), "defaultFilterSettings")
        for kind, one in zip(kinds, obs.request_all(asked), strict=True)
    }
    return [
        ObsFilter(
            text_in(one, "filterName"),
            text_in(one, "filterKind"),
            one.get("filterEnabled") is not False,
            _whole(
                text_in(one, "filterKind"),
                defaults[text_in(one, "filterKind")],
                _mapping_in(one, "filterSettings"),
            ),
        )
        for one in found
    ]


def _whole(kind: str, defaults: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    """All settings: what nobody has changed is only in the defaults."""
    if kind == "expander_filter" and changed.get("presets") == "gate":
        # It has other defaults, of which OBS tells nobody.
        defaults = {**defaults, "ratio": 10.0, "release_time": 125}
    return {**defaults, **changed}


def _no_source(obs: Obs, source: str) -> InvalidValue:
    names = read_input_names(obs)
    meant = nearest(source, names)
    there = f"It has {listed(names, 'and')}." if names else "It has no sources with sound."
    return InvalidValue(
        f"OBS has no source {describe(source)}", remedy=f"Did you mean {meant}?" if meant else there
    )


def _mapping_in(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key, {})
    if not isinstance(found, Mapping):
        raise ObsProtocolError(f"what OBS says of a filter has another kind of {key}")
    return dict(found)


# What becomes of each kind ----------------------------------------------------------------------


def import_filters(filters: Sequence[ObsFilter]) -> list[ImportedFilter]:
    """Gives what a track has in the place of each. Raises ObsProtocolError for broken settings."""
    return [_imported(one) for one in filters]


def _imported(one: ObsFilter) -> ImportedFilter:
    make = _KINDS.get(one.kind)
    if make is None:
        what = _WITHOUT.get(one.kind, f"OBS's {printable(one.kind)} has no counterpart here")
        return ImportedFilter(one.name, None, notes=(what,))
    kind, settings, notes = make(one.settings)
    settings, limited = _in_range(kind, settings)
    if not one.enabled:
        settings["bypass"] = True
    return ImportedFilter(one.name, kind, settings, (*notes, *limited))


_WITHOUT = {
    "noise_suppress_filter": "noise suppression has no counterpart here yet",
    "noise_suppress_filter_v2": "noise suppression has no counterpart here yet",
    "noise_suppress_filter_rtx": "noise suppression has no counterpart here yet",
    "nv_audio_filter": "NVIDIA's audio effects have no counterpart here",
    "vst_filter": "VST plugins are not run here",
    "async_delay_filter": "the delay of a picture: tracks stay together by themselves",
}

Made = tuple[str, Settings, tuple[str, ...]]


def _gain(of: Mapping[str, Any]) -> Made:
    return "gain", {"gain_db": number_in(of, "db")}, ()


def _gate(of: Mapping[str, Any]) -> Made:
    settings: Settings = {
        "open_db": number_in(of, "open_threshold"),
        "close_db": number_in(of, "close_threshold"),
        "attack_ms": number_in(of, "attack_time"),
        "hold_ms": number_in(of, "hold_time"),
        "release_ms": number_in(of, "release_time"),
    }
    return "gate", settings, ()


def _dynamics(of: Mapping[str, Any]) -> Settings:
    return {
        "ratio": number_in(of, "ratio"),
        "threshold_db": number_in(of, "threshold"),
        "attack_ms": number_in(of, "attack_time"),
        "release_ms": number_in(of, "release_time"),
        "output_gain_db": number_in(of, "output_gain"),
    }


def _compressor(of: Mapping[str, Any]) -> Made:
    named = of.get("sidechain_source", "none")
    entries = named if isinstance(named, list) else [named]
    keys = [one.get("value") if isinstance(one, Mapping) else one for one in entries]
    steering = [one for one in keys if isinstance(one, str) and one not in ("", "none")]
    notes: tuple[str, ...] = ()
    if steering:
        sources = listed(map(describe, steering), "and")
        notes = (f"ducked by {sources} in OBS: add `key:` with that sound's track, or use duck",)
    return "compressor", _dynamics(of), notes


def _limiter(of: Mapping[str, Any]) -> Made:
    settings: Settings = {
        "ceiling_db": number_in(of, "threshold"),
        "release_ms": number_in(of, "release_time"),
    }
    return "limiter", settings, ()


def _expander(of: Mapping[str, Any]) -> Made:
    return "expander", {**_dynamics(of), "detector": _detector(of)}, ()


def _upward_compressor(of: Mapping[str, Any]) -> Made:
    knee_db = number_in(of, "knee_width") if "knee_width" in of else 10.0
    settings: Settings = {**_dynamics(of), "knee_db": knee_db, "detector": _detector(of)}
    return "upward_compressor", settings, ()


def _detector(of: Mapping[str, Any]) -> str:
    return "peak" if of.get("detector") == "peak" else "rms"


def _equalizer(of: Mapping[str, Any]) -> Made:
    # OBS splits at 800 and 5000 Hz, with gentle slopes.
    bands = (("low", "low_shelf", 800.0, 0.5), ("mid", "peak", 2000.0, 0.5))
    settings: Settings = {}
    number = 0
    for key, form, hertz, q in (*bands, ("high", "high_shelf", 5000.0, 0.5)):
        gain_db = number_in(of, key)
        if gain_db:
            number += 1
            band: Settings = {"type": form, "hz": hertz, "db": gain_db, "q": q}
            settings |= {f"band{number}_{name}": value for name, value in band.items()}
    return "eq", settings, ("OBS's three bands, as near as shelves and a peak come",)


def _invert(_: Mapping[str, Any]) -> Made:
    return "invert", {}, ()


_KINDS: dict[str, Callable[[Mapping[str, Any]], Made]] = {
    "gain_filter": _gain,
    "noise_gate_filter": _gate,
    "compressor_filter": _compressor,
    "limiter_filter": _limiter,
    "expander_filter": _expander,
    "upward_compressor_filter": _upward_compressor,
    "basic_eq_filter": _equalizer,
    "invert_polarity_filter": _invert,
}


def _in_range(kind: str, settings: Settings) -> tuple[Settings, list[str]]:
    """Brings numbers to where our filter takes them, and says which that were."""
    info = filter_infos().get(kind)
    params: dict[str, ParamInfo] = {one.id: one for one in info.params} if info else {}
    clean: Settings = {}
    notes = []
    for key, value in settings.items():
        clean[key] = value
        if isinstance(value, float):
            clean[key] = value = round(value, 4)
            if (param := params.get(key)) and not param.min <= value <= param.max:
                clean[key] = min(max(value, param.min), param.max)
                notes.append(f"{key} was {value:g} in OBS")
    return clean, notes


# As text ----------------------------------------------------------------------------------------


def as_yaml(source: str, filters: Sequence[ImportedFilter]) -> str:
    """Writes the filters of a track, with OBS's names and what is different in comments.

    Raises ObsProtocolError where the text would say something else than the filters.
    """
    lines = [f"# The filters of {describe(source)} in OBS, in their order"]
    lines.append("filters:" if any(one.kind for one in filters) else "filters: []")
    for one in filters:
        # Whatever comes from OBS stays within the comment.
        notes = (printable(note, longest=1000) for note in one.notes)
        words = "; ".join((printable(one.name), *notes))
        if one.kind is None:
            lines.append(f"  # {words}")
        else:
            settings = ", ".join(f"{key}: {_scalar(value)}" for key, value in one.settings.items())
            lines.append(f"  - {one.kind}: {{{settings}}}  # {words}")
    text = "\n".join(lines) + "\n"
    if _read_again(text) != {"filters": [one.written() for one in filters if one.kind]}:
        raise ObsProtocolError(f"the filters of {describe(source)} cannot be written as YAML")
    return text


def _read_again(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _scalar(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.10g}" if isinstance(value, float) else str(value)
