# SPDX-License-Identifier: MIT
"""`pypac-obs obs demo`: two programs on tracks of their own in a private OBS, measured."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
import soundfile

from pypac_obs.cli import DONE, FAILED
from pypac_obs.cli.console import counted, listed, say, sentence
from pypac_obs.cli.demo_programs import (
    GAME,
    MARGIN_S,
    PROGRAMS,
    VOICE,
    joined,
    play_in,
    wait_until_both_play,
)
from pypac_obs.cli.demo_signals import clean_stretch
from pypac_obs.cli.durations import parse_duration
from pypac_obs.cli.obs import Server
from pypac_obs.cli.obs_demo_tones import (
    PLAYED_DB,
    SHORTEST_S,
    Heard,
    hear,
    make_tones,
    offset_frames,
)
from pypac_obs.cli.running import grouped
from pypac_obs.errors import ObsError, ObsRefused
from pypac_obs.obs.client.connection import ObsConnection
from pypac_obs.obs.client.outputs import OutputControl, OutputKind
from pypac_obs.obs.client.settings import ObsFolder
from pypac_obs.obs.install.plugin import install
from pypac_obs.obs.provisioning.plan import Plan
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.recording import RecordedTrack, buffering_ms, read_tracks
from pypac_obs.profile import load_profile, parse_profile
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox
from pypac_obs.session import Session

__all__ = ["PROFILE", "command"]

# The same text as configs/obs-demo.yaml, for where there is no checkout.
PROFILE = """\
# What `make demo-obs` runs: two player programs, each on a track of its own in a private OBS.
version: 1
session:
  latency_ms: 10
sources:
  game: {process: ["pypac-demo-game"]}
  voice: {process: ["pypac-demo-voice"]}
tracks:
  game: {from: game}
  voice: {from: voice}
outputs:
  obs:
    tracks:
      game: [1, 2]
      voice: {to: [1, 3], name: "Voice chat"}
    desktop_audio: unassign
    mic_aux: unassign
    recording:
      tracks: [1, 2, 3]
      names: {1: Mix, 2: Game, 3: Voice chat}
    own_profile: PyPAC-OBS demo
