# SPDX-License-Identifier: MIT
"""Filters over audio that is there already."""

from __future__ import annotations

import numpy as np
import pytest

from pypac_obs import _core


def test_a_chain_of_gains_multiplies_in_blocks_of_any_length():
    audio = np.random.default_rng(1).uniform(-0.5, 0.5, (1000, 2)).astype(np.float32)
    links = [("gain", {"gain_db": -6.0}, False), ("gain", {"gain_db": 20.0}, True)]
    for max_frames in (1, 64, 480):
        chain = _core.OfflineChain(links, max_frames=max_frames)
        assert chain.latency_frames == chain.key_count == 0
        heard = chain.process(audio)
        assert np.allclose(heard, audio * 10 ** (-6 / 20), rtol=1e-6)


def test_a_value_that_is_set_glides_and_what_does_not_fit_is_refused():
    chain = _core.OfflineChain([("gain", {"gain_db": 0.0}, False)], channels=1)
    ones = np.ones((480, 1), np.float32)
    assert np.array_equal(chain.process(ones), ones)
    chain.set(0, "gain_db", -20.0)
    heard = np.concatenate([chain.process(ones), chain.process(ones)])
    assert heard[-1, 0] == pytest.approx(0.1)
    assert np.abs(np.diff(heard[:, 0])).max() < 1.01 * 0.9 / 480
    with pytest.raises(ValueError, match="no such filter"):
        chain.set(1, "gain_db", 0.0)
    with pytest.raises(ValueError, match="channels"):
        chain.process(np.ones((480, 2), np.float32))
    with pytest.raises(ValueError, match="0 keys"):
        chain.process(ones, [ones])
