# SPDX-License-Identifier: MIT
"""Inputs on a real PipeWire: by which names a profile finds them, and where these are told."""

from __future__ import annotations

import json

import pytest
import yaml

from ..conftest import wait_until

pytestmark = pytest.mark.pipewire

MICS = {
    "alsa_input.usb-Scarlett-00.analog": "Scarlett 2i2 USB",
    "alsa_input.pci.pro": "Built-in Audio [Pro]",
    "alsa_input.bluetooth": "Mikrofon (Über)",
}


@pytest.fixture
def mics(sandbox, call) -> dict[str, str]:
    """Microphones with names as sound cards and desktops give them."""
    for name, description in MICS.items():
        properties = (
            f'factory.name = support.null-audio-sink node.name = "{name}" '
            f'node.description = "{description}" media.class = Audio/Source/Virtual '
            "audio.position = [ FL FR ] object.linger = true"
        )
        sandbox.run("pw-cli", "create-node", "adapter", f"{{ {properties} }}")
    wait_until(lambda: len(json.loads(call("devices", "--json").stdout)) == len(MICS))
    return MICS


def check(call, folder, device: str) -> tuple[list[str], str]:
    profile = folder / "p.yaml"
    data = {
        "version": 1,
        "sources": {"m": {"device": device}},
        "tracks": {"m": {"from": "m"}},
        "outputs": {"files": {"folder": str(folder / "out")}},
    }
    profile.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
    [source] = json.loads(call("check", profile, "--json").stdout)["sources"]
    return [one["program"] for one in source["bindings"]], source["reason"]


def test_devices_lists_the_names_that_a_profile_takes(mics, call, tmp_path):
    listed = json.loads(call("devices", "--json").stdout)
    assert {one["system_name"]: one["name"] for one in listed} == mics
    for one in listed:
        assert check(call, tmp_path, one["name"])[0] == [one["description"]]
        assert check(call, tmp_path, one["system_name"])[0] == [one["description"]]
    [default] = [one["description"] for one in listed if one["is_default"]]
    assert check(call, tmp_path, "default")[0] == check(call, tmp_path, "Default")[0] == [default]
    assert check(call, tmp_path, "MIKROFON (ÜBER)")[0] == ["Mikrofon (Über)"]
    assert check(call, tmp_path, "mikrofon (?ber)")[0] == ["Mikrofon (Über)"]
    table = call("devices").stdout
    assert all(name in table for names in mics.items() for name in names)


def test_two_inputs_of_one_name_are_listed_by_names_that_differ(sandbox, mics, call, tmp_path):
    twin = (
        "factory.name = support.null-audio-sink node.name = twin "
        'node.description = "Scarlett 2i2 USB" media.class = Audio/Source/Virtual '
        "audio.position = [ FL FR ] object.linger = true"
    )
    sandbox.run("pw-cli", "create-node", "adapter", f"{{ {twin} }}")
    wait_until(lambda: len(json.loads(call("devices", "--json").stdout)) == len(mics) + 1)
    names = {one["name"] for one in json.loads(call("devices", "--json").stdout)}
    assert {"twin", "alsa_input.usb-Scarlett-00.analog"} <= names
    assert check(call, tmp_path, "twin")[0] == ["Scarlett 2i2 USB"]


def test_ps_doctor_and_the_message_about_a_missing_device_list_the_inputs(mics, call, tmp_path):
    bound, reason = check(call, tmp_path, "hw:0")
    assert bound == []
    assert reason == (
        'The device is not there. There are "Built-in Audio [Pro]", "Mikrofon (Über)", '
        '"Scarlett 2i2 USB".'
    )
    assert f"m: {reason}" in call("check", tmp_path / "p.yaml").stdout.splitlines()
    done = call("run", tmp_path / "p.yaml", "--duration", "1")
    assert f"m: {reason}" in done.stdout
    for command in ("ps", "doctor"):
        shown = call(command).stdout
        assert all(f'"{name}"' in shown for name in mics.values()), shown


def test_a_muted_microphone_is_a_device_and_no_program(sandbox, mics, call, tmp_path):
    assert check(call, tmp_path, "Scarlett 2i2 USB")[1] == "The device is idle."
    recorder = sandbox.spawn(["parec", "--device=alsa_input.usb-Scarlett-00.analog"], name="rec")
    wait_until(lambda: check(call, tmp_path, "Scarlett 2i2 USB")[1] == "It plays.")
    sandbox.run("pactl", "set-source-mute", "alsa_input.usb-Scarlett-00.analog", "1")
    muted = "The device is muted, or its volume is 0."
    wait_until(lambda: check(call, tmp_path, "Scarlett 2i2 USB")[1] == muted)
    [one] = [d for d in json.loads(call("devices", "--json").stdout) if "Scarlett" in d["name"]]
    assert one["muted"]
    recorder.kill()


def test_without_an_input_devices_says_so(sandbox, call):
    none = call("devices")
    assert (none.returncode, none.stdout) == (0, "")
    assert none.stderr == "There is no input: no microphone, and no virtual source.\n"
