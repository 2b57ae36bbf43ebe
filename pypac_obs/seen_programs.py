# SPDX-License-Identifier: MIT
"""Remembers the names of programs that had audio here, for "did you mean"."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from pypac_obs.state_folder import state_folder
from pypac_obs.whole_file import replace_file

__all__ = ["remember", "seen"]

_MOST = 200
_MOST_BYTES = 200_000
_OWN = 0o600


def seen(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Gives the names of programs that had audio here, those of the last time first."""
    try:
        with _file(environ).open("rb") as file:
            names = json.loads(file.read(_MOST_BYTES))
    except (OSError, ValueError, RuntimeError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def remember(names: Iterable[str], environ: Mapping[str, str] = os.environ) -> None:
    """Keeps these names, too. Where that cannot be done nothing is lost but a hint."""
    before = seen(environ)
    now = list(dict.fromkeys(filter(None, [*names, *before])))[:_MOST]
    if set(now) == set(before):
        return
    with contextlib.suppress(OSError, RuntimeError):
        file = _file(environ)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = file.with_name(f"{file.name}.{secrets.token_hex(4)}")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN), "wb") as writer:
                writer.write(json.dumps(now).encode())
            replace_file(new, file)
        except OSError:
            new.unlink(missing_ok=True)


def _file(environ: Mapping[str, str]) -> Path:
    return state_folder(environ) / "programs.json"
