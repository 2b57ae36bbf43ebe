# SPDX-License-Identifier: MIT
"""A running session as its control API sees it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pypac_obs.control.controls import LevelLayout, TakenMark
from pypac_obs.events import EventBus
from pypac_obs.model import Target, addresses, value_of
from pypac_obs.model.ranges import range_of
from pypac_obs.session.controller import Controller
from pypac_obs.session.marks import Marks
from pypac_obs.session.wiring import Wiring
from pypac_obs.session_registry import running_sessions
from pypac_obs.status import SessionStatus

__all__ = ["SessionControls"]


class SessionControls:
    """Keeps `pypac_obs.control.controls.Controls`: each call goes to the part whose duty it is."""

    def __init__(
        self,
        name: str,
        events: EventBus,
        wiring: Wiring,
        controller: Controller,
        marks: Marks,
        *,
        status: Callable[[], SessionStatus],
        stop: Callable[[], None],
    ) -> None:
        self.name = name
        self.sample_rate = wiring.sample_rate
        self.events = events
        self._wiring = wiring
        self._controller = controller
        self._marks = marks
        self.status = status
        self.stop = stop
        self.get = controller.get
        self.layer_of = controller.layer_of
        self.set = controller.set
        self.adjust = controller.adjust
        self.toggle = controller.toggle
        self.fade = controller.fade
        self.hold = controller.hold
        self.release = controller.release
        self.release_all = controller.release_all
        self.plan = controller.plan
        self.reload = controller.reload
        self.undo = controller.undo
        self.reset_loudness = controller.reset_loudness

    @property
    def revision(self) -> int:
        """Counts the changes of values and of the profile."""
        return self._controller.revision

    def mark(self, text: str, host_ns: int | None = None, *, origin: str = "") -> TakenMark:
        """Marks a moment; see `Marks.add`."""
        return self._marks.add(text, host_ns)

    def level_layout(self) -> LevelLayout:
        """Names whose levels `levels` writes."""
        layout = self._wiring.engine.level_layout()
        filters = (f"{one.track}.filter.{one.filter}" for one in layout.reducers)
        return LevelLayout(tuple(layout.sources), tuple(layout.tracks), tuple(filters))

    def levels(self, values: NDArray[np.float32]) -> int:
        """Writes all levels; see `Controls.levels`."""
        return self._wiring.engine.levels(values)

    def state(self) -> dict[str, object]:
        """Gives everything that a client shows at first, as plain values."""
        revision, layers = self._controller.present
        profile, status = layers.present, self.status().to_json()
        values = {
            target.address: {
                "value": value_of(profile, target),
                "layer": layers.layer_of(target.address),
                **_range(target),
            }
            for target in addresses(profile)
        }
        return {
            "revision": revision,
            "session": self.name,
            "sample_rate": self.sample_rate,
            "profile": profile.name,
            "profile_file": str(profile.file) if profile.file is not None else None,
            "values": values,
            "tracks": list(profile.tracks),
            "sources": status["sources"],
            "outputs": status["outputs"],
            "warnings": status["warnings"],
            "sessions": [
                {"name": one.name, "port": one.control_port}
                for one in running_sessions()
                if one.name != self.name
            ],
        }


def _range(target: Target) -> dict[str, object]:
    """What a client needs to show a number as a fader."""
    numbers = range_of(target)
    if numbers is None:
        return {}
    return {
        "unit": numbers.unit,
        "min": numbers.lowest,
        "max": numbers.highest,
        "logarithmic": numbers.logarithmic,
    }
