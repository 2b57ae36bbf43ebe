# SPDX-License-Identifier: MIT
"""`pypac-obs check`: validates a profile and prints what it would do now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import psutil

from pypac_obs.audio_system import inputs_taken, missing_inputs, open_capture
from pypac_obs.cli.console import (
    column_table,
    ended,
    listed,
    make_console,
    plain,
    print_json,
    say,
    sentence,
)
from pypac_obs.cli.run import warnings_of
from pypac_obs.cli.status_view import program_name
from pypac_obs.errors import PypacError
from pypac_obs.likely_names import NamesHere, likely_names
from pypac_obs.obs.client.settings import ServerWords, is_here
from pypac_obs.obs.provisioning.lint import unseen_obs_warnings
from pypac_obs.profile import (
    FilesRule,
    ObsTrack,
    PluginRule,
    PluginSource,
    Profile,
    expand_path,
    load_profile,
)
from pypac_obs.profile.filters import info_of
from pypac_obs.profile.latency import Latencies, TrackLatency, latencies
from pypac_obs.profile.model import (
    AnySource,
    ControlRule,
    DeviceSource,
    EverythingExceptSource,
    FilterRule,
    ProcessSource,
    Send,
    SyntheticSource,
    TrackRule,
)
from pypac_obs.profile.paths import unsafe_characters
from pypac_obs.session.binding_notes import binding_notes
from pypac_obs.session.wiring import plugin_filters, selector_of
from pypac_obs.status import BoundProgram
from pypac_obs.wording import milliseconds_text
from pypac_obs.working_folder import absolute

if TYPE_CHECKING:  # where the core cannot be loaded, commands have to say so
    from pypac_obs import _core

__all__ = ["command"]

# How long the audio system may take to tell what it has.
_PATIENCE_S = 2.0

# What comes from no audio system.
_OWN = (SyntheticSource, PluginSource)


@dataclass(frozen=True)
class SourcePlan:
    """A source: its rule in words, and what it would bind to now (None: not known)."""

    name: str
    rule: str
    state: str | None
    reason: str
    programs: tuple[BoundProgram, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {
            "name": self.name,
            "rule": self.rule,
            "state": self.state,
            "reason": self.reason,
            "bindings": [program.to_json() for program in self.programs],
        }


# The path of each track's file, by output.
Files = dict[str, dict[str, Path]]


@click.command("check")
@click.argument("profile")
@click.option("--json", "as_json", is_flag=True, help="The plan as one JSON object.")
def command(profile: str, as_json: bool) -> None:
    """Check a profile and print its plan: what it would bind to now, mix and write.

    Every mistake is reported at once, each with file:line:column, and the exit code is 2. Nothing
    is captured or written. Without an audio system the plan has no bindings, and says why.
    """
    rules = load_profile(profile)
    plans = _plan_sources(rules)
    files = _files(rules)
    plugins = _plugins(rules)
    warnings = [one for one in warnings_of(rules) if one not in plans.refuted]
    warnings += [*plans.notes, *unseen_obs_warnings(rules), *_unwritable(files)]
    warnings += [f"{name}: {one.trouble}" for name, one in plugins.items() if one.trouble]
    warnings += [warning for source in plans.sources for warning in source.warnings]
    if as_json:
        print_json(_as_json(rules, plans, files, plugins, warnings))
    else:
        _print(rules, plans, files, plugins, warnings)


@dataclass(frozen=True)
class Plans:
    """Every source's plan, what is worth a word of them, and why bindings are not known, if so.

    ``refuted`` are warnings of the profile alone that what is there now shows to be wrong.
    """

    sources: list[SourcePlan]
    notes: list[str]
    refuted: list[str]
    trouble: str = ""


def _plan_sources(profile: Profile) -> Plans:
    rules = profile.sources
    if all(isinstance(rule, _OWN) for rule in rules.values()):
        return Plans([_unbound(name, rule) for name, rule in rules.items()], [], [])
    try:
        capture = open_capture(timeline_rate=profile.session.sample_rate)
    except PypacError as error:
        trouble = " ".join(filter(None, (sentence(error.message), error.remedy)))
        return Plans([_unbound(name, rule) for name, rule in rules.items()], [], [], trouble)
    try:
        capture.wait_until_running(_PATIENCE_S)
        names = [n for n, rule in rules.items() if not isinstance(rule, _OWN)]
        selectors = [selector_of(rules[name], profile) for name in names]
        bound = dict(zip(names, capture.preview(selectors), strict=True))
        found = [name for name, status in bound.items() if status.state != "not_running"]
        likely, refuted = likely_names(profile, NamesHere.of(capture, found))
    finally:
        capture.stop()
    sources = [
        _bound(name, rule, bound[name]) if name in bound else _unbound(name, rule)
        for name, rule in rules.items()
    ]
    return Plans(sources, [*likely, *binding_notes(bound, rules)], refuted)


def _unbound(name: str, rule: AnySource) -> SourcePlan:
    if isinstance(rule, SyntheticSource):
        return SourcePlan(name, _in_words(rule), "playing", "computed by this program", ())
    if isinstance(rule, PluginSource):
        return SourcePlan(name, _in_words(rule), "starting", "a run opens it", ())
    return SourcePlan(name, _in_words(rule), None, "not known: there is no audio system", ())


def _bound(name: str, rule: AnySource, found: _core.CaptureStatus) -> SourcePlan:
    programs = tuple(map(BoundProgram.of, found.streams))
    reason = found.reason
    warnings: tuple[str, ...] = ()
    if isinstance(rule, DeviceSource):
        taken = inputs_taken(found.streams, rule.channels)
        reason = f"{sentence(reason)} {taken}" if taken else reason
        warnings = tuple(map(ended, missing_inputs(name, found.streams)))
    return SourcePlan(name, _in_words(rule), found.state, reason, programs, warnings)


def _in_words(rule: AnySource) -> str:
    if isinstance(rule, ProcessSource):
        words = f"process {_any_of(rule.process)}"
        words += f", except {_any_of(rule.except_)}" if rule.except_ else ""
        return words + ("" if rule.pick == "all" else f", {rule.pick} that runs")
    if isinstance(rule, EverythingExceptSource):
        entries = [
            entry if isinstance(entry, str) else f"process {_any_of(entry.process)}"
            for entry in rule.everything_except
        ]
        return f"everything except {', '.join(entries)}"
    if isinstance(rule, DeviceSource):
        inputs = f", input {' and '.join(map(str, rule.channels))}" if rule.channels else ""
        return f"device {rule.device}{inputs}"
    if isinstance(rule, SyntheticSource):
        return f"synthetic {rule.synthetic.kind}"
    if isinstance(rule, PluginSource):
        return f"plugin {rule.use}"
    return "the whole system"


def _any_of(processes: tuple[str | int, ...]) -> str:
    return ", ".join(f"PID {p}" if isinstance(p, int) else p for p in processes)


def _files(profile: Profile) -> Files:
    """Gives the file of each track as it would be named now, for each output that writes files."""
    start = datetime.now().astimezone()

    def expand(template: str, track: str) -> Path:
        return expand_path(
            template, track=track, profile=profile.name, session=profile.name, start=start
        )

    files: Files = {}
    for name, rule in profile.outputs.by_name().items():
        if isinstance(rule, FilesRule):
            folder = absolute(expand(rule.folder, ""))
            files[name] = {
                track: folder / f"{expand(rule.name, track)}.{rule.format}"
                for track in profile.tracks
                if rule.tracks is None or track in rule.tracks
            }
    return files


@dataclass(frozen=True)
class PluginPlan:
    """What a run would load for a source, a filter or an output. Nothing has been imported."""

    words: str
    loads: str | None
    trouble: str = ""


# By how a source, a filter or an output is called in what is printed.
Plugins = dict[str, PluginPlan]


def _plugins(profile: Profile) -> Plugins:
    return {who: _plugin(use, kind, profile) for who, kind, use in _uses(profile)}


def _uses(profile: Profile) -> Iterator[tuple[str, str, str]]:
    for name, source in profile.sources.items():
        if isinstance(source, PluginSource):
            yield _source_called(name), "SOURCES", source.use
    for track, name, rule in plugin_filters(profile):
        assert rule.use is not None
        yield f"{track}.filter.{name}", "FILTERS", rule.use
    for name, output in profile.outputs.by_name().items():
        if isinstance(output, PluginRule):
            yield name, "OUTPUTS", output.use


def _source_called(name: str) -> str:
    return f"source {name}"


def _plugin(use: str, kind: str, profile: Profile) -> PluginPlan:
    from pypac_obs import plugins  # most profiles have none

    folder = profile.folder
    try:
        found = str(plugins.find_plugin(use, folder, getattr(plugins, kind)))
    except PypacError as error:
        return PluginPlan("a plugin that cannot be had", None, f"{error}. {error.remedy}")
    return PluginPlan(f"a run loads the plugin {found}", found)


def _loads(plugin: PluginPlan | None) -> dict[str, object]:
    return {} if plugin is None else {"loads": plugin.loads}


def _unwritable(files: Files) -> list[str]:
    first = [path for paths in files.values() for path in list(paths.values())[:1]]
    return list(dict.fromkeys(said for path in first if (said := _refusal(path))))


def _refusal(path: Path) -> str:
    there = next((folder for folder in path.parents if os.path.exists(folder)), None)
    if there is None:
        return ""
    if not there.is_dir():
        return f"{there} is no folder, so nothing can be written below it."
    if refused := _refused_characters(there, path):
        return refused
    return "" if os.access(there, os.W_OK | os.X_OK) else f"You may not write in {there}."


# File systems of which it is known. Windows' own refuse them everywhere.
_WITHOUT_COLONS = ("exfat", "vfat", "msdos", "ntfs", "ntfs3", "fuseblk")


def _refused_characters(there: Path, path: Path) -> str:
    """Says which characters of what is to be made in a folder its drive can't hold; empty: none."""
    names = path.relative_to(there).parts
    held = dict.fromkeys(one for name in names for one in unsafe_characters(name))
    if not held:
        return ""
    mounts = [
        one for one in psutil.disk_partitions(all=True) if there.is_relative_to(one.mountpoint)
    ]
    kind = max(mounts, key=lambda one: len(one.mountpoint)).fstype if mounts else ""
    if kind.lower() not in _WITHOUT_COLONS:
        return ""
    found = " and ".join(f'"{character}"' for character in held)
    return f"The drive of {there} ({kind}) can't hold {found} in a name: {Path(*names)}."


