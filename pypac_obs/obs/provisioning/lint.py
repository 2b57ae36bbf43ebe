# SPDX-License-Identifier: MIT
"""What of a profile and an OBS is allowed together, but seldom meant. One sentence each."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import combinations

from pypac_obs._core import text_matches
from pypac_obs.obs.client.actual import Actual, ActualInput, masked_tracks
from pypac_obs.obs.provisioning.desired import (
    MODE,
    RECORDED,
    SAMPLE_RATE,
    SIMPLE_ADVANCED,
    SIMPLE_VOD,
    SIMPLE_VOD_TRACK,
    STREAMED,
    VOD,
    VOD_TRACK,
    Desired,
)
from pypac_obs.obs.provisioning.scenes import quoted, shown_scenes, wanted_scenes
from pypac_obs.profile import (
    DeviceSource,
    EverythingExceptSource,
    ObsRule,
    ProcessSource,
    Profile,
    SessionSettings,
    SyntheticSource,
    SystemSource,
)
from pypac_obs.profile.latency import latencies

__all__ = ["obs_warnings", "profile_warnings", "unseen_obs_warnings"]

# OBS mixes in ticks of this many frames, and buffers in whole ticks.
TICK_FRAMES = 1024
_TICK_MS = 1000 * TICK_FRAMES / 48_000
# A track's audio is at OBS within its first tick up to this latency.
FREE_LATENCY_MS = 10.0
DEFAULT_LATENCY_MS = SessionSettings().latency_ms

_CHAT = re.compile(r"discord|vesktop|webcord|armcord|legcord|teamspeak|ts3client|mumble|skype|zoom")
_MUSIC = re.compile(
    r"spotify|music|tidal|deezer|foobar|winamp|rhythmbox|clementine|strawberry|audacious|cmus|mpd\b"
    r"|elisa|lollypop|vlc|itunes"
)
# Kinds of input that hear whole devices, and those that hear programs.
_DESKTOP_KINDS = ("pulse_output_capture", "wasapi_output_capture", "pipewire_audio_output_capture")
_PROGRAM_KINDS = (
    "wasapi_process_output_capture",
    "pipewire_audio_application_capture",
    "sck_audio_capture",
)
_MIC_KINDS = (
    "pulse_input_capture",
    "wasapi_input_capture",
    "coreaudio_input_capture",
    "alsa_input_capture",
    "pipewire_audio_input_capture",
)


def profile_warnings(profile: Profile) -> list[str]:
    """Says what the profile alone shows; nothing where it does not use OBS."""
    rule = profile.outputs.obs
    return list(_profile_warnings(profile, rule)) if rule is not None else []


def unseen_obs_warnings(profile: Profile) -> list[str]:
    """Says what OBS could tell, for those who do not ask it."""
    rule = profile.outputs.obs
    if rule is None or "desktop_audio" in rule.model_fields_set:
        return []
    if not any(_is_of_programs(profile, track) for track in rule.tracks):
        return []
    return [
        'The profile leaves OBS\'s own "Desktop Audio" as it is: if that is on, it brings all '
        "programs a second time. `desktop_audio: mute` or `unassign` prevents it, and `keep` says "
        "that it is meant."
    ]


def _feedback(profile: Profile, rule: ObsRule) -> Iterator[str]:
    """What OBS lets the user hear is played by OBS, which some sources capture again."""
    monitored = [name for name, track in rule.tracks.items() if track.monitor not in (None, "none")]
    for name in rule.tracks:
        for send in profile.tracks[name].sends:
            source = profile.sources[send.source]
            if monitored and _hears_obs(source, profile):
                yield (
                    f'OBS plays "{monitored[0]}" to you (monitor), and "{send.source}" in the '
                    f'track "{name}" captures what OBS plays: it would come back again and again. '
                    "Except OBS there: {process: [obs, obs64.exe]}."
                )


def _hears_obs(source: object, profile: Profile) -> bool:
    if isinstance(source, SystemSource):
        return True
    if not isinstance(source, EverythingExceptSource):
        return False
    patterns = _excepted(profile, source)
    return not any(text_matches(one, program) for program in ("obs", "obs64") for one in patterns)


def _excepted(profile: Profile, source: EverythingExceptSource) -> list[str]:
    """The names and patterns that stay out of a source, case-folded and without `.exe`."""
    excluded: list[str | int] = []
    for entry in source.everything_except:
        rule = profile.sources[entry] if isinstance(entry, str) else entry
        excluded += getattr(rule, "process", ())
    return [_plain(one) for one in excluded]


def _plain(program: str | int) -> str:
    return str(program).casefold().removesuffix(".exe")


def obs_warnings(profile: Profile, desired: Desired, actual: Actual) -> list[str]:
    """Says what the profile and this OBS show, as it will be once the profile is applied."""
    return [*profile_warnings(profile), *_obs_warnings(profile, desired, actual)]


def _profile_warnings(profile: Profile, rule: ObsRule) -> Iterator[str]:
    session = profile.session
    if rule.transport in ("plugin", "auto"):
        yield from _buffering(profile)
    yield from _feedback(profile, rule)
    if session.sample_rate not in (44_100, 48_000):
        yield (
            f"OBS runs at 44100 or 48000 Hz and converts what comes at {session.sample_rate} Hz; "
            "set session.sample_rate to OBS's."
        )
    for name, track in rule.tracks.items():
        if rule.recording is not None and not set(track.to) & set(rule.recording.tracks):
            yield (
                f'The track "{name}" is on OBS track {_listed(track.to)}, and the recording has '
                f"only {_listed(rule.recording.tracks)}."
            )
        found = _not_for_vod(profile, name) if rule.vod_track in track.to else ""
        if found:
            yield f'The track "{name}" is on the VOD track ({rule.vod_track}) and brings {found}.'
    yield from _twice(profile, rule)


def _buffering(profile: Profile) -> Iterator[str]:
    """OBS gets each block as late as the session and its filters make it, and waits for it."""
    session = profile.session
    late = latencies(profile)
    filters_ms = late.budget * 1000 / session.sample_rate
    ticks = _ticks(session.latency_ms + filters_ms)
    # Of the default nothing is said: nobody chose it, and it costs delay only. A limiter's few ms
    # cost one tick at the most, which is less than that.
    added = ticks > _ticks(session.latency_ms) and filters_ms > FREE_LATENCY_MS
    if session.latency_ms <= DEFAULT_LATENCY_MS and not added:
        return
    why, remedy = "", f"With latency_ms {FREE_LATENCY_MS:g} it need not."
    if late.budget:
        slowest = max(late.tracks, key=lambda name: late.tracks[name].frames)
        frames = late.tracks[slowest].frames
        what = f'the track "{slowest}" takes longest' if frames else "session.filter_headroom_ms"
        why = f" and {filters_ms:g} ms for filters ({what})"
        remedy = f"Up to {FREE_LATENCY_MS:g} ms of both together it need not."
    yield (
        f"With latency_ms {session.latency_ms:g}{why} OBS buffers {ticks * _TICK_MS:.0f} ms more "
        f"({ticks} {'tick' if ticks == 1 else 'ticks'} of {TICK_FRAMES} frames), for all its "
        f"sources alike, so sound and picture stay together. {remedy}"
    )


def _ticks(late_ms: float) -> int:
    """How many ticks more OBS buffers for what comes so late."""
    return max(0, math.ceil((late_ms - FREE_LATENCY_MS) / _TICK_MS))


def _on_obs_own_vod_track(profile: Profile, desired: Desired, actual: Actual) -> Iterator[str]:
    """As for the profile's VOD track, for the one that the user has set in OBS."""
    mode = desired.parameters.get(MODE, actual.value(MODE))
    advanced = mode.lower() == "advanced"
    switches = (VOD,) if advanced else (SIMPLE_VOD, SIMPLE_ADVANCED)
    if any(actual.value(switch).lower() != "true" for switch in switches):
        return
    vod_track = actual.value(VOD_TRACK) if advanced else SIMPLE_VOD_TRACK
    for wanted in desired.inputs:
        on_it = vod_track in map(str, wanted.obs_tracks)
        if on_it and (found := _not_for_vod(profile, wanted.track)):
            yield (
                f'The track "{wanted.track}" is on the VOD track that is set in OBS ({vod_track}) '
                f"and brings {found}."
            )


