# SPDX-License-Identifier: MIT
"""The contract of an output that is written in Python, and what it is given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from pypac_obs.errors import PypacError
from pypac_obs.incidents import Incident

__all__ = ["Block", "Marker", "Output", "SessionInfo", "TrackInfo"]


@dataclass(frozen=True)
class TrackInfo:
    """A track as an output sees it: its name and how many channels it has."""

    name: str
    channels: int


@dataclass(frozen=True)
class SessionInfo:
    """What an output is told before the first block.

    ``tracks`` are those that this output gets. ``start_wall`` (with its time zone) and
    ``start_host_ns`` are the same moment, frame 0, in wall time and in host time (ns).
    """

    session: str
    profile_name: str
    profile: Mapping[str, object]
    sample_rate: int
    tracks: tuple[TrackInfo, ...]
    start_wall: datetime
    start_host_ns: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class Marker:
    """A moment that somebody marked: its frame on the timeline, its wall time, and a text."""

    frame: int
    wall: datetime
    text: str


@dataclass(frozen=True)
class Block:
    """A run of frames of every track, from timeline frame ``start`` on.

    ``audio`` has one array per track: float32, C-contiguous, shape (frames, channels), full scale
    at ±1.0. The arrays are views into the ring, valid until ``Output.write`` returns: keep a copy,
    never the view.
    """

    start: int
    frames: int
    sample_rate: int
    audio: Mapping[str, NDArray[np.float32]]


class Output(ABC):
    """Where tracks go. Derive from it to send them anywhere.

    All methods but `keeps_marks` are called on the output's own thread, in this order: ``open``
    once, any number of the others, then either ``close`` once, or ``abort`` once after any of them
    has raised or the session was given up. An exception ends this output only, unless ``recover``
    says otherwise. If ``close`` raises, ``abort`` follows; if ``open`` raises, nothing does, and
    ``open`` has to leave nothing behind.

    Blocks come in the order of the timeline. Where ``block.start`` is greater than the end of the
    block before, this output was too slow and the frames between are lost.

    >>> class Loudest(Output):
    ...     name, tracks = "loudest", ("voice",)
    ...     def open(self, info):
    ...         self.peak = 0.0
    ...     def write(self, block):
    ...         self.peak = max(self.peak, float(np.abs(block.audio["voice"]).max()))
    ...     def close(self, end):
    ...         print(f"the loudest of {end} frames is {self.peak}")
    ...     def abort(self):
    ...         print("given up")
    """

    name: str
    tracks: tuple[str, ...] | None = None  # which ones it wants, in its order; None: all

    @abstractmethod
    def open(self, info: SessionInfo) -> None:
        """Gets ready. Raise OutputFailed, or any other error, to refuse."""

    @abstractmethod
    def write(self, block: Block) -> None:
        """Takes a block. May take its time, as long as it keeps up on average."""

    @abstractmethod
    def close(self, end: int) -> None:
        """Ends a session of ``end`` frames. What was not written by then is to be silence."""

    @abstractmethod
    def abort(self) -> None:
        """Stops at once and saves what there is, without an exception if at all possible."""

    def kept(self) -> int | None:
        """Tells up to which frame `abort` will keep what was written; None: all of it.

        Asked after a failure, so that the incident tells from where on frames are missing.
        """
        return None

    def recover(self) -> bool:
        """Puts away what has failed, after an exception; True if the output goes on with the rest.

        The block at hand does not come again. Asked before ``abort``, which follows where this is
        False, as it is by default. Not asked after ``open`` and ``close``.
        """
        return False

    def failure(self) -> PypacError | None:
        """Tells what has gone wrong although it goes on, such as a deleted file. [any-thread]

        The session counts it among its errors. By default nothing.
        """
        return None

    def new_incidents(self, *, ends: bool = False) -> Sequence[Incident]:
        """Gives what has happened to its own frames since the last call, such as clipping.

        Frames count on the timeline. Asked after each block; where the session ``ends``, what still
        goes on ends, too. The output does not get them back by `on_incident`. By default none.
        """
        return ()

    def skip_to(self, frame: int) -> None:  # noqa: B027 - optional
        """Takes note that all before this frame is silence: it was opened while the session ran.

        What takes long to write is written now, before the first block. By default does nothing:
        that block's ``start`` says the same.
        """

    def prepare_tracks(self, tracks: Sequence[TrackInfo]) -> None:  # noqa: B027 - optional
        """Gets ready for tracks that are about to come. [any-thread]

        Raise OutputFailed, or any other error, to refuse: then they do not come. What was got ready
        for is told by `tracks_changed`, or given up by `forget_tracks`. By default does nothing.
        """

    def forget_tracks(self) -> None:  # noqa: B027 - optional
        """Gives up what `prepare_tracks` has made. [any-thread]"""

    def tracks_changed(self, tracks: Sequence[TrackInfo]) -> None:  # noqa: B027 - optional
        """Takes note that the next block has these tracks: all before, and some more.

        Where `tracks` is None, or names one that has just come. Tracks that the profile has no
        longer go on as silence. By default ignores it.
        """

    def discard(self) -> None:
        """Undoes ``open``: what it was opened for is refused. Instead of ``close`` or ``abort``.

        By default aborts. What was written is not wanted.
        """
        self.abort()

    def on_incident(self, incident: Incident) -> None:  # noqa: B027 - optional
        """Takes an incident of the session, soon after it happened. By default ignores it."""

    def on_marker(self, marker: Marker) -> None:  # noqa: B027 - optional
        """Takes a mark that somebody set, soon after it was set. By default ignores it."""

    def keeps_marks(self) -> bool:
        """Tells whether a mark of this moment is kept. [any-thread]

        By default, whether the class has an `on_marker` of its own.
        """
        return type(self).on_marker is not Output.on_marker

    def on_status(self, status: Mapping[str, object]) -> None:  # noqa: B027 - optional
        """Takes the state of the session, about once a second. By default ignores it.

        ``status["sources"]`` has a mapping per source with at least ``state`` and ``bindings``.
        """
