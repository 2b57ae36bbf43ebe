# SPDX-License-Identifier: MIT
"""`pypac-obs demo`: the main job on real programs, measured, with nothing to configure."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import soundfile
from numpy.typing import NDArray

from pypac_obs.cli import DONE, FAILED
from pypac_obs.cli.console import counted, listed, say, sentence
from pypac_obs.cli.demo_ducking import (
    AS_PLAYED,
    DUCKED,
    RANGE_DB,
    SECONDS,
    Ducking,
    make_bursts,
    make_rumble,
    measure_ducking,
)
from pypac_obs.cli.demo_ducking import PROFILE as DUCKING_PROFILE
from pypac_obs.cli.demo_programs import (
    GAME,
    MARGIN_S,
    PROGRAMS,
    VOICE,
    joined,
    play_here,
    play_in,
    wait_until_both_play,
    wait_until_none_plays,
)
from pypac_obs.cli.demo_signals import (
    SHORTEST_S,
    Alignment,
    Isolation,
    clean_stretch,
    make_signal,
    measure_alignment,
    measure_isolation,
    residual_db,
)
from pypac_obs.cli.durations import parse_duration
from pypac_obs.cli.running import Summary, run_session
from pypac_obs.errors import PypacError
from pypac_obs.profile import Profile, load_profile, parse_profile
from pypac_obs.sandbox import Sandbox
from pypac_obs.session import Session

__all__ = ["PROFILE", "command"]

# The same text as configs/demo.yaml, for where there is no checkout.
PROFILE = """\
# What `make demo` runs: two player programs, each into its own file, and all that plays into one.
version: 1
sources:
  game: {process: ["pypac-demo-game"]}
  voice: {process: ["pypac-demo-voice"]}
  everything: {system: true}   # has both in it, so that their alignment can be measured against it
tracks:
  game: {from: game}
  voice: {from: voice}
  everything: {from: everything}
outputs:
  files: {folder: "./pypac-demo {date} {time}"}
"""

EVERYTHING = "everything"
_LEAST_ISOLATION_DB = 90.0
_PICTURE = "demo.png"
_DUCKING_PICTURE = "ducked.png"


@click.command("demo")
@click.option(
    "--out",
    "folder",
    metavar="FOLDER",
    help="Where the files and the picture go.  [default: pypac-demo DATE TIME, here]",
)
@click.option(
    "--duration", metavar="TIME", default="10", show_default=True, help="How long to record."
)
@click.option(
    "--real",
    is_flag=True,
    help="Play and record in your own audio session, instead of a private one.",
)
def command(folder: str | None, duration: str, real: bool) -> int:
    """Record two programs of its own into split files, and measure how well.

    A "game" plays through PipeWire and a "voice" through PulseAudio's interface, in a private audio
    system that you do not hear. It reports each track's isolation from the other, their alignment,
    every incident, and draws a picture. Then the voice speaks in bursts, and the game gets quieter
    meanwhile: by how much and how fast is the second part, with a picture of its own. The exit code
    is 1 if the isolation is less than 90 dB, the alignment not 0 frames, or the game not as much
    quieter as its filter says.
    """
    seconds = _seconds(duration)
    profile = _profile(folder)
    rate = profile.session.sample_rate
    with contextlib.ExitStack() as stack:
        sandbox = None
        if not real:
            say("Starting a private audio system: PipeWire, WirePlumber, pipewire-pulse.")
            sandbox = stack.enter_context(Sandbox(rate=rate))
            stack.enter_context(joined(sandbox))
        played = {name: make_signal(name, seconds + MARGIN_S, rate) for name in PROGRAMS}
        with _playing(sandbox, played, rate):
            session = Session(profile, duration_s=seconds, name="demo")
            summary = run_session(session)
        if summary.frames < SHORTEST_S * rate:
            say(f"Ended before {SHORTEST_S:g} s: too short to be measured.")
            return FAILED
        apart = _report(session, summary)
        wait_until_none_plays()
        say("")
        say("The same with a voice that speaks in bursts, and a game that it makes quieter:")
        played = {
            GAME: make_rumble(SECONDS + MARGIN_S, rate),
            VOICE: make_bursts(SECONDS + MARGIN_S, rate),
        }
        ducking_profile = _in_folder(
            parse_profile(DUCKING_PROFILE, "demo-ducked.yaml"),
            str(summary.files[0].path.with_name("ducked")),
        )
        with _playing(sandbox, played, rate):
            session = Session(ducking_profile, duration_s=SECONDS, name="demo-ducked")
            summary = run_session(session)
    return max(apart, _report_ducking(session, summary))


@contextlib.contextmanager
def _playing(
    sandbox: Sandbox | None, played: dict[str, NDArray[np.float32]], rate: int
) -> Iterator[None]:
    """Has both programs play, in a private audio system or in the user's own."""
    with tempfile.TemporaryDirectory(prefix="pypac-demo-") as folder:
        signals = Path(folder)
        for name, samples in played.items():
            soundfile.write(signals / f"{name}.wav", samples, rate, subtype="FLOAT")
        with play_here(signals) if sandbox is None else play_in(sandbox, signals):
            wait_until_both_play()
            yield


