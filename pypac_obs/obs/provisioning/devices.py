# SPDX-License-Identifier: MIT
"""Lets OBS open the virtual devices of a session again, once it has lost them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pypac_obs._core import VirtualSourceStatus
from pypac_obs.errors import ObsRefused, PypacError
from pypac_obs.obs.client.actual import Obs

__all__ = ["DeviceWatch"]

EVERY_S = 1.0
# A device that nobody records from twice in a row has been lost: opening one takes far less.
IDLE_LOOKS = 2
LONGEST_PAUSE_S = 60.0

# No device has this name: OBS must let go of the old one, and must not take the default microphone.
NO_DEVICE = "pypac-obs.none"


@dataclass
class _Attempts:
    """What was tried for one device."""

    idle_looks: int = 0
    pause_s: float = 2 * EVERY_S
    not_before: float = 0.0


class DeviceWatch:
    """Watches whether OBS records from the virtual devices of its inputs, through an `ObsLink`.

    OBS opens a device once, when an input is made or told another device. A device that has gone
    meanwhile, as with a session that ended and began again, stays silent for good. Such an input is
    told to let go of its device, and to take it again.

    ``inputs`` are the devices' node names by OBS's name of their input; ``status`` tells what
    becomes of the devices; ``report`` gets a sentence for each input that was opened again;
    ``post`` lets the link's thread do something.
    """

    def __init__(
        self,
        inputs: Mapping[str, str],
        *,
        status: Callable[[], Sequence[VirtualSourceStatus]],
        report: Callable[[str], None],
        post: Callable[[Callable[[Any], None]], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inputs = inputs
        self._status = status
        self._report = report
        self._post = post
        self._clock = clock
        self._attempts = {name: _Attempts() for name in inputs}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="obs devices", daemon=True)

    def start(self) -> None:
        """Looks once a second from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Looks no more. May be called again, and before `start`."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(EVERY_S)

    def look(self, obs: Obs) -> None:
        """Opens again what OBS has lost. Raises ObsError where OBS cannot be asked."""
        states = {device.node_name: device.state for device in self._status()}
        now = self._clock()
        for name, node in self._inputs.items():
            attempts = self._attempts[name]
            if states.get(node) != "idle":
                self._attempts[name] = _Attempts()
                continue
            attempts.idle_looks += 1
            if attempts.idle_looks < IDLE_LOOKS or now < attempts.not_before:
                continue
            attempts.not_before = now + attempts.pause_s
            attempts.pause_s = min(2 * attempts.pause_s, LONGEST_PAUSE_S)
            self._open_again(obs, name, node)

    def _open_again(self, obs: Obs, name: str, node: str) -> None:
        try:
            settings = obs.request("GetInputSettings", inputName=name).get("inputSettings")
            device = settings.get("device_id") if isinstance(settings, Mapping) else None
            if device not in (NO_DEVICE, node):
                return  # somebody wants another one: that is the drift watch's, too
            for device in (NO_DEVICE, node):
                obs.request("SetInputSettings", inputName=name, inputSettings={"device_id": device})
        except ObsRefused:
            return  # the input is not there: that is for the drift watch to mend or to report
        self._report(f'The input "{name}" had lost its device: opened again in OBS.')

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            self._post(self._look)

    def _look(self, obs: Obs) -> None:
        with contextlib.suppress(PypacError):  # the connection is gone: the link makes another
            self.look(obs)
