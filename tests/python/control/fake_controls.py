# SPDX-License-Identifier: MIT
"""A session without sound, for whoever tests what controls one."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pypac_obs import Profile
from pypac_obs.control.controls import LevelLayout, TakenMark
from pypac_obs.errors import (
    ChangeRefused,
    InvalidValue,
    ProfileError,
    ProfileMistake,
    RevisionConflict,
    SessionClosed,
    UnknownAddress,
)
from pypac_obs.events import EventBus, Marked, ProfileApplied, SessionEnding, ValuesChanged
from pypac_obs.model import (
    Layer,
    ProfileDiff,
    Value,
    addresses,
    clean_value,
    diff,
    find,
    value_of,
    with_value,
)
from pypac_obs.session_registry import checked_text
from pypac_obs.status import Level, Loudness, OutputStatus, SessionStatus, SourceStatus, TrackStatus

RATE = 48000
PROFILE = {
    "version": 1,
    "sources": {"game": {"process": "game.exe"}, "mic": {"synthetic": {"kind": "tone"}}},
    "tracks": {
        "game": {"from": "game"},
        "voice": {"from": ["mic"], "filters": [{"gain": {"gain_db": -3}}]},
    },
}
CHANGED = PROFILE | {"tracks": PROFILE["tracks"] | {"extra": {"from": "game"}}}
QUIET = Level(-12.5, -20.25, -6.0)
LOUD = Loudness(-12.25, -5.75, -19.5, -20.0, -18.5, 6.5, -15.0, -17.0)
# Of a track, in the order of Controls.levels: linear, and LUFS.
TRACK_LEVELS = (0.5, 0.25, 0.75, 0.5, 0.75, -18.0, -20.5, -23.0, 4.5, -15.25, -math.inf)


class FakeControls:
    """Keeps the Protocol `Controls`. ``before`` is called before each command, on its thread."""

    def __init__(self, profile: dict[str, object] = PROFILE) -> None:
        self.name = "evening"
        self.sample_rate = RATE
        self.events = EventBus()
        self.revision = 1
        self.file: dict[str, object] | ProfileError = CHANGED
        self.stopped = threading.Event()
        self.calls: list[tuple[object, ...]] = []
        self.before: Callable[[str], None] = lambda command: None
        self.released: list[str] = []
        self.level_rows: list[tuple[float, float, float]] | None = None
        self.reducers: tuple[str, ...] = ()
        self.reduction_db = 3.25
        self.level_reads = 0
        self._profile = Profile.from_dict(profile)
        self._undo: Profile | None = None
        self._held: dict[str, tuple[str, Value]] = {}
        self._live: set[str] = set()
        self._lock = threading.RLock()

    # What clients read.

    def state(self) -> dict[str, object]:
        self._begin("state")
        with self._lock:
            values = {
                target.address: {
                    "value": self.get(target.address),
                    "layer": self.layer_of(target.address),
                    **({"unit": "dB"} if target.param.endswith("_db") else {}),
                }
                for target in addresses(self._profile)
            }
            return {
                "revision": self.revision,
                "session": self.name,
                "sample_rate": RATE,
                "profile": "evening",
                "profile_file": None,
                "values": values,
                "tracks": list(self._profile.tracks),
                "sources": list(self._profile.sources),
                "outputs": [],
                "warnings": [],
                "sessions": [{"name": "other", "port": 14701}],
            }

    def status(self) -> SessionStatus:
        self._begin("status")
        source = SourceStatus("game", "playing", "", (), 0.5, True, 96000, 3, QUIET)
        silent = Level(-np.inf, -np.inf, -np.inf)
        return SessionStatus(
            "evening",
            RATE,
            96000,
            (source, replace(source, name="mic", state="not_running", level=silent)),
            (
                TrackStatus("game", 96000, QUIET, LOUD, {"squeeze": 3.25}),
                TrackStatus('vo"ice', 96000, silent),
            ),
            (OutputStatus("files", "", 7),),
            2,
            ("something",),
        )

    def get(self, address: str) -> Value:
        self._begin("get")
        target = find(self._profile, address)
        held = self._held.get(address)
        return held[1] if held else value_of(self._profile, target)

    def layer_of(self, address: str) -> Layer:
        find(self._profile, address)
        return "held" if address in self._held else "live" if address in self._live else "profile"

    # What clients change.

    def set(self, address: str, value: object, *, origin: str = "") -> Value:
        self._begin("set", address, value, origin)
        with self._lock:
            target = find(self._profile, address)
            clean = clean_value(target, value)
            self._profile = with_value(self._profile, target, clean)
            self._live.add(address)
            self._tell({address: clean}, "live", origin)
            return clean

    def adjust(self, address: str, by: float, *, origin: str = "") -> Value:
        with self._lock:
            before = self.get(address)
            if not isinstance(before, float | int) or isinstance(before, bool):
                raise InvalidValue(f"{address} is no number")
            return self.set(address, min(24.0, max(-60.0, before + by)), origin=origin)

    def toggle(self, address: str, *, origin: str = "") -> Value:
        with self._lock:
            before = self.get(address)
            if not isinstance(before, bool):
                raise InvalidValue(f"{address} is no switch")
            return self.set(address, not before, origin=origin)

    def fade(self, address: str, value: object, seconds: float, *, origin: str = "") -> None:
        self.set(address, value, origin=origin)

    def hold(self, address: str, value: object, *, client: str) -> Value:
        self._begin("hold", address, value, client)
        with self._lock:
            clean = clean_value(find(self._profile, address), value)
            self._held[address] = (client, clean)
            self._tell({address: clean}, "held", client)
            return clean

    def release(self, address: str, *, client: str) -> Value:
        self._begin("release", address, client)
        with self._lock:
            find(self._profile, address)
            if self._held.get(address, ("",))[0] == client:
                del self._held[address]
                self._tell({address: self.get(address)}, "live", client)
            return self.get(address)

    def release_all(self, client: str) -> None:
        with self._lock:
            for address, (holder, _) in list(self._held.items()):
                if holder == client:
                    self.release(address, client=client)
            self.released.append(client)

    def plan(self) -> ProfileDiff:
        self._begin("plan")
        return diff(self._profile, self._in_file())

    def reload(self, *, origin: str = "", expect_revision: int | None = None) -> ProfileDiff:
        self._begin("reload", origin, expect_revision)
        with self._lock:
            if expect_revision not in (None, self.revision):
                raise RevisionConflict("somebody else has changed the profile", remedy="Look.")
            return self._apply(self._in_file(), origin)

    def undo(self, *, origin: str = "") -> ProfileDiff:
        self._begin("undo", origin)
        with self._lock:
            if self._undo is None:
                raise ChangeRefused("nothing was reloaded")
            return self._apply(self._undo, origin)

    def mark(self, text: str, host_ns: int | None = None, *, origin: str = "") -> TakenMark:
        self._begin("mark", text, host_ns, origin)
        checked_text(text)
        return TakenMark(96000, True)

    def stop(self) -> None:
        self.calls.append(("stop",))
        self.stopped.set()

    # Levels.

    def reset_loudness(self, track: str | None = None) -> None:
        self._begin("reset_loudness", track)
        if track is not None and track not in self._profile.tracks:
            raise UnknownAddress(f"there is no track {track!r}")

    def level_layout(self) -> LevelLayout:
        return LevelLayout(tuple(self._profile.sources), tuple(self._profile.tracks), self.reducers)

    def levels(self, values: NDArray[np.float32]) -> int:
        self.level_reads += 1
        layout = self.level_layout()
        wanted = self.level_rows or [(0.5, 0.25, 0.75)] * (len(layout.sources) + len(layout.tracks))
        if len(values) == layout.size:
            sources, tracks, reductions = layout.parts(values)
            sources[:] = wanted[: len(sources)]
            tracks[:] = TRACK_LEVELS
            tracks[:, :3] = wanted[len(sources) :]
            reductions[:] = self.reduction_db
        return layout.size

    # What tests do.

    def close(self) -> None:
        """From now on the session has ended."""
        self.events.publish(SessionEnding())

        def refuse(command: str) -> None:
            raise SessionClosed("the session has ended")

        self.before = refuse

    def _begin(self, *call: object) -> None:
        self.calls.append(call)
        self.before(str(call[0]))

    def _in_file(self) -> Profile:
        if isinstance(self.file, ProfileError):
            raise self.file
        new = Profile.from_dict(self.file)
        for address in self._live:  # what was set stays
            value = value_of(self._profile, find(self._profile, address))
            new = with_value(new, find(new, address), value)
        return new

    def _apply(self, new: Profile, origin: str) -> ProfileDiff:
        changes = diff(self._profile, new)
        self._undo, self._profile = self._profile, new
        self.revision += 1
        self.events.publish(ProfileApplied(tuple(changes.lines()), origin, self.revision))
        return changes

    def _tell(self, values: dict[str, Value], layer: Layer, origin: str) -> None:
        self.revision += 1
        self.events.publish(ValuesChanged(values, layer, origin, self.revision))


def broken_profile() -> ProfileError:
    """What a profile with two mistakes raises."""
    return ProfileError(
        ProfileMistake("a.yaml", line, 3, f"tracks.t{line}", "a source", "nothing")
        for line in (7, 9)
    )


__all__ = ["CHANGED", "PROFILE", "RATE", "FakeControls", "Marked", "broken_profile"]