def _seconds(duration: str) -> float:
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise click.BadParameter(f"{error}, found {duration!r}", param_hint="--duration") from None
    if not SHORTEST_S + 0.5 <= seconds <= 600:
        raise click.BadParameter("expected between 2.5 s and 10 minutes", param_hint="--duration")
    return seconds


def _profile(folder: str | None) -> Profile:
    checkout = Path(__file__).parents[2] / "configs" / "demo.yaml"
    profile = load_profile(checkout) if checkout.is_file() else parse_profile(PROFILE, "demo.yaml")
    return profile if folder is None else _in_folder(profile, folder)


def _in_folder(profile: Profile, folder: str) -> Profile:
    """The same profile with another folder for its files."""
    # What means something in a template, and nothing on a command line.
    literal = os.path.abspath(folder)
    for mark in "{}$":
        literal = literal.replace(mark, 2 * mark)
    changed = profile.model_dump()
    changed["outputs"]["files"]["folder"] = literal
    return Profile.from_dict(changed, name=profile.name)


# The report --------------------------------------------------------------------------------------


def _report(session: Session, summary: Summary) -> int:
    rate = summary.sample_rate
    paths = {file.track: file.path for file in summary.files}
    tracks = {name: _left(paths[name]) for name in (GAME, VOICE, EVERYTHING)}
    stretch = clean_stretch(session.incidents, summary.frames)
    length_s = (stretch.end - stretch.begin) / rate
    if length_s < SHORTEST_S:
        say(f"Nothing is measured: only {length_s:.2f} s are free of incidents.")
        return FAILED
    clean = {name: mono[stretch.begin : stretch.end] for name, mono in tracks.items()}
    say("")
    say(f"Measured over {length_s:.3f} s from {stretch.begin / rate:.3f} s on:")
    isolations = [measure_isolation(name, clean[name], rate) for name in (GAME, VOICE)]
    for isolation in isolations:
        say(f"  {_isolation_words(isolation)}")
    alignments = [
        measure_alignment(name, clean[name], clean[EVERYTHING], stretch.begin, rate)
        for name in (GAME, VOICE)
    ]
    for alignment in alignments:
        say(f"  {_alignment_words(alignment)}")
    mutual = _mutual_words(*alignments)
    say(f"  alignment of game and voice: {mutual}")
    rest = residual_db(clean[EVERYTHING], [clean[GAME], clean[VOICE]])
    left = f"{rest:.1f} dB" if np.isfinite(rest) else "nothing at all"
    say(f"  everything minus game minus voice: {left}")
    lengths = {file.frames for file in summary.files}
    good = {
        "isolation": all(one.db >= _LEAST_ISOLATION_DB for one in isolations),
        "alignment": all(one.offsets and not any(one.offsets) for one in alignments),
        "length": lengths == {summary.frames},
        "outputs": not summary.failures,
    }
    headline = (
        f"isolation: game {isolations[0].db:.0f} dB, voice {isolations[1].db:.0f} dB;  "
        f"alignment of game and voice: {mutual};  "
        f"incidents: {len(session.incidents)}"
    )
    _draw(paths[GAME].with_name(_PICTURE), tracks, rate, alignments, headline)
    for name, fine in good.items():
        if not fine:
            say(sentence(f"failed: {name}"))
    return DONE if all(good.values()) else FAILED


