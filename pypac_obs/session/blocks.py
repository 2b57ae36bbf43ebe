# SPDX-License-Identifier: MIT
"""Takes blocks out of a running session: as an iterator, an async iterator, or one by one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pypac_obs import _core
from pypac_obs.errors import SessionClosed
from pypac_obs.outputs.output import Block

__all__ = ["BlockStream", "TrackReader"]

# How long a wait may hold a thread before it looks whether it has been told to stop.
_PATIENCE_S = 0.1


class TrackReader:
    """One reader of the fan-out, with the names of its tracks. A `BlockReader`."""

    def __init__(
        self, native: _core.Reader, tracks: Sequence[str], channels: Sequence[int]
    ) -> None:
        self.native = native
        self.tracks = tuple(tracks)
        self.channels = tuple(channels)
        self._pid = os.getpid()

    @property
    def lost_frames(self) -> int:
        """How many frames were dropped so far because the ring was full."""
        return self.native.lost_frames

    @property
    def finished(self) -> bool:
        """True when the session has ended and everything was read."""
        return self.native.finished

    def wait(self, frames: int, timeout_s: float) -> bool:
        """Waits until that many frames are there or the session has ended; False: out of time."""
        if os.getpid() != self._pid:
            raise SessionClosed(
                "the session runs in the process that this one was forked from",
                remedy="Read its blocks there.",
            )
        return self.native.wait(frames, timeout_s)

    def peek(self, max_frames: int) -> tuple[int, int, list[NDArray[np.float32]]]:
        """Gives (start frame, frames, a view per track) of a run without a gap."""
        return self.native.peek(max_frames)

    def release(self, frames: int) -> None:
        """Gives the first ``frames`` frames of the last peek() back to the pump."""
        self.native.release(frames)

    def close(self) -> None:
        """Detaches from the fan-out."""
        self.native.close()


class BlockStream:
    """The blocks of some tracks of a session, in order, from when the stream was made.

    Iterate over it, also with ``async for``, or call `read`. It ends with the session. Blocks have
    ``block_frames`` frames, except the last one and those before a loss: a reader that is too slow
    loses its own frames, counted in ``lost_frames``, and sees the loss as a jump of
    ``block.start``. The arrays are copies and the caller's to keep.

    One thread or task at a time; `close` from any.
    """

    def __init__(self, reader: TrackReader, block_frames: int, sample_rate: int) -> None:
        self._reader = reader
        self._block_frames = block_frames
        self._sample_rate = sample_rate
        self._closed = False
        self._next = 0  # where the next block begins, if nothing is lost

    @property
    def tracks(self) -> tuple[str, ...]:
        """The names of the tracks."""
        return self._reader.tracks

    @property
    def lost_frames(self) -> int:
        """How many frames this stream has lost because its reader was too slow."""
        return self._reader.lost_frames

    def read(self, timeout_s: float | None = None) -> Block | None:
        """Waits for the next block; None once the session has ended, or when the time is over.

        ``timeout_s=None`` waits as long as the session lasts.
        """
        waited = 0.0
        while not self._closed:
            step = _PATIENCE_S if timeout_s is None else min(_PATIENCE_S, timeout_s - waited)
            if self._reader.wait(self._block_frames, step):
                block = self._take(self._block_frames)
                return block if block.frames else None
            waited += step
            if timeout_s is not None and waited >= timeout_s:
                return None
        return None

    def read_available(self) -> Block:
        """Takes all that is there, without waiting: one block up to the next loss, maybe empty."""
        return self._take(self._reader.native.capacity)

    def close(self) -> None:
        """Ends the stream: nothing more is kept for it."""
        self._closed = True
        self._reader.close()
        self._reader.native.interrupt()

    def __iter__(self) -> Iterator[Block]:
        while (block := self.read()) is not None:
            yield block

    async def __aiter__(self) -> AsyncIterator[Block]:
        while (block := await asyncio.to_thread(self.read)) is not None:
            yield block

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _take(self, max_frames: int) -> Block:
        start = self._next
        taken = 0
        pieces: list[list[NDArray[np.float32]]] = [[] for _ in self._reader.tracks]
        # A run ends where the ring wraps; the block goes on at the ring's beginning, so that the
        # caller need not know. It ends for good where frames were lost.
        while taken < max_frames:
            run_start, frames, views = self._reader.peek(max_frames - taken)
            if frames == 0 or (taken and run_start != start + taken):
                break
            if taken == 0:
                start = run_start
            for piece, view in zip(pieces, views, strict=True):
                piece.append(view.copy())
            self._reader.release(frames)
            taken += frames
        self._next = start + taken
        audio = {
            track: _joined(piece, channels)
            for track, channels, piece in zip(
                self._reader.tracks, self._reader.channels, pieces, strict=True
            )
        }
        return Block(start, taken, self._sample_rate, audio)


def _joined(pieces: list[NDArray[np.float32]], channels: int) -> NDArray[np.float32]:
    if not pieces:
        return np.zeros((0, channels), np.float32)
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
