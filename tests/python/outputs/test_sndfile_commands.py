# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pypac_obs.errors import Unsupported
from pypac_obs.outputs import sndfile_commands

TONE = np.sin(np.arange(4800) * 0.05).astype(np.float32)[:, None]


@pytest.fixture
def file(tmp_path: Path) -> Iterator[soundfile.SoundFile]:
    with soundfile.SoundFile(tmp_path / "a.wav", "w", 48000, 1, "FLOAT", format="RF64") as file:
        yield file


def test_a_header_is_brought_up_to_date_only_by_update_header(file: soundfile.SoundFile) -> None:
    sndfile_commands.begin_as_riff(file)
    sndfile_commands.update_header(file)
    file.write(TONE)
    assert soundfile.info(file.name).frames == 0
    sndfile_commands.update_header(file)
    assert soundfile.info(file.name).frames == 4800
    file.write(TONE)  # and the next frames still go to the end
    sndfile_commands.update_header(file)
    heard, _ = soundfile.read(file.name, dtype="float32", always_2d=True)
    assert np.array_equal(heard, np.concatenate([TONE, TONE]))


def test_begin_as_riff_makes_a_plain_wav(file: soundfile.SoundFile) -> None:
    assert Path(file.name).read_bytes()[:4] == b"RF64"
    sndfile_commands.begin_as_riff(file)
    sndfile_commands.update_header(file)
    assert Path(file.name).read_bytes()[:4] == b"RIFF"


def test_begin_as_riff_after_the_first_write_is_refused(file: soundfile.SoundFile) -> None:
    file.write(TONE)
    with pytest.raises(Unsupported, match="cannot begin an RF64 file as WAV"):
        sndfile_commands.begin_as_riff(file)


@pytest.mark.parametrize(("kind", "subtype"), [("RF64", "FLOAT"), ("FLAC", "PCM_24")])
def test_frames_are_appended_one_block_after_another(
    tmp_path: Path, kind: str, subtype: str
) -> None:
    stereo = np.concatenate([TONE, -TONE], axis=1)
    with soundfile.SoundFile(tmp_path / "a", "w", 48000, 2, subtype, format=kind) as file:
        for at in range(0, 4800, 1000):
            sndfile_commands.write_frames(file, stereo[at : at + 1000])
        with pytest.raises(ValueError, match="contiguous"):
            sndfile_commands.write_frames(file, stereo[::2])
    heard, _ = soundfile.read(tmp_path / "a", dtype="float32")
    assert np.allclose(heard, stereo, atol=2**-22)


@pytest.mark.linux("/dev/full is Linux'")
def test_what_does_not_fit_is_an_error_of_the_system() -> None:
    with open("/dev/full", "wb", buffering=0) as full:
        file = soundfile.SoundFile(
            full.fileno(), "w", 48000, 1, "FLOAT", format="RAW", closefd=False
        )
        with pytest.raises(soundfile.LibsndfileError) as raised:
            sndfile_commands.write_frames(file, TONE)
    assert sndfile_commands.system_errno(raised.value) == 28


def test_errno_is_told_for_errors_of_the_system_only(tmp_path: Path) -> None:
    with pytest.raises(soundfile.LibsndfileError) as raised:
        soundfile.SoundFile(tmp_path / "missing" / "a.wav", "w", 48000, 1)
    assert sndfile_commands.system_errno(raised.value) == 2
    with pytest.raises(soundfile.LibsndfileError) as raised:
        soundfile.SoundFile(tmp_path / "a.flac", "w", 48000, 9)
    assert sndfile_commands.system_errno(raised.value) is None
    assert sndfile_commands.system_errno(OSError(28, "")) is None


def test_a_python_soundfile_without_the_handle_is_named(
    file: soundfile.SoundFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(soundfile, "_ffi")
        with pytest.raises(Unsupported, match=f"soundfile {soundfile.__version__} hides"):
            sndfile_commands.begin_as_riff(file)
