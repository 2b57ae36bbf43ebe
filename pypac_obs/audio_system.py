# SPDX-License-Identifier: MIT
"""Chooses the audio system that this build captures from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from pypac_obs import _core
from pypac_obs.errors import BackendUnavailable

__all__ = [
    "RESTART_SERVICE",
    "Capture",
    "inputs_taken",
    "missing_inputs",
    "only_zeros",
    "open_capture",
    "service_trouble",
]

#: What to do about an audio service of Windows' that is stopped, or hangs.
RESTART_SERVICE = (
    'Restart it: run "net stop audiosrv" and "net start audiosrv" as an administrator, or restart '
    "the computer."
)

#: Captures of all audio systems can do the same; what `server_info` tells differs.
Capture: TypeAlias = _core.PipewireCapture | _core.WasapiCapture


def open_capture(
    *, timeline_rate: int = 48_000, capacity_frames: int = 48_000, meter_streams: bool = False
) -> Capture:
    """Connects to the audio system.

    ``timeline_rate`` is the session's in Hz, ``capacity_frames`` the length of each source's ring;
    with ``meter_streams`` the peak of every stream is measured. Raises BackendUnavailable,
    PermissionDenied or Unsupported.
    """
    make = _core.WasapiCapture if _core.WITH_WASAPI else _core.PipewireCapture
    return make(
        timeline_rate=timeline_rate, capacity_frames=capacity_frames, meter_streams=meter_streams
    )


def service_trouble(server: _core.WasapiServer) -> BackendUnavailable | None:
    """Why nothing can be heard of Windows' audio service; None: it answers."""
    if server.connected:
        return None
    return BackendUnavailable(server.failure, remedy=RESTART_SERVICE)


def only_zeros(*, device: bool = False) -> str:
    """Says in a sentence of what plays, and gives nothing but zeros, why that may be."""
    if device:
        return "The device gives silence."
    if _core.WITH_WASAPI:
        return "The program plays silence, or past Windows' mixer (exclusive mode, ASIO)."
    return "The program plays silence."


def inputs_taken(streams: Sequence[_core.BoundStream], channels: Sequence[int]) -> str:
    """Says in a sentence which inputs of a device a source takes; empty: all, by their places.

    ``channels`` is what the profile says.
    """
    for stream in streams:
        if not stream.taken:
            continue
        numbers = " and ".join(map(str, stream.taken))
        inputs = f"input {numbers}" if len(stream.taken) == 1 else f"inputs {numbers}"
        of = f" of {stream.inputs}" if stream.inputs else ""
        others = ""
        if not channels and stream.inputs > 1:
            others = ", because the profile names none: `channels: [2]` or `[1, 2]` takes others"
        return f"It takes {inputs}{of}{others}."
    return ""


def missing_inputs(source: str, streams: Sequence[_core.BoundStream]) -> list[str]:
    """Says of each device which of the inputs that the profile names it does not have."""
    found = []
    for stream in streams:
        missing = [str(one) for one in stream.taken if one > stream.inputs > 0]
        if missing:
            has = "1 input" if stream.inputs == 1 else f"{stream.inputs} inputs"
            found.append(
                f"{source}: {stream.program} has {has}, and no input {' or '.join(missing)}: "
                "what is missing is silence. Correct `channels` in the profile"
            )
    return found
