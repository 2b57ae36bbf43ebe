# SPDX-License-Identifier: MIT
"""Sessions whose filters are changed at random while they run: nothing moves, nothing breaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pypac_obs import Block, Profile, Session, _core
from pypac_obs.errors import ChangeRefused
from pypac_obs.profile.filters import ParamInfo, filter_infos

from ..heard import Heard as HeardTracks

NUMBERED = 1 << 24
STEP_S = 0.05
MOST_DB = 75.0

Filters = list[dict[str, dict[str, Any]]]


def value_of(param: ParamInfo) -> st.SearchStrategy[Any]:
    if param.type == "number":
        return st.floats(max(param.min, 0) if param.id == "delay_ms" else param.min, param.max)
    if param.type == "integer":
        return st.integers(int(param.min), int(param.max))
    if param.type == "boolean":
        return st.booleans()
    if param.type == "choice":
        return st.sampled_from(param.choices)
    return st.just("still") if param.type == "track" else st.just(["still"])


@st.composite
def filter_chains(draw: st.DrawFn) -> Filters:
    made: Filters = []
    for number in range(draw(st.integers(0, 4))):
        info = filter_infos()[draw(st.sampled_from(sorted(filter_infos())))]
        given_values: dict[str, Any] = {"name": f"{info.kind} {number}"}
        for param in info.params:
            # A key has no default as a native descriptor says it, and is needed where it is asked.
            if param.default in (None, ()) or draw(st.booleans()):
                given_values[param.id] = draw(value_of(param))
        made.append({info.kind: given_values})
    return made


def bypassed(filters: Filters) -> Filters:
    return [{kind: {**values, "bypass": True}} for one in filters for kind, values in one.items()]


def profile(voice: Filters, silent: Filters) -> Profile:
    """A numbered source by itself and through a bypassed chain, and a tone through a real one."""
    return Profile.from_dict(
        {
            "version": 1,
            "session": {"filter_headroom_ms": 400},
            "sources": {
                "one": {"synthetic": {"kind": "numbered"}},
                "tone": {"synthetic": {"kind": "tone", "frequency_hz": 300}},
            },
            "tracks": {
                "still": {"from": "one"},
                "by": {"from": "one", "filters": bypassed(silent)},
                "voice": {"from": "tone", "filters": voice},
            },
        }
    )


def set_some(session: Session, filters: Filters, draw: st.DataObject) -> None:
    """Sets some live values of the track voice."""
    for one in filters:
        for kind, values in one.items():
            for param in filter_infos()[kind].params:
                if param.live and param.type not in ("track", "tracks") and draw.draw(_SELDOM):
                    address = f"voice.filter.{values['name']}.{param.id}"
                    session.set(address, draw.draw(value_of(param)))
            if draw.draw(_SELDOM):
                session.set(f"voice.filter.{values['name']}.bypass", draw.draw(st.booleans()))


_SELDOM = st.sampled_from([False, False, False, True])


# Without shrinking: each example is a session, and would take minutes.
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
@given(st.data())
def test_whatever_filters_come_and_go_the_tracks_stay_whole_and_together(draw: st.DataObject):
    blocks: list[dict[str, NDArray[np.float32]]] = []

    def take(block: Block) -> None:
        blocks.append({name: audio.copy() for name, audio in block.audio.items()})

    voice = draw.draw(filter_chains())
    session = Session(profile(voice, draw.draw(filter_chains())), offline=True, on_block=take)
    with session:
        for _ in range(draw.draw(st.integers(2, 6))):
            session.run_offline(STEP_S)
            if draw.draw(st.booleans()):
                wanted = draw.draw(filter_chains())
                try:
                    session.apply(profile(wanted, draw.draw(filter_chains())))
                    voice = wanted
                except ChangeRefused as refused:
                    assert "latency" in str(refused)  # noqa: PT017
            else:
                set_some(session, voice, draw)
        session.run_offline(1.0)
    assert session.errors == ()
    assert session.incidents == ()
    heard = {name: np.concatenate([one[name] for one in blocks]) for name in blocks[0]}
    assert all(np.isfinite(audio).all() for audio in heard.values())
    assert np.abs(heard["voice"]).max() < 10 ** (MOST_DB * 4 / 20)
    still = heard["still"][:, 0]
    late = int(np.flatnonzero(still)[0]) - 1
    wanted_still = (np.arange(len(still) - late) % NUMBERED / NUMBERED).astype(np.float32)
    np.testing.assert_array_equal(still[late:], wanted_still)
    # Where chains are faded into each other a rounding is left.
    np.testing.assert_allclose(heard["by"][:, 0], still, rtol=1e-6, atol=1e-9)


def drawn(kind: str, seed: int) -> dict[str, Any]:
    """Values anywhere, the same for the same seed; a negative delay would move all tracks."""
    random = np.random.default_rng([seed, *kind.encode()])
    values: dict[str, Any] = {}
    for param in filter_infos()[kind].params:
        low = max(param.min, 0) if param.id == "delay_ms" else param.min
        if param.type in ("number", "integer"):
            place = random.random()
            geometric = low * (param.max / low) ** place if param.logarithmic and low > 0 else None
            values[param.id] = float(geometric or low + (param.max - low) * place)
        elif param.type == "boolean":
            values[param.id] = bool(random.integers(2))
        elif param.type == "choice":
            values[param.id] = str(random.choice(param.choices))
        elif param.type == "tracks":
            values[param.id] = ["dry"]
    return values


@pytest.mark.parametrize("kind", filter_infos())
def test_tracks_side_by_side_sound_as_each_alone_bit_for_bit(kind: str):
    chains = {f"track {seed}": drawn(kind, seed) for seed in range(9)}
    heard = HeardTracks()
    made = Profile.from_dict(
        {
            "version": 1,
            "sources": {
                "noise": {
                    "synthetic": {
                        "kind": "noise",
                        "level_dbfs": -6,
                        "dropouts": [{"at_s": 0.15, "length_ms": 100}],
                    }
                }
            },
            "tracks": {
                "dry": {"from": "noise"},
                **{
                    name: {"from": "noise", "filters": [{kind: values}]}
                    for name, values in chains.items()
                },
            },
        }
    )
    session = Session(made, offline=True, on_block=heard)
    with session:
        session.run_offline(0.5)
    dry = heard["dry"]
    start = int(np.flatnonzero(dry.any(axis=1))[0])
    audio = np.ascontiguousarray(dry[start:])
    assert audio.any()
    for name, values in chains.items():
        chain = _core.OfflineChain([(kind, values, False)], max_frames=480)
        alone = chain.process(audio, [audio] * chain.key_count)
        late = chain.latency_frames
        np.testing.assert_array_equal(
            heard[name][start : len(dry) - late], alone[late:][: len(audio) - late], err_msg=name
        )
