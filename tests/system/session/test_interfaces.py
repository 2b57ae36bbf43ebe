# SPDX-License-Identifier: MIT
"""Audio interfaces with several inputs: which of them are in a track, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from pypac_obs.sandbox import Sandbox

from ..conftest import RATE, Audio, Call, wait_until
from .conftest import level_db

pytestmark = pytest.mark.pipewire

MICROPHONE, LOOPBACK = 440, 3000
LEVEL = pytest.approx(-12, abs=0.3)
NOT_THERE = -70.0


def add_interface(sandbox: Sandbox, name: str, inputs: int) -> list[str]:
    """Adds an interface as PipeWire's Pro Audio shows it; gives the ports that feed its inputs."""
    positions = " ".join(f"AUX{number}" for number in range(inputs))
    properties = (
        f'{{ factory.name = support.null-audio-sink node.name = "{name}" '
        f'node.description = "{name}" media.class = Audio/Source/Virtual '
        f"audio.position = [ {positions} ] object.linger = true monitor.channel-volumes = true }}"
    )
    sandbox.run("pw-cli", "create-node", "adapter", properties)

    def ports() -> list[str]:
        lines = (line.strip() for line in sandbox.run("pw-link", "-i").splitlines())
        return sorted(line for line in lines if line.startswith(f"{name}:"))

    wait_until(lambda: len(ports()) == inputs)
    return ports()


@pytest.fixture(scope="module")
def interfaces(sandbox: Sandbox) -> Iterator[None]:
    """Two interfaces with a microphone on input 1; the second has a loopback on 3 and 4."""
    two = add_interface(sandbox, "two", 2)
    four = add_interface(sandbox, "four", 4)
    players = []
    for name, hz, inputs in (
        ("mic-player", MICROPHONE, [two[0], four[0]]),
        ("loop-player", LOOPBACK, four[2:]),
    ):
        tone = sandbox._tone_file(hz, -12, 1, RATE, 100)
        players.append(sandbox.spawn(["pw-cat", "-p", "--target=0", tone], name=name))
        outputs: list[str] = []

        def found(name: str = name, outputs: list[str] = outputs) -> bool:
            lines = (line.strip() for line in sandbox.run("pw-link", "-o").splitlines())
            outputs[:] = [line for line in lines if line.startswith(f"{name}:")]
            return bool(outputs)

        wait_until(found)
        for one in inputs:
            sandbox.run("pw-link", outputs[0], one)
    yield
    for player in players:
        player.kill()


def record(call: Call, folder: Path, sources: str, tracks: str) -> dict[str, Audio]:
    profile = folder / "p.yaml"
    profile.write_text(
        f"version: 1\nsources: {{{sources}}}\ntracks: {{{tracks}}}\n"
        f"outputs: {{files: {{folder: '{folder}/out'}}}}\n"
    )
    done = call("run", profile, "--duration", "2")
    assert done.returncode == 0, done.stderr
    return {
        path.stem: soundfile.read(path, dtype="float32", always_2d=True)[0][RATE // 2 :]
        for path in (folder / "out").glob("*.wav")
    }


def levels(track: Audio) -> list[tuple[float, float]]:
    return [
        (level_db(track[:, c], MICROPHONE), level_db(track[:, c], LOOPBACK))
        for c in range(track.shape[1])
    ]


@pytest.mark.usefixtures("interfaces")
def test_a_microphone_on_the_first_input_is_heard_alone_on_both_sides_at_full_level(
    call: Call, tmp_path: Path
) -> None:
    tracks = record(
        call,
        tmp_path,
        "a: {device: two}, b: {device: four}",
        "stereo2: {from: a}, mono2: {from: a, channels: 1}, "
        "stereo4: {from: b}, mono4: {from: b, channels: 1}",
    )
    assert {name: track.shape[1] for name, track in tracks.items()} == {
        "stereo2": 2,
        "mono2": 1,
        "stereo4": 2,
        "mono4": 1,
    }
    for track in tracks.values():
        for microphone, loopback in levels(track):
            assert microphone == LEVEL
            assert loopback < NOT_THERE


@pytest.mark.usefixtures("interfaces")
def test_a_source_takes_the_inputs_that_it_names(call: Call, tmp_path: Path) -> None:
    tracks = record(
        call,
        tmp_path,
        "mic: {device: four, channels: 1}, loop: {device: four, channels: [3, 4]}, "
        "both: {device: four, channels: [1, 3]}, empty: {device: four, channels: [2]}",
        "mic: {from: mic}, loop: {from: loop}, both: {from: both}, empty: {from: empty}",
    )
    for microphone, loopback in levels(tracks["mic"]):
        assert (microphone, loopback < NOT_THERE) == (LEVEL, True)
    for microphone, loopback in levels(tracks["loop"]):
        assert (microphone < NOT_THERE, loopback) == (True, LEVEL)
    left, right = levels(tracks["both"])
    assert (left[0], left[1] < NOT_THERE) == (LEVEL, True)
    assert (right[0] < NOT_THERE, right[1]) == (True, LEVEL)
    assert abs(tracks["empty"]).max() == 0


@pytest.mark.usefixtures("interfaces")
def test_check_says_which_inputs_are_taken_and_which_are_not_there(
    call: Call, tmp_path: Path
) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text(
        "version: 1\nsources: {a: {device: two}, b: {device: four, channels: [3, 4]},\n"
        "  c: {device: two, channels: [2, 3]}, d: {device: two, channels: 7}}\n"
        "tracks: {t: {from: [a, b, c, d]}}\n"
    )
    plan = json.loads(call("check", profile, "--json").stdout)
    reasons = {source["name"]: source["reason"] for source in plan["sources"]}
    assert "It takes input 1 of 2, because the profile names none" in reasons["a"]
    assert reasons["b"].endswith("It takes inputs 3 and 4 of 4.")
    assert reasons["d"].startswith("The device has none of the inputs that `channels` names.")
    warnings = [warning for warning in plan["warnings"] if "no input" in warning]
    assert [warning[:36] for warning in warnings] == [
        "c: two has 2 inputs, and no input 3:",
        "d: two has 2 inputs, and no input 7:",
    ]


@pytest.mark.usefixtures("interfaces")
def test_a_run_warns_of_an_input_that_is_not_there(call: Call, tmp_path: Path) -> None:
    profile = tmp_path / "p.yaml"
    profile.write_text(
        "version: 1\nsources: {a: {device: two, channels: [1, 3]}}\ntracks: {a: {from: a}}\n"
        f"outputs: {{files: {{folder: '{tmp_path}/out'}}}}\n"
    )
    said = call("run", profile, "--duration", "1.5").stdout
    assert "A: two has 2 inputs, and no input 3: what is missing is silence." in said
