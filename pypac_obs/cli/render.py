# SPDX-License-Identifier: MIT
"""`pypac-obs render`: a track's filters over a file, to try settings without a session."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import soundfile

from pypac_obs import _core
from pypac_obs.cli.console import level_text, print_json, say
from pypac_obs.cli.track_words import no_track
from pypac_obs.errors import InvalidFile, InvalidValue, OutputFailed
from pypac_obs.outputs.sndfile_commands import system_errno
from pypac_obs.profile import Profile, TrackRule, load_profile
from pypac_obs.profile.checks import describe, listed
from pypac_obs.rendering import PIECE_FRAMES, ChainKey, ChainRendering, Frames
from pypac_obs.sound_file import SoundFileReader, library_name
from pypac_obs.status import dbfs
from pypac_obs.whole_file import replace_file
from pypac_obs.wording import milliseconds_text
from pypac_obs.working_folder import absolute

__all__ = ["command"]

# By a file's ending: libsndfile's name, how samples are stored, and what they may be.
_FORMATS = {
    ".wav": ("WAV", {"float32": "FLOAT", "pcm24": "PCM_24", "pcm16": "PCM_16"}),
    ".flac": ("FLAC", {"pcm24": "PCM_24", "pcm16": "PCM_16"}),
}
# What a WAV file's 32-bit lengths can say, with room for its header.
_LONGEST_WAV = (1 << 32) - 4096


@click.command("render")
@click.argument("file")
@click.option("--profile", "profile_file", metavar="FILE", required=True, help="The profile.")
@click.option("--track", metavar="NAME", help="Whose filters. Needed if there are several tracks.")
@click.option(
    "--out", metavar="FILE", required=True, help="What to write: a name that ends in .wav or .flac."
)
@click.option(
    "--key",
    "keys",
    metavar="TRACK=FILE",
    multiple=True,
    help="What a track that steers a filter sounds like; else it is silent.",
)
@click.option(
    "--chain", type=click.Choice(["a", "b"]), help="Which chain, where the track has `compare`."
)
@click.option(
    "--encoding",
    type=click.Choice(["float32", "pcm24", "pcm16"]),
    help="How samples are stored. [float32 in WAV, pcm24 in FLAC]",
)
@click.option("--force", is_flag=True, help="Overwrite the file that is there.")
@click.option("--json", "as_json", is_flag=True, help="What was done, as one JSON object.")
def command(
    file: str,
    profile_file: str,
    track: str | None,
    out: str,
    keys: tuple[str, ...],
    chain: str | None,
    encoding: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run a track's filters and its gain over a file, and write what comes out.

    \b
      pypac-obs render voice.wav --profile gaming.yaml --track voice --out better.wav
      pypac-obs render game.wav --profile gaming.yaml --track game --key voice=voice.wav --out d.wav

    The file is as long as before, and nothing in it moves: the filters' latency is taken out. It is
    processed at its own sample rate, in the track's channels. A mute does not count.
    """
    profile = load_profile(profile_file)
    name, rule = _track_of(profile, track, chain)
    source, target = absolute(Path(file)), absolute(Path(out))
    key_files = _key_files(profile, keys)
    output = _checked_output(target, encoding, (source, *key_files.values()), force=force)
    with contextlib.ExitStack() as opened:
        audio = opened.enter_context(SoundFileReader(source, rule.channels))
        rendering = ChainRendering(name, rule, audio.sample_rate)
        _refuse_other_keys(name, rendering, key_files)
        steering = [
            _steering(opened, key, key_files.get(key.track), audio, profile)
            for key in rendering.keys
        ]
        before, after = (_Levels(audio.sample_rate, rule.channels) for _ in range(2))
        pieces = before.measuring(audio.pieces(PIECE_FRAMES))
        frames, clipped = output.write(
            after.measuring(rendering.render(pieces, steering)),
            audio.sample_rate,
            rule.channels,
            audio.frames,
        )
    latency_ms = rendering.latency_frames * 1000 / audio.sample_rate
    if as_json:
        print_json(
            {
                "track": name,
                "file": str(target),
                "frames": frames,
                "sample_rate": audio.sample_rate,
                "channels": rule.channels,
                "latency_frames": rendering.latency_frames,
                "before": before.to_json(),
                "after": after.to_json(),
                "clipped_frames": clipped,
                "faults": rendering.faults,
            }
        )
        return
    shape = f"{audio.sample_rate} Hz, {'mono' if rule.channels == 1 else 'stereo'}"
    say(f"{name}: {frames / audio.sample_rate:.3f} s, {shape}, written to {target}")
    say(f"Loudness: {before.loudness_text} before, {after.loudness_text} after")
    say(f"True peak: {before.true_peak_text} before, {after.true_peak_text} after")
    say(f"RMS: {level_text(before.rms)} before, {level_text(after.rms)} after")
    if rendering.latency_frames:
        late = f"{milliseconds_text(latency_ms)} ({rendering.latency_frames} frames)"
        say(f"Latency: {late}, taken out")
    for key in dict.fromkeys(one.track for one in rendering.keys if one.heard):
        if key not in key_files:
            say(f"Note: {key}, which steers a filter, was silent (--key {key}=FILE)")
    if clipped:
        say(f"Warning: {clipped} frames are louder than full scale and are clipped")
    if rendering.faults:
        say(f"Warning: filters gave no numbers in {rendering.faults} blocks: silence is there")


