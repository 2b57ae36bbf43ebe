# SPDX-License-Identifier: MIT
"""The calls into libsndfile that python-soundfile has no method for.

python-soundfile keeps the library as ``soundfile._snd``, cffi's interface as ``soundfile._ffi`` and
an open file as ``SoundFile._file``: private, and under these names in 0.12.1, 0.13 and 0.14. Only
this module uses them, it says so plainly when they are gone, and each function has a test on real
files. The numbers are those of ``sndfile.h``, where they are part of the ABI.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from pypac_obs.errors import Unsupported

__all__ = ["begin_as_riff", "system_errno", "update_header", "write_frames"]

_SFC_UPDATE_HEADER_NOW = 0x1060
_SFC_RF64_AUTO_DOWNGRADE = 0x1210
_SFE_SYSTEM = 2  # "the system's own call failed": errno tells how
_SF_TRUE = 1


def begin_as_riff(file: soundfile.SoundFile) -> None:
    """Makes an RF64 file a plain RIFF WAV for as long as it stays below 4 GiB.

    Before the first write. The header keeps a JUNK chunk into which ds64 goes when the file grows
    past 4 GiB, at the next ``update_header`` or at close. Raises Unsupported if libsndfile is too
    old for it.
    """
    if _command(file, _SFC_RF64_AUTO_DOWNGRADE, _SF_TRUE) != _SF_TRUE:
        raise Unsupported(
            f"libsndfile {soundfile.__libsndfile_version__} cannot begin an RF64 file as WAV",
            remedy="Install a newer libsndfile.",
        )


def update_header(file: soundfile.SoundFile) -> None:
    """Writes the lengths so far into the header of a WAV file, so that any player can open it.

    Costs a few system calls; the audio itself is not buffered. Raises LibsndfileError.
    """
    _command(file, _SFC_UPDATE_HEADER_NOW, 0)
    # The command itself always returns 0.
    code = soundfile._snd.sf_error(file._file)
    if code:
        raise soundfile.LibsndfileError(code)


def write_frames(file: soundfile.SoundFile, audio: NDArray[np.float32]) -> None:
    """Appends frames, straight from the array's memory, which is (frames, channels) in one piece.

    As ``SoundFile.buffer_write``, without its four seeks for each block. Raises LibsndfileError,
    AssertionError where fewer were written, and ValueError for an array that is not in one piece.
    """
    try:
        library: Any = soundfile._snd
        data = soundfile._ffi.from_buffer("float[]", audio)
        written = library.sf_writef_float(file._file, data, len(audio))
        code = library.sf_error(file._file)
    except AttributeError as error:
        raise _hidden("sf_writef_float", error) from error
    if code:
        raise soundfile.LibsndfileError(code)
    assert written == len(audio)


def system_errno(error: BaseException) -> int | None:
    """Gives the errno behind an error of libsndfile, or None where it was none of the system's.

    Only right after the call that failed, on the same thread: cffi keeps the errno of the last one.
    """
    if not isinstance(error, soundfile.LibsndfileError) or error.code != _SFE_SYSTEM:
        return None
    if sys.platform == "win32":  # libsndfile calls Windows itself, which has numbers of its own
        code, _ = soundfile._ffi.getwinerror()
        return OSError(0, "", None, code).errno if code else None
    errno: int = soundfile._ffi.errno
    return errno or None


def _command(file: soundfile.SoundFile, command: int, value: int) -> int:
    try:
        library: Any = soundfile._snd
        result: int = library.sf_command(file._file, command, soundfile._ffi.NULL, value)
    except AttributeError as error:
        raise _hidden("sf_command", error) from error
    return result


def _hidden(function: str, error: AttributeError) -> Unsupported:
    return Unsupported(
        f"python-soundfile {soundfile.__version__} hides libsndfile's {function} ({error})",
        remedy="Install soundfile 0.12.1, 0.13 or 0.14.",
    )
