# SPDX-License-Identifier: MIT
"""Sound and picture in OBS's recording: how far what happened at once is apart there.

A source in OBS turns white at known host times, and a program emits an impulse at the same times.
OBS records both, the program once through our plugin and once through its own pulse_input_capture.
Meanwhile: what OBS's log says of buffering, how long the plugin takes, and what it costs.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from obs_stage import SCENE, Delivery, ObsStage
from report import Options, Report

from pypac_obs.cli.running import grouped
from pypac_obs.obs.recording import RecordedTrack, read_tracks, run_ffmpeg
from pypac_obs.sandbox import Sandbox

_FPS = 60
_FRAME_MS = 1000 / _FPS
# No multiple of a video frame's length, so that flashes come everywhere between two frames.
_PERIOD_NS = 907_000_000
_FLASH_NS = 80_000_000
_TONES = 5
_TRACKS = 1 + _TONES
_SIDE = 64  # of the flash source, in pixels
_FLASH = re.compile(r"\[pypac-flash\] (\d+) (\d+)")

Seconds = npt.NDArray[np.float64]
Milliseconds = npt.NDArray[np.float64]


def main(options: Options) -> Report:
    return measure(options, Report("obs_sync"), _profile())


def with_filters() -> dict[str, object]:
    """The same with filters on the track of the impulses: one looks ahead, one has a key."""
    profile = _profile()
    duck = {"key": "tone0", "range_db": -6}
    filters = [{"duck": duck}, {"limiter": {"ceiling_db": -1}}]
    tracks = profile["tracks"]
    assert isinstance(tracks, dict)
    return profile | {"tracks": tracks | {"impulses": {"from": "impulses", "filters": filters}}}


def measure(options: Options, report: Report, profile: Mapping[str, object]) -> Report:
    """Measures how far sound and picture are apart with a profile that has those tracks."""
    flashes = int(options.pick(50, 8))
    # The impulses have a sink of their own, whose monitor OBS captures itself.
    with Sandbox(sinks=["impulses", "tones"]) as sandbox:
        player = options.program("players", "position_player")
        sandbox.spawn(
            [player, "--name", "impulses", "--target", "impulses", "--impulses", str(_PERIOD_NS)],
            name="impulses",
        )
        for index in range(_TONES):
            hertz = str(400 + 150 * index)
            name = f"tone{index}"
            sandbox.spawn([player, "--name", name, "--target", "tones", "--tone", hertz], name=name)
        with ObsStage(options, sandbox, fps=_FPS) as stage:
            _measure(stage, report, flashes, profile)
    return report


def _measure(stage: ObsStage, report: Report, flashes: int, profile: Mapping[str, object]) -> None:
    with stage.session(dict(profile)) as session:
        stage.connection.request("SetCurrentProgramScene", sceneName=SCENE)
        flash = {"period_ns": _PERIOD_NS, "flash_ns": _FLASH_NS}
        stage.add_input("flash", "pypac_flash", flash)
        time.sleep(3)  # what it buffers for ours, OBS does before it has the other
        stage.add_input("pulse", "pulse_input_capture", {"device_id": "impulses.monitor"})
        only_second = {str(number): number == 2 for number in range(1, 7)}
        stage.connection.request(
            "SetInputAudioTracks", inputName="pulse", inputAudioTracks=only_second
        )
        time.sleep(3)
        with stage.recording() as recording:
            before = stage.delivery()
            time.sleep((flashes + 2) * _PERIOD_NS / 1e9)
            after = stage.delivery()
        incidents = list(grouped(session.incidents, session.sample_rate))
        for name in session.profile.tracks:
            stage.connection.request("RemoveInput", inputName=name)
        time.sleep(1)
    shown = [(int(index), int(ns)) for index, ns in _FLASH.findall(stage.obs.log())]
    tracks = read_tracks(recording[0])
    seen = _flashes_of(recording[0])
    late = _late_ms(seen, shown)
    ours, theirs = (_offsets_ms(seen, _impulses_of(track)) for track in tracks)
    _tell_offsets(report, ours[:flashes], theirs[:flashes], late[:flashes])
    stage.tell_buffering(report, session.profile.tracks)
    report.add("kinds of incidents of the session", "", len(incidents), digits=0)
    _tell_cost(stage, report, before, after)
    report.details |= {
        "offsets_ms": {"ours": ours.tolist(), "pulse_input_capture": theirs.tolist()},
        "flash_in_frame_ms": late.tolist(),
        "incidents": incidents,
    }


def _profile() -> dict[str, object]:
    programs = ["impulses", *(f"tone{index}" for index in range(_TONES))]
    # OBS has six tracks: our impulses have the first, OBS's own capture of them the second.
    numbers = [1, 3, 4, 5, 6, 6]
    return {
        "version": 1,
        "session": {"latency_ms": 10},
        "sources": {name: {"process": name} for name in programs},
        "tracks": {name: {"from": name} for name in programs},
        "outputs": {
            "obs": {
                "scene": SCENE,
                "tracks": dict(zip(programs, numbers, strict=True)),
                "desktop_audio": "unassign",
                "mic_aux": "unassign",
                "recording": {"tracks": [1, 2], "names": {1: "plugin", 2: "pulse"}},
                "own_profile": "Benchmark",
            }
        },
    }


# What the recording shows ------------------------------------------------------------------------


def _flashes_of(path: Path) -> Seconds:
    """When the picture turns white, in seconds of the recording."""
    probed = run_ffmpeg(
        *("ffprobe", "-select_streams", "v", "-show_entries", "packet=pts_time"),
        *("-of", "json", str(path)),
    )
    times = np.sort([float(packet["pts_time"]) for packet in json.loads(probed)["packets"]])
    raw = run_ffmpeg(
        *("ffmpeg", "-i", str(path), "-map", "0:v", "-fps_mode", "passthrough"),
        *("-vf", f"crop={_SIDE}:{_SIDE}:0:0,scale=1:1:flags=area,format=gray"),
        *("-f", "rawvideo", "-"),
    )
    white = np.frombuffer(raw, np.uint8) > 127
    if len(white) != len(times):
        raise RuntimeError(f"{len(white)} pictures have {len(times)} times")
    turns = np.flatnonzero(white[1:] & ~white[:-1]) + 1
    return times[turns]


def _impulses_of(track: RecordedTrack) -> Seconds:
    """When the impulses are, in seconds of the recording."""
    size = np.abs(track.audio[:, 0])
    loud = np.flatnonzero(size > size.max(initial=0) / 3)
    # All that is loud within a tenth of a second is one impulse, which lies where it is loudest.
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > track.sample_rate / 10) + 1)
    places = [group[np.argmax(size[group])] for group in groups if len(group)]
    return track.start_s + np.array(places, dtype=float) / track.sample_rate


def _offsets_ms(flashes: Seconds, impulses: Seconds) -> Milliseconds:
    """How much later each flash is than its impulse; not a number where there is none."""
    if not len(impulses):
        return np.full(len(flashes), np.nan)
    nearest = impulses[np.argmin(np.abs(impulses[None, :] - flashes[:, None]), axis=1)]
    apart = 1000 * (flashes - nearest)
    return np.where(np.abs(apart) < _PERIOD_NS / 1e6 / 3, apart, np.nan)


def _late_ms(seen: Seconds, shown: list[tuple[int, int]]) -> Milliseconds:
    """How much later than the flash's own time the frame is that first shows it, by its log.

    The recording has some of the flashes that were shown: those whose distances fit best.
    """
    times = np.array([ns for _, ns in shown]) / 1e9
    late = np.array([ns - index * _PERIOD_NS for index, ns in shown]) / 1e6
    misfits = [
        np.abs(np.diff(times[first : first + len(seen)]) - np.diff(seen)).sum()
        for first in range(len(times) - len(seen) + 1)
    ]
    if not misfits:
        raise RuntimeError(f"the recording has {len(seen)} flashes of {len(shown)} that OBS showed")
    first = int(np.argmin(misfits))
    return late[first : first + len(seen)]


# Telling -----------------------------------------------------------------------------------------


def _tell_offsets(
    report: Report, ours: Milliseconds, theirs: Milliseconds, late: Milliseconds
) -> None:
    report.add(
        "flashes measured",
        "",
        int(np.isfinite(ours).sum()),
        pulse_input_capture=int(np.isfinite(theirs).sum()),
        digits=0,
    )
    for what, words in (
        (np.nanmedian, "median"),
        (np.nanmin, "least"),
        (np.nanmax, "most"),
    ):
        value = float(what(ours))
        judged = words == "median"
        report.add(
            f"picture later than sound, {words}",
            "ms",
            value,
            target=f"within {_FRAME_MS:.0f}, one video frame" if judged else "",
            met=abs(value) <= _FRAME_MS if judged else None,
            pulse_input_capture=float(what(theirs)),
        )
    # A frame shows what was before it. Without that wait, what is left is the sound's share.
    report.add(
        "the same without the wait for the next video frame, median",
        "ms",
        float(np.nanmedian(ours - late)),
        pulse_input_capture=float(np.nanmedian(theirs - late)),
    )
    tenth = max(1, len(ours) // 10)
    report.add(
        "the same, last tenth less first tenth",
        "ms",
        _slip(ours - late, tenth),
        pulse_input_capture=_slip(theirs - late, tenth),
    )


def _slip(offsets: Milliseconds, share: int) -> float:
    return float(np.nanmedian(offsets[-share:]) - np.nanmedian(offsets[:share]))


def _tell_cost(stage: ObsStage, report: Report, before: Delivery, after: Delivery) -> None:
    elapsed_ns = after.at_ns - before.at_ns
    cpu_percent = 100 * (after.cpu_ns - before.cpu_ns) / elapsed_ns
    delays = stage.delays()
    for what, target in (("p50", None), ("p99", 15.0), ("longest", None)):
        worst = max((getattr(one, what) for one in delays), default=None)
        report.add(
            f"from a block's being due to OBS's having it, {what}, worst of {len(delays)} tracks",
            "ms",
            worst,
            target=f"< {target:g}" if target else "",
            met=worst is not None and worst < target if target else None,
        )
    report.add(
        "frames lost on the way, all tracks", "frames", sum(one.lost for one in delays), digits=0
    )
    report.add(
        f"CPU of the plugin's thread, {_TRACKS} tracks",
        "% of a core",
        cpu_percent,
        target="< 1",
        met=0 < cpu_percent < 1,
        digits=2,
    )
    report.add(
        "the same: how often it wakes up",
        "times a second",
        1e9 * (after.wake_ups - before.wake_ups) / elapsed_ns,
        digits=0,
    )
    report.details["delays"] = [asdict(one) for one in delays]
