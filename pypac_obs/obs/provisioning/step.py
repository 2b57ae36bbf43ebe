# SPDX-License-Identifier: MIT
"""What all steps have in common: a step is small, frozen, and knows all about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Literal

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.actual import Obs
from pypac_obs.obs.provisioning.journal import Entry, Journal

__all__ = ["Change", "Path", "Step", "When"]

Path = tuple[str, ...]
"""Where the journal has something: the keys that lead to it."""


class When(Enum):
    """When a step may be made."""

    NOW = "at once"
    RELOAD = "once the OBS profile is loaded again, while no output runs"
    STOPPED = "while no output runs"


@dataclass(frozen=True)
class Change:
    """One value of a step, in words; ``before`` is "" for what was not there."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        before = f"{self.before} -> " if self.before else ""
        return f"{self.what}: {before}{self.after}"


class Step(ABC):
    """One thing that is made (+), changed (~) or removed (-) in OBS.

    `notes` are in the journal before anything is done; what is noted there undoes the step.
    """

    sign: ClassVar[Literal["+", "~", "-"]]
    when: ClassVar[When] = When.NOW

    @property
    @abstractmethod
    def subject(self) -> str:
        """What the step is about, in words."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What it changes, in words."""
        return ()

    @property
    def notes(self) -> tuple[Entry, ...]:
        """What the journal has to know before: enough to undo the step."""
        return ()

    @property
    def settled(self) -> tuple[Path, ...]:
        """What the journal need not know any more after it."""
        return ()

    @abstractmethod
    def begin(self, obs: Obs, journal: Journal) -> Mapping[str, Any]:
        """Asks OBS for the first change, and gives its answer.

        Where it raises ObsRefused nothing was made. Raises ObsError.
        """

    def finish(  # noqa: B027 - most steps are one request
        self, obs: Obs, journal: Journal, answer: Mapping[str, Any]
    ) -> None:
        """Notes what the answer to the first change tells, and asks for the rest."""

    def perform(self, obs: Obs, journal: Journal) -> None:
        """Makes the step, with its notes. Raises ObsError, or OutputFailed from the journal."""
        new = journal.missing(*self.notes)
        journal.write(*self.notes)
        try:
            answer = self.begin(obs, journal)
        except ObsRefused:
            if self.sign == "+":
                journal.forget(*(entry.path for entry in new))
            raise
        self.finish(obs, journal, answer)
        journal.forget(*self.settled)

    def __str__(self) -> str:
        changes = "; ".join(map(str, self.changes))
        return f"{self.sign} {self.subject}" + (f" ({changes})" if changes else "")

    def to_json(self) -> dict[str, Any]:
        """Gives plain values."""
        return {
            "sign": self.sign,
            "subject": self.subject,
            "when": self.when.value,
            "changes": [
                {"what": c.what, "before": c.before, "after": c.after} for c in self.changes
            ],
        }
