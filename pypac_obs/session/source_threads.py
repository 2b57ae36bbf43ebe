# SPDX-License-Identifier: MIT
"""The threads that read from sources which are written in Python, and fill the engine's feeds."""

from __future__ import annotations

import inspect
import threading
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pypac_obs import _core
from pypac_obs.errors import PluginFailed
from pypac_obs.plugins import in_words
from pypac_obs.source import Source, SourceInfo

__all__ = ["SourceThread", "close_all"]

_OPEN_S = 10.0
_CLOSE_S = 3.0
# How long a source that has failed, or has nothing, is left alone.
_AFTER_FAILURE_S = 1.0
_AFTER_NOTHING_S = 0.01
_LOOK_S = 0.005
# A source is asked for so much at once, or for less where the mixer waits for less.
_BLOCK_S = 0.02
# How far what computes its audio may be ahead of what is heard now, of half the ring.
_AHEAD_S = 0.2
_STALLED_S = 0.5
_PATIENCE_S = 0.1

_Read = Literal["some", "nothing", "failed"]


@dataclass(frozen=True)
class _State:
    state: str
    reason: str


class SourceThread:
    """Runs a `Source`: from its first frame to its end on a thread of its own.

    It opens the source and waits for the engine to start the native one; it ends when that is
    stopped, or the source has given its last frame. Where the session is ``offline``, it reads as
    far as `pull` says. [control-thread]
    """

    def __init__(
        self,
        source: Source,
        native: _core.PushedSource,
        info: SourceInfo,
        latency_frames: int,
        ring_s: float,
        *,
        offline: bool,
    ) -> None:
        self.native = native
        self._source = source
        self._info = info
        self._latency = latency_frames
        self._block = max(16, min(round(_BLOCK_S * info.sample_rate), latency_frames // 2))
        self._ahead_s = min(_AHEAD_S, ring_s / 2)
        self._offline = offline
        self._state = _State("starting", "it is being opened")
        self._reading_since: float | None = None
        self._heard: float | None = None  # when audio came last
        self._error: BaseException | None = None
        self._was_opened = threading.Event()  # or could not be
        self._stop_asked = threading.Event()
        self._begun = False
        self._has_ended = False
        self._pulled = threading.Condition()  # guards the next two
        self._wanted = 0  # up to which frame it is to read, offline
        self._reached = 0
        # What hangs in a read is left behind, and must not keep the program from ending: a daemon.
        self._thread = threading.Thread(target=self._run, name=f"source {info.name}", daemon=True)

    @property
    def name(self) -> str:
        """The source's, in the profile."""
        return self._info.name

    def start(self) -> None:
        """Opens the source; returns when that is done. Raises PluginFailed."""
        self._thread.start()
        if not self._was_opened.wait(_OPEN_S):
            self.stop()
            raise PluginFailed(
                f"{self.name}: its open() has not returned within {_OPEN_S:g} seconds",
                remedy="Have the source do what takes long in read().",
            )
        if self._error is not None:
            raise PluginFailed(
                f"{self.name}: its open() has failed: {self._in_words(self._error)}",
                remedy="Correct its `settings` in the profile, or the plugin.",
            ) from self._error

    def stop(self) -> None:
        """Has it end, and close the source, as soon as it can."""
        self._stop_asked.set()
        with self._pulled:
            self._pulled.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Waits for its end; False: the source hangs."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def status(self) -> tuple[str, str]:
        """Tells state and reason, in the words of `SourceStatus`. [any-thread]"""
        reading, heard, now = self._reading_since, self._heard, self._state
        since = heard if heard is not None else reading
        if now.state not in ("playing", "starting") or since is None or self._offline:
            return now.state, now.reason
        waited_s = time.monotonic() - since
        if waited_s > _STALLED_S:
            hangs = reading is not None and time.monotonic() - reading > _STALLED_S / 2
            what = "has not returned" if hangs else "has given nothing"
            return "stalled", f"its read() {what} for {waited_s:.1f} seconds"
        return now.state, now.reason

    def pull(self, until: int) -> None:
        """Waits until it has read up to a frame of the timeline: in a session that runs offline."""
        if not self.native.started:
            return
        with self._pulled:
            self._wanted = until
            self._pulled.notify_all()
            # In pieces, because on Windows Ctrl-C does not end a wait; it is noticed between them.
            while self._reached < until and self._thread.is_alive() and not self._ends():
                self._pulled.wait(_PATIENCE_S)

    # Its own thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            try:
                self._source.open(self._info)
            except BaseException as error:
                self._error = error
                return
            self._state = _State("starting", "its first frame has not come")
            self._was_opened.set()
            while not self._ends():
                if self._offline:
                    self._feed_offline()
                elif self.native.started:
                    self._feed()
                else:
                    self._stop_asked.wait(_LOOK_S)
        finally:
            self._was_opened.set()
            with self._pulled:
                self._pulled.notify_all()
            try:
                self._source.close()
            except BaseException as error:
                self._fail(f"its close() has failed: {self._in_words(error)}")

    def _ends(self) -> bool:
        return self._stop_asked.is_set() or self.native.stopped or self._has_ended

    def _feed_offline(self) -> None:
        with self._pulled:
            if self._reached == self._wanted:
                self._pulled.notify_all()
                self._pulled.wait(_PATIENCE_S)
            until = self._wanted
        while self.native.position < until and not self._ends():
            read = self._read_one(min(self._block, until - self.native.position))
            if read != "some" and not self._has_ended:
                cause = "source_failed" if read == "failed" else "underrun"
                self.native.skip_to(min(until, self.native.position + self._block), cause)
        with self._pulled:
            self._reached = until

    def _feed(self) -> None:
        rate = self._info.sample_rate
        ahead_s = (self.native.position - self.native.now) / rate
        if not self._begun:
            # Not before its first frame is heard: what waits for its audio lies where it came.
            self._begun = ahead_s <= 0
            if not self._begun:
                self._stop_asked.wait(ahead_s)
                return
            if -ahead_s * rate > self._latency:  # where it joins, so much has been played
                self.native.skip_to(self.native.now, "starting")
        if ahead_s > self._ahead_s:
            self._stop_asked.wait(min(0.1, ahead_s - self._ahead_s))
        elif (read := self._read_one(self._block)) != "some" and not self._has_ended:
            self._stop_asked.wait(_AFTER_FAILURE_S if read == "failed" else _AFTER_NOTHING_S)

    def _read_one(self, frames: int) -> _Read:
        """Reads once, and hands over what came."""
        self._reading_since = time.monotonic()
        try:
            audio = self._source.read(frames)
            wrong = "" if audio is None else _what_is_wrong(audio, frames, self._info.channels)
        except BaseException as error:
            traceback.clear_frames(error.__traceback__)
            self._fail(f"its read() has failed: {self._in_words(error)}")
            return "failed"
        finally:
            self._reading_since = None
        if audio is None:
            self._has_ended = True
            self.native.set_absence("not_running")
            self._state = _State("not_running", "it has ended: its read() gave None")
            return "nothing"
        if wrong:
            self._fail(f"its read() gave {wrong}")
            return "failed"
        if len(audio) == 0:
            return "nothing"
        if not self._offline:
            self._catch_up(len(audio))
        self.native.set_absence("stalled")
        self.native.push(np.ascontiguousarray(audio))
        self._heard = time.monotonic()
        self._state = _State("playing", "read from a plugin")
        return "some"

    def _catch_up(self, frames: int) -> None:
        """Leaves out what has been played without it: its newest frame is heard now."""
        now = self.native.now
        if now - self.native.position > self._latency:
            self.native.skip_to(now - frames, "stalled")

    def _in_words(self, error: BaseException) -> str:
        try:
            file = Path(inspect.getfile(type(self._source)))
        except (TypeError, OSError):  # a class that no file has
            return in_words(error, None)
        return in_words(error, file)

    def _fail(self, reason: str) -> None:
        self.native.set_absence("source_failed")
        self._state = _State("failed", reason)


def _what_is_wrong(audio: object, frames: int, channels: int) -> str:
    """Says why this is no audio; empty: it is."""
    if not isinstance(audio, np.ndarray):
        return f"{type(audio).__name__}, not an array"
    array: NDArray[np.float32] = audio
    if array.dtype != np.float32:
        return f"{array.dtype} samples, not float32"
    if array.ndim != 2 or array.shape[1] != channels:
        return f"an array of the shape {array.shape}, not ({frames}, {channels})"
    if len(array) > frames:
        return f"{len(array)} frames, and was asked for {frames}"
    return "" if np.isfinite(array).all() else "samples that are no numbers (NaN or infinity)"


def close_all(threads: Iterable[SourceThread]) -> list[str]:
    """Ends them together, and says which hang."""
    threads = list(threads)
    for thread in threads:
        thread.stop()
    until = time.monotonic() + _CLOSE_S
    hang = [one for one in threads if not one.join(max(0.0, until - time.monotonic()))]
    if hang:
        _core.set_leak_warnings(False)  # they keep their native objects
    return [f"the source {one.name} was left behind: its plugin hangs" for one in hang]