def _not_for_vod(profile: Profile, track: str) -> str:
    """What of a track seldom belongs into a VOD; empty where nothing was found."""
    for send in profile.tracks[track].sends:
        source = profile.sources[send.source]
        if isinstance(source, SystemSource):
            return "everything that the computer plays, music and voice chat among it"
        if isinstance(source, EverythingExceptSource):
            excepted = _excepted(profile, source)
            kinds = (("music", _MUSIC), ("voice chat", _CHAT))
            left = [words for words, kind in kinds if not _takes_out(excepted, kind)]
            if left:
                return f"every program that is not excepted, {' and '.join(left)} among them"
        if not isinstance(source, ProcessSource):
            continue
        for program in map(str, source.process):
            if _CHAT.search(program.lower()):
                return f"voice chat ({program})"
            if _MUSIC.search(program.lower()):
                return f"music ({program})"
    return ""


def _takes_out(patterns: list[str], kind: re.Pattern[str]) -> bool:
    """Tells whether names and patterns mean a program of that kind."""
    # A pattern such as "disc*" does not have the name in it, but fits it.
    names = kind.pattern.replace(r"\b", "").split("|")
    return any(
        kind.search(one) or any(text_matches(one, name) for name in names) for one in patterns
    )


def _twice(profile: Profile, rule: ObsRule) -> Iterator[str]:
    """Two tracks of the profile that carry the same program into one OBS track."""
    for (first, one), (second, other) in combinations(rule.tracks.items(), 2):
        shared = set(one.to) & set(other.to)
        if not shared:
            continue
        for a in profile.tracks[first].sends:
            for b in profile.tracks[second].sends:
                if what := _overlap(profile, a.source, b.source):
                    yield (
                        f"OBS track {_listed(shared)} gets {what} twice: by the track "
                        f'"{first}" and by "{second}".'
                    )


