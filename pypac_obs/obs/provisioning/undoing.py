# SPDX-License-Identifier: MIT
"""What came of putting an OBS back, while it is done."""

from __future__ import annotations

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.provisioning.journal import Journal
from pypac_obs.obs.provisioning.plan import Report
from pypac_obs.obs.provisioning.removal import NOT_FOUND
from pypac_obs.obs.provisioning.step import Path, Step

__all__ = ["Undoing", "if_renamed"]


class Undoing:
    """Makes steps that undo others, and keeps what could not be undone.

    ``left`` are the entries of the journal that are not put back, and have to stay.
    """

    def __init__(self, obs: Obs, journal: Journal) -> None:
        self.obs = obs
        self.journal = journal
        self.done: list[Step] = []
        self.notes: list[str] = []
        self.errors: list[str] = []
        self.left: list[Path] = []

    def leave(self, sentence: str, *paths: Path) -> None:
        """Says what is not put back; its entries stay in the journal."""
        self.errors.append(sentence)
        self.left += paths

    def begin(self, step: Step) -> None:
        """Makes a step on the way, of which nobody is told. Raises ObsRefused."""
        step.begin(self.obs, self.journal)

    def do(self, step: Step, *paths: Path) -> bool:
        """Makes a step, or leaves the entries that it comes from."""
        try:
            self.begin(step)
        except ObsRefused as refusal:
            if refusal.code != NOT_FOUND or step.sign != "-":  # else it is gone already
                self.leave(f"OBS did not take {step}: {refusal.message}.", *paths)
            return False
        self.done.append(step)
        return True

    def report(self) -> Report:
        """Tells what was done and what was not."""
        return Report(done=tuple(self.done), errors=tuple(self.errors), notes=tuple(self.notes))


def if_renamed(name: str) -> str:
    """Says what to do about something that is not there."""
    return f'If it was renamed, name it "{name}" again in OBS, and restore once more.'