"""

_LEAST_ISOLATION_DB = 90.0
_READY_WITHIN_S = 60.0
_POLL_S = 0.25
_PICTURE = "mixer.png"
# Of what is played, in a track that has it: its own level, as loud as it was played.
_LEVEL_WITHIN_DB = 1.0
# OBS tells that it records within this time of its file's beginning.
_EDGE_S = 0.5


@click.command("demo")
@click.option(
    "--out",
    "folder",
    metavar="FOLDER",
    help="Where recording and picture go.  [default: pypac-obs-demo DATE TIME, here]",
)
@click.option(
    "--duration", metavar="TIME", default="10", show_default=True, help="How long OBS records."
)
def command(folder: str | None, duration: str) -> int:
    """Bring two programs of its own into an OBS of its own, and measure what it records.

    A "game" plays through PipeWire and a "voice" through PulseAudio's interface, in a private audio
    system that you do not hear; OBS runs beside it, without a screen and with settings of its own.
    It reports what is on each of OBS's tracks and the tracks' offset. The exit code is 1 if a
    program is less than 90 dB below another on a track that is not its own, or if anything else is
    not as the profile says.
    """
    seconds = _seconds(duration)
    checkout = Path(__file__).parents[2] / "configs" / "obs-demo.yaml"
    profile = (
        load_profile(checkout) if checkout.is_file() else parse_profile(PROFILE, checkout.name)
    )
    out = Path(folder or f"pypac-obs-demo {datetime.now():%Y-%m-%d %H.%M.%S}").absolute()
    out.mkdir(parents=True, exist_ok=True)
    rate = profile.session.sample_rate
    with contextlib.ExitStack() as stack:
        signals = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pypac-demo-")))
        for name in PROGRAMS:
            samples = make_tones(name, seconds + _READY_WITHIN_S + MARGIN_S, rate)
            soundfile.write(signals / f"{name}.wav", samples, rate, subtype="FLOAT")
        say("Starting a private audio system, and a private OBS in it.")
        sandbox = stack.enter_context(Sandbox(rate=rate))
        obs = ObsSandbox(sandbox, visible=True)
        install(ObsFolder("native", obs.config_folder, obs.config_folder / "plugins"))
        stack.enter_context(obs)
        stack.enter_context(joined(sandbox, _address_of(obs)))
        stack.enter_context(play_in(sandbox, signals))
        wait_until_both_play()
        session = stack.enter_context(Session(profile, name="obs-demo"))
        provisioner = Provisioner(profile, session.name)
        with _connect() as connection:
            _wait_until_as_wished(session, provisioner, connection)
            recording = _record(session, obs, seconds, out)
            plan = provisioner.plan(connection)
        log = obs.log()
    return _report(session, recording, plan, log)


def _seconds(duration: str) -> float:
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise click.BadParameter(f"{error}, found {duration!r}", param_hint="--duration") from None
    if not 3 <= seconds <= 600:
        raise click.BadParameter("expected between 3 s and 10 minutes", param_hint="--duration")
    return seconds


# Running -----------------------------------------------------------------------------------------


def _address_of(obs: ObsSandbox) -> dict[str, str]:
    """The environment that leads to this OBS, and to no other."""
    host, port = obs.address
    return {"OBS_HOST": host, "OBS_PORT": str(port), "OBS_PASSWORD": obs.password}


def _connect(**options: Any) -> ObsConnection:
    return Server().connect(**options)


def _wait_until_as_wished(
    session: Session, provisioner: Provisioner, connection: ObsConnection
) -> None:
    """Waits until the session has made OBS as the profile says; raises what keeps it from that."""
    deadline, plan = time.monotonic() + _READY_WITHIN_S, Plan(())
    while True:
        with contextlib.suppress(ObsRefused):  # what is being made now may be gone a moment later
            if (plan := provisioner.plan(connection)).empty:
                return
        for error in session.errors:
            raise error
        if time.monotonic() > deadline:
            missing = listed([*map(str, plan.steps), *plan.conflicts])
            raise ObsError(f"OBS is not as the profile says after {_READY_WITHIN_S:g} s: {missing}")
        time.sleep(_POLL_S)


@dataclass(frozen=True)
class _Recording:
    """What OBS recorded, and between which frames of the timeline, about."""

    path: Path
    begin: int
    end: int


def _record(session: Session, obs: ObsSandbox, seconds: float, out: Path) -> _Recording:
    """Lets OBS record, and takes the picture meanwhile."""
    with OutputControl(_connect, OutputKind.RECORDING) as output:
        output.start()
        begin = session.position
        say("OBS is as the profile says, and records.")
        until = time.monotonic() + seconds
        time.sleep(seconds / 2)
        obs.screenshot(out / _PICTURE)
        time.sleep(max(0.0, until - time.monotonic()))
        end = session.position
        _, path = output.stop()
    say(f"OBS's mixer: {out / _PICTURE}")
    return _Recording(Path(shutil.move(path, out)), begin, end)


# The report --------------------------------------------------------------------------------------


def _report(session: Session, recording: _Recording, plan: Plan, log: str) -> int:
    rule = session.profile.outputs.obs
    assert rule is not None
    assert rule.recording is not None
    tracks = dict(zip(sorted(rule.recording.tracks), read_tracks(recording.path), strict=False))
    titles = {number: track.title for number, track in tracks.items()}
    good = {
        "the recording's tracks": titles == rule.recording.names,
        "what OBS is set to": plan.empty,
        "the session": not session.errors,
    }
    say("")
    say(f"OBS recorded {recording.path}")
    say(f"  {_buffering_words(log)}")
    for text in list(grouped(session.incidents, session.sample_rate)) or ["no incidents"]:
        say(f"  {text}")
    say(f"  obs plan: {listed([*map(str, plan.steps), *plan.conflicts]) or 'nothing to change'}")
    begin_s, end_s = _clean_seconds(session, recording)
    good["a part free of incidents that is long enough"] = end_s - begin_s >= SHORTEST_S
    if end_s - begin_s < SHORTEST_S:
        length_s = (recording.end - recording.begin) / session.sample_rate
        begin_s, end_s = _EDGE_S, length_s - _EDGE_S
    say(f"Measured from {begin_s:.2f} s to {end_s:.2f} s of the recording:")
    heard = {number: _hear(track, begin_s, end_s) for number, track in tracks.items()}
    for number, one in heard.items():
        wanted = {name for name, track in rule.tracks.items() if number in track.to}
        say(f"  OBS track {number}, {titles[number]}: {_words(one)}")
        good[f"OBS track {number}"] = _is_apart(one, wanted)
    good["the offset"] = _tell_offset(heard, tracks)
    for name, fine in good.items():
        if not fine:
            say(sentence(f"failed: {name}"))
    return DONE if all(good.values()) else FAILED


def _clean_seconds(session: Session, recording: _Recording) -> tuple[float, float]:
    """The longest part of the recording in which nothing is missing: its begin and end."""
    length = recording.end - recording.begin
    moved = [
        replace(one, begin=max(0, one.begin - recording.begin))
        for one in session.incidents
        if one.begin + one.frames > recording.begin
    ]
    stretch = clean_stretch(moved, length)
    # Where exactly the timeline's frames lie in the recording is not known.
    return (
        stretch.begin / session.sample_rate + _EDGE_S,
        stretch.end / session.sample_rate - _EDGE_S,
    )


def _hear(track: RecordedTrack, begin_s: float, end_s: float) -> Heard:
    part = slice(*(round((at - track.start_s) * track.sample_rate) for at in (begin_s, end_s)))
    return hear(track.audio[part, 0].astype(np.float64), track.sample_rate)


def _words(heard: Heard) -> str:
    programs = heard.programs()
    words = [f"{name} {heard.levels_db[name]:.1f} dB" for name in programs]
    if len(programs) == 1:
        others = listed([name for name in heard.levels_db if name not in programs])
        words.append(f"{others} {heard.below_db(programs[0]):.1f} dB below it")
    return ", ".join(words) or "silence"


def _is_apart(heard: Heard, wanted: set[str]) -> bool:
    """True if a track has these programs, as loud as they were played, and no others."""
    if set(heard.programs()) != wanted:
        return False
    as_loud = all(abs(heard.levels_db[one] - PLAYED_DB) < _LEVEL_WITHIN_DB for one in wanted)
    return as_loud and (len(wanted) > 1 or heard.below_db(*wanted) >= _LEAST_ISOLATION_DB)


def _tell_offset(heard: Mapping[int, Heard], tracks: Mapping[int, RecordedTrack]) -> bool:
    """Finds both programs in the first track that has both, and tells how far they are apart."""
    mixes = [number for number, one in heard.items() if set(one.programs()) == set(PROGRAMS)]
    alone = {one.programs()[0]: n for n, one in heard.items() if len(one.programs()) == 1}
    if not mixes or set(alone) != set(PROGRAMS):
        say("  the tracks' offset cannot be measured: no track has both programs, or one has none")
        return False
    rate = tracks[mixes[0]].sample_rate
    offsets = {
        program: offset_frames(program, heard[number], heard[mixes[0]], rate)
        for program, number in alone.items()
    }
    game, voice = (offsets[program] for program in (GAME, VOICE))
    say(
        f"  offset between OBS tracks {alone[GAME]} and {alone[VOICE]}, by what track {mixes[0]} "
        f"has of both: {counted(game - voice, 'frame')}"
    )
    if game == voice and game:
        apart = counted(abs(game), "frame")
        say(f"    (OBS itself began track {mixes[0]} {apart} apart from both, as old versions do)")
    return game == voice


def _buffering_words(log: str) -> str:
    if not (found := buffering_ms(log)):
        return "OBS's log tells of no audio buffering"
    return f"audio buffering that OBS's log tells of: {listed([f'{ms} ms' for ms in found])}"
