# SPDX-License-Identifier: MIT
"""A user's real OBS is brought to what a profile says, watched, and put back as it was."""

from __future__ import annotations

import configparser
import contextlib
import json
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.errors import ObsError
from pypac_obs.obs.client.connection import ObsAddress, ObsConnection, Secret
from pypac_obs.obs.client.link import ObsLink
from pypac_obs.obs.client.requests import Request
from pypac_obs.obs.client.settings import ObsFolder
from pypac_obs.obs.client.slow_requests import request_slow
from pypac_obs.obs.install.plugin import install
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.provisioning.watch import DriftWatch
from pypac_obs.profile import Profile, load_profile
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

from .conftest import Websocket, start_recording

pytestmark = [pytest.mark.obs, pytest.mark.pipewire]

PROFILE = """\
version: 1
session: {latency_ms: 10}
sources:
  game: {process: game}
  voice: {process: discord}
tracks:
  game: {from: game}
  voice: {from: voice}
outputs:
  obs:
    scene: %(scene)s
    transport: %(transport)s
    tracks:
      game: [1, 2]
      voice: {to: [1, 3], name: Voice chat, volume_db: -6, mute: false, sync_offset_ms: 120}
    desktop_audio: unassign
    mic_aux: mute
    recording: {tracks: [1, 2, 3], names: {1: Mix, 2: Game, 3: Voice chat}}
    vod_track: 4
%(more)s
"""
OWN = "    own_profile: PyPAC\n    own_scene_collection: PyPAC scenes"
PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def obs(sandbox: Sandbox) -> Iterator[ObsSandbox]:
    """An OBS whose user has scenes, inputs and settings of his own."""
    with ObsSandbox(sandbox) as running:
        with Websocket(running) as websocket:
            ask = websocket.request
            for scene in ("Chatting", "Game of mine"):
                ask("CreateScene", sceneName=scene)
            ask(
                "CreateInput",
                sceneName="Chatting",
                inputName="Background",
                inputKind="color_source_v3",
                inputSettings={"color": 4278190335},
                sceneItemEnabled=True,
            )
            ask(
                "CreateInput",
                sceneName="Game of mine",
                inputName="Headset",
                inputKind="pulse_input_capture",
                inputSettings={"device_id": "microphone"},
                sceneItemEnabled=True,
            )
            some = {"1": True, "2": False, "3": False, "4": True, "5": False, "6": False}
            ask("SetInputAudioTracks", inputName="Headset", inputAudioTracks=some)
            ask("SetInputVolume", inputName="Desktop Audio", inputVolumeDb=-7.5)
            ask("SetCurrentProgramScene", sceneName="Chatting")
        config = running.config_folder
        install(ObsFolder("native", config, config / "plugins"))
        # What OBS adds to its files by itself when it ends, and newer ones when they load a profile
        # again, is there before anything is compared.
        with ObsConnection(_address(running), timeout_s=20) as connected:
            for kind, name in [
                ("CreateProfile", "Away"),
                ("SetCurrentProfile", "Untitled"),
                ("RemoveProfile", "Away"),
            ]:
                request_slow(connected, Request(kind, {"profileName": name}))
        running.stop()
        running.start()
        yield running


@pytest.fixture
def files(obs: ObsSandbox) -> Iterator[Callable[[], dict[str, Any]]]:
    """Ends OBS, and tells what is in its files then."""

    def read() -> dict[str, Any]:
        obs.stop()
        return _files(obs.config_folder)

    yield read
    obs.start()


@pytest.fixture
def connection(obs: ObsSandbox) -> Iterator[ObsConnection]:
    obs.start()
    with ObsConnection(_address(obs), timeout_s=20) as connected:
        yield connected


def _address(obs: ObsSandbox) -> ObsAddress:
    host, port = obs.address
    return ObsAddress(host, port, Secret(obs.password))


def _profile(
    folder: Path, *, scene: str = "Gaming", transport: str = "plugin", more: str = ""
) -> Path:
    path = folder / "gaming.yaml"
    path.write_text(PROFILE % {"scene": scene, "transport": transport, "more": more})
    return path


