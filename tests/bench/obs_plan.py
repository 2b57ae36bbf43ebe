# SPDX-License-Identifier: MIT
"""How long it takes to find out what a profile would change in an OBS of 20 scenes and 30 inputs.

With requests in batches, as the program asks, and next to it with the same requests one at a time,
in turns on connections that are open already.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator, Sequence

from report import Options, Report
from websocket import ABNF

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.bounded_websocket import BoundedWebSocket
from pypac_obs.obs.client.connection import EventGroup, ObsAddress, ObsConnection, Secret
from pypac_obs.obs.client.requests import Answer, Request
from pypac_obs.obs.client.settings import ObsFolder
from pypac_obs.obs.install.plugin import install
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.profile import Profile
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

_SCENES, _INPUTS = 20, 30
_MOST_TRIPS, _MOST_MS = 6, 150.0


class _OneAtATime:
    """A connection that asks for what is in a batch one after the other."""

    def __init__(self, obs: ObsConnection) -> None:
        self.address, self.version = obs.address, obs.version
        self.request, self.undivided = obs.request, obs.undivided

    def request_all(
        self, requests: Sequence[Request], *, timeout_s: float | None = None
    ) -> list[Answer]:
        answers: list[Answer] = []
        for one in requests:
            try:
                answers.append(self.request(one.kind, timeout_s=timeout_s, **one.data))
            except ObsRefused as refusal:
                answers.append(refusal)
        return answers


@contextlib.contextmanager
def _counted() -> Iterator[list[int]]:
    """Counts the messages that are sent meanwhile; each of them is a round trip."""
    sent: list[int] = []
    send_frame = BoundedWebSocket.send_frame

    def count(websocket: BoundedWebSocket, frame: ABNF) -> int:
        if frame.opcode == ABNF.OPCODE_TEXT:
            sent.append(len(frame.data))
        return send_frame(websocket, frame)

    BoundedWebSocket.send_frame = count
    try:
        yield sent
    finally:
        BoundedWebSocket.send_frame = send_frame


def main(options: Options) -> Report:
    report = Report("obs_plan")
    rounds = int(options.pick(30, 5))
    with Sandbox() as sandbox, contextlib.ExitStack() as life:
        obs = ObsSandbox(sandbox)
        config = obs.config_folder
        install(ObsFolder("native", config, config / "plugins"))
        life.enter_context(obs)
        host, port = obs.address
        address = ObsAddress(host, port, Secret(obs.password))
        environ = obs.env | {"XDG_STATE_HOME": str(sandbox.folder / "state")}
        provisioner = Provisioner(_profile(), "bench", environ=environ)
        with ObsConnection(address, subscriptions=EventGroup.NONE) as connection:
            _fill(connection)
            times: dict[str, list[float]] = {"batches": [], "one at a time": []}
            trips = {}
            for turn in range(2 * rounds):
                way = ("batches", "one at a time")[turn % 2]
                asked = connection if way == "batches" else _OneAtATime(connection)
                with _counted() as sent:
                    begin = time.perf_counter()
                    provisioner.plan(asked)
                    times[way].append(1000 * (time.perf_counter() - begin))
                trips[way] = len(sent)
    report.details |= {"times_ms": times, "round_trips": trips}
    _tell(report, times, trips)
    return report


def _tell(report: Report, times: dict[str, list[float]], trips: dict[str, int]) -> None:
    before, now = trips["one at a time"], trips["batches"]
    report.add(
        f"obs plan, {_SCENES} scenes and {_INPUTS} inputs: round trips",
        "",
        now,
        target=f"<= {_MOST_TRIPS}",
        met=now <= _MOST_TRIPS,
        digits=0,
        one_at_a_time=before,
    )
    median = {way: statistics.median(values) for way, values in times.items()}
    report.add(
        "the same: after connecting, median",
        "ms",
        median["batches"],
        target=f"< {_MOST_MS:g}",
        met=median["batches"] < _MOST_MS,
        one_at_a_time=median["one at a time"],
    )
    longest = {way: max(values) for way, values in times.items()}
    report.add(
        "the same: longest",
        "ms",
        longest["batches"],
        one_at_a_time=longest["one at a time"],
    )


def _fill(obs: ObsConnection) -> None:
    """Makes scenes and inputs until there are as many as wanted."""
    scenes = [one["sceneName"] for one in obs.request("GetSceneList")["scenes"]]
    for number in range(_SCENES - len(scenes)):
        scenes.append(f"scene {number}")
        obs.request("CreateScene", sceneName=scenes[-1])
    for number in range(_INPUTS - len(obs.request("GetInputList")["inputs"])):
        obs.request(
            "CreateInput",
            sceneName=scenes[number % _SCENES],
            inputName=f"input {number}",
            inputKind="pulse_input_capture",
            inputSettings={},
            sceneItemEnabled=True,
        )


def _profile() -> Profile:
    names = [f"track{number}" for number in range(1, 7)]
    return Profile.from_dict(
        {
            "version": 1,
            "session": {"latency_ms": 10},
            "sources": {"game": {"process": "game"}},
            "tracks": {name: {"from": "game"} for name in names},
            "outputs": {
                "obs": {
                    "scene": "Benchmark",
                    "tracks": {name: [number] for number, name in enumerate(names, 1)},
                    "recording": {"tracks": [1, 2, 3, 4, 5, 6]},
                }
            },
        },
        name="bench",
    )
