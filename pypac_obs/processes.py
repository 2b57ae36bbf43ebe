# SPDX-License-Identifier: MIT
"""Lists what can be captured now: programs with audio, their volume, mute and peak."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Self

from pypac_obs import _core
from pypac_obs.audio_system import only_zeros, open_capture, service_trouble
from pypac_obs.errors import NotRunning
from pypac_obs.forked import leave_to_parent_on_fork
from pypac_obs.input_devices import InputDevice, inputs_of

__all__ = ["METER_S", "AudioStream", "ProcessAudio", "ProcessWatch", "list_processes"]

# Peaks are measured over this long before the first answer: some cycles of any common quantum.
METER_S = 0.25


@dataclass(frozen=True)
class AudioStream:
    """One audio stream of a program.

    ``volume`` is what sliders show (1.0 is 100 %; on Linux the cube root of the amplitude),
    ``volume_db`` the amplitude in dB. ``peak_db`` is in dBFS since the last look, after volume and
    mute; NaN where it was not measured. ``sample_rate`` is the program's own, 0 if unknown.
    ``silence`` says in one sentence why nothing of it is heard; it is empty while something is.
    """

    name: str
    playing: bool
    muted: bool
    volume: float
    volume_db: float
    peak_db: float
    channels: int
    sample_rate: int
    device: str
    silence: str = ""


@dataclass(frozen=True)
class ProcessAudio:
    """A program that has audio streams; ``pid`` is 0 where the system does not tell it."""

    pid: int
    program: str
    application_name: str
    streams: tuple[AudioStream, ...]

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that it plays to; a capture has what goes to any of them."""
        return tuple(sorted({stream.device for stream in self.streams if stream.device}))

    @property
    def playing(self) -> bool:
        """True while at least one stream plays."""
        return any(stream.playing for stream in self.streams)

    @property
    def muted(self) -> bool:
        """True while every stream is muted."""
        return all(stream.muted for stream in self.streams)

    @property
    def volume(self) -> float:
        """The loudest stream's volume: what sliders show, 1.0 is 100 %."""
        return max(stream.volume for stream in self.streams)

    @property
    def silence(self) -> str:
        """Why nothing of it is heard, in one sentence; empty while at least one stream is."""
        # What plays comes first: that it is muted is more to know than that another is paused.
        streams = sorted(self.streams, key=lambda stream: not stream.playing)
        return streams[0].silence if all(stream.silence for stream in streams) else ""

    @property
    def peak_db(self) -> float:
        """The loudest stream's peak in dBFS; NaN where none was measured."""
        measured = [stream.peak_db for stream in self.streams if not math.isnan(stream.peak_db)]
        return max(measured, default=math.nan)

    def to_json(self) -> dict[str, object]:
        """Gives plain values; a peak or level that is not finite becomes None."""
        plain = asdict(self)
        for stream in plain["streams"]:
            for key in ("volume_db", "peak_db"):
                stream[key] = round(stream[key], 2) if math.isfinite(stream[key]) else None
        peak = self.peak_db
        return plain | {
            "playing": self.playing,
            "muted": self.muted,
            "silence": self.silence,
            "volume": round(self.volume, 4),
            "peak_db": round(peak, 2) if math.isfinite(peak) else None,
        }


class ProcessWatch:
    """A live list: keeps one connection to the audio system open.

    Raises BackendUnavailable, PermissionDenied or Unsupported where there is none.

        with ProcessWatch() as watch:
            while True:
                for process in watch.processes():
                    print(process.program, process.peak_db)
                time.sleep(0.5)
    """

    def __init__(self) -> None:
        self._is_parents = False
        self._capture = open_capture(meter_streams=True)
        self._capture.wait_until_running(2.0)
        server = self._capture.server_info()
        # On Linux there is no capture without an audio system to begin with.
        trouble = service_trouble(server) if isinstance(server, _core.WasapiServer) else None
        if trouble is not None:
            self._capture.stop()
            raise trouble
        leave_to_parent_on_fork(self)

    def leave_to_parent(self) -> bool:
        """Makes this the copy of a forked child, for `leave_to_parent_on_fork`."""
        self._is_parents = True
        return True

    def processes(self) -> list[ProcessAudio]:
        """Gives every program with playback streams now, sorted by name; peaks since last time."""
        if self._is_parents:
            raise NotRunning("the process that this one was forked from has this connection")
        groups: dict[tuple[int, str, str], list[_core.StreamView]] = defaultdict(list)
        for stream in self._capture.streams():
            if stream.kind in ("playback", "re_emitter"):
                key = (stream.pid, stream.program, stream.application_name)
                groups[key].append(stream)
        return sorted(
            (_process(*key, streams) for key, streams in groups.items()),
            key=lambda process: (process.program.casefold(), process.pid),
        )

    def inputs(self) -> list[InputDevice]:
        """Gives the inputs that are there now (microphones and virtual sources), by name."""
        return inputs_of(self._capture)

    def close(self) -> None:
        """Ends the connection; in a forked child it does nothing."""
        if not self._is_parents:
            self._capture.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def list_processes() -> list[ProcessAudio]:
    """Lists the programs that have audio streams now, with volume, mute and peak.

    Takes about a quarter of a second, over which the peaks are measured; use `ProcessWatch` to
    look often. Raises BackendUnavailable, PermissionDenied or Unsupported.
    """
    with ProcessWatch() as watch:
        time.sleep(METER_S)
        return watch.processes()


def _silence(stream: _core.StreamView) -> str:
    measured_zeros = stream.peak_db == -math.inf
    return stream.silence or (only_zeros() if measured_zeros else "")


def _process(
    pid: int, program: str, application_name: str, streams: Sequence[_core.StreamView]
) -> ProcessAudio:
    return ProcessAudio(
        pid,
        program,
        application_name,
        tuple(
            AudioStream(
                name=stream.media_name or stream.node_name,
                playing=stream.playing,
                muted=stream.muted,
                volume=stream.volume,
                volume_db=stream.volume_db,
                peak_db=stream.peak_db,
                channels=stream.channels,
                sample_rate=stream.sample_rate,
                device=stream.sink,
                silence=_silence(stream),
            )
            for stream in streams
        ),
    )
