# SPDX-License-Identifier: MIT
"""How late the filters of a profile make its tracks, and all of them together."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pypac_obs.profile.filters import PLUGIN, FilterRule, key_settings
from pypac_obs.profile.native_values import NativeValue, native_values
from pypac_obs.profile.references import Problem

if TYPE_CHECKING:
    from pypac_obs.profile.model import Profile, SessionSettings

__all__ = [
    "Latencies",
    "TrackLatency",
    "block_frames",
    "filter_latency",
    "latencies",
    "latency_problems",
]

# As long as a session may wait for late packets, and as much as readers of its tracks have.
_MOST_MS = 2000.0
# What OBS waits for: 45 of its ticks of 1024 frames at 48 kHz.
_OBS_MS = 960.0


@dataclass(frozen=True)
class TrackLatency:
    """How late a track's filters make it, in frames, with what they wait for by their keys.

    It is not ``complete`` where filters are written in Python: theirs is known when they run.
    """

    frames: int
    complete: bool = True


@dataclass(frozen=True)
class Latencies:
    """Of each track, and the session's ``budget``: all tracks are as late as that."""

    tracks: dict[str, TrackLatency]
    budget: int

    @property
    def complete(self) -> bool:
        """True if all of it is known."""
        return all(one.complete for one in self.tracks.values())


def block_frames(session: SessionSettings) -> int:
    """How many frames the mixer makes at once."""
    # A quarter of the latency, so that waiting for a block's end costs little of it; 10 ms at
    # the most, because longer blocks save nothing more.
    latency_frames = round(session.latency_ms * session.sample_rate / 1000)
    quarter_ms = latency_frames * 1000 / session.sample_rate / 4
    return max(16, round(min(10.0, quarter_ms) * session.sample_rate / 1000))


def filter_latency(rule: FilterRule, sample_rate: int, channels: int) -> int | None:
    """How late a filter is, in frames; None where only its own code knows."""
    if rule.kind == PLUGIN:
        return None
    values = native_values(rule.settings)
    return _latency(rule.kind, tuple(map(_frozen, values.items())), sample_rate, channels)


def _frozen(item: tuple[str, NativeValue]) -> tuple[str, bool | float | str | tuple[str, ...]]:
    key, value = item
    return key, tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=4096)
def _latency(
    kind: str,
    settings: tuple[tuple[str, bool | float | str | tuple[str, ...]], ...],
    sample_rate: int,
    channels: int,
) -> int:
    from pypac_obs import _core  # a profile without filters is read without the core

    values = {key: list(one) if isinstance(one, tuple) else one for key, one in settings}
    link = (kind, values, False)
    chain = _core.OfflineChain([link], sample_rate=sample_rate, channels=channels)
    return chain.latency_frames


def latencies(profile: Profile) -> Latencies:
    """What the engine will find: each filter waits for the tracks that steer it."""
    session = profile.session
    found: dict[str, TrackLatency] = {}

    def of(name: str) -> TrackLatency:
        if name not in found:
            frames, waits, complete = 0, 0, True
            track = profile.tracks[name]
            for _, rule in track.named_filters():
                for _, key in key_settings(rule.kind, rule.settings):
                    steering = of(key)
                    waits = max(waits, steering.frames - frames)
                    complete = complete and steering.complete
                own = filter_latency(rule, session.sample_rate, track.channels)
                complete = complete and own is not None
                frames += own or 0
            found[name] = TrackLatency(waits + frames, complete)
        return found[name]

    tracks = {name: of(name) for name in profile.tracks}
    block = block_frames(session)
    headroom = round(session.filter_headroom_ms * session.sample_rate / 1000)
    longest = max(one.frames for one in tracks.values())
    return Latencies(tracks, (longest + headroom + block - 1) // block * block)


def latency_problems(profile: Profile) -> Iterator[Problem]:
    """Yields what of a profile without other mistakes takes longer than a session can be late."""
    session = profile.session
    if not session.filter_headroom_ms and not any(
        track.filters or track.compare for track in profile.tracks.values()
    ):
        return
    of_all = latencies(profile)
    budget_ms = of_all.budget * 1000 / session.sample_rate
    name = max(of_all.tracks, key=lambda one: of_all.tracks[one].frames)
    own_ms = of_all.tracks[name].frames * 1000 / session.sample_rate
    at = ("tracks", name, _longest_chain(profile, name))
    if budget_ms > _MOST_MS:
        most_ms = _MOST_MS - session.filter_headroom_ms
        expected = f"filters that take at most {most_ms:g} ms together"
        yield Problem(at, expected, f"{own_ms:.1f} ms")
    elif profile.outputs.obs is not None and budget_ms + session.latency_ms > _OBS_MS:
        free_ms = _OBS_MS - session.latency_ms
        if session.filter_headroom_ms and own_ms <= max(0.0, free_ms):
            # Delays are whole blocks.
            block_ms = block_frames(session) * 1000 / session.sample_rate
            most_ms = max(0.0, free_ms // block_ms * block_ms - own_ms)
            expected = f"at most {math.floor(most_ms * 10) / 10:g} ms, as OBS waits {_OBS_MS:g} ms"
            expected += " with session.latency_ms and what filters take"
            found = f"{session.filter_headroom_ms:g} ms"
            yield Problem(("session", "filter_headroom_ms"), expected, found)
            return
        most_ms = free_ms - session.filter_headroom_ms
        expected = f"filters that take at most {max(0.0, most_ms):g} ms together"
        expected += f", as OBS waits {_OBS_MS:g} ms with session.latency_ms and filter_headroom_ms"
        yield Problem(at, expected, f"{own_ms:.1f} ms")


def _longest_chain(profile: Profile, name: str) -> str:
    """The key of a track's chain that takes the longest, or of the only one."""
    track = profile.tracks[name]

    def frames(chain: tuple[FilterRule, ...]) -> int:
        rate = profile.session.sample_rate
        return sum(filter_latency(one, rate, track.channels) or 0 for one in chain)

    if not track.compare:
        return "filters"
    only = not track.filters
    return "compare" if only or frames(track.compare) > frames(track.filters) else "filters"
