# SPDX-License-Identifier: MIT
"""Reads audio from files of any format that libsndfile knows."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from pypac_obs.errors import InvalidFile

__all__ = ["HIGHEST_RATE", "LOWEST_RATE", "SoundFileReader", "library_name"]

#: What a session can run at, in Hz.
LOWEST_RATE, HIGHEST_RATE = 8000, 192_000


class SoundFileReader:
    """The frames of a file in mono or stereo, brought to a number of channels.

    A mono file is on both sides; the mean of a stereo one is its mono. Raises InvalidFile for what
    cannot be read, has more channels or another rate than a session can have, or samples that are
    no numbers.
    """

    def __init__(self, path: Path, channels: int) -> None:
        self.path = path
        self._channels = channels
        self._position = 0
        try:
            # Looked at first: to open a pipe waits for who writes to it.
            if not stat.S_ISREG(path.stat().st_mode):
                raise InvalidFile(f"{path} is no file", remedy="Name a file with audio.")
            self._raw = path.open("rb", buffering=0)
        except OSError as error:
            raise _not_opened(path, error) from None
        try:
            self._file = soundfile.SoundFile(library_name(path, self._raw), closefd=False)
        except (OSError, soundfile.SoundFileError, TypeError) as error:
            self._raw.close()
            raise _unreadable(path, error) from None
        trouble = ""
        if self._file.channels > 2:
            trouble = f"has {self._file.channels} channels"
        elif not LOWEST_RATE <= self._file.samplerate <= HIGHEST_RATE:
            trouble = f"has a sample rate of {self._file.samplerate} Hz"
        if trouble:
            self.close()
            raise InvalidFile(
                f"{path} {trouble}",
                remedy=f"Export it in mono or stereo, at {LOWEST_RATE} to {HIGHEST_RATE} Hz.",
            )
        self.sample_rate: int = self._file.samplerate
        self.frames: int = self._file.frames

    def __enter__(self) -> Self:
        """Gives itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self.close()

    def close(self) -> None:
        """Closes the file. May be called again."""
        self._file.close()
        self._raw.close()

    def read(self, frames: int) -> NDArray[np.float32]:
        """Gives the next frames, fewer at the end and none behind it."""
        try:
            read: NDArray[np.float32] = self._file.read(frames, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise _unreadable(self.path, error) from None
        finite = np.isfinite(read).all(axis=1)
        if not finite.all():
            frame = self._position + int(np.argmin(finite))
            seconds = frame / self.sample_rate
            raise InvalidFile(
                f"{self.path} has a sample that is no number, at {seconds:.3f} s (frame {frame})",
                remedy="Export it anew from the program that made it.",
            )
        self._position += len(read)
        return _with_channels(read, self._channels)

    def pieces(self, frames: int) -> Iterator[NDArray[np.float32]]:
        """Gives all that is left, in pieces of so many frames; the last one is shorter."""
        while len(piece := self.read(frames)):
            yield piece


def library_name(path: Path, raw: FileIO) -> str | int:
    """How libsndfile is given a file that is open: its own opening hides why it failed.

    By its descriptor, for which no name has to be UTF-8. On Windows by its name: the C library of
    libsndfile has descriptors of its own there.
    """
    return str(path) if os.name == "nt" else raw.fileno()


def _with_channels(audio: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    have = audio.shape[1]
    if have == channels:
        return np.ascontiguousarray(audio)
    if have == 1:
        return np.repeat(audio, channels, axis=1)
    mean: NDArray[np.float32] = audio.mean(axis=1, keepdims=True, dtype=np.float32)
    return mean


def _not_opened(path: Path, error: OSError) -> InvalidFile:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return InvalidFile(f"there is no file {path}", remedy="Correct the path.")
    remedies = {
        errno.EACCES: "Give yourself the right to read it.",
        errno.EPERM: "Give yourself the right to read it.",
        errno.ENAMETOOLONG: "Correct the path: no file has so long a name.",
    }
    return InvalidFile(
        f"{path} cannot be read: {error.strerror or error}",
        remedy=remedies.get(error.errno or 0, "Copy it to another place, and name that."),
    )


def _unreadable(path: Path, error: Exception) -> InvalidFile:
    said = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return InvalidFile(
        f"{path} cannot be read: {str(said).rstrip('.')}",
        remedy="Give a file with audio: WAV, FLAC, Ogg or MP3.",
    )
