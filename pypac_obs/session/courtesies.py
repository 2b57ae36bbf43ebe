# SPDX-License-Identifier: MIT
"""What a session warns of while it runs: nothing of it may end a recording."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pypac_obs import _core
from pypac_obs.audio_system import missing_inputs
from pypac_obs.profile.model import DeviceSource
from pypac_obs.session.binding_notes import binding_notes
from pypac_obs.session.notices import Notices
from pypac_obs.session.status_reader import StatusReader
from pypac_obs.session.wiring import Wiring

__all__ = ["Courtesies"]

# A program that comes again has another PID, and so a note of its own.
_MOST_BINDING_NOTES = 50
_LOOK_S = 1.0
# When every program that plays has a stream that is known by name.
_NAMED_AFTER_S = 1.0


class Courtesies:
    """Looks once a second at what is captured, and warns. For one thread."""

    def __init__(self, wiring: Wiring, status: StatusReader, notices: Notices) -> None:
        self._wiring = wiring
        self._status = status
        self._notices = notices
        self._binding_notes: set[str] = set()
        self._with_missing_inputs: set[str] = set()
        self._has_named = False
        self._next_look = 0.0

    def look(self) -> None:
        """Warns of what is worth a word, if the last look was a second ago. May raise anything."""
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + _LOOK_S
        refusal = self._wiring.engine.priority_refusal
        if refusal:
            self._notices.warn(f"the mixer has no real-time priority: {refusal}")
        capture = self._wiring.capture
        if capture is None:
            return
        if isinstance(capture, _core.WasapiCapture) and capture.server_info().own_clock:
            self._notices.warn(
                "Windows' time stamps of a capture are lastingly wrong: the time at which its "
                "packets come is taken instead, so its track may be a little late"
            )
        bound = {name: self._status.captured(name) for name in self._wiring.captured_sources}
        self._warn_of_bindings(bound)
        self._warn_of_inputs(bound)
        self._warn_of_names(bound)

    def _warn_of_bindings(self, bound: Mapping[str, _core.CaptureStatus]) -> None:
        for note in binding_notes(bound, self._wiring.profile.sources):
            if note not in self._binding_notes and len(self._binding_notes) < _MOST_BINDING_NOTES:
                self._binding_notes.add(note)
                self._notices.warn(note)

    def _warn_of_inputs(self, bound: Mapping[str, _core.CaptureStatus]) -> None:
        for name, rule in self._wiring.profile.sources.items():
            if not isinstance(rule, DeviceSource) or not rule.channels:
                continue
            if name in self._with_missing_inputs or name not in bound:
                continue
            if missing := missing_inputs(name, bound[name].streams):
                self._with_missing_inputs.add(name)
                self._notices.warn(*missing)

    def _warn_of_names(self, bound: Mapping[str, _core.CaptureStatus]) -> None:
        """Says once what may be meant by names that nothing has, before hours of silence."""
        capture = self._wiring.capture
        played = self._wiring.engine.position
        if self._has_named or capture is None or played < _NAMED_AFTER_S * self._wiring.sample_rate:
            return
        self._has_named = True
        from pypac_obs.likely_names import NamesHere, likely_names  # once, and not at the start

        found = [name for name, one in bound.items() if one.state != "not_running"]
        # Not all processes of the computer: this is beside a recording.
        here = NamesHere.of(capture, found, processes=False)
        sentences, _ = likely_names(self._wiring.profile, here)
        self._notices.warn(*sentences)