def _provisioner(obs: ObsSandbox, path: Path) -> Provisioner:
    environ = obs.env | {"XDG_STATE_HOME": str(path.parent / "state")}
    return Provisioner(load_profile(path), "gaming", environ=environ)


def _cli(obs: ObsSandbox, path: Path, command: str, *options: str) -> str:
    """Runs `pypac-obs obs`, which finds this OBS by OBS's own settings."""
    done = subprocess.run(
        [sys.executable, "-m", "pypac_obs.cli", "obs", command, str(path), *options],
        env=obs.env | {"XDG_STATE_HOME": str(path.parent / "state")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert obs.password not in done.stdout + done.stderr
    return done.stdout


def _files(folder: Path) -> dict[str, Any]:
    """What the files of OBS's scene collections and profiles say, in whatever order."""
    found: dict[str, Any] = {}
    for path in sorted((folder / "basic").rglob("*")):
        name = str(path.relative_to(folder))
        if path.suffix == ".json":
            found[name] = json.loads(path.read_text())
        elif path.suffix == ".ini":
            ini = configparser.RawConfigParser()
            ini.optionxform = str  # type: ignore[assignment,method-assign]
            ini.read(path)
            found[name] = {section: dict(ini[section]) for section in ini.sections()}
            # A section stays when its last key goes; a cookie is OBS's own, with each profile.
            found[name] = {s: keys for s, keys in found[name].items() if keys and s != "Panels"}
    for collection in found.values():
        # The order in which OBS writes its sources means nothing.
        if "sources" in collection:
            collection["sources"].sort(key=lambda source: source["name"])
    return found


def _differences(before: object, after: object, where: str = "") -> list[str]:
    """Each value that differs, with the path to it."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        each = [_differences(before.get(k), after.get(k), f"{where}/{k}") for k in keys]
        return [difference for some in each for difference in some]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True))
        each = [_differences(a, b, f"{where}[{n}]") for n, (a, b) in pairs]
        return [difference for some in each for difference in some]
    return [] if before == after else [f"{where}: {before} -> {after}"]


def _start_recording(websocket: Websocket) -> None:
    start_recording(websocket)
    _wait_for(lambda: websocket.request("GetRecordStatus")["outputDuration"] > 1000)


def _stop_recording(websocket: Websocket) -> Path:
    path = Path(websocket.request("StopRecord")["outputPath"])
    _wait_for(lambda: not websocket.request("GetRecordStatus")["outputActive"])
    return path


def _audio_tracks(path: Path) -> list[str]:
    """The titles of a recording's audio tracks."""
    told = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "a", "-show_streams", "-of", "json", path],
        capture_output=True,
        check=True,
        timeout=60,
    )
    tags = [stream["tags"] for stream in json.loads(told.stdout)["streams"]]
    # Matroska has titles, MP4 names of what handles a track.
    return [tag.get("title") or tag.get("name") or tag.get("handler_name", "") for tag in tags]


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("scene", "transport", "more"),
    [("Gaming", "plugin", ""), ("Game of mine", "device", ""), ("Gaming", "plugin", OWN)],
    ids=["a-new-scene", "a-scene-of-the-users", "a-profile-and-scene-collection-of-our-own"],
)
def test_plan_apply_and_restore_leave_obs_as_it_was(
    obs: ObsSandbox,
    files: Callable[[], dict[str, Any]],
    tmp_path: Path,
    scene: str,
    transport: str,
    more: str,
):
    before = files()
    obs.start()
    path = _profile(tmp_path, scene=scene, transport=transport, more=more)
    planned = _cli(obs, path, "plan")
    assert '+ input "game"' in planned
    assert ("+ scene" in planned) == (scene == "Gaming")
    applied = _cli(obs, path, "apply")
    assert '+ input "game"' in applied
    for _ in range(2):
        assert _cli(obs, path, "plan").startswith("nothing to change\n")
    assert _cli(obs, path, "apply").startswith("nothing to change\n")

    with Websocket(obs) as websocket:
        ask = websocket.request
        tracks = ask("GetInputAudioTracks", inputName="game")["inputAudioTracks"]
        assert [n for n, on in tracks.items() if on] == ["1", "2"]
        volume = ask("GetInputVolume", inputName="Voice chat")["inputVolumeDb"]
        assert volume == pytest.approx(-6, abs=0.01)
        offset = ask("GetInputAudioSyncOffset", inputName="Voice chat")["inputAudioSyncOffset"]
        assert offset == 120
        _start_recording(websocket)
        recording = _stop_recording(websocket)
    assert recording.parent == obs.recordings
    assert _audio_tracks(recording) == ["Mix", "Game", "Voice chat"]

    during = files()
    assert during != before
    if more:
        own = {name for name in during if "PyPAC" in name}
        assert {name: during[name] for name in during if name not in own} == before
    obs.start()
    _cli(obs, path, "restore")
    after = files()
    for found in (before, after):
        _forget_item_counter(found["basic/scenes/Untitled.json"], scene)
    assert _differences(before, after) == []
    obs.start()
    assert "nothing to put back" in _cli(obs, path, "restore")


