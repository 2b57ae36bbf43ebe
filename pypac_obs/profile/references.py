# SPDX-License-Identifier: MIT
"""What only shows in a profile as a whole: names that lead nowhere, and values that do not fit.

Works on the plain data of a profile (mappings, lists, text), which may have other mistakes: what is
not understood here is skipped, because the model has its own say on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pypac_obs.profile.checks import describe, listed
from pypac_obs.profile.delays import MOST_MINUTES, delayed_minutes
from pypac_obs.profile.filters import filter_infos, key_settings
from pypac_obs.profile.mono_tracks import without_effect
from pypac_obs.profile.names import name_key
from pypac_obs.profile.outputs import written
from pypac_obs.profile.paths import PLACEHOLDERS, placeholders
from pypac_obs.profile.patterns import names_in, slip_of

__all__ = ["MOST_FILTERS", "PROBLEM", "Problem", "beyond_native", "problems", "warnings"]

PROBLEM = "profile_reference"

#: The most filters that a track has, with those that they are compared with.
MOST_FILTERS = 64

Loc = tuple[str | int, ...]

# All buffers of one kind together. They are touched at the start, so that none waits for memory
# later: what does not fit would bring the computer down.
_MOST_BYTES = 2 << 30
_SAMPLE_BYTES = 4  # float32
_SOURCE_CHANNELS = 2  # sources are captured in stereo


@dataclass(frozen=True)
class Problem:
    """A mistake at ``loc``; ``word`` is what ``choices`` are compared with to find the nearest."""

    loc: Loc
    expected: str
    found: str
    choices: tuple[str, ...] = ()
    word: str = ""

    def __str__(self) -> str:
        path = ".".join(map(str, self.loc))
        return f"{path}: expected {self.expected}, found {self.found}"


def problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Yields what is wrong with the profile as a whole."""
    sources, tracks = _mapping(data, "sources"), _mapping(data, "tracks")
    yield from _names_that_differ_in_case_only("sources", sources)
    yield from _names_that_differ_in_case_only("tracks", tracks)
    yield from _names_like_addresses(tracks)
    yield from _sends(sources, tracks)
    presets = _mapping(data, "presets")
    yield from _names_that_differ_in_case_only("presets", presets)
    yield from _preset_keys(presets, tracks)
    yield from _filters(presets, tracks)
    yield from _delays(presets, tracks)
    yield from _exclusions(sources)
    yield from _tones(sources, _mapping(data, "session"))
    yield from _rings(sources, tracks, _mapping(data, "session"))
    yield from _outputs(sources, tracks, _mapping(data, "outputs"))


def warnings(data: Mapping[str, Any]) -> Iterator[str]:
    """Yields what is allowed but seldom meant; the profile has no mistakes."""
    sources, tracks = _mapping(data, "sources"), _mapping(data, "tracks")
    used = {name for track in tracks.values() for _, name in _sends_of(track)}
    for source in sources.values():
        used.update(name for _, name in _exclusions_of(source))
    for name in sources:
        if name not in used:
            yield f'The source "{name}" goes into no track, so it is not captured.'
    yield from _idle_presets(_mapping(data, "presets"), tracks)
    for named in names_in(sources):
        if slip := slip_of(named):
            yield slip.sentence(named)
    yield from without_effect(tracks)


def _idle_presets(presets: Mapping[str, Any], tracks: Mapping[str, Any]) -> Iterator[str]:
    # In a profile that is built, tracks have the filters of a preset in the place of its name.
    starting: dict[str, list[tuple[str, list[str]]]] = {}
    idle = {}
    for name, filters in presets.items():
        wanted = [repr(one) for one in filters]
        if wanted:
            starting.setdefault(wanted[0], []).append((name, wanted))
            idle[name] = True
    for track in tracks.values():
        for chain in ("filters", "compare"):
            there = [repr(one) for one in track.get(chain) or ()]
            for at, first in enumerate(there):
                for name, wanted in starting.get(first, ()):
                    if name in idle and there[at : at + len(wanted)] == wanted:
                        del idle[name]
    for name in idle:
        yield f'No track uses the preset "{name}".'