def _as_json(
    profile: Profile,
    plans: Plans,
    files: Files,
    plugins: Plugins,
    warnings: list[str],
) -> dict[str, object]:
    outputs: dict[str, object] = {}
    for name, rule in profile.outputs.by_name().items():
        if isinstance(rule, FilesRule):
            outputs[name] = {
                "kind": "files",
                "format": rule.format,
                "encoding": rule.encoding,
                "paths": {track: str(path) for track, path in files[name].items()},
            }
        elif isinstance(rule, PluginRule):
            outputs[name] = {"kind": "plugin"} | rule.model_dump() | {"loads": plugins[name].loads}
        else:
            server = ServerWords.of(rule)
            outputs[name] = (
                {"kind": "obs"}
                | rule.model_dump(exclude_none=True)
                | {
                    "server": {
                        "host": server.host,
                        "password_from": server.password_from,
                        "password_given": server.given,
                    }
                }
            )
    late = latencies(profile)
    return {
        "profile": profile.name,
        "file": str(profile.file) if profile.file else None,
        "sample_rate": profile.session.sample_rate,
        "latency_ms": profile.session.latency_ms,
        "filter_delay_frames": late.budget,
        "filter_delay_ms": _milliseconds(late.budget, profile),
        "filter_delay_complete": late.complete,
        "audio_system": {"present": not plans.trouble, "reason": plans.trouble},
        "sources": [
            {**source.to_json(), **_loads(plugins.get(_source_called(source.name)))}
            for source in plans.sources
        ],
        "tracks": [
            {
                "name": name,
                "channels": track.channels,
                "from": [send.model_dump() for send in track.sends],
                "filters": [rule.model_dump() for rule in track.filters],
                **_compared_json(track),
                "filter_latency_frames": late.tracks[name].frames,
                "filter_latency_ms": _milliseconds(late.tracks[name].frames, profile),
            }
            for name, track in profile.tracks.items()
        ],
        "outputs": outputs,
        "control": profile.control.model_dump(),
        "warnings": warnings,
    }


