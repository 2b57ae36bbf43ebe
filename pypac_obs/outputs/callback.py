# SPDX-License-Identifier: MIT
"""An output that hands each block to a function of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pypac_obs.outputs.output import Block, Output, SessionInfo

__all__ = ["CallbackOutput"]


class CallbackOutput(Output):
    """Calls ``call(block)`` for each block, on the output's own thread.

    The block's arrays are valid until ``call`` returns. An exception in it ends this output only.
    """

    def __init__(
        self,
        call: Callable[[Block], None],
        *,
        name: str = "callback",
        tracks: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.tracks = tuple(tracks) if tracks is not None else None
        self._call = call

    def open(self, info: SessionInfo) -> None:
        """Needs no preparation."""

    def write(self, block: Block) -> None:
        """Calls the function."""
        self._call(block)

    def close(self, end: int) -> None:
        """Has nothing to put away."""

    def abort(self) -> None:
        """Has nothing to put away."""