def _forget_item_counter(collection: dict[str, Any], scene: str) -> None:
    """A scene counts the items that it ever had, and never counts down."""
    for source in collection["sources"]:
        if source["name"] == scene:
            del source["settings"]["id_counter"]


def test_what_its_user_renames_is_put_back_under_its_new_name(
    obs: ObsSandbox, files: Callable[[], dict[str, Any]], tmp_path: Path
):
    before = files()
    obs.start()
    path = _profile(tmp_path)
    _cli(obs, path, "apply")
    with Websocket(obs) as websocket:
        ask = websocket.request
        ask("SetInputName", inputName="Desktop Audio", newInputName="Speakers")
        tracks = ask("GetInputAudioTracks", inputName="Speakers")["inputAudioTracks"]
        assert not any(tracks.values())
    obs.stop()
    _rename_at_its_window(obs, "Untitled", "Evening")
    obs.start()
    assert _cli(obs, path, "plan").startswith("nothing to change\n")
    restored = _cli(obs, path, "restore")
    assert '~ input "Speakers"' in restored
    assert '~ OBS profile "Evening"' in restored
    with Websocket(obs) as websocket:
        ask = websocket.request
        tracks = ask("GetInputAudioTracks", inputName="Speakers")["inputAudioTracks"]
        assert all(tracks.values())
        ask("SetInputName", inputName="Speakers", newInputName="Desktop Audio")
        # While OBS saves them, they are not in its lists.
        _wait_for(lambda: ask("GetProfileList")["profiles"] == ["Evening"])
        _wait_for(lambda: ask("GetSceneCollectionList")["sceneCollections"] == ["Evening"])
    obs.stop()
    _rename_at_its_window(obs, "Evening", "Untitled")
    obs.start()
    after = files()
    assert _differences(before, after) == []


def _rename_at_its_window(obs: ObsSandbox, before: str, after: str) -> None:
    """Renames OBS's profile and scene collection while it does not run, for want of a request."""
    for name in ("global.ini", "user.ini"):
        file = obs.config_folder / name
        if file.exists():
            text = file.read_text()
            for key in ("Profile", "SceneCollection"):
                text = text.replace(f"\n{key}={before}\n", f"\n{key}={after}\n")
            file.write_text(text)
    profile = obs.config_folder / "basic/profiles/Untitled/basic.ini"
    profile.write_text(profile.read_text().replace(f"Name={before}\n", f"Name={after}\n", 1))
    scenes = obs.config_folder / "basic/scenes/Untitled.json"
    scenes.write_text(json.dumps(json.loads(scenes.read_text()) | {"name": after}))


def test_an_input_of_the_users_with_that_name_is_left_alone(
    connection: ObsConnection, obs: ObsSandbox, tmp_path: Path
):
    connection.request(
        "CreateInput",
        sceneName="Chatting",
        inputName="game",
        inputKind="color_source_v3",
        inputSettings={"color": 5},
    )
    provisioner = _provisioner(obs, _profile(tmp_path))
    report = provisioner.apply(connection)
    assert 'The input "game" of OBS is of another kind (color_source_v3)' in report.errors[0]
    assert provisioner.restore(connection).complete
    found = connection.request("GetInputSettings", inputName="game")
    assert found["inputKind"] == "color_source_v3"
    assert found["inputSettings"]["color"] == 5
    connection.request("RemoveInput", inputName="game")


