# SPDX-License-Identifier: MIT
"""`pypac-obs check`: validates a profile and prints what it would do now."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click

from pypac_obs.audio_system import Capture, open_capture
from pypac_obs.cli.console import (
    column_table,
    listed,
    make_console,
    plain,
    print_json,
    say,
    sentence,
)
from pypac_obs.cli.run import warnings_of
from pypac_obs.cli.running import program_name
from pypac_obs.errors import PypacError
from pypac_obs.likely_names import NamesHere, likely_names
from pypac_obs.obs.lint import unseen_obs_warnings
from pypac_obs.obs.settings import ServerWords, is_here
from pypac_obs.profile import ObsTrack, Profile, expand_path, load_profile
from pypac_obs.profile.model import (
    AnySource,
    DeviceSource,
    EverythingExceptSource,
    FilterRule,
    ProcessSource,
    Send,
    SyntheticSource,
)
from pypac_obs.status import BoundProgram
from pypac_obs.wiring import selector_of

__all__ = ["command"]

# How long the audio system may take to tell what it has.
_PATIENCE_S = 2.0


@dataclass(frozen=True)
class SourcePlan:
    """A source: its rule in words, and what it would bind to now (None: not known)."""

    name: str
    rule: str
    state: str | None
    reason: str
    programs: tuple[BoundProgram, ...]

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        return {
            "name": self.name,
            "rule": self.rule,
            "state": self.state,
            "reason": self.reason,
            "bindings": [program.to_json() for program in self.programs],
        }


@click.command("check")
@click.argument("profile")
@click.option("--json", "as_json", is_flag=True, help="The plan as one JSON object.")
def command(profile: str, as_json: bool) -> None:
    """Check a profile and print its plan: what it would bind to now, mix and write.

    Every mistake is reported at once, each with file:line:column, and the exit code is 2. Nothing
    is captured or written. Without an audio system the plan has no bindings, and says why.
    """
    rules = load_profile(profile)
    sources, trouble, (likely, refuted) = _plan_sources(rules)
    files = _files(rules)
    warnings = [one for one in warnings_of(rules) if one not in refuted]
    warnings += [*likely, *unseen_obs_warnings(rules), *_unwritable(files)]
    if as_json:
        print_json(_as_json(rules, sources, trouble, files, warnings))
    else:
        _print(rules, sources, trouble, files, warnings)


def _plan_sources(
    profile: Profile,
) -> tuple[list[SourcePlan], str, tuple[list[str], list[str]]]:
    """Gives every source's plan, and why the bindings are not known (empty: they are).

    And what `likely_names` says.
    """
    silent: tuple[list[str], list[str]] = ([], [])
    rules = profile.sources
    if all(isinstance(rule, SyntheticSource) for rule in rules.values()):
        return [_synthetic(name, rule) for name, rule in rules.items()], "", silent
    try:
        capture = open_capture(timeline_rate=profile.session.sample_rate)
    except PypacError as error:
        trouble = " ".join(filter(None, (sentence(error.message), error.remedy)))
        return [_unknown(name, rule) for name, rule in rules.items()], trouble, silent
    try:
        capture.wait_until_running(_PATIENCE_S)
        plans = [_bound(capture, name, rule, profile) for name, rule in rules.items()]
        found = [plan.name for plan in plans if plan.state != "not_running"]
        return plans, "", likely_names(profile, NamesHere.of(capture, found))
    finally:
        capture.stop()


def _synthetic(name: str, rule: AnySource) -> SourcePlan:
    return SourcePlan(name, _in_words(rule), "playing", "computed by this program", ())


def _unknown(name: str, rule: AnySource) -> SourcePlan:
    if isinstance(rule, SyntheticSource):
        return _synthetic(name, rule)
    return SourcePlan(name, _in_words(rule), None, "not known: there is no audio system", ())


def _bound(capture: Capture, name: str, rule: AnySource, profile: Profile) -> SourcePlan:
    if isinstance(rule, SyntheticSource):
        return _synthetic(name, rule)
    found = capture.preview(selector_of(rule, profile))
    programs = tuple(map(BoundProgram.of, found.streams))
    return SourcePlan(name, _in_words(rule), found.state, found.reason, programs)


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
        return f"device {rule.device}"
    if isinstance(rule, SyntheticSource):
        return f"synthetic {rule.synthetic.kind}"
    return "the whole system"


def _any_of(processes: tuple[str | int, ...]) -> str:
    return ", ".join(f"PID {p}" if isinstance(p, int) else p for p in processes)


def _files(profile: Profile) -> dict[str, Path]:
    """Gives the file of each track as it would be named now."""
    rule = profile.outputs.files
    if rule is None:
        return {}
    start = datetime.now().astimezone()

    def expand(template: str, track: str) -> Path:
        return expand_path(
            template, track=track, profile=profile.name, session=profile.name, start=start
        )

    folder = expand(rule.folder, "").absolute()
    return {
        track: folder / f"{expand(rule.name, track)}.{rule.format}"
        for track in profile.tracks
        if rule.tracks is None or track in rule.tracks
    }


def _unwritable(files: dict[str, Path]) -> list[str]:
    for path in list(files.values())[:1]:
        there = next((folder for folder in path.parents if folder.exists()), None)
        if there is not None and not there.is_dir():
            return [f"{there} is no folder, so nothing can be written below it."]
        if there is not None and not os.access(there, os.W_OK | os.X_OK):
            return [f"You may not write in {there}."]
    return []


def _as_json(
    profile: Profile,
    sources: list[SourcePlan],
    trouble: str,
    files: dict[str, Path],
    warnings: list[str],
) -> dict[str, object]:
    outputs: dict[str, object] = {}
    if (rule := profile.outputs.files) is not None:
        outputs["files"] = {
            "format": rule.format,
            "encoding": rule.encoding,
            "paths": {track: str(path) for track, path in files.items()},
        }
    if profile.outputs.obs is not None:
        server = ServerWords.of(profile.outputs.obs)
        outputs["obs"] = profile.outputs.obs.model_dump(exclude_none=True) | {
            "server": {
                "host": server.host,
                "password_from": server.password_from,
                "password_given": server.given,
            }
        }
    return {
        "profile": profile.name,
        "file": str(profile.file) if profile.file else None,
        "sample_rate": profile.session.sample_rate,
        "latency_ms": profile.session.latency_ms,
        "audio_system": {"present": not trouble, "reason": trouble},
        "sources": [source.to_json() for source in sources],
        "tracks": [
            {
                "name": name,
                "channels": track.channels,
                "from": [send.model_dump() for send in track.sends],
                "filters": [rule.model_dump() for rule in track.filters],
            }
            for name, track in profile.tracks.items()
        ],
        "outputs": outputs,
        "warnings": warnings,
    }


def _print(
    profile: Profile,
    sources: list[SourcePlan],
    trouble: str,
    files: dict[str, Path],
    warnings: list[str],
) -> None:
    console = make_console()
    settings = profile.session
    say(
        f"{profile.name} is right: {settings.sample_rate} Hz, {settings.latency_ms:g} ms of latency"
    )
    if trouble:
        say(f"Bindings are not known: {trouble}")
    table = column_table(("Source", "Takes", "Would bind now to", "Why"))
    for source in sources:
        bound = ", ".join(dict.fromkeys(map(program_name, source.programs)))
        table.add_row(
            plain(source.name),
            plain(source.rule),
            plain(bound or ("?" if source.state is None else "nothing"), "" if bound else "dim"),
            plain(sentence(source.reason).partition(". ")[0].removesuffix(".") + "."),
        )
    console.print(table)
    for source in sources:
        # In a column it would leave no room for the rest.
        if not source.programs and ". " in source.reason:
            say(f"{source.name}: {source.reason}")
    obs = profile.outputs.obs
    headings = ["Track", "Channels", "From", "Filters", "File", *(["OBS tracks"] if obs else [])]
    table = column_table(headings, right=("Channels",))
    for name, track in profile.tracks.items():
        path = files.get(name)
        cells = [
            plain(name),
            plain(str(track.channels)),
            plain(", ".join(map(_send_in_words, track.sends))),
            plain(", ".join(map(_filter_in_words, track.filters)) or "none"),
            plain(path.name if path else "none"),
        ]
        if obs:
            cells.append(plain(_obs_in_words(obs.tracks.get(name))))
        table.add_row(*cells)
    console.print(table)
    if profile.outputs.files is not None:
        rule = profile.outputs.files
        for folder in dict.fromkeys(path.parent for path in files.values()):
            say(f"Files ({rule.format}, {rule.encoding}) in {folder}")
    if obs:
        say(f"Inputs (transport {obs.transport}) in {_scenes_in_words(obs.scene)} of OBS")
        say(_server_in_words(ServerWords.of(obs)))
    for warning in warnings:
        say(f"Warning: {warning}")


def _server_in_words(server: ServerWords) -> str:
    if server.given:
        return f"OBS on {server.host} gets proof of the password from {server.password_from}"
    own = is_here(server.host) and not server.password_from
    return f"OBS on {server.host} gets {'its own password alone' if own else 'no password'}"


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


def _filter_in_words(rule: FilterRule) -> str:
    settings = ", ".join(f"{key} {value}" for key, value in rule.settings.items())
    return f"{rule.kind} ({settings})" if settings else rule.kind
