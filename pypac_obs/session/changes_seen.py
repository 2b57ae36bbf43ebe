# SPDX-License-Identifier: MIT
"""Notices what changes in sources and outputs, and publishes it as events."""

from __future__ import annotations

from pypac_obs.errors import NotRunning
from pypac_obs.events import EventBus, OutputChanged, SourceChanged
from pypac_obs.session.output_set import OutputSet
from pypac_obs.session.status_reader import StatusReader
from pypac_obs.session.wiring import Wiring

__all__ = ["ChangesSeen"]


class ChangesSeen:
    """Compares states with those of the last look. For one thread."""

    def __init__(
        self, wiring: Wiring, status: StatusReader, outputs: OutputSet, events: EventBus
    ) -> None:
        self._wiring = wiring
        self._status = status
        self._outputs = outputs
        self._events = events
        self._sources: dict[str, tuple[object, ...]] = {}
        self._states: dict[str, tuple[str, str]] = {}

    def look(self) -> None:
        """Publishes what is different. Raises NotRunning once the capture has stopped."""
        for name in self._wiring.source_names:
            try:
                state, reason, programs = self._status.state(name)
            except NotRunning:
                raise
            except LookupError:  # it has just gone
                continue
            known = (state, programs)
            if self._sources.get(name) != known:
                self._sources[name] = known
                self._events.publish(SourceChanged(name, state, reason, programs))
        for output in self._outputs.states():
            told = (output.state, output.error)
            if self._states.get(output.name, ("", "")) != told:
                self._states[output.name] = told
                self._events.publish(OutputChanged(output.name, output.state, output.error))