# What is asked for ------------------------------------------------------------------------------


def _track_of(profile: Profile, track: str | None, chain: str | None) -> tuple[str, TrackRule]:
    names = list(profile.tracks)
    if track is None:
        if len(names) > 1:
            raise InvalidValue(
                "the profile has several tracks", remedy=f"Say which: --track {names[0]}"
            )
        track = names[0]
    if track not in profile.tracks:
        raise no_track(profile, track)
    rule = profile.tracks[track]
    if chain is not None:
        if rule.compare is None and chain == "b":
            raise InvalidValue(
                f"{track} has no chain b", remedy="Give it `compare` in the profile."
            )
        rule = rule.model_copy(update={"chain": chain})
    return track, rule


def _key_files(profile: Profile, keys: tuple[str, ...]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for text in keys:
        # A track's name may have "=" in it.
        named = [name for name in profile.tracks if text.startswith(f"{name}=")]
        track = max(named, key=len) if named else text.partition("=")[0]
        file = text[len(track) + 1 :]
        if not file:
            raise InvalidValue(f"--key {text} names no file", remedy="Write --key TRACK=FILE.")
        if not named:
            raise no_track(profile, track)
        if track in files:
            raise InvalidValue(f"--key {track} is there twice", remedy="Name one file for it.")
        files[track] = absolute(Path(file))
    return files


def _refuse_other_keys(name: str, rendering: ChainRendering, files: dict[str, Path]) -> None:
    steering = tuple(dict.fromkeys(one.track for one in rendering.keys))
    for track in files:
        if track not in steering:
            there = f"Its filters take {listed(steering, 'and')}." if steering else ""
            raise InvalidValue(
                f"{describe(track)} steers no filter of {name}", remedy=there or "Leave out --key."
            )


def _steering(
    opened: contextlib.ExitStack,
    key: ChainKey,
    file: Path | None,
    audio: SoundFileReader,
    profile: Profile,
) -> Callable[[int], Frames]:
    channels = profile.tracks[key.track].channels
    if file is None:
        return lambda frames: np.zeros((frames, channels), np.float32)
    reader = opened.enter_context(SoundFileReader(file, channels))
    if reader.sample_rate != audio.sample_rate:
        raise InvalidFile(
            f"{file} has {reader.sample_rate} Hz, and {audio.path} {audio.sample_rate} Hz",
            remedy="Export both at one sample rate.",
        )
    waiting = key.delay

    def take(frames: int) -> Frames:
        nonlocal waiting
        silent = min(waiting, frames)
        waiting -= silent
        read = reader.read(frames - silent)
        behind = frames - silent - len(read)
        return np.pad(read, ((silent, behind), (0, 0)))

    return take


# What is written --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _OutputFile:
    path: Path
    container: str
    subtype: str

    def write(
        self, pieces: Iterator[Frames], sample_rate: int, channels: int, expected: int
    ) -> tuple[int, int]:
        """Writes all pieces, or no file; gives the frames, and how many of them were clipped."""
        # Not with the file's name in it, which may be as long as a name can be.
        part = self.path.with_name(f".pypac-{secrets.token_hex(8)}.part")
        is_float = self.subtype == "FLOAT"
        container = self.container
        if container == "WAV" and expected * channels * 4 > _LONGEST_WAV:
            container = "RF64"
        frames = clipped = 0
        try:
            with (
                part.open("xb", buffering=0) as raw,
                soundfile.SoundFile(
                    library_name(part, raw),
                    "w",
                    sample_rate,
                    channels,
                    self.subtype,
                    format=container,
                    closefd=False,
                ) as file,
            ):
                for piece in pieces:
                    if not is_float:
                        clipped += int((np.abs(piece) > 1).any(axis=1).sum())
                        piece = np.clip(piece, -1, 1)
                    file.write(piece)
                    frames += len(piece)
            replace_file(part, self.path)
        except (OSError, soundfile.SoundFileError) as error:
            code = system_errno(error)
            if isinstance(error, InvalidFile | OutputFailed):
                raise
            raise _unwritable(self.path, error, code) from None
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        return frames, clipped


def _checked_output(
    path: Path, encoding: str | None, sources: tuple[Path, ...], *, force: bool
) -> _OutputFile:
    known = _FORMATS.get(path.suffix.lower())
    if known is None:
        raise InvalidFile(
            f"{path} is to be in a format that is not written", remedy="End it in .wav or .flac."
        )
    container, encodings = known
    if encoding is not None and encoding not in encodings:
        raise InvalidValue(
            f"{container} does not hold {encoding}", remedy=f"Use {listed(encodings)}."
        )
    subtype = encodings[encoding or next(iter(encodings))]
    try:
        found = stat.S_ISDIR(path.parent.stat().st_mode)
        there = _mode_of(path) if found else None
    except (FileNotFoundError, NotADirectoryError):
        found = False
    except OSError as error:
        raise _unwritable(path, error) from None
    if not found:
        raise InvalidFile(f"there is no folder {path.parent}", remedy="Make it first.")
    for source in sources:
        if _is_same(path, source):
            raise InvalidFile(
                f"{path} is read, so it cannot be written", remedy="Give --out another name."
            )
    if there is not None:
        if not stat.S_ISREG(there) and not os.path.isfile(path):
            raise InvalidFile(f"{path} is no file", remedy="Give --out another name.")
        if not force:
            raise InvalidFile(f"{path} is there already", remedy="Add --force to overwrite it.")
    return _OutputFile(path, container, subtype)


def _mode_of(path: Path) -> int | None:
    """Of what has that name, be it a link to nothing; None: nothing. Raises OSError."""
    try:
        return path.lstat().st_mode
    except FileNotFoundError:
        return None


def _unwritable(path: Path, error: Exception, code: int | None = None) -> OutputFailed:
    code = code if code is not None else getattr(error, "errno", None)
    said = os.strerror(code) if code is not None else str(error).rstrip(".")
    remedies = {
        errno.ENOSPC: "Make room on the disk, or give --out another folder.",
        errno.EDQUOT: "Make room on the disk, or give --out another folder.",
        errno.ENAMETOOLONG: "Give --out a shorter name.",
        errno.EACCES: "Give yourself the right to write there, or give --out another folder.",
        errno.EPERM: "Give yourself the right to write there, or give --out another folder.",
        errno.EFBIG: "Write to a disk that takes larger files, or raise `ulimit -f`.",
    }
    return OutputFailed(
        f"{path} cannot be written: {said}",
        remedy=remedies.get(code or 0, "Give --out another folder."),
        native_code=code,
    )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


# Levels -----------------------------------------------------------------------------------------


class _Levels:
    """What passes: its loudness, its true peak, its highest sample and its mean power."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._meter = _core.LoudnessMeter(sample_rate=sample_rate, channels=channels)
        self._highest = 0.0
        self._power = 0.0
        self._samples = 0

    def measuring(self, pieces: Iterator[Frames]) -> Iterator[Frames]:
        """Gives the pieces on."""
        for piece in pieces:
            if piece.size:
                self._meter.process(np.ascontiguousarray(piece))
                self._highest = max(self._highest, float(np.abs(piece).max()))
                self._power += float(np.square(piece, dtype=np.float64).sum())
                self._samples += piece.size
            yield piece

    @property
    def loudness_text(self) -> str:
        """Integrated over all of it."""
        lufs = self._meter.values.integrated
        return f"{lufs:.1f} LUFS" if np.isfinite(lufs) else "none"

    @property
    def true_peak_text(self) -> str:
        """In dBTP."""
        return level_text(self._true_peak).replace("dB", "dBTP")

    @property
    def _true_peak(self) -> float:
        # What has come last is not through the meter's filter yet.
        return dbfs(max(self._highest, self._meter.values.max_true_peak))

    @property
    def rms(self) -> float:
        """In dBFS over all channels; a full-scale sine has -3.01."""
        return dbfs((self._power / self._samples) ** 0.5 if self._samples else 0.0)

    def to_json(self) -> dict[str, float | None]:
        """Gives plain values; null is silence, or a file that is too short for it."""
        values = {
            "integrated_lufs": self._meter.values.integrated,
            "range_lu": self._meter.values.range,
            "true_peak_dbtp": self._true_peak,
            "peak_dbfs": dbfs(self._highest),
            "rms_dbfs": self.rms,
        }
        return {
            key: round(value, 3) if np.isfinite(value) else None for key, value in values.items()
        }