def _overlap(profile: Profile, first: str, second: str) -> str:
    if first == second:
        return f'"{first}"'
    for name, other in ((first, second), (second, first)):
        wide, narrow = profile.sources[name], profile.sources[other]
        if not isinstance(narrow, ProcessSource):
            continue
        if isinstance(wide, SystemSource):
            return f'"{other}"'
        if isinstance(wide, EverythingExceptSource) and other not in wide.everything_except:
            return f'"{other}"'
    one, two = profile.sources[first], profile.sources[second]
    if isinstance(one, ProcessSource) and isinstance(two, ProcessSource):
        # Only what is written out: whether two patterns mean the same program, none can tell.
        others = {_plain(program) for program in two.process}
        for program in map(str, one.process):
            if not set(program) & set("*?") and _plain(program) in others:
                return f'"{program}"'
    return ""


def _obs_warnings(profile: Profile, desired: Desired, actual: Actual) -> Iterator[str]:
    rule = profile.outputs.obs
    assert rule is not None
    yield from _other_inputs(profile, desired, actual)
    if (rate := actual.value(SAMPLE_RATE)) and rate != str(profile.session.sample_rate):
        yield (
            f"OBS runs at {rate} Hz and the session at {profile.session.sample_rate} Hz, so OBS "
            f"converts all tracks; set session.sample_rate to {rate}."
        )
    if desired.collection in (None, actual.collection):
        yield from _scenes(desired, actual)
    if rule.vod_track is not None and actual.value(STREAMED) == str(rule.vod_track):
        yield f"The stream has track {rule.vod_track} too, so the VOD will sound like the stream."
    if rule.vod_track is None:
        yield from _on_obs_own_vod_track(profile, desired, actual)
    if not desired.recorded:
        yield from _not_recorded(desired, actual)


def _scenes(desired: Desired, actual: Actual) -> Iterator[str]:
    wanted = wanted_scenes(desired.scene, actual)
    for scene, shown in wanted.shows.items():
        if len(shown) > 1:
            yield (
                f'The scene "{scene}" shows {quoted(shown)}, and each has the tracks: they are '
                "heard more than once there. `scene` in outputs.obs can name the scenes that are "
                "to have them."
            )
    scene = actual.program_scene
    on_air = shown_scenes(actual, scene) | {scene}
    heard = {item.source for at in on_air for item in actual.items.get(at, ()) if item.enabled}
    by_hand = all(item.name in heard for item in desired.inputs)
    if scene and wanted.own and on_air.isdisjoint(wanted.own) and not by_hand:
        which = "it" if len(wanted.own) == 1 else "one of them"
        yield (
            f'OBS shows the scene "{scene}" now: the tracks are heard only while '
            f"{quoted(wanted.own, 'or')} is shown, or a scene that has {which} in it."
        )


