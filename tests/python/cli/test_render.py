# SPDX-License-Identifier: MIT
"""A track's filters over a file."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from pypac_obs.cli import commands

RATE = 44_100
PROFILE = """\
version: 1
sources: {a: {synthetic: {kind: tone}}}
presets: {soft: [{gain: {gain_db: -6}}]}
tracks:
  voice: {from: a, filters: soft}
  fader: {from: a, filters: soft, gain_db: -4, mute: true}
  mono: {from: a, channels: 1}
  both: {from: a, filters: soft, compare: [{gain: {gain_db: -20}}]}
  mine: {from: a, filters: [{plugin: {use: "x.py:X"}}]}
  bypassed: {from: a, filters: [soft, {plugin: {use: "x.py:X", bypass: true}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(PROFILE, encoding="utf-8")
    return tmp_path


def write(folder: Path, name: str, audio: np.ndarray, rate: int = RATE) -> np.ndarray:
    soundfile.write(folder / name, audio, rate, subtype="FLOAT")
    return audio


def noise(frames: int = 100_000, channels: int = 2) -> np.ndarray:
    shape = (frames, channels)
    return np.random.default_rng(1).uniform(-0.5, 0.5, shape).astype(np.float32)


def render(folder: Path, *args: str, file: str = "in.wav", out: str = "out.wav") -> Result:
    profile = ("--profile", str(folder / "p.yaml"), "--out", str(folder / out))
    return CliRunner().invoke(commands, ["render", str(folder / file), *profile, *args])


@pytest.mark.parametrize(
    ("track", "gain_db"), [("voice", -6), ("fader", -10), ("both", -6), ("bypassed", -6)]
)
def test_the_filters_and_the_fader_are_exactly_what_is_heard(
    folder: Path, track: str, gain_db: float
):
    audio = write(folder, "in.wav", noise())
    result = render(folder, "--track", track)
    assert (result.exit_code, result.stderr) == (0, "")
    heard, rate = soundfile.read(folder / "out.wav", dtype="float32")
    assert (rate, heard.shape) == (RATE, audio.shape)
    assert np.allclose(heard, audio * 10 ** (gain_db / 20), rtol=1e-6, atol=0)
    assert soundfile.info(folder / "out.wav").subtype == "FLOAT"
    assert list(folder.glob(".*")) == []


def test_the_other_chain_can_be_tried(folder: Path):
    audio = write(folder, "in.wav", noise())
    assert render(folder, "--track", "both", "--chain", "b").exit_code == 0
    heard = soundfile.read(folder / "out.wav", dtype="float32")[0]
    assert np.allclose(heard, audio * 0.1, rtol=1e-6, atol=0)
    result = render(folder, "--track", "voice", "--chain", "b", "--force")
    assert (result.exit_code, result.stderr.splitlines()[0]) == (2, "Error: voice has no chain b.")


@pytest.mark.parametrize("frames", [0, 1, 479, 48_001])
def test_a_file_is_as_long_as_before(folder: Path, frames: int):
    write(folder, "in.wav", noise(frames))
    assert render(folder, "--track", "voice").exit_code == 0
    assert soundfile.info(folder / "out.wav").frames == frames


def test_a_file_has_the_channels_of_its_track(folder: Path):
    audio = write(folder, "mono.wav", noise(channels=1))
    assert render(folder, "--track", "voice", file="mono.wav").exit_code == 0
    heard = soundfile.read(folder / "out.wav", dtype="float32")[0]
    assert np.array_equal(heard[:, 0], heard[:, 1])
    assert np.allclose(heard[:, :1], audio * 10 ** (-6 / 20), rtol=1e-6)
    both = write(folder, "in.wav", noise())
    assert render(folder, "--track", "mono", "--force").exit_code == 0
    heard = soundfile.read(folder / "out.wav", dtype="float32")[0]
    assert np.allclose(heard, both.mean(axis=1), atol=1e-7)


def test_flac_has_24_bits_and_what_is_too_loud_is_said(folder: Path):
    write(folder, "in.wav", noise() * 5)
    result = render(folder, "--track", "voice", out="out.flac")
    assert result.exit_code == 0
    assert soundfile.info(folder / "out.flac").subtype == "PCM_24"
    assert "are clipped" in result.stdout
    heard = soundfile.read(folder / "out.flac")[0]
    wanted = np.clip(noise() * 5 * 10 ** (-6 / 20), -1, 1)
    assert np.abs(heard - wanted).max() < 2**-22


def test_what_was_done_is_told(folder: Path):
    tone = np.sin(2 * np.pi * 997 * np.arange(RATE) / RATE).astype(np.float32)
    write(folder, "in.wav", np.stack([tone, tone], axis=1))
    result = render(folder, "--track", "voice")
    assert f"voice: 1.000 s, 44100 Hz, stereo, written to {folder / 'out.wav'}" in result.stdout
    # A 997 Hz sine at full scale on both sides.
    said = result.stdout.replace("-0.0 ", "0.0 ")
    assert "Loudness: 0.0 LUFS before, -6.0 LUFS after" in said
    assert "True peak: 0.0 dBTP before, -6.0 dBTP after" in said
    assert "RMS: -3.0 dB before, -9.0 dB after" in result.stdout
    told = json.loads(render(folder, "--track", "voice", "--force", "--json").stdout)
    assert told["after"]["rms_dbfs"] == pytest.approx(-9.01, abs=0.01)
    assert told["after"]["integrated_lufs"] == pytest.approx(-6.0, abs=0.05)
    assert told["before"]["true_peak_dbtp"] == pytest.approx(0, abs=0.1)
    assert (told["frames"], told["latency_frames"], told["clipped_frames"]) == (RATE, 0, 0)


def damaged(folder: Path) -> None:
    audio = noise()
    audio[4410, 1] = np.nan
    write(folder, "nan.wav", audio)
    write(folder, "in.wav", noise(1000))
    write(folder, "six.wav", noise(1000, 6))
    write(folder, "slow.wav", noise(1000), 4000)
    (folder / "text.wav").write_text("no audio", encoding="utf-8")
    (folder / "out-is-there.wav").write_bytes(b"keep")


@pytest.mark.parametrize(
    ("args", "words", "files"),
    [
        (["--track", "voice"], "at 0.100 s (frame 4410)", {"file": "nan.wav"}),
        (["--track", "voice"], "cannot be read", {"file": "text.wav"}),
        (["--track", "voice"], "has 6 channels", {"file": "six.wav"}),
        (["--track", "voice"], "has a sample rate of 4000 Hz", {"file": "slow.wav"}),
        (["--track", "voice"], "there is no file", {"file": "gone.wav"}),
        (["--track", "voice"], "is there already", {"out": "out-is-there.wav"}),
        (["--track", "voice", "--force"], "is read, so it cannot be written", {"out": "in.wav"}),
        (["--track", "voice"], "End it in .wav or .flac", {"out": "out.mp3"}),
        (["--track", "voice"], "there is no folder", {"out": "gone/out.wav"}),
        (["--track", "voise"], "Did you mean voice?", {}),
        ([], "Say which: --track voice", {}),
        (["--track", "voice", "--key", "game=x.wav"], 'no track "game"', {}),
        (["--track", "voice", "--key", "mono"], "names no file", {}),
        (["--track", "voice", "--key", "mono=x.wav"], '"mono" steers no filter of voice', {}),
        (["--track", "voice", "--encoding", "float32"], "Use pcm24 or pcm16", {"out": "o.flac"}),
    ],
)
def test_what_cannot_be_rendered_is_said_and_nothing_is_written(
    folder: Path, args: list[str], words: str, files: dict[str, str]
):
    damaged(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = render(folder, *args, **files)
    assert result.exit_code == 2
    assert words in result.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_name_that_is_not_utf8_is_read_and_written(folder: Path):
    audio = write(folder, "in.wav", noise(1000))
    # On Windows all names are text; this one is in no code page of the West.
    odd = "\udcff" if os.name != "nt" else "\u6771"
    name = f"n{odd}.wav"
    (folder / "in.wav").rename(folder / name)
    result = render(folder, "--track", "voice", file=name, out=f"o{odd}.wav")
    assert (result.exit_code, result.stderr) == (0, "")
    (folder / f"o{odd}.wav").rename(folder / "out.wav")
    heard = soundfile.read(folder / "out.wav", dtype="float32")[0]
    assert np.allclose(heard, audio * 10 ** (-6 / 20), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "files",
    [
        {"file": f"{'x' * 300}.wav"},
        {"out": f"{'x' * 300}.wav"},
        {"out": f"{'x' * 300}/a.wav"},
    ],
)
def test_a_name_that_is_too_long_is_told(folder: Path, files: dict[str, str]):
    write(folder, "in.wav", noise(10))
    result = render(folder, "--track", "voice", **files)
    assert result.exit_code in (1, 2)
    assert "x" * 300 in result.stderr
    assert "bug" not in result.stderr
    assert len(result.stderr.splitlines()) >= 2  # what, and what to do
    assert {path.name for path in folder.iterdir()} == {"in.wav", "p.yaml"}


def test_a_name_may_be_as_long_as_names_are(folder: Path):
    write(folder, "in.wav", noise(10))
    # On Windows it is the whole path that has a limit, of 259 characters.
    longest = 255 if os.name != "nt" else 259 - len(str(folder / "_")) + 1
    name = "x" * (longest - 4) + ".wav"
    result = render(folder, "--track", "voice", out=name)
    assert (result.exit_code, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "words", "remedy"),
    [
        ("in.wav", "in.wav cannot be read: ", "Give yourself the right to read it."),
        ("part", "out.wav cannot be written: ", "Give yourself the right to write there"),
    ],
)
def test_what_may_not_be_read_or_written_is_told_with_the_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch, file: str, words: str, remedy: str
):
    write(folder, "in.wav", noise(10))
    opened = Path.open

    def refusing(self: Path, *args: Any, **more: Any) -> Any:
        if self.name.endswith(file):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opened(self, *args, **more)

    monkeypatch.setattr(Path, "open", refusing)
    result = render(folder, "--track", "voice")
    assert words + os.strerror(errno.EACCES) in result.stderr
    assert remedy in result.stderr
    assert "part" not in result.stderr


def test_filters_in_python_are_left_to_a_session(folder: Path):
    write(folder, "in.wav", noise(10))
    result = render(folder, "--track", "mine")
    assert result.exit_code == 3
    assert "mine.filter.plugin is written in Python (x.py:X)" in result.stderr
    assert "bypass: true" in result.stderr


def test_an_impulse_stays_where_it_is_whatever_the_filters_take(folder: Path):
    chain = "[{limiter: {look_ahead_ms: 10, ceiling_db: -6}}, {gain: {gain_db: 3}}, {limiter: {}}]"
    (folder / "p.yaml").write_text(PROFILE.replace("filters: soft}", f"filters: {chain}}}", 1))
    audio = np.zeros((30_000, 2), np.float32)
    audio[[0, 12_345, 29_999]] = 0.25
    write(folder, "in.wav", audio)
    result = render(folder, "--track", "voice")
    assert result.exit_code == 0
    heard = soundfile.read(folder / "out.wav", dtype="float32")[0]
    assert heard.shape == audio.shape
    assert np.flatnonzero(heard[:, 0]).tolist() == [0, 12_345, 29_999]
    assert np.allclose(heard, audio * 10 ** (3 / 20), atol=1e-5)
    assert "taken out" in result.stdout


def speech(frames: int, begin: int, end: int) -> np.ndarray:
    """A tone that is there from one frame to another."""
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(frames) / RATE)
    tone[:begin] = tone[end:] = 0
    return np.stack([tone, tone], axis=1).astype(np.float32)


def test_a_track_is_ducked_by_what_its_key_sounds_like(folder: Path):
    limiter = "{limiter: {look_ahead_ms: 10, ceiling_db: 0}}"
    duck = "{duck: {key: voice, range_db: -20, attack_ms: 1, hold_ms: 0, release_ms: 1}}"
    (folder / "p.yaml").write_text(
        "version: 1\nsources: {a: {synthetic: {kind: tone}}}\ntracks:\n  voice: {from: a}\n"
        f"  game: {{from: a, filters: [{limiter}, {limiter}, {limiter}, {duck}]}}\n"
    )
    write(folder, "in.wav", np.full((RATE, 2), 0.1, np.float32))
    write(folder, "voice.wav", speech(RATE - 100, 20_000, 30_000))
    args = ("--track", "game", "--key", f"voice={folder / 'voice.wav'}")
    result = render(folder, *args)
    assert result.exit_code == 0, result.stderr
    heard = soundfile.read(folder / "out.wav", dtype="float32")[0][:, 0]
    assert len(heard) == RATE
    assert np.allclose(heard[:19_990], 0.1, rtol=1e-3)
    # Where the voice is, though three filters before it have made the game late.
    assert np.allclose(heard[20_600:29_900], 0.01, rtol=0.02)
    assert np.allclose(heard[31_500:], 0.1, rtol=0.02)
    result = render(folder, "--track", "game", "--force")
    assert "voice, which steers a filter, was silent" in result.stdout
    assert np.allclose(soundfile.read(folder / "out.wav", dtype="float32")[0], 0.1, rtol=1e-3)


def test_only_keys_of_filters_that_are_heard_are_asked_for(folder: Path):
    chains = """
  keyed:
    from: a
    filters: [{duck: {key: voice}}, {compressor: {key: fader, bypass: true}}]
    compare: [{compressor: {key: [mono, voice]}}, {duck: {key: both, bypass: true}}]
"""
    (folder / "p.yaml").write_text(PROFILE + chains, encoding="utf-8")
    write(folder, "in.wav", noise(1000))

    def asked(chain: str) -> list[str]:
        result = render(folder, "--track", "keyed", "--chain", chain, "--force")
        assert (result.exit_code, result.stderr) == (0, "")
        notes = [line for line in result.stdout.splitlines() if line.startswith("Note: ")]
        return [line.split()[1].rstrip(",") for line in notes]

    assert asked("a") == ["voice"]
    assert asked("b") == ["mono", "voice"]


def test_a_key_at_another_rate_is_refused(folder: Path):
    (folder / "p.yaml").write_text(
        PROFILE.replace("filters: soft}", "filters: [{duck: {key: mono}}]}", 1)
    )
    write(folder, "in.wav", noise(100))
    write(folder, "key.wav", noise(100), 48_000)
    result = render(folder, "--track", "voice", "--key", f"mono={folder / 'key.wav'}")
    assert result.exit_code == 2
    assert "has 48000 Hz" in result.stderr
    result = render(folder, "--track", "voice", "--key", f"mono={folder / 'gone.wav'}")
    assert "there is no file" in result.stderr
    assert not (folder / "out.wav").exists()
