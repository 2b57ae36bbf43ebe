# SPDX-License-Identifier: MIT
"""The kind of input that a track gets, by transport and by what an OBS has."""

from __future__ import annotations

import pytest

from pypac_obs.errors import ObsError
from pypac_obs.obs.provisioning.transport import InputRule, Transport, choose_transport
from pypac_obs.profile import Profile

PLUGIN, DEVICE = "pypac_track", "pulse_input_capture"
PIPEWIRE, WINDOWS = "pipewire_audio_application_capture", "wasapi_process_output_capture"


def profile_of(transport: str, programs: object = "game.exe", **track: object) -> Profile:
    return Profile.from_dict(
        {
            "version": 1,
            "sources": {"game": {"process": programs}},
            "tracks": {"game": {"from": "game", **track}},
            "outputs": {"obs": {"transport": transport, "tracks": {"game": 1}}},
        }
    )


@pytest.mark.parametrize(
    ("transport", "kinds", "rule"),
    [
        ("plugin", [PLUGIN, DEVICE], InputRule(PLUGIN, {"session": "night", "track": "game"})),
        ("device", [PLUGIN, DEVICE], InputRule(DEVICE, {"device_id": "pypac-obs.night.game"})),
        (
            "native",
            [PLUGIN, PIPEWIRE],
            InputRule(
                PIPEWIRE,
                {
                    "CaptureMode": 1,
                    "ExceptApp": False,
                    "apps": [
                        {"value": "game", "hidden": False, "selected": False},
                        {"value": "game.exe", "hidden": False, "selected": False},
                    ],
                },
            ),
        ),
        ("native", [WINDOWS], InputRule(WINDOWS, {"window": "::game.exe", "priority": 2})),
        ("auto", [DEVICE, PLUGIN], InputRule(PLUGIN, {"session": "night", "track": "game"})),
        ("auto", [DEVICE], InputRule(DEVICE, {"device_id": "pypac-obs.night.game"})),
        ("auto", [WINDOWS], InputRule(WINDOWS, {"window": "::game.exe", "priority": 2})),
    ],
)
def test_each_transport_has_its_kind_and_settings(transport: str, kinds: list, rule: InputRule):
    chosen = choose_transport(profile_of(transport), "night", kinds)
    assert chosen.inputs == {"game": rule}


def test_auto_says_why_it_took_the_second_best():
    chosen = choose_transport(profile_of("auto"), "night", [DEVICE])
    assert (chosen.name, chosen.why) == ("device", "OBS does not have our source plugin")
    assert choose_transport(profile_of("auto"), "night", [PLUGIN]).why == "the best there is"


@pytest.mark.parametrize(
    ("transport", "kinds", "words"),
    [
        ("plugin", [DEVICE], "does not have our source plugin"),
        ("device", [PLUGIN], "no input for PulseAudio devices"),
        ("native", [PLUGIN], "no capture of programs of its own"),
        ("native", [f"{PIPEWIRE} before 1.2"], "is older than 1.2"),
        ("auto", ["image_source"], "no transport works with this OBS"),
    ],
)
def test_what_an_obs_lacks_is_said_with_a_remedy(transport: str, kinds: list, words: str):
    with pytest.raises(ObsError, match=words) as caught:
        choose_transport(profile_of(transport), "night", kinds)
    assert caught.value.remedy


def test_auto_does_not_leave_filters_out():
    profile = profile_of("auto", filters=[{"gain": {"gain_db": -3}}])
    with pytest.raises(ObsError, match='cannot capture the track "game" itself: it is one with f'):
        choose_transport(profile, "night", [PIPEWIRE])


def test_a_kind_for_one_program_takes_no_two():
    profile = profile_of("native", ["a.exe", "b.exe"])
    with pytest.raises(ObsError, match="one program only"):
        choose_transport(profile, "night", [WINDOWS])
    chosen = choose_transport(profile, "night", [PIPEWIRE])
    assert apps(chosen) == ["a", "a.exe", "b", "b.exe"]


def apps(chosen: Transport) -> list[str]:
    return [app["value"] for app in chosen.inputs["game"].settings["apps"]]


def test_a_program_is_meant_with_and_without_exe_as_in_our_own_capture():
    profile = profile_of("native", ["Discord", "discord.EXE"])
    chosen = choose_transport(profile, "night", [PIPEWIRE])
    assert apps(chosen) == ["Discord", "Discord.exe"]
    chosen = choose_transport(profile, "night", [WINDOWS])  # so it is a single one
    assert chosen.inputs["game"].settings["window"] == "::Discord.exe"


def test_no_program_has_an_empty_name():
    # Empty stands in OBS for every program that does not tell its own.
    chosen = choose_transport(profile_of("native", ".exe"), "night", [PIPEWIRE])
    assert apps(chosen) == [".exe", ".exe.exe"]


def test_a_programs_name_with_a_colon_stays_one_part_of_its_window():
    chosen = choose_transport(profile_of("native", "a:b#c.exe"), "night", [WINDOWS])
    assert chosen.inputs["game"].settings["window"] == "::a#3Ab#22c.exe"


def test_an_input_may_have_other_settings_besides():
    rule = InputRule(PLUGIN, {"session": "night", "track": "game"})
    assert rule.fits(PLUGIN, {"session": "night", "track": "game", "more": 1})
    assert not rule.fits(PLUGIN, {"session": "night"})
    assert not rule.fits(DEVICE, {"session": "night", "track": "game"})