def test_another_transport_replaces_the_inputs_that_we_made(
    connection: ObsConnection, obs: ObsSandbox, tmp_path: Path
):
    for transport, kind in [
        ("plugin", "pypac_track"),
        ("device", "pulse_input_capture"),
        ("plugin", "pypac_track"),
    ]:
        provisioner = _provisioner(obs, _profile(tmp_path, transport=transport))
        report = provisioner.apply(connection)
        assert report.complete, report.errors
        kinds = {
            one["inputName"]: one["inputKind"]
            for one in connection.request("GetInputList")["inputs"]
        }
        assert (kinds["game"], kinds["Voice chat"]) == (kind, kind)
        items = connection.request("GetSceneItemList", sceneName="Gaming")["sceneItems"]
        assert sorted(one["sourceName"] for one in items) == ["Voice chat", "game"]
        assert provisioner.plan(connection).empty
    assert provisioner.restore(connection).complete
    left = {one["inputName"] for one in connection.request("GetInputList")["inputs"]}
    assert not left & {"game", "Voice chat"}


def test_while_obs_records_its_profile_waits_and_says_so(
    connection: ObsConnection, obs: ObsSandbox, websocket: Websocket, tmp_path: Path
):
    provisioner = _provisioner(obs, _profile(tmp_path))
    _start_recording(websocket)
    report = provisioner.apply(connection)
    assert [step.subject for step in report.waiting] == ['OBS profile "Untitled"']
    assert any("OBS would record track 1 instead of 1, 2, 3" in error for error in report.errors)
    assert len(_audio_tracks(_stop_recording(websocket))) == 1
    assert provisioner.apply(connection).complete
    _start_recording(websocket)
    with pytest.raises(ObsError, match="nothing was put back, as the recording of OBS runs"):
        provisioner.restore(connection)
    assert len(_audio_tracks(_stop_recording(websocket))) == 3
    assert provisioner.restore(connection).complete


@contextlib.contextmanager
def _watched(
    obs: ObsSandbox, provisioner: Provisioner, *, mend: bool
) -> Iterator[queue.Queue[str]]:
    """Keeps an OBS as a profile says, as a session does; gives the sentences that are reported."""
    said: queue.Queue[str] = queue.Queue()
    applied: queue.Queue[bool] = queue.Queue()
    link = ObsLink(
        lambda: _address(obs),
        on_connected=lambda connected: applied.put(provisioner.apply(connected).complete),
        on_event=lambda connected, kind, data: watch.on_event(connected, kind, data),
        timeout_s=20,
    )
    watch = DriftWatch(provisioner, mend=mend, report=said.put, post=link.post)
    link.start()
    try:
        assert applied.get(timeout=PATIENCE_S)
        yield said
    finally:
        watch.stop()
        link.stop()


@pytest.mark.parametrize("mend", [True, False], ids=["mend", "report"])
def test_what_is_changed_by_hand_is_mended_or_reported(
    obs: ObsSandbox, websocket: Websocket, tmp_path: Path, mend: bool
):
    provisioner = _provisioner(obs, _profile(tmp_path))
    with _watched(obs, provisioner, mend=mend) as said:
        websocket.request("SetInputName", inputName="game", newInputName="My game")
        assert '"My game" -> "game"' in said.get(timeout=PATIENCE_S)
        websocket.request("RemoveInput", inputName="Voice chat")
        assert '+ input "Voice chat"' in _next_about(said, "Voice chat")
        every = {str(number): True for number in range(1, 7)}
        websocket.request("SetInputAudioTracks", inputName="Desktop Audio", inputAudioTracks=every)
        assert "OBS tracks: 1, 2, 3, 4, 5, 6 -> none" in _next_about(said, "Desktop Audio")
        # A fader that the profile does not name is the user's.
        websocket.request("SetInputVolume", inputName="Desktop Audio", inputVolumeDb=-20)
        names = [item["inputName"] for item in websocket.request("GetInputList")["inputs"]]
        assert ("game" in names) == mend
        assert said.empty()
    with ObsConnection(_address(obs), timeout_s=20) as connected:
        provisioner.restore(connected)
    websocket.request("SetInputVolume", inputName="Desktop Audio", inputVolumeDb=-7.5)


