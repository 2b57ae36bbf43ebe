# SPDX-License-Identifier: MIT
"""The difference between what a profile wants and what an OBS has, and what came of making it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pypac_obs.obs.provisioning.step import Step, When

__all__ = ["Plan", "Report"]


@dataclass(frozen=True)
class Plan:
    """What is to be done, in this order.

    ``conflicts`` are things of the user's that are in the way, and stay as they are. ``notes`` and
    ``warnings`` are worth knowing, and ask nothing. ``running`` are the outputs that run now: what
    has to wait for their end cannot be done yet.
    """

    steps: tuple[Step, ...]
    conflicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    running: tuple[str, ...] = field(default=())

    @property
    def empty(self) -> bool:
        """True where OBS is as the profile says."""
        return not self.steps and not self.conflicts

    def waits(self, step: Step) -> bool:
        """Tells whether a step cannot be made now."""
        return bool(self.running) and step.when is not When.NOW

    def to_json(self) -> dict[str, Any]:
        """Gives plain values."""
        return {
            "steps": [step.to_json() | {"waits": self.waits(step)} for step in self.steps],
            "conflicts": list(self.conflicts),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "running": list(self.running),
        }


@dataclass(frozen=True)
class Report:
    """What came of applying or restoring.

    ``done`` was made, ``waiting`` has to wait until no output of OBS runs, ``left`` could be done
    and was not, ``errors`` are what OBS did not take and what is in the way, in sentences;
    ``notes`` are worth knowing.
    """

    done: tuple[Step, ...] = ()
    waiting: tuple[Step, ...] = ()
    left: tuple[Step, ...] = ()
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    running: tuple[str, ...] = field(default=())

    @property
    def complete(self) -> bool:
        """True where OBS is now as it is to be."""
        return not self.waiting and not self.errors

    def to_json(self) -> dict[str, Any]:
        """Gives plain values."""
        return {
            "done": [step.to_json() for step in self.done],
            "waiting": [step.to_json() for step in self.waiting],
            "left": [step.to_json() for step in self.left],
            "errors": list(self.errors),
            "notes": list(self.notes),
            "warnings": list(self.warnings),
            "running": list(self.running),
        }
