# SPDX-License-Identifier: MIT
# ruff: noqa: N802, N803 - the requests and their data bear OBS's own names
"""An OBS in memory: what its requests do to its scenes, inputs and profiles, and when.

It keeps the habits that matter: names are unique over the whole of it, a new input is on all
tracks, what is set in a profile takes effect when the profile is loaded, and an input that was
removed stays in its scenes, with its name, until they are drawn.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from pypac_obs.errors import ObsNotRunning, ObsRefused
from pypac_obs.obs.client.connection import ObsAddress, ObsVersion
from pypac_obs.obs.client.requests import Answer, Request
from pypac_obs.obs.client.status import TRACK_KIND

NOT_FOUND, EXISTS, BAD_KIND, BAD_STATE, BAD_KIND_OF_SOURCE = 600, 601, 605, 604, 602

DEFAULTS = {
    ("Output", "Mode"): "Simple",
    ("AdvOut", "RecTracks"): "1",
    ("AdvOut", "RecType"): "Standard",
    ("AdvOut", "RecFormat"): "mkv",
    ("AdvOut", "RecFilePath"): "/home/somebody",
    ("AdvOut", "TrackIndex"): "1",
    ("AdvOut", "VodTrackIndex"): "2",
    ("SimpleOutput", "RecFormat"): "mkv",
    ("SimpleOutput", "FilePath"): "/home/somebody",
    ("Audio", "SampleRate"): "48000",
    ("Audio", "ChannelSetup"): "Stereo",
    ("Video", "BaseCX"): "1920",
}
_uuids = itertools.count(1)


class FakeObs:
    """Has the attributes and the request() of an ObsConnection."""

    def __init__(self, *, version: str = "29.0.2", plugin: bool = True) -> None:
        self.address = ObsAddress("127.0.0.1", 4455)
        self.version = ObsVersion(version, "5.1.0", "x11")
        self.kinds = ["pulse_input_capture", "pulse_output_capture", "ffmpeg_source"]
        self.kinds += [TRACK_KIND] if plugin else []
        self.defaults: dict[str, dict[str, Any]] = {}  # by kind of input
        self.profiles: dict[str, dict[tuple[str, str], str]] = {"Untitled": {}}
        self.services: dict[str, dict[str, Any]] = {"Untitled": {"key": "live_very_secret"}}
        self.profile = "Untitled"
        self.loaded: dict[tuple[str, str], str] = {}  # what is in effect
        self.collections: dict[str, dict[str, Any]] = {"Untitled": self._new_collection()}
        self.collection = "Untitled"
        self.running: set[str] = set()  # Record, Stream
        self.round_trips = 0
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.ignored: set[str] = set()  # kinds of request that are answered and not done
        self.junk: dict[str, Any] = {}  # what a kind of request is answered with instead
        self.is_late = False  # makes and removes profiles after it has said so, as OBS 32 does
        self.persistent: dict[tuple[str, str], Any] = {}
        self._to_do: list[Callable[[], None]] = []
        self.ends_after: int | None = None  # so many more changes until the connection is lost
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda kind, data: None
        self.add_special("desktop1", "Desktop Audio", "pulse_output_capture")
        self.add_special("mic1", "Mic/Aux", "pulse_input_capture")
        self._load_profile("Untitled")

    # What tests look at -------------------------------------------------------------------------

    @property
    def here(self) -> dict[str, Any]:
        return self.collections[self.collection]

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        return self.here["inputs"]

    @property
    def scenes(self) -> dict[str, list[dict[str, Any]]]:
        return self.here["scenes"]

    @property
    def parameters(self) -> dict[tuple[str, str], str]:
        return self.profiles[self.profile]

    def state(self) -> dict[str, Any]:
        """All that OBS would write to its files."""
        kept = (self.profiles, self.services, self.profile, self.collections, self.collection)
        return copy.deepcopy(dict(enumerate(kept)))

    def recorded_tracks(self) -> list[int]:
        """The tracks that a recording would have if it were started now."""
        if self.loaded.get(("Output", "Mode"), "Simple") != "Advanced":
            return [1]
        mask = int(self.loaded.get(("AdvOut", "RecTracks"), "1"))
        return [n for n in range(1, 7) if mask >> (n - 1) & 1]

    def changes(self) -> list[str]:
        """The kinds of the requests that change something."""
        return [
            kind
            for kind, _ in self.asked
            if not kind.startswith("Get") and "Persistent" not in kind
        ]

    def rename_collection(self, name: str) -> None:
        """What its user can do to the scene collection in use; OBS does not tell of it."""
        self.collections[name] = self.collections.pop(self.collection)
        self.collection = name

    def rename_profile(self, name: str) -> None:
        """What its user can do to the OBS profile in use; OBS does not tell of it."""
        for kept in (self.profiles, self.services):
            kept[name] = kept.pop(self.profile)
        self.profile = name

    def add_special(self, role: str, name: str, kind: str) -> None:
        self.here["special"][role] = name
        self.add_input(name, kind, device_id="default")

    def add_input(self, name: str, kind: str, scene: str = "", **settings: Any) -> dict[str, Any]:
        made = {
            "kind": kind, "settings": settings, "tracks": set(range(1, 7)), "factor": 1.0,
            "muted": False, "monitor": "OBS_MONITORING_TYPE_NONE", "offset": 0,
            "uuid": f"uuid-{next(_uuids)}",
        }  # fmt: skip
        self.inputs[name] = made
        if scene:
            self._add_item(scene, name, enabled=True)
        return made

    # The connection -----------------------------------------------------------------------------

    def request(
        self, kind: str, /, *, timeout_s: float | None = None, **data: Any
    ) -> dict[str, Any]:
        self.round_trips += 1
        return self._answer(kind, data)

    def _answer(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        if self.ends_after is not None and not kind.startswith("Get"):
            if self.ends_after == 0:
                raise ObsNotRunning("the connection to OBS was lost")
            self.ends_after -= 1
        self.asked.append((kind, copy.deepcopy(data)))
        if kind in self.junk:
            return self.junk[kind]
        if kind in self.ignored:
            return {}
        answer: dict[str, Any] = getattr(self, f"_{kind}")(**data) or {}
        return copy.deepcopy(answer)

    def request_all(
        self, requests: Sequence[Request], *, timeout_s: float | None = None
    ) -> list[Answer]:
        self.round_trips += 1
        answers: list[Answer] = []
        for one in requests:
            try:
                answers.append(self._answer(one.kind, dict(one.data)))
            except ObsRefused as refusal:
                answers.append(refusal)
        return answers

    def undivided(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    # What it keeps for programs ---------------------------------------------------------------

    def _GetPersistentData(self, realm, slotName):
        return {"slotValue": self.persistent.get((realm, slotName))}

    def _SetPersistentData(self, realm, slotName, slotValue):
        if slotValue is None:
            raise ObsRefused("SetPersistentData", 300, "the `slotValue` field is missing")
        self.persistent[realm, slotName] = slotValue

    # OBS's profiles -----------------------------------------------------------------------------

    def _GetProfileList(self):
        answer = {"currentProfileName": self.profile, "profiles": list(self.profiles)}
        while self._to_do:
            self._to_do.pop(0)()
        return answer

    def _CreateProfile(self, profileName):
        if profileName in self.profiles:
            raise ObsRefused("CreateProfile", EXISTS, "it exists")
        self._soon(lambda: self._make_profile(profileName))

    def _make_profile(self, name):
        self.profiles[name] = {}
        self.services[name] = {}
        self._load_profile(name)

    def _soon(self, action):
        if self.is_late:
            self._to_do.append(action)
        else:
            action()

    def _SetCurrentProfile(self, profileName):
        if profileName not in self.profiles:
            raise ObsRefused("SetCurrentProfile", NOT_FOUND, "no such profile")
        assert not self.running, "OBS would change its profile amid an output"
        was = self.profiles[self.profile].get(("Audio", "SampleRate"), "48000")
        will = self.profiles[profileName].get(("Audio", "SampleRate"), "48000")
        assert was == will, "OBS would ask in a dialog whether to start again"
        self._load_profile(profileName)

    def _RemoveProfile(self, profileName):
        assert profileName != self.profile

        def remove():
            del self.profiles[profileName], self.services[profileName]

        self._soon(remove)

    def _load_profile(self, name):
        self.profile = name
        self.loaded = dict(self.profiles[name])

    def _GetProfileParameter(self, parameterCategory, parameterName):
        key = (parameterCategory, parameterName)
        default = DEFAULTS.get(key)
        value = self.parameters.get(key, default)
        return {"parameterValue": value, "defaultParameterValue": default}

    def _SetProfileParameter(self, parameterCategory, parameterName, parameterValue):
        key = (parameterCategory, parameterName)
        if parameterValue is not None:
            self.parameters[key] = parameterValue
        elif key in self.parameters:
            del self.parameters[key]
        else:
            raise ObsRefused("SetProfileParameter", NOT_FOUND, "no existing instances")

    def _GetStreamServiceSettings(self):
        settings = self.services[self.profile]
        return {"streamServiceType": "rtmp_common", "streamServiceSettings": settings}

    def _SetStreamServiceSettings(self, streamServiceType, streamServiceSettings):
        self.services[self.profile] = streamServiceSettings

    # Scene collections --------------------------------------------------------------------------

    def _new_collection(self):
        fresh = {"inputs": {}, "going": {}, "special": {}, "groups": {}}
        return fresh | {"scenes": {"Scene": []}, "program": "Scene"}

    def _GetSceneCollectionList(self):
        names = list(self.collections)
        return {"currentSceneCollectionName": self.collection, "sceneCollections": names}

    def _CreateSceneCollection(self, sceneCollectionName):
        if sceneCollectionName in self.collections:
            raise ObsRefused("CreateSceneCollection", EXISTS, "it exists")
        self.collections[sceneCollectionName] = self._new_collection()
        self.collection = sceneCollectionName

    def _SetCurrentSceneCollection(self, sceneCollectionName):
        if sceneCollectionName not in self.collections:
            raise ObsRefused("SetCurrentSceneCollection", NOT_FOUND, "no such collection")
        self.collection = sceneCollectionName

    # Scenes -------------------------------------------------------------------------------------

    def _GetSceneList(self):
        scenes = [{"sceneName": n, "sceneIndex": i} for i, n in enumerate(reversed(self.scenes))]
        return {"currentProgramSceneName": self.here["program"], "scenes": scenes}

    def _CreateScene(self, sceneName):
        self._must_be_free("CreateScene", sceneName)
        self.scenes[sceneName] = []

    def _RemoveScene(self, sceneName):
        assert len(self.scenes) > 1
        del self.scenes[sceneName]
        if self.here["program"] == sceneName:
            self.here["program"] = next(iter(self.scenes))

    def _SetSceneName(self, sceneName, newSceneName):
        self._must_be_free("SetSceneName", newSceneName)
        self.here["scenes"] = {
            newSceneName if name == sceneName else name: items
            for name, items in self.scenes.items()
        }
        for items in self.scenes.values():
            for item in items:
                if item["source"] == sceneName:
                    item["source"] = newSceneName
        if self.here["program"] == sceneName:
            self.here["program"] = newSceneName

    def _SetCurrentProgramScene(self, sceneName):
        self.here["program"] = sceneName

    def _GetSceneItemList(self, sceneName):
        items = [
            {
                "sceneItemId": i["id"],
                "sourceName": i["source"],
                "sceneItemEnabled": i["enabled"],
                "isGroup": i["source"] in self.here["groups"] or None,
            }
            for i in self._items("GetSceneItemList", sceneName)
        ]
        return {"sceneItems": items}

    def _GetGroupSceneItemList(self, sceneName):
        if sceneName not in self.here["groups"]:
            raise ObsRefused("GetGroupSceneItemList", BAD_KIND_OF_SOURCE, "it is not a group")
        return self._GetSceneItemList(sceneName)

    def _items(self, kind, scene):
        if scene not in self.scenes | self.here["groups"]:
            raise ObsRefused(kind, NOT_FOUND, "no such scene")
        return (self.scenes | self.here["groups"])[scene]

    def _CreateSceneItem(self, sceneName, sourceName, sceneItemEnabled):
        if sourceName not in self.inputs | self.scenes or sceneName not in self.scenes:
            raise ObsRefused("CreateSceneItem", NOT_FOUND, "no such source")
        return self._add_item(sceneName, sourceName, sceneItemEnabled)

    def _add_item(self, scene, source, enabled):
        items = self._items("CreateSceneItem", scene)
        number = 1 + max((item["id"] for item in items), default=0)
        items.append({"id": number, "source": source, "enabled": enabled})
        return {"sceneItemId": number}

    def _item(self, scene, number):
        for item in self._items("SceneItem", scene):
            if item["id"] == number:
                return item
        raise ObsRefused("SceneItem", NOT_FOUND, "no such item")

    def _SetSceneItemEnabled(self, sceneName, sceneItemId, sceneItemEnabled):
        self._item(sceneName, sceneItemId)["enabled"] = sceneItemEnabled

    def _RemoveSceneItem(self, sceneName, sceneItemId):
        assert sceneName in self.scenes, "OBS removes nothing from a group"
        item = self._item(sceneName, sceneItemId)
        self.scenes[sceneName].remove(item)
        if not any(item["source"] == i["source"] for items in self.scenes.values() for i in items):
            self.inputs.pop(item["source"], None)
            self.here["going"].pop(item["source"], None)

    # Inputs -------------------------------------------------------------------------------------

    def _must_be_free(self, kind, name):
        if name in self.inputs or name in self.scenes or name in self.here["going"]:
            raise ObsRefused(kind, EXISTS, "A source already exists by that name.")

    def _GetInputKindList(self):
        return {"inputKinds": self.kinds}

    def _GetInputDefaultSettings(self, inputKind):
        if inputKind not in self.kinds:
            raise ObsRefused("GetInputDefaultSettings", BAD_KIND, "not supported")
        return {"defaultInputSettings": self.defaults.get(inputKind, {})}

    def _GetSpecialInputs(self):
        roles = ("desktop1", "desktop2", "mic1", "mic2", "mic3", "mic4")
        return {role: self.here["special"].get(role) for role in roles}

    def _GetInputList(self):
        listed = []
        for name, item in (self.inputs | self.here["going"]).items():
            listed.append({"inputName": name, "inputKind": item["kind"]})
            if self.version.numbers >= (30,):
                listed[-1]["inputUuid"] = item["uuid"]
        return {"inputs": listed}

    def _CreateInput(self, sceneName, inputName, inputKind, inputSettings, sceneItemEnabled):
        if inputKind not in self.kinds:
            raise ObsRefused("CreateInput", BAD_KIND, "not supported")
        self._must_be_free("CreateInput", inputName)
        if sceneName not in self.scenes:
            raise ObsRefused("CreateInput", NOT_FOUND, "no such scene")
        made = self.add_input(inputName, inputKind, **inputSettings)
        answer = self._add_item(sceneName, inputName, sceneItemEnabled)
        if self.version.numbers >= (30,):
            answer["inputUuid"] = made["uuid"]
        return answer

    def _input(self, kind, name, *, audio=False):
        if name in self.here["going"] and kind.startswith("Get"):
            return self.here["going"][name]
        if name not in self.inputs:
            raise ObsRefused(kind, NOT_FOUND, f"No source was found by the name of `{name}`.")
        found = self.inputs[name]
        if audio and found["kind"] == "image_source":
            raise ObsRefused(kind, BAD_STATE, "The specified input does not support audio.")
        return found

    def _RemoveInput(self, inputName):
        self._input("RemoveInput", inputName)
        item = self.inputs.pop(inputName)
        if any(inputName == i["source"] for items in self.scenes.values() for i in items):
            self.here["going"][inputName] = item

    def _SetInputName(self, inputName, newInputName):
        self._input("SetInputName", inputName)
        self._must_be_free("SetInputName", newInputName)
        self.here["inputs"] = {
            newInputName if name == inputName else name: item for name, item in self.inputs.items()
        }
        self.here["special"] = {
            place: newInputName if name == inputName else name
            for place, name in self.here["special"].items()
        }
        for items in self.scenes.values():
            for item in items:
                if item["source"] == inputName:
                    item["source"] = newInputName

    def _GetInputSettings(self, inputName):
        return {"inputSettings": self._input("GetInputSettings", inputName)["settings"]}

    def _SetInputSettings(self, inputName, inputSettings):
        settings = self._input("SetInputSettings", inputName)["settings"]
        settings |= inputSettings
        for key in [key for key, value in settings.items() if value is None]:
            del settings[key]

    def _GetInputAudioTracks(self, inputName):
        tracks = self._input("GetInputAudioTracks", inputName, audio=True)["tracks"]
        return {"inputAudioTracks": {str(n): n in tracks for n in range(1, 7)}}

    def _SetInputAudioTracks(self, inputName, inputAudioTracks):
        found = self._input("SetInputAudioTracks", inputName, audio=True)
        found["tracks"] = {int(n) for n, on in inputAudioTracks.items() if on}

    def _GetInputVolume(self, inputName):
        from math import log10

        factor = self._input("GetInputVolume", inputName)["factor"]
        return {"inputVolumeMul": factor, "inputVolumeDb": 20 * log10(factor) if factor else -100.0}

    def _SetInputVolume(self, inputName, inputVolumeDb=None, inputVolumeMul=None):
        found = self._input("SetInputVolume", inputName)
        found["factor"] = 10 ** (inputVolumeDb / 20) if inputVolumeMul is None else inputVolumeMul

    def _GetInputMute(self, inputName):
        return {"inputMuted": self._input("GetInputMute", inputName)["muted"]}

    def _SetInputMute(self, inputName, inputMuted):
        self._input("SetInputMute", inputName)["muted"] = inputMuted

    def _GetInputAudioMonitorType(self, inputName):
        return {"monitorType": self._input("GetInputAudioMonitorType", inputName)["monitor"]}

    def _SetInputAudioMonitorType(self, inputName, monitorType):
        self._input("SetInputAudioMonitorType", inputName)["monitor"] = monitorType

    def _GetInputAudioSyncOffset(self, inputName):
        found = self._input("GetInputAudioSyncOffset", inputName)
        return {"inputAudioSyncOffset": found["offset"]}

    def _SetInputAudioSyncOffset(self, inputName, inputAudioSyncOffset):
        self._input("SetInputAudioSyncOffset", inputName)["offset"] = inputAudioSyncOffset

    # Outputs ------------------------------------------------------------------------------------

    def _GetRecordStatus(self):
        return {"outputActive": "Record" in self.running}

    def _GetStreamStatus(self):
        return {"outputActive": "Stream" in self.running}

    def _GetReplayBufferStatus(self):
        raise ObsRefused("GetReplayBufferStatus", BAD_STATE, "Replay buffer is not available.")

    def _GetVirtualCamStatus(self):
        raise ObsRefused("GetVirtualCamStatus", BAD_STATE, "VirtualCam is not available.")
