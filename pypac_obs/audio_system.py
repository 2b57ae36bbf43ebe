# SPDX-License-Identifier: MIT
"""Chooses the audio system that this build captures from."""

from __future__ import annotations

from typing import TypeAlias

from pypac_obs import _core
from pypac_obs.errors import BackendUnavailable

__all__ = ["RESTART_SERVICE", "Capture", "only_zeros", "open_capture", "service_trouble"]

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
