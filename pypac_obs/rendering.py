# SPDX-License-Identifier: MIT
"""A track's filters over audio that is there already, with their latency taken out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pypac_obs import _core
from pypac_obs.errors import Unsupported
from pypac_obs.profile.filters import PLUGIN, FilterRule, key_settings
from pypac_obs.profile.model import TrackRule
from pypac_obs.profile.native_values import native_values

__all__ = ["PIECE_FRAMES", "ChainKey", "ChainRendering", "Frames"]

Frames = NDArray[np.float32]

_BLOCK_FRAMES = 480
#: How much is done at once: whole blocks, so that what comes out does not depend on it.
PIECE_FRAMES = 100 * _BLOCK_FRAMES


@dataclass(frozen=True)
class ChainKey:
    """A track that steers a filter, and how late the filter's own audio is there, in frames.

    What a filter that is not ``heard`` gets does not matter.
    """

    track: str
    delay: int
    heard: bool = True


class ChainRendering:
    """The filters of a track, then its gain; a mute does not count.

    Raises Unsupported for filters that are written in Python, and ValueError for what the core
    refuses. `render` may be called once.
    """

    def __init__(self, name: str, rule: TrackRule, sample_rate: int) -> None:
        self._gain = np.float32(10 ** (rule.gain_db / 20)) if rule.gain_db else None
        bypasses = rule.bypasses()
        links: list[tuple[str, dict[str, bool | float | str | list[str]], bool]] = []
        keys: list[ChainKey] = []
        late = 0
        shape = {"sample_rate": sample_rate, "channels": rule.channels}
        for filter_name, one in rule.named_filters():
            bypassed = bypasses[filter_name]
            if one.kind == PLUGIN:
                if bypassed:
                    continue  # dry, and its latency would be taken out
                raise _written_in_python(f"{name}.filter.{filter_name}", one)
            steering = dict.fromkeys(key for _, key in key_settings(one.kind, one.settings))
            keys += [ChainKey(key, late, heard=not bypassed) for key in steering]
            link = (one.kind, native_values(one.settings), bypassed)
            late += _core.OfflineChain([link], **shape).latency_frames
            links.append(link)
        self._chain = _core.OfflineChain(links, max_frames=_BLOCK_FRAMES, **shape)
        self._channels = rule.channels
        self.keys = tuple(keys)
        self.latency_frames = self._chain.latency_frames

    @property
    def faults(self) -> int:
        """Blocks in which a filter gave what is no number, and silence was taken."""
        return self._chain.faults

    def render(
        self, audio: Iterable[Frames], keys: Iterable[Callable[[int], Frames]] = ()
    ) -> Iterator[Frames]:
        """Gives as many frames as there are in ``audio``, each where it was.

        ``audio`` has pieces of the track's channels, all but the last of `PIECE_FRAMES`. ``keys``
        give the next frames of each of `keys`, with its delay.
        """
        steering = tuple(keys)
        left = self.latency_frames  # of what comes before the first frame
        for piece in self._with_tail(audio):
            heard = self._chain.process(piece, [take(len(piece)) for take in steering])
            skipped = min(left, len(heard))
            left -= skipped
            if skipped < len(heard):
                yield heard[skipped:] if self._gain is None else heard[skipped:] * self._gain

    def _with_tail(self, audio: Iterable[Frames]) -> Iterator[Frames]:
        yield from audio
        missing = self.latency_frames
        while missing:
            frames = min(missing, PIECE_FRAMES)
            yield np.zeros((frames, self._channels), np.float32)
            missing -= frames


def _written_in_python(address: str, rule: FilterRule) -> Unsupported:
    return Unsupported(
        f"{address} is written in Python ({rule.use}), and only a session runs it",
        remedy="Give it `bypass: true`, or record a session with this track.",
    )
