# SPDX-License-Identifier: MIT
"""What is heard at an address: what the file says, what was set since, or what is held."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypac_obs.errors import UnknownAddress
from pypac_obs.model import addresses, diff, find, value_of
from pypac_obs.model.layers import ProfileLayers
from pypac_obs.profile import Profile


def profile(tracks: dict[str, Any]) -> Profile:
    return Profile.from_dict(
        {"version": 1, "sources": {"mic": {"device": "default"}}, "tracks": tracks}
    )


def layers_of(**tracks: Any) -> ProfileLayers:
    return ProfileLayers(profile({"voice": {"from": "mic"}, **tracks}))


def set_(layers: ProfileLayers, address: str, value: Any) -> dict[str, Any]:
    return layers.set(find(layers.present, address), value)


def hold(layers: ProfileLayers, address: str, value: Any, client: str) -> dict[str, Any]:
    return layers.hold(find(layers.present, address), value, client)


def test_the_newest_hold_is_heard_and_then_the_one_below():
    layers = layers_of()
    assert hold(layers, "voice.gain_db", -10.0, "one") == {"voice.gain_db": -10.0}
    assert hold(layers, "voice.gain_db", -20.0, "two") == {"voice.gain_db": -20.0}
    assert layers.layer_of("voice.gain_db") == "held"
    # What lies below may go first.
    assert layers.release("voice.gain_db", "one") == {}
    assert hold(layers, "voice.gain_db", -5.0, "one") == {"voice.gain_db": -5.0}
    assert layers.release("voice.gain_db", "one") == {"voice.gain_db": -20.0}
    assert layers.release("voice.gain_db", "two") == {"voice.gain_db": 0.0}
    assert layers.layer_of("voice.gain_db") == "profile"
    assert layers.held == {}


def test_a_client_that_holds_again_has_one_hold():
    layers = layers_of()
    for value in (-1.0, -2.0, -3.0):
        hold(layers, "voice.gain_db", value, "one")
    assert layers.value("voice.gain_db") == -3
    assert layers.release("voice.gain_db", "one") == {"voice.gain_db": 0.0}
    assert layers.release("voice.gain_db", "one") == {}


def test_what_is_set_while_something_is_held_is_heard_after_the_release():
    layers = layers_of()
    hold(layers, "voice.mute", True, "cough")
    assert set_(layers, "voice.mute", False) == {}
    assert set_(layers, "voice.gain_db", -6.0) == {"voice.gain_db": -6.0}
    assert layers.present.tracks["voice"].mute
    assert not layers.kept.tracks["voice"].mute
    assert layers.release("voice.mute", "cough") == {"voice.mute": False}
    assert layers.layer_of("voice.mute") == "live"
    assert layers.present == layers.kept


def test_a_client_that_goes_releases_all_that_it_held_and_nothing_else():
    layers = layers_of(game={"from": "mic"})
    hold(layers, "voice.mute", True, "deck")
    hold(layers, "game.gain_db", -30.0, "page")
    hold(layers, "game.gain_db", -40.0, "deck")
    hold(layers, "game.mute", True, "page")
    assert layers.release_all("deck") == {"voice.mute": False, "game.gain_db": -30.0}
    assert layers.release_all("deck") == {}
    assert layers.release_all("page") == {"game.gain_db": 0.0, "game.mute": False}


def test_an_unknown_address_has_no_value():
    layers = layers_of()
    with pytest.raises(UnknownAddress):
        layers.value("nobody.gain_db")
    assert layers.release("nobody.gain_db", "one") == {}


def test_a_hold_outlives_another_file_as_long_as_its_place_is_there():
    gain = {"from": "mic", "filters": [{"gain": {"name": "trim", "gain_db": -6}}]}
    layers = layers_of(game=gain)
    hold(layers, "game.filter.trim.gain_db", -20.0, "one")
    hold(layers, "voice.mute", True, "one")
    same = layers.applied(profile({"voice": {"from": "mic", "mute": True}, "game": gain}))
    assert same.value("game.filter.trim.gain_db") == -20
    assert same.release("voice.mute", "one") == {}  # the file mutes it by now
    gone = layers.applied(profile({"voice": {"from": "mic"}}))
    assert list(gone.held) == ["voice.mute"]
    assert gone.release_all("one") == {"voice.mute": False}


def test_a_value_does_not_go_from_one_chain_to_the_other():
    def chains(*a: dict[str, Any]) -> dict[str, Any]:
        b = [{"compressor": {}}, {"gain": {"name": "trim", "gain_db": -6}}]
        return {"from": "mic", "filters": list(a), "compare": b}

    layers = layers_of(game=chains())
    hold(layers, "game.filter.compressor.ratio", 2.0, "one")
    set_(layers, "game.filter.compressor.threshold_db", -30.0)
    hold(layers, "game.filter.trim.gain_db", -20.0, "one")
    other = layers.applied(
        profile({"voice": {"from": "mic"}, "game": chains({"compressor": {"ratio": 8}})})
    )
    assert other.value("game.filter.compressor.ratio") == 8
    assert other.value("game.filter.compressor.threshold_db") != -30
    assert other.value("game.filter.trim.gain_db") == -20
    assert other.live == {}
    assert list(other.held) == ["game.filter.trim.gain_db"]


def test_undo_goes_back_to_the_file_before_and_keeps_what_was_set():
    first = layers_of()
    assert first.undone() is None
    set_(first, "voice.mute", True)
    second = first.applied(profile({"voice": {"from": "mic", "gain_db": -3}}))
    hold(second, "voice.gain_db", -9.0, "one")
    third = second.undone()
    assert third is not None
    assert third.written == first.written
    assert third.value("voice.mute") is True
    assert third.value("voice.gain_db") == -9
    assert third.release_all("one") == {"voice.gain_db": 0.0}
    assert third.undone() is None


def test_a_copy_is_a_way_back():
    layers = layers_of()
    hold(layers, "voice.gain_db", -1.0, "one")
    before = copy.copy(layers)
    hold(layers, "voice.gain_db", -2.0, "one")
    set_(layers, "voice.mute", True)
    assert before.value("voice.gain_db") == -1
    assert before.layer_of("voice.mute") == "profile"


# Against a model of plain dictionaries --------------------------------------------------------

TRACKS = ("a", "b", "c")
CLIENTS = ("one", "two", "three")
gains = st.sampled_from([-30.0, -12.0, -6.0, 0.0])


@st.composite
def files(draw: st.DrawFn) -> Profile:
    """A file of some tracks, each with a fader, a mute, and one of two filters of one name."""
    tracks: dict[str, Any] = {}
    for name in draw(st.sets(st.sampled_from(TRACKS), min_size=1)):
        rule: dict[str, Any] = {"from": "mic", "gain_db": draw(gains), "mute": draw(st.booleans())}
        if draw(st.booleans()):
            rule["filters"] = [{"gain": {"name": "x", "gain_db": draw(gains)}}]
        tracks[name] = rule
    return profile(tracks)


places = st.tuples(
    st.sampled_from(TRACKS), st.sampled_from(["gain_db", "mute", "filter.x.gain_db"])
).map(".".join)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Any, ...]:
    kind = draw(st.sampled_from(["set", "hold", "hold", "release", "release_all", "apply"]))
    address = draw(places)
    value = draw(st.booleans() if address.endswith("mute") else gains)
    client = draw(st.sampled_from(CLIENTS))
    return kind, address, value, client, draw(files()) if kind == "apply" else None


def said(file: Profile) -> dict[str, Any]:
    return {one.address: value_of(file, one) for one in addresses(file)}


@settings(max_examples=200, deadline=None)
@given(first=files(), then=st.lists(steps(), max_size=20))
def test_layers_do_what_plain_dictionaries_do(first: Profile, then: list[tuple[Any, ...]]):
    layers = ProfileLayers(first)
    written, live = said(first), dict[str, Any]()
    held: dict[str, list[tuple[str, Any]]] = {}

    def heard() -> dict[str, Any]:
        tops = {address: stack[-1][1] for address, stack in held.items() if stack}
        return {**written, **live, **tops}

    for kind, address, value, client, file in then:
        before = heard()
        changes: dict[str, Any] | None = None
        if kind == "apply":
            new = said(file)
            layers = layers.applied(file)
            live = {k: v for k, v in live.items() if k in new and new[k] == written[k]}
            held = {k: stack for k, stack in held.items() if k in new}
            written = new
        elif kind == "release_all":
            changes = layers.release_all(client)
            held = {k: [one for one in stack if one[0] != client] for k, stack in held.items()}
        elif address not in written:
            continue
        elif kind == "set":
            changes = set_(layers, address, value)
            live[address] = value
        else:
            stack = [one for one in held.get(address, []) if one[0] != client]
            held[address] = [*stack, (client, value)] if kind == "hold" else stack
            if kind == "hold":
                changes = hold(layers, address, value, client)
            else:
                changes = layers.release(address, client)
        if changes is not None:
            assert changes == {k: v for k, v in heard().items() if v != before[k]}
        assert said(layers.present) == heard()
        assert said(layers.kept) == {**written, **live}
        for one in written:
            layer = "held" if held.get(one) else "live" if one in live else "profile"
            assert layers.layer_of(one) == layer
            assert layers.value(one) == heard()[one]
        assert not diff(layers.present, ProfileLayers(layers.written, live, layers.held).present)