def _report_ducking(session: Session, summary: Summary) -> int:
    rate = summary.sample_rate
    paths = {file.track: file.path for file in summary.files}
    tracks = {name: _left(paths[name]) for name in (VOICE, AS_PLAYED, DUCKED)}
    stretch = clean_stretch(session.incidents, summary.frames)
    clean = {name: mono[stretch.begin : stretch.end] for name, mono in tracks.items()}
    found = measure_ducking(clean[DUCKED], clean[AS_PLAYED], clean[VOICE], rate)
    say("")
    if found is None:
        say("Nothing is measured: no word was recorded whole, with its pauses.")
        return FAILED
    say(f"  while the voice speaks: the game {_quieter(found.speaks_db)}")
    say(f"  while it is silent: the game {_quieter(found.silent_db)}")
    say(f"  half of the way down {found.down_ms:.0f} ms after a word begins,")
    say(f"  half of the way up {found.up_ms:.0f} ms after it ends")
    _draw_ducking(paths[DUCKED].with_name(_DUCKING_PICTURE), clean, rate, found)
    good = {
        "the game is as much quieter as its filter says": abs(found.speaks_db + RANGE_DB) < 0.5,
        "the game is as it plays while nobody speaks": abs(found.silent_db) < 0.5,
        "outputs": not summary.failures,
    }
    for name, fine in good.items():
        if not fine:
            say(sentence(f"failed: {name}"))
    return DONE if all(good.values()) else FAILED


def _quieter(gain_db: float) -> str:
    return "as it plays" if abs(gain_db) < 0.05 else f"{-gain_db:.1f} dB quieter than it plays"


def _left(path: Path) -> NDArray[np.float64]:
    samples, _ = soundfile.read(str(path), dtype="float64", always_2d=True)
    mono: NDArray[np.float64] = samples[:, 0]
    return mono


def _isolation_words(isolation: Isolation) -> str:
    other = VOICE if isolation.track == GAME else GAME
    words = f"isolation of {isolation.track} from {other}: {isolation.db:.1f} dB"
    if isolation.at_the_floor:
        return f"{words}, no more than where nobody plays ({isolation.floor_db:.1f} dB)"
    return f"{words}; where nobody plays it would be {isolation.floor_db:.1f} dB"


def _alignment_words(alignment: Alignment) -> str:
    seconds = counted(len(alignment.offsets), "second")
    found = sorted(set(alignment.offsets))
    offsets = listed([counted(offset, "frame") for offset in found]) or "not found"
    return f"{alignment.track} in everything, each of {seconds}: {offsets}"


def _mutual_words(game: Alignment, voice: Alignment) -> str:
    """Says the largest distance between the two tracks in any second."""
    by_begin = dict(zip(voice.begins, voice.offsets, strict=True))
    pairs = zip(game.begins, game.offsets, strict=True)
    distances = [abs(offset - by_begin[begin]) for begin, offset in pairs if begin in by_begin]
    return counted(max(distances), "frame") if distances else "not measured"


def _draw(
    path: Path,
    tracks: dict[str, NDArray[np.float64]],
    rate: int,
    alignments: list[Alignment],
    headline: str,
) -> None:
    with _picture(path):
        from pypac_obs.cli.demo_picture import draw

        draw(path, tracks, rate, alignments, headline)


def _draw_ducking(
    path: Path, tracks: dict[str, NDArray[np.float64]], rate: int, found: Ducking
) -> None:
    with _picture(path):
        from pypac_obs.cli.demo_picture import draw_ducking

        draw_ducking(path, tracks, rate, found)


@contextlib.contextmanager
def _picture(path: Path) -> Iterator[None]:
    """Says where a picture is that is drawn within, or why it is not."""
    try:
        yield
    except ImportError:
        say('There is no picture without matplotlib: pip install "pypac-obs[demo]"')
    except (OSError, PypacError) as error:
        say(sentence(f"the picture cannot be written: {error}"))
    else:
        say(f"Picture: {path}")
