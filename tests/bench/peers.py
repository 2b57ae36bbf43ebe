# SPDX-License-Identifier: MIT
"""The programs that we are measured next to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_VENV = _ROOT / ".ci-cache" / "bench-venv"
_FLEXAUDIO = "flexaudio==0.8.1"
FLEXAUDIO_PEER = Path(__file__).with_name("flexaudio_peer.py")


class PeerMissingError(Exception):
    """A peer cannot be measured; its text says why."""


def pw_record() -> str:
    """The path of pw-record. Raises PeerMissingError."""
    for program in ("pw-record", "pw-link"):
        if shutil.which(program) is None:
            raise PeerMissingError(f"{program} is not installed (Debian: pipewire-bin)")
    return shutil.which("pw-record") or ""


def flexaudio_python() -> str:
    """A Python that has flexaudio, in a virtual environment of its own. Raises PeerMissingError."""
    python = _VENV / "bin" / "python"
    ready = _VENV / f".{_FLEXAUDIO}"
    try:
        if not ready.exists():
            _run(sys.executable, "-m", "venv", str(_VENV))
            _run(str(python), "-m", "pip", "install", "-q", _FLEXAUDIO, "numpy", "soundfile")
        _run(str(python), "-c", "import flexaudio, numpy, soundfile")
        ready.touch()
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout or "").strip().splitlines()
        raise PeerMissingError(f"{_FLEXAUDIO}: {words[-1] if words else error}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerMissingError(f"{_FLEXAUDIO}: {error}") from error
    return str(python)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
