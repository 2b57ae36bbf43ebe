# SPDX-License-Identifier: MIT
"""What a check finds: one part of the system, how it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "State"]

State = Literal["good", "note", "bad"]


@dataclass(frozen=True)
class Finding:
    """One part of the system: is it there, which version, and what to do about it.

    ``state`` is "good", "note" (works, and could be better) or "bad" (recording cannot work).
    """

    part: str
    state: State
    found: str
    remedy: str = ""