def test_the_tracks_are_in_every_scene_also_in_a_new_one_and_none_stays(
    obs: ObsSandbox, files: Callable[[], dict[str, Any]], tmp_path: Path
):
    obs.start()
    with Websocket(obs) as websocket:
        websocket.request("CreateScene", sceneName="Nested")
        websocket.request(
            "CreateSceneItem", sceneName="Nested", sourceName="Chatting", sceneItemEnabled=True
        )
    before = files()
    obs.start()
    provisioner = _provisioner(obs, _profile(tmp_path, scene='"*"'))
    both = ["Voice chat", "game"]
    with Websocket(obs) as websocket, ObsConnection(_address(obs), timeout_s=20) as connected:
        report = provisioner.apply(connected)
        assert report.complete
        assert any('"Nested" gets no inputs of its own' in note for note in report.notes)
        found = {scene: _tracks_in(websocket, scene) for scene in _scenes(websocket)}
        assert found == {"Scene": both, "Chatting": both, "Game of mine": both, "Nested": []}
        assert provisioner.apply(connected).done == ()
        with _watched(obs, provisioner, mend=True) as said:
            websocket.request("CreateScene", sceneName="New")
            _wait_for(lambda: _tracks_in(websocket, "New") == both)
            websocket.request("SetSceneName", sceneName="New", newSceneName="Newer")
            [item] = [i for i in _items(websocket, "Newer") if i["sourceName"] == "game"]
            websocket.request("RemoveSceneItem", sceneName="Newer", sceneItemId=item["sceneItemId"])
            _wait_for(lambda: _tracks_in(websocket, "Newer") == both)
        assert provisioner.apply(connected).done == ()
        sentences = [said.get() for _ in range(said.qsize())]
        others = [one for one in sentences if not one.startswith("Mended in OBS: + input")]
        assert others == []
        websocket.request("RemoveScene", sceneName="Newer")
        assert provisioner.restore(connected).complete
    after = files()
    for collection in (before, after):
        for scene in ("Scene", "Chatting", "Game of mine"):
            _forget_item_counter(collection["basic/scenes/Untitled.json"], scene)
    assert _differences(before, after) == []
    obs.start()
    with Websocket(obs) as websocket:
        websocket.request("RemoveScene", sceneName="Nested")


def _scenes(websocket: Websocket) -> list[str]:
    return [scene["sceneName"] for scene in websocket.request("GetSceneList")["scenes"]]


def _items(websocket: Websocket, scene: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = websocket.request("GetSceneItemList", sceneName=scene)[
        "sceneItems"
    ]
    return found


def _tracks_in(websocket: Websocket, scene: str) -> list[str]:
    """Which of the profile's inputs are visible in a scene, each as often as it is."""
    items = _items(websocket, scene)
    shown = [item["sourceName"] for item in items if item["sceneItemEnabled"]]
    return sorted(name for name in shown if name in ("game", "Voice chat"))


def _next_about(said: queue.Queue[str], name: str) -> str:
    while True:
        sentence = said.get(timeout=PATIENCE_S)
        if name in sentence:
            return sentence


def test_two_sessions_keep_apart(connection: ObsConnection, obs: ObsSandbox, tmp_path: Path):
    first = _provisioner(obs, _profile(tmp_path))
    data = first.profile.model_dump()
    data["outputs"]["obs"] |= {"tracks": {"game": {"to": 5, "name": "Second"}}, "scene": "Other"}
    environ = obs.env | {"XDG_STATE_HOME": str(tmp_path / "state")}
    second = Provisioner(Profile.from_dict(data, name="second"), "second", environ=environ)
    assert first.apply(connection).complete
    assert second.apply(connection).complete
    assert first.plan(connection).empty
    assert second.plan(connection).empty
    assert second.restore(connection).complete
    assert first.plan(connection).empty
    assert first.restore(connection).complete
