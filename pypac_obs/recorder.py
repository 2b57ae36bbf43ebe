# SPDX-License-Identifier: MIT
"""Records programs as arrays, without a profile."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

import numpy as np
import psutil
from numpy.typing import NDArray

from pypac_obs.errors import NotRunning, SessionClosed
from pypac_obs.incidents import Incident
from pypac_obs.outputs.output import Block
from pypac_obs.profile import Profile
from pypac_obs.profile.names import as_track_name
from pypac_obs.session import Session
from pypac_obs.session.blocks import BlockStream
from pypac_obs.status import SessionStatus

__all__ = ["ProcessRecorder", "profile_for_programs", "record_process", "record_process_id"]

WHOLE_SYSTEM = 0  # the PID that stands for everything that plays


class ProcessRecorder:
    """Records one or several programs at once, each apart, on one timeline.

        recorder = ProcessRecorder()
        recorder.start_process("Spotify.exe")
        time.sleep(5)
        recorder.stop()
        audio = recorder.get_audio().audio["Spotify.exe"]  # float32, (frames, channels)

    Tracks have the names (or "pid 1234", "system") that were asked for. A program that is not
    running, or restarts, is no error: its track is silence until it plays, and `incidents` say so.
    Up to ``buffer_s`` seconds are kept for `get_audio`; more is lost, counted in ``lost_frames``.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 48_000,
        channels: int = 2,
        latency_ms: float = 40,
        buffer_s: float = 60,
    ) -> None:
        self._sample_rate = sample_rate
        self._channels = channels
        self._latency_ms = latency_ms
        self._buffer_s = buffer_s
        self._session: Session | None = None
        self._stream: BlockStream | None = None

    def start_process(self, process: str | int) -> None:
        """Starts to record one program: a name, a pattern or a PID (0: the whole system).

        Raises NotRunning for a PID that does not exist, SessionClosed if a recording runs already,
        and BackendUnavailable, PermissionDenied or Unsupported where there is no audio system.
        """
        self.start_processes([process])

    def start_processes(self, processes: Sequence[str | int]) -> None:
        """Starts to record several programs, one track each. See `start_process`."""
        if self._session is not None and self._session.running:
            raise SessionClosed("a recording runs already", remedy="Call stop() first.")
        profile = profile_for_programs(
            processes,
            sample_rate=self._sample_rate,
            channels=self._channels,
            latency_ms=self._latency_ms,
            output_ms=min(60_000, round(self._buffer_s * 1000)),
        )
        self._session = Session(profile)
        self._session.start()
        self._stream = self._session.blocks()

    def get_audio(self) -> Block:
        """Gives all that has been recorded since the last call, at once and without waiting.

        The block's arrays are float32 of shape (frames, channels), one a track; ``start`` is the
        timeline frame of the first. It has 0 frames if nothing has come. If frames were lost
        because the buffer was full, the block ends there, and the next one starts behind the loss.
        Raises SessionClosed if nothing was ever started.
        """
        return self._require()[1].read_available()

    def stop(self) -> None:
        """Ends the recording; what is recorded stays available to `get_audio`."""
        if self._session is not None:
            self._session.stop()

    def status(self) -> SessionStatus:
        """Tells what each program's track is bound to, its level and its drift."""
        return self._require()[0].status()

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """What is missing so far, and why."""
        return self._require()[0].incidents

    @property
    def lost_frames(self) -> int:
        """How many frames did not fit into the buffer."""
        return self._require()[1].lost_frames

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _require(self) -> tuple[Session, BlockStream]:
        if self._session is None or self._stream is None:
            raise SessionClosed("nothing is being recorded", remedy="Call start_process() first.")
        return self._session, self._stream


def profile_for_programs(
    processes: Sequence[str | int],
    *,
    sample_rate: int = 48_000,
    channels: int = 2,
    latency_ms: float = 40,
    output_ms: int = 4000,
    files: dict[str, object] | None = None,
) -> Profile:
    """Builds a profile with one source and one track for each program.

    ``processes`` are names, patterns or PIDs (0: the whole system); ``files`` becomes
    ``outputs.files``. Raises NotRunning for a PID that does not exist, ProfileError for what
    cannot be.
    """
    names: dict[str, str | int] = {}
    for process in processes:
        if isinstance(process, int) and process != WHOLE_SYSTEM and not psutil.pid_exists(process):
            raise NotRunning(
                f"no process has the PID {process}", remedy="`pypac-obs ps` lists what plays."
            )
        names[_track_name(process, taken=names)] = process
    return Profile.from_dict(
        {
            "version": 1,
            "session": {
                "sample_rate": sample_rate,
                "latency_ms": latency_ms,
                "rings": {"output_ms": output_ms},
            },
            "sources": {
                name: {"system": True} if process == WHOLE_SYSTEM else {"process": [process]}
                for name, process in names.items()
            },
            "tracks": {name: {"from": name, "channels": channels} for name in names},
            "outputs": {"files": files} if files is not None else {},
            # A library does not open a port behind the back of the program that uses it.
            "control": {"enabled": files is not None},
        }
    )


def _track_name(process: str | int, taken: Collection[str]) -> str:
    if process == WHOLE_SYSTEM:
        base = "system"
    elif isinstance(process, int):
        base = f"pid {process}"
    else:
        base = process
    return as_track_name(base, taken)


def record_process(
    process: str | int, duration_s: float, *, sample_rate: int = 48_000, channels: int = 2
) -> NDArray[np.float32]:
    """Records one program for ``duration_s`` seconds and gives its audio.

    The array is float32 of shape (round(duration_s * sample_rate), channels). While the program is
    not running it holds silence. Raises NotRunning if nothing at all came from the program in that
    time, so that a misspelt name is not taken for silence.
    """
    recorder = ProcessRecorder(
        sample_rate=sample_rate, channels=channels, buffer_s=min(60.0, duration_s + 1)
    )
    frames = round(duration_s * sample_rate)
    audio = np.zeros((frames, channels), np.float32)
    with recorder:
        recorder.start_process(process)
        done = 0
        while done < frames:
            time.sleep(min(0.2, max(0.01, (frames - done) / sample_rate)))
            block = recorder.get_audio()
            [samples] = block.audio.values()
            wanted = min(block.frames, frames - block.start)
            audio[block.start : block.start + wanted] = samples[:wanted]
            done = block.start + block.frames
        [source] = recorder.status().sources
    if source.captured_frames == 0:
        raise NotRunning(
            f"{process!r} gave no audio in {duration_s:g} s: {source.reason}",
            remedy="`pypac-obs ps` lists what plays.",
        )
    return audio


def record_process_id(
    pid: int, duration_s: float, *, sample_rate: int = 48_000, channels: int = 2
) -> NDArray[np.float32]:
    """Records the program with this PID, or with PID 0 the whole system. See `record_process`."""
    return record_process(pid, duration_s, sample_rate=sample_rate, channels=channels)