def _print(
    profile: Profile,
    plans: Plans,
    files: Files,
    plugins: Plugins,
    warnings: list[str],
) -> None:
    console = make_console()
    settings = profile.session
    say(
        f"{profile.name} is right: {settings.sample_rate} Hz, {settings.latency_ms:g} ms of latency"
    )
    if plans.trouble:
        say(f"Bindings are not known: {plans.trouble}")
    table = column_table(("Source", "Takes", "Would bind now to", "Why"))
    for source in plans.sources:
        bound = ", ".join(dict.fromkeys(map(program_name, source.programs)))
        table.add_row(
            plain(source.name),
            plain(source.rule),
            plain(bound or ("?" if source.state is None else "nothing"), "" if bound else "dim"),
            plain(sentence(source.reason).partition(". ")[0].removesuffix(".") + "."),
        )
    console.print(table)
    for source in plans.sources:
        # In a column it would leave no room for the rest.
        if not source.programs and ". " in source.reason:
            say(f"{source.name}: {source.reason}")
    obs = profile.outputs.obs
    late = latencies(profile)
    filtered = any(map(_has_filters, profile.tracks.values()))
    headings = [
        "Track",
        "Channels",
        "From",
        "Filters",
        *(["Filters take"] if filtered else []),
        "File",
    ]
    headings += ["OBS tracks"] if obs else []
    table = column_table(headings, right=("Channels",))
    for name, track in profile.tracks.items():
        written = [paths[name].name for paths in files.values() if name in paths]
        cells = [
            plain(name),
            plain(str(track.channels)),
            plain(", ".join(map(_send_in_words, track.sends))),
            plain(_filters_in_words(track)),
            *([plain(_late_in_words(late.tracks[name], settings.sample_rate))] if filtered else []),
            plain(", ".join(written) or "none"),
        ]
        if obs:
            cells.append(plain(_obs_in_words(obs.tracks.get(name))))
        table.add_row(*cells)
    console.print(table)
    if filtered:
        say(_delay_in_words(profile, late))
    for output, rule in profile.outputs.by_name().items():
        if isinstance(rule, FilesRule):
            what = "Files" if output == "files" else f"Files of {output}"
            for folder in dict.fromkeys(path.parent for path in files[output].values()):
                say(f"{what} ({rule.format}, {rule.encoding}) in {folder}")
    for who, one in plugins.items():
        say(f"{who}: {one.words}")
    if obs:
        say(f"Inputs (transport {obs.transport}) in {_scenes_in_words(obs.scene)} of OBS")
        say(_server_in_words(ServerWords.of(obs)))
    say(_control_in_words(profile.control))
    for warning in warnings:
        say(f"Warning: {warning}")


