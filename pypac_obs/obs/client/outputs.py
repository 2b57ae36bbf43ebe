# SPDX-License-Identifier: MIT
"""OBS's own outputs, its recording and its stream: started, stopped, and where they write."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from pypac_obs.errors import ObsError, ObsNotAnswering, ObsProtocolError, ObsRefused
from pypac_obs.obs.client.connection import EventGroup, ObsConnection

__all__ = [
    "STARTED",
    "STOPPED",
    "OutputControl",
    "OutputKind",
    "Recording",
    "recording_path",
    "running_recording",
]

STARTED, STOPPED = "OBS_WEBSOCKET_OUTPUT_STARTED", "OBS_WEBSOCKET_OUTPUT_STOPPED"
# obs-websocket's codes: it is in that state already.
_IS_RUNNING, _IS_NOT_RUNNING = 500, 501
# How long OBS may take to open its encoders and its file or server, and to finish them.
_CHANGES_WITHIN_S = 30.0
# Changes that wait for us; there are some four to a recording.
_MAX_CHANGES = 1000
# The outputs that record, in the simple and the advanced output mode.
_RECORDERS = ("adv_file_output", "simple_file_output", "adv_ffmpeg_output")
_TELLS_WHY = "OBS shows the reason in its window, and in its log (Help > Log Files)."


class OutputKind(Enum):
    """An output of OBS's; the value is what its requests and events are named after."""

    RECORDING = "Record"
    STREAM = "Stream"

    @property
    def words(self) -> str:
        """What one calls it."""
        return self.name.lower()


class OutputControl:
    """Starts and stops one of OBS's outputs, on a connection of its own.

    ``connect`` makes an ObsConnection with the options that it is given. Raises ObsError.
    """

    def __init__(self, connect: Callable[..., ObsConnection], kind: OutputKind) -> None:
        self._kind = kind
        self._changes: queue.SimpleQueue[Mapping[str, Any] | ObsError] = queue.SimpleQueue()
        self._obs = connect(
            subscriptions=EventGroup.OUTPUTS,
            on_event=self._take_event,
            on_closed=self._changes.put,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._obs.close()

    def start(self) -> tuple[bool, str]:
        """Starts the output, and waits until it runs.

        Gives whether it ran before, and the recording's file ("" where OBS tells none). Raises
        ObsRefused or ObsError if OBS cannot start it, ObsNotAnswering if it takes too long, and the
        reason if the connection ends meanwhile.
        """
        try:
            self._obs.request(f"Start{self._kind.value}")
        except ObsRefused as refusal:
            if refusal.code != _IS_RUNNING:
                raise
            return True, self._path()
        self._wait_for(STARTED)
        return False, self._path()

    def stop(self) -> tuple[bool, str]:
        """Stops the output, and waits until it has ended, and its file is complete.

        Gives whether it ran, and the recording's file ("" where OBS tells none). Raises ObsRefused,
        ObsNotAnswering if it takes too long, and the reason if the connection ends meanwhile.
        """
        try:
            path = self._obs.request(f"Stop{self._kind.value}").get("outputPath")
        except ObsRefused as refusal:
            if refusal.code != _IS_NOT_RUNNING:
                raise
            return False, ""
        self._wait_for(STOPPED)
        return True, path if isinstance(path, str) else ""

    def _path(self) -> str:
        return recording_path(self._obs) if self._kind is OutputKind.RECORDING else ""

    def _take_event(self, kind: str, data: Mapping[str, Any], _size: int) -> None:
        if kind != f"{self._kind.value}StateChanged":
            return
        if self._changes.qsize() >= _MAX_CHANGES:
            raise ObsProtocolError(
                f"OBS tells of more changes of its {self._kind.words} than it can have"
            )
        self._changes.put(data)

    def _wait_for(self, state: str) -> None:
        deadline = time.monotonic() + _CHANGES_WITHIN_S
        while True:
            change: Mapping[str, Any] | ObsError | None = None
            # Also where it tells of other changes all the while.
            if (left_s := deadline - time.monotonic()) > 0:
                with contextlib.suppress(queue.Empty):
                    change = self._changes.get(timeout=left_s)
            if change is None:
                raise ObsNotAnswering(
                    f"OBS's {self._kind.words} takes longer than {_CHANGES_WITHIN_S:g} s to change",
                    remedy=_TELLS_WHY,
                )
            if isinstance(change, ObsError):
                raise change
            if change.get("outputState") == state:
                return
            if change.get("outputState") == STOPPED:
                raise ObsError(f"OBS could not start its {self._kind.words}", remedy=_TELLS_WHY)


@dataclass(frozen=True)
class Recording:
    """A recording that runs: the file that it began with, and whether OBS may split it.

    OBS does not tell which file it records into once it has split the recording. ``file`` is ""
    where it does not tell the first one either.
    """

    file: str
    splits: bool


def recording_path(obs: ObsConnection) -> str:
    """Tells the file that OBS's recording began with, as OBS names it; "" where it does not."""
    return running_recording(obs).file


def running_recording(obs: ObsConnection) -> Recording:
    """Tells of OBS's recording. Raises ObsError, save ObsRefused."""
    for name in _RECORDERS:
        try:
            settings = obs.request("GetOutputSettings", outputName=name).get("outputSettings")
            active = obs.request("GetOutputStatus", outputName=name).get("outputActive")
        except ObsRefused:  # there is no such output in this mode
            continue
        if active is True and isinstance(settings, Mapping):
            path = settings.get("path")
            # The output itself goes by "split_file": without it, not even a hotkey splits.
            return Recording(
                path if isinstance(path, str) else "",
                splits=settings.get("split_file", False) is not False,
            )
    return Recording("", splits=True)
