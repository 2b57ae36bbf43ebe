# SPDX-License-Identifier: MIT
"""What the control API needs of a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pypac_obs.events import EventBus
from pypac_obs.model import Layer, ProfileDiff, Value
from pypac_obs.status import SessionStatus

__all__ = ["LEVELS_OF_SOURCE", "LEVELS_OF_TRACK", "Controls", "LevelLayout", "TakenMark"]

#: How many numbers `Controls.levels` writes of a source, and of a track.
LEVELS_OF_SOURCE = 3
LEVELS_OF_TRACK = 11


@dataclass(frozen=True)
class TakenMark:
    """A mark that a session has taken: its frame, and whether a file keeps it."""

    frame: int
    in_file: bool


@dataclass(frozen=True)
class LevelLayout:
    """Whose levels `Controls.levels` writes, in their order.

    ``filters`` are the addresses of those that make a track quieter, such as
    ``voice.filter.compressor``.
    """

    sources: tuple[str, ...]
    tracks: tuple[str, ...]
    filters: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers there are."""
        rows = LEVELS_OF_SOURCE * len(self.sources) + LEVELS_OF_TRACK * len(self.tracks)
        return rows + len(self.filters)

    def parts(
        self, values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """Gives views: a row for each source, a row for each track, a number for each filter."""
        tracks = LEVELS_OF_SOURCE * len(self.sources)
        filters = tracks + LEVELS_OF_TRACK * len(self.tracks)
        return (
            values[:tracks].reshape(-1, LEVELS_OF_SOURCE),
            values[tracks:filters].reshape(-1, LEVELS_OF_TRACK),
            values[filters:],
        )


class Controls(Protocol):
    """A running session, as its control API sees it. [any-thread]

    Addresses are those of `pypac_obs.model.addresses`. ``origin`` is who asks, and is in the event
    that follows. All but `stop` raise SessionClosed once the session has ended.
    """

    @property
    def name(self) -> str:
        """The session's name."""

    @property
    def sample_rate(self) -> int:
        """In Hz."""

    @property
    def events(self) -> EventBus:
        """What happens in it."""

    @property
    def revision(self) -> int:
        """Counts the changes of values and of the profile."""

    def state(self) -> dict[str, object]:
        """Gives everything that a client shows at first, as plain values."""

    def status(self) -> SessionStatus:
        """Tells of every source, track and output as it is now."""

    def get(self, address: str) -> Value:
        """Gives what is heard at an address. Raises UnknownAddress."""

    def layer_of(self, address: str) -> Layer:
        """Tells where that value comes from. Raises UnknownAddress."""

    def set(self, address: str, value: object, *, origin: str = "") -> Value:
        """Sets the live value, and gives it in the profile's form.

        Raises UnknownAddress, InvalidValue or ChangeRefused; nothing has changed then.
        """

    def adjust(self, address: str, by: float, *, origin: str = "") -> Value:
        """Adds to a number, as far as its range goes. Raises as `set` does."""

    def toggle(self, address: str, *, origin: str = "") -> Value:
        """Turns a switch over. Raises InvalidValue where the address is of none."""

    def fade(self, address: str, value: object, seconds: float, *, origin: str = "") -> None:
        """Brings a number to a value within that time; returns at once.

        Whoever sets the same address ends the fade. Raises as `set` does.
        """

    def hold(self, address: str, value: object, *, client: str) -> Value:
        """Has another value for as long as the client holds it. Raises as `set` does."""

    def release(self, address: str, *, client: str) -> Value:
        """Ends a hold, and gives what is heard then. Not held by that client: does nothing."""

    def release_all(self, client: str) -> None:
        """Ends all holds of a client that has gone. Raises nothing."""

    def plan(self) -> ProfileDiff:
        """Reads the profile's file, and tells what `reload` would change. Raises ProfileError."""

    def reload(self, *, origin: str = "", expect_revision: int | None = None) -> ProfileDiff:
        """Follows the profile's file as it is now.

        Raises ProfileError, ChangeRefused, RevisionConflict, or what opening a source or an output
        raises; nothing has changed then.
        """

    def undo(self, *, origin: str = "") -> ProfileDiff:
        """Goes back to the profile before the last `reload`. Raises ChangeRefused without one."""

    def mark(self, text: str, host_ns: int | None = None, *, origin: str = "") -> TakenMark:
        """Marks a moment of host time (None: this one) with a text of one line.

        Raises ValueError for the text or the time, OutputFailed where there are too many marks.
        """

    def stop(self) -> None:
        """Asks the session to end; returns at once."""

    def reset_loudness(self, track: str | None = None) -> None:
        """Begins integrated loudness, range and the highest values anew: of one track, or of all.

        Raises UnknownAddress where there is no such track.
        """

    def level_layout(self) -> LevelLayout:
        """Names the sources, the tracks, and the filters that make a track quieter."""

    def levels(self, values: NDArray[np.float32]) -> int:
        """Writes numbers, as far as there is room; gives how many there are.

        For each source peak, RMS and highest peak (linear); for each track the same, true peak and
        highest true peak (linear), momentary, short-term and integrated loudness (LUFS), range
        (LU), highest momentary and highest short-term loudness; for each filter by how many dB it
        makes its track quieter.
        """