def _not_recorded(desired: Desired, actual: Actual) -> Iterator[str]:
    advanced = actual.value(MODE).lower() == "advanced"
    recorded = set(masked_tracks(actual.value(RECORDED)) if advanced else (1,))
    for wanted in desired.inputs:
        if not wanted.obs_tracks & recorded:
            yield (
                f'The track "{wanted.track}" is on OBS track {_listed(wanted.obs_tracks)}, and OBS '
                f"records {_listed(recorded)}; `recording` in outputs.obs changes that."
            )


def _other_inputs(profile: Profile, desired: Desired, actual: Actual) -> Iterator[str]:
    own = {wanted.name for wanted in desired.inputs}
    programs = {w.track: w.obs_tracks for w in desired.inputs if _is_of_programs(profile, w.track)}
    mics = {w.track: w.obs_tracks for w in desired.inputs if _is_of_device(profile, w.track)}
    for item in actual.inputs.values():
        tracks = item.obs_tracks or frozenset()
        fits = any(
            w.rule.names_us and w.rule.fits(item.kind, item.settings) for w in desired.inputs
        )
        if item.muted or not tracks or item.name in own or fits:
            continue
        if item.name in actual.desktop:
            wish, key, carried, what = (
                desired.desktop_audio,
                "desktop_audio",
                programs,
                "all programs",
            )
        elif item.name in actual.mic:
            wish, key, carried, what = desired.mic_aux, "mic_aux", mics, "a microphone"
        elif item.kind in _DESKTOP_KINDS:
            wish, key, carried, what = "keep", "", programs, "all programs"
        elif item.kind in _PROGRAM_KINDS:
            wish, key, carried, what = "keep", "", _same_program(profile, programs, item), "it"
        elif item.kind in _MIC_KINDS:
            wish, key, carried, what = "keep", "", mics, "a microphone"
        else:
            continue
        doubled = [track for track, numbers in carried.items() if numbers & tracks]
        if wish != "keep" or not doubled:
            continue
        where = "all six tracks" if len(tracks) == 6 else f"track {_listed(tracks)}"
        remedy = f"`{key}: mute` or `unassign`" if key else "Mute it, or take it off those tracks,"
        yield (
            f'"{item.name}" is on {where} of OBS and brings {what} there: '
            f"{quoted(doubled)} {'is' if len(doubled) == 1 else 'are'} recorded twice. "
            f"{remedy} prevents it."
        )


def _same_program(
    profile: Profile, tracks: dict[str, frozenset[int]], item: ActualInput
) -> dict[str, frozenset[int]]:
    """The tracks that carry a program which that input of OBS's own captures as well."""
    captures = _captures_all_but if item.settings.get("ExceptApp") is True else _captures
    return {
        track: numbers
        for track, numbers in tracks.items()
        for send in profile.tracks[track].sends
        if isinstance(source := profile.sources[send.source], ProcessSource)
        and any(captures(item, _plain(p)) for p in source.process if isinstance(p, str))
    }


def _captures(item: ActualInput, pattern: str) -> bool:
    """Tells whether an input that captures what it names seems to name that program."""
    named = " ".join(str(value) for value in item.settings.values()).lower()
    return pattern.strip("*?") != "" and pattern.strip("*?") in named


def _captures_all_but(item: ActualInput, pattern: str) -> bool:
    """The same for one of obs-pipewire-audio-capture that captures all but what it names."""
    several = item.settings.get("CaptureMode") == 1
    apps = item.settings.get("apps") if several else [{"value": item.settings.get("TargetName")}]
    named = [app.get("value") for app in apps or () if isinstance(app, dict)]
    return not any(text_matches(pattern, _plain(name)) for name in named if isinstance(name, str))


def _is_of_programs(profile: Profile, track: str) -> bool:
    sources = [profile.sources[send.source] for send in profile.tracks[track].sends]
    return any(not isinstance(source, DeviceSource | SyntheticSource) for source in sources)


def _is_of_device(profile: Profile, track: str) -> bool:
    sources = [profile.sources[send.source] for send in profile.tracks[track].sends]
    return any(isinstance(source, DeviceSource) for source in sources)


def _listed(numbers: object) -> str:
    assert isinstance(numbers, tuple | frozenset | set)
    return ", ".join(map(str, sorted(numbers))) or "none"