def _names_that_differ_in_case_only(section: str, named: Mapping[str, Any]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name in _texts(named):
        first = seen.setdefault(name_key(name), name)
        if first != name:
            yield Problem(
                (section, name, "[key]"),
                "a name that differs from the others in more than case",
                f"{describe(name)} beside {describe(first)}",
            )


def _names_like_addresses(tracks: Mapping[str, Any]) -> Iterator[Problem]:
    """A value of the track ``a.send.b`` would have the address of a value of the track ``a``."""
    for name in _texts(tracks):
        for part in (".send.", ".filter."):
            other, found, _ = name.partition(part)
            if found and other in tracks:
                yield Problem(
                    ("tracks", name, "[key]"),
                    f"a name that does not read as a part of the track {describe(other)}",
                    describe(name),
                )


def _sends(sources: Mapping[str, Any], tracks: Mapping[str, Any]) -> Iterator[Problem]:
    choices = tuple(_texts(sources))
    expected = f"the name of a source ({listed(choices)})"
    for track_name, track in tracks.items():
        seen = set()
        for loc, name in _sends_of(track):
            at = ("tracks", track_name, *loc)
            if name not in sources:
                yield Problem(at, expected, describe(name), choices, name)
            elif name in seen:
                yield Problem(at, "each source once in a track", f"{describe(name)} again")
            seen.add(name)


def _preset_keys(presets: Mapping[str, Any], tracks: Mapping[str, Any]) -> Iterator[Problem]:
    for name, filters in presets.items():
        for at, kind, settings in _filters_in(filters, ("presets", name)):
            yield from _unknown_keys(tracks, at, kind, settings)


def _unknown_keys(
    tracks: Mapping[str, Any], at: Loc, kind: str, settings: Mapping[str, Any]
) -> Iterator[Problem]:
    choices = tuple(_texts(tracks))
    for place, key in key_settings(kind, settings):
        if key not in tracks:
            expected = f"the name of a track ({listed(choices)})"
            yield Problem((*at, *place), expected, describe(key), choices, key)


def _filters(presets: Mapping[str, Any], tracks: Mapping[str, Any]) -> Iterator[Problem]:
    steers: dict[str, dict[str, None]] = {}
    for track_name, track in tracks.items():
        if not isinstance(track, Mapping):
            continue
        at: Loc = ("tracks", track_name)
        for chain in ("filters", "compare"):
            yield from _unknown_presets(presets, track.get(chain), (*at, chain))
        if track.get("chain") == "b" and track.get("compare") is None:
            yield Problem((*at, "chain"), "compare beside it, which is chain b", "none")
        # A short profile can name long presets so often that looking at each filter takes minutes.
        count = sum(_count(presets, track.get(chain)) for chain in ("filters", "compare"))
        if count > MOST_FILTERS:
            if _uses_more_than_a_list(track):
                expected = f"at most {MOST_FILTERS} filters, with those of presets and of compare"
                yield Problem((*at, "filters"), expected, f"{count} of them")
            continue
        no_way: set[str] = set()
        for chain in ("filters", "compare"):
            found = list(_chain_of(presets, track.get(chain), (*at, chain)))
            yield from _names_in_chain(found)
            for one in found:
                if not one.preset:
                    yield from _unknown_keys(tracks, one.at, one.kind, one.settings)
                yield from _circles(tracks, steers, track_name, one, no_way)


def _count(presets: Mapping[str, Any], filters: Any) -> int:
    """How many filters a chain has, with those of presets."""
    count = 0
    for _, one in _items(filters, ()):
        if isinstance(one, str):
            preset = presets.get(one)
            count += len(preset) if isinstance(preset, list | tuple) else 0
        else:
            count += _as_filter(one) is not None
    return count


def _delays(presets: Mapping[str, Any], tracks: Mapping[str, Any]) -> Iterator[Problem]:
    minutes = delayed_minutes(presets, tracks)
    if sum(minutes.values()) > MOST_MINUTES:
        longest = max(minutes, key=lambda name: minutes[name])
        chain = "filters" if _mapping(tracks, longest).get("filters") else "compare"
        yield Problem(
            ("tracks", longest, chain),
            f"delays of at most {MOST_MINUTES} minutes over all tracks together (memory)",
            f"{sum(minutes.values()):.1f} minutes",
        )


def _uses_more_than_a_list(track: Mapping[str, Any]) -> bool:
    lists = [track.get("filters"), track.get("compare")]
    return all(not isinstance(one, list | tuple) or len(one) <= MOST_FILTERS for one in lists)


def _names_in_chain(filters: list[_Filter]) -> Iterator[Problem]:
    named: set[str] = set()
    for one in filters:
        name = one.settings.get("name")
        if isinstance(name, str):
            if name_key(name) in named:
                at = one.at if one.preset else (*one.at, "name")
                by = f", in the preset {describe(one.preset)}" if one.preset else ""
                yield Problem(at, "each name once in a track", f"{describe(name)} again{by}")
            named.add(name_key(name))


def _circles(
    tracks: Mapping[str, Any],
    steers: dict[str, dict[str, None]],
    track: str,
    one: _Filter,
    no_way: set[str],
) -> Iterator[Problem]:
    for place, key in key_settings(one.kind, one.settings):
        known = steers.setdefault(track, {})
        if key not in tracks or key in known:  # said already
            continue
        known[key] = None
        if path := _path(steers, key, track, no_way):
            at = one.at if one.preset else (*one.at, *place)
            found = " -> ".join((track, *path))
            yield Problem(at, "tracks that do not steer each other", found)


def _unknown_presets(presets: Mapping[str, Any], filters: Any, at: Loc) -> Iterator[Problem]:
    choices = tuple(_texts(presets))
    for loc, name in _items(filters, at):
        if isinstance(name, str) and name not in presets:
            there = f" ({listed(choices)})" if choices else ", of which there are none"
            expected = f"the name of a preset{there}"
            if name in filter_infos():
                expected += f", or the filter {{{name}: {{}}}}"
            yield Problem(loc, expected, describe(name), choices, name)


def _path(
    steers: Mapping[str, Mapping[str, None]], begin: str, end: str, no_way: set[str]
) -> list[str]:
    """The way from one track by what steers it to another one; empty: there is none.

    ``no_way`` are tracks from which none leads to the end, and gets more of them.
    """

    def walk(track: str) -> list[str]:
        if track == end:
            return [track]
        no_way.add(track)
        for key in steers.get(track, ()):
            if key not in no_way and (rest := walk(key)):
                no_way.discard(track)
                return [track, *rest]
        return []

    return [] if begin in no_way else walk(begin)


@dataclass(frozen=True)
class _Filter:
    """A filter of a chain: where it stands there, or where the preset's name does."""

    at: Loc
    kind: str
    settings: Mapping[str, Any]
    preset: str = ""


def _chain_of(presets: Mapping[str, Any], filters: Any, at: Loc) -> Iterator[_Filter]:
    for loc, one in _items(filters, at):
        if isinstance(one, str):
            for _, kind, settings in _filters_in(presets.get(one), loc):
                yield _Filter(loc, kind, settings, one)
        elif found := _as_filter(one):
            yield _Filter((*loc, found[0]), *found)


def _filters_in(filters: Any, at: Loc) -> Iterator[tuple[Loc, str, Mapping[str, Any]]]:
    for index, one in enumerate(filters if isinstance(filters, list | tuple) else ()):
        if found := _as_filter(one):
            yield (*at, index, found[0]), *found


def _as_filter(one: Any) -> tuple[str, Mapping[str, Any]] | None:
    if isinstance(one, Mapping) and len(one) == 1:
        [(kind, settings)] = one.items()
        if isinstance(kind, str) and isinstance(settings, Mapping):
            return kind, settings
    return None


def _exclusions(sources: Mapping[str, Any]) -> Iterator[Problem]:
    choices = tuple(n for n in _texts(sources) if "process" in _mapping(sources, n))
    expected = (
        f"the name of a process source ({listed(choices)})"
        if choices
        else ("the name of a process source")
    )
    for source_name, source in sources.items():
        for loc, name in _exclusions_of(source):
            at = ("sources", source_name, *loc)
            named = _mapping(sources, name)
            if name == source_name:
                yield Problem(at, expected, f"{describe(name)}, the source itself")
            elif name not in sources:
                yield Problem(at, expected, describe(name), choices, name)
            elif source_name in (back for _, back in _exclusions_of(named)):
                yield Problem(at, expected, f"{describe(name)}, which names this one: a loop")
            elif kinds := named.keys() & {"everything_except", "device", "system", "synthetic"}:
                found = f"{describe(name)}, whose kind is {min(kinds)}"
                yield Problem(at, expected, found)


def _tones(sources: Mapping[str, Any], session: Mapping[str, Any]) -> Iterator[Problem]:
    rate = _sample_rate(session)
    if rate is None:
        return
    for name in sources:
        signal = _mapping(_mapping(sources, name), "synthetic")
        frequency = signal.get("frequency_hz", 0)
        if not isinstance(frequency, int | float) or signal.get("kind") != "tone":
            continue
        if rate / 2 <= frequency <= 96_000:
            yield Problem(
                ("sources", name, "synthetic", "frequency_hz"),
                f"a frequency below half of the sample rate ({rate / 2:g} Hz)",
                describe(frequency),
            )


def _rings(
    sources: Mapping[str, Any], tracks: Mapping[str, Any], session: Mapping[str, Any]
) -> Iterator[Problem]:
    rings, rate = _mapping(session, "rings"), _sample_rate(session)
    latency = _number(session, "latency_ms", 40, 5, 2000)
    if rate is None or latency is None:
        return
    # An output gets all tracks unless it asks for some. What the mixer waits for, the latency, lies
    # in the rings of the capture.
    track_channels = sum(_channels(_mapping(tracks, name)) for name in tracks)
    limits = (
        ("output_ms", track_channels, 0, 60_000, f"{len(tracks)} tracks"),
        ("capture_ms", _SOURCE_CHANNELS * len(sources), latency, 10_000, f"{len(sources)} sources"),
    )
    for key, channels, waiting, highest, what in limits:
        length = _number(rings, key, 0, 0, highest)
        bytes_a_ms = channels * rate * _SAMPLE_BYTES / 1000
        if length is not None and (length + waiting) * bytes_a_ms > _MOST_BYTES:
            most = int(_MOST_BYTES / bytes_a_ms - waiting)
            yield Problem(
                ("session", "rings", key),
                f"at most {most} ms for {what} at {rate} Hz (2 GiB of memory)",
                describe(length),
            )


def _outputs(
    sources: Mapping[str, Any], tracks: Mapping[str, Any], outputs: Mapping[str, Any]
) -> Iterator[Problem]:
    named = {name: value for name, value in outputs.items() if value is not None}
    yield from _names_that_differ_in_case_only("outputs", named)
    every = list(written(outputs))
    to_obs = [name for name, _, kind, _ in every if kind == "obs"]
    following = ""
    for name, at, kind, rule in every:
        if not isinstance(rule, Mapping):
            continue
        if kind == "files":
            yield from _files(tracks, rule, at)
            if rule.get("follow") == "record":
                if not to_obs:
                    expected = "outputs.obs beside it, as it is OBS that records"
                    yield Problem((*at, "follow"), expected, "none")
                elif following:
                    expected = "one output that follows OBS's recording"
                    found = f"{describe(name)} beside {describe(following)}"
                    yield Problem((*at, "follow"), expected, found)
                following = following or name
        elif kind == "plugin":
            yield from _written_tracks(tracks, rule, at)
        elif kind == "obs":
            yield from _obs(sources, tracks, rule, at)
            if name != to_obs[0]:
                found = f"{describe(name)} beside {describe(to_obs[0])}"
                yield Problem((*at, "[key]"), "one output to OBS in a session", found)


def _written_tracks(
    tracks: Mapping[str, Any], rule: Mapping[str, Any], at: Loc
) -> Iterator[Problem]:
    known = tuple(_texts(tracks))
    seen: set[str] = set()
    for loc, name in _names(rule.get("tracks"), (*at, "tracks")):
        if name not in tracks:
            yield Problem(
                loc, f"the name of a track ({listed(known)})", describe(name), known, name
            )
        elif name in seen:
            yield Problem(loc, "each track once", f"{describe(name)} again")
        seen.add(name)


def _files(tracks: Mapping[str, Any], files: Mapping[str, Any], at: Loc) -> Iterator[Problem]:
    yield from _written_tracks(tracks, files, at)
    written = set(_texts(tracks))
    if files.get("tracks") is not None:
        written &= {name for _, name in _names(files["tracks"], ())}
    template = files.get("name", "{track}")
    if not isinstance(template, str):
        return
    named = placeholders(template)
    if len(written) > 1 and "track" not in named and named <= set(PLACEHOLDERS):
        yield Problem(
            (*at, "name"),
            f"a name with {{track}} in it, as {len(written)} tracks are written",
            describe(template),
        )


def _obs(
    sources: Mapping[str, Any], tracks: Mapping[str, Any], obs: Mapping[str, Any], place: Loc
) -> Iterator[Problem]:
    choices = tuple(_texts(tracks))
    scenes = _names(obs.get("scene"), (*place, "scene"))
    taken = {name: "the scene" for _, name in scenes if not any(c in name for c in "*?")}
    rules = _mapping(obs, "tracks")
    for name in _texts(rules):
        at: Loc = (*place, "tracks", name)
        rule = rules[name]
        if name not in tracks:
            expected = f"the name of a track ({listed(choices)})"
            yield Problem((*at, "[key]"), expected, describe(name), choices, name)
            continue
        settings = rule if isinstance(rule, Mapping) else {"to": rule}
        written = settings.get("name")
        input_name = name if written is None else written
        if isinstance(input_name, str):
            # Inputs and scenes share one space of names in the whole of OBS.
            first = taken.setdefault(input_name, f"the track {describe(name)}")
            if first != f"the track {describe(name)}":
                yield Problem(
                    (*at, "[key]" if written is None else "name"),
                    "a name that nothing else has in OBS",
                    f"{describe(input_name)}, the name of {first}",
                )
        yield from _each_once(settings.get("to"), (*at, "to"))
        if obs.get("transport") == "native":
            found = beyond_native(sources, _mapping(tracks, name))
            if found:
                expected = "a track that OBS can capture itself (one process source, unchanged)"
                yield Problem((*at, "[key]"), expected, found)
    yield from _obs_recording(_mapping(obs, "recording"), (*place, "recording"))


def _obs_recording(recording: Mapping[str, Any], at: Loc) -> Iterator[Problem]:
    yield from _each_once(recording.get("tracks"), (*at, "tracks"))
    recorded = {n for _, n in _items(recording.get("tracks"), ()) if _is_obs_track(n)}
    for number in _mapping(recording, "names"):
        meant = int(number) if isinstance(number, str) and number.isdecimal() else number
        if _is_obs_track(meant) and recorded and meant not in recorded:
            expected = f"a recorded track ({listed(map(str, sorted(recorded)))})"
            found = f"{meant}, which is not recorded"
            yield Problem((*at, "names", number, "[key]"), expected, found)


def beyond_native(sources: Mapping[str, Any], track: Mapping[str, Any]) -> str:
    """Says what of a track OBS's own capture of programs cannot do; empty where it can all."""
    if track.get("filters") or track.get("compare"):
        return "one with filters"
    if track.get("channels", 2) != 2:
        return "one in mono"
    if track.get("gain_db") or track.get("mute"):
        return "one with a gain or a mute"
    sends = list(_items(track.get("from"), ()))
    if len(sends) > 1:
        return f"one of {len(sends)} sources"
    for _, send in sends:
        if isinstance(send, Mapping) and send.get("gain_db"):
            return "one with a gain"
        name = send.get("source") if isinstance(send, Mapping) else send
        source = _mapping(sources, name) if isinstance(name, str) else {}
        if source and "process" not in source:
            return f"one from {describe(name)}, whose kind is {min(map(str, source))}"
        if source.get("except") or source.get("pick", "all") != "all":
            return f"one from {describe(name)}, which has except or pick"
        for _, program in _items(source.get("process"), ()):
            if isinstance(program, int):
                return f"one from {describe(name)}, which names a PID"
            if isinstance(program, str) and any(c in program for c in "*?"):
                return f"one from {describe(name)}, which has patterns"
    return ""


def _is_obs_track(number: Any) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 1 <= number <= 6


def _each_once(numbers: Any, loc: Loc) -> Iterator[Problem]:
    seen: set[int] = set()
    for at, number in _items(numbers, loc):
        if _is_obs_track(number):
            if number in seen:
                yield Problem(at, "each OBS track once", f"{describe(number)} again")
            seen.add(number)


def _sends_of(track: Any) -> Iterator[tuple[Loc, str]]:
    sends = track.get("from") if isinstance(track, Mapping) else None
    for loc, send in _items(sends, ("from",)):
        if isinstance(send, str):
            yield loc, send
        elif isinstance(send, Mapping) and isinstance(send.get("source"), str):
            yield (*loc, "source"), send["source"]


def _exclusions_of(source: Any) -> Iterator[tuple[Loc, str]]:
    if isinstance(source, Mapping):
        yield from _names(source.get("everything_except"), ("everything_except",))


def _names(value: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    return ((at, item) for at, item in _items(value, loc) if isinstance(item, str))


def _items(value: Any, loc: Loc) -> Iterator[tuple[Loc, Any]]:
    """The items of a list with their places; a value that is no list is the short form of one."""
    if isinstance(value, list | tuple):
        yield from (((*loc, index), item) for index, item in enumerate(value))
    else:
        yield loc, value


def _sample_rate(session: Mapping[str, Any]) -> int | None:
    rate = _number(session, "sample_rate", 48_000, 8000, 192_000)
    return rate if isinstance(rate, int) else None


def _channels(track: Mapping[str, Any]) -> int:
    return 1 if track.get("channels") == 1 else 2


def _number(
    data: Mapping[str, Any], key: str, default: float, lowest: float, highest: float
) -> float | None:
    """The number at that key, or its default; None for what the model has its own say on."""
    value = data.get(key, default)
    return value if isinstance(value, int | float) and lowest <= value <= highest else None


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _texts(named: Mapping[str, Any]) -> Iterator[str]:
    return (name for name in named if isinstance(name, str))