def _server_in_words(server: ServerWords) -> str:
    if server.given:
        return f"OBS on {server.host} gets proof of the password from {server.password_from}"
    own = is_here(server.host) and not server.password_from
    return f"OBS on {server.host} gets {'its own password alone' if own else 'no password'}"


def _control_in_words(rule: ControlRule) -> str:
    if not rule.enabled:
        return "Control of the running session is switched off"
    kept = "; values that are set then are kept for the next run" if rule.remember else ""
    return f"Control of the running session on 127.0.0.1, port {rule.port} or the next{kept}"


def _scenes_in_words(scenes: tuple[str, ...]) -> str:
    if "*" in scenes:
        return "every scene"
    names = listed([f'"{scene}"' for scene in scenes])
    return f"the scene {names}" if len(scenes) == 1 else f"the scenes {names}"


def _obs_in_words(track: ObsTrack | None) -> str:
    if track is None:
        return "none"
    numbers = ", ".join(map(str, track.to))
    return f'{numbers} as "{track.name}"' if track.name else numbers


def _send_in_words(send: Send) -> str:
    return f"{send.source} {send.gain_db:+g} dB" if send.gain_db else send.source


def _milliseconds(frames: int, profile: Profile) -> float:
    return round(frames * 1000 / profile.session.sample_rate, 3)


def _has_filters(track: TrackRule) -> bool:
    return bool(track.filters or track.compare)


def _compared_json(track: TrackRule) -> dict[str, object]:
    if track.compare is None:
        return {}
    return {"compare": [rule.model_dump() for rule in track.compare], "chain": track.chain}


def _filters_in_words(track: TrackRule) -> str:
    words = ", ".join(map(_filter_in_words, track.filters)) or "none"
    if track.compare is None:
        return words
    other = ", ".join(map(_filter_in_words, track.compare)) or "none"
    return f"a: {words}; b: {other}; {track.chain} is heard"


def _filter_in_words(rule: FilterRule) -> str:
    info = info_of(rule.identity)
    defaults = {one.id: one.default for one in info.params} if info is not None else {}
    own = {
        key: value
        for key, value in rule.settings.items()
        if value not in (None, "", ()) and (defaults.get(key) is None or value != defaults[key])
    }
    words = [f"{key} {_setting_in_words(value)}" for key, value in own.items()]
    words += ["bypassed"] if rule.bypass else []
    kind = rule.use or rule.kind
    return f"{kind} ({', '.join(words)})" if words else kind


def _setting_in_words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " and ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _late_in_words(latency: TrackLatency, sample_rate: int) -> str:
    frames = latency.frames
    if not frames:
        return "nothing" if latency.complete else "a plugin's"
    known = f"{milliseconds_text(frames * 1000 / sample_rate)} ({frames} frames)"
    return known if latency.complete else f"{known} and a plugin's"


def _delay_in_words(profile: Profile, late: Latencies) -> str:
    settings = profile.session
    delay_ms = late.budget * 1000 / settings.sample_rate
    more = "" if late.complete else ", and what plugins take"
    headroom = f"session.filter_headroom_ms ({settings.filter_headroom_ms:g} ms)"
    return (
        f"All tracks are {delay_ms:g} ms late for their filters{more}: "
        f"as long as the longest chain takes and {headroom}, in whole blocks"
    )
