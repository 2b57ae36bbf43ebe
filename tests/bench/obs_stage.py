# SPDX-License-Identifier: MIT
"""A private OBS with our modules in it, and a session that sends it tracks."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report import Options, Report

from pypac_obs import Session
from pypac_obs.cli.demo_programs import joined
from pypac_obs.cli.obs import Server
from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.connection import ObsConnection
from pypac_obs.obs.client.outputs import OutputControl, OutputKind
from pypac_obs.obs.client.settings import ObsFolder
from pypac_obs.obs.install.plugin import install
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.sandbox import Sandbox
from pypac_obs.sandbox.obs import ObsSandbox

SCENE = "Benchmark"
_READY_WITHIN_S = 60.0
_THREAD = "pypac-obs tracks"
# What the plugin's log says of a track when it ends.
_DELAY = re.compile(
    r"track '(?P<track>[^']*)' of .*: (?P<delivered>\d+) frames delivered, (?P<lost>\d+) lost; "
    r"delay (?P<p50>[\d.]+) ms \(median\), (?P<p99>[\d.]+) ms \(99 %\), "
    r"(?P<longest>[\d.]+) ms \(longest\)"
)
_BUFFERING = re.compile(
    r"adding (\d+) milliseconds of audio buffering, "
    r"total audio buffering is now (\d+) milliseconds \(source: (.*)\)"
)


@dataclass(frozen=True)
class Delay:
    """How one track came to OBS, as the plugin counted; times in ms."""

    track: str
    delivered: int
    lost: int
    p50: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Delivery:
    """What the plugin's thread has used until ``at_ns``: CPU time, and how often it was woken."""

    at_ns: int
    cpu_ns: int
    wake_ups: int


class ObsStage:
    """OBS with the plugin and the flash source, in a sandbox whose folders this process uses."""

    def __init__(self, options: Options, sandbox: Sandbox, *, fps: int = 60) -> None:
        self.sandbox = sandbox
        self.obs = ObsSandbox(sandbox, canvas=(320, 180), fps=fps)
        plugins = self.obs.config_folder / "plugins"
        install(ObsFolder("native", self.obs.config_folder, plugins))
        flash = plugins / "pypac-flash" / "bin" / "64bit" / "pypac-flash.so"
        flash.parent.mkdir(parents=True)
        shutil.copy2(options.program("bench", "flash_source", "pypac-flash.so"), flash)
        self._life = contextlib.ExitStack()
        self.connection: ObsConnection

    def __enter__(self) -> ObsStage:
        with self._life:
            self._life.enter_context(self.obs)
            host, port = self.obs.address
            environment = {
                "OBS_HOST": host,
                "OBS_PORT": str(port),
                "OBS_PASSWORD": self.obs.password,
            }
            self._life.enter_context(joined(self.sandbox, environment))
            self.connection = Server().connect()
            self._life.callback(self.connection.close)
            self._life = self._life.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._life.close()

    @contextlib.contextmanager
    def session(self, profile: Mapping[str, object]) -> Iterator[Session]:
        """Runs a profile, from when OBS is as it says."""
        path = self.sandbox.folder / "bench.yaml"
        path.write_text(json.dumps(profile))  # which is YAML, too
        with Session(path) as session:
            provisioner = Provisioner(session.profile, session.name)
            deadline = time.monotonic() + _READY_WITHIN_S
            while not self._is_as_wished(provisioner):
                if session.errors or time.monotonic() > deadline:
                    raise RuntimeError(f"OBS is not as wished: {session.errors}")
                time.sleep(0.25)
            yield session

    def _is_as_wished(self, provisioner: Provisioner) -> bool:
        try:
            return provisioner.plan(self.connection).empty
        except ObsRefused:  # what the session is making may be gone a moment later
            return False

    def add_input(self, name: str, kind: str, settings: Mapping[str, object]) -> None:
        """Makes an input of OBS's own in the session's scene."""
        self.connection.request(
            "CreateInput",
            sceneName=SCENE,
            inputName=name,
            inputKind=kind,
            inputSettings=dict(settings),
            sceneItemEnabled=True,
        )

    @contextlib.contextmanager
    def recording(self) -> Iterator[list[Path]]:
        """Lets OBS record; the list gets the file at the end."""
        path: list[Path] = []
        with OutputControl(_connect, OutputKind.RECORDING) as output:
            output.start()
            try:
                yield path
            finally:
                path.append(Path(output.stop()[1]))

    def delivery(self) -> Delivery:
        """What the plugin's thread has used so far."""
        for task in Path(f"/proc/{self.obs.pid}/task").iterdir():
            # The system cuts a thread's name to 15 characters.
            if (task / "comm").read_text().strip() == _THREAD[:15]:
                spent = int((task / "schedstat").read_text().split()[0])
                status = (task / "status").read_text()
                wake_ups = int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
                return Delivery(time.monotonic_ns(), spent, wake_ups)
        raise RuntimeError(f"OBS has no thread {_THREAD}")

    def delays(self) -> list[Delay]:
        """What the plugin's log says of tracks whose inputs have gone."""
        return [
            Delay(
                found["track"],
                int(found["delivered"]),
                int(found["lost"]),
                float(found["p50"]),
                float(found["p99"]),
                float(found["longest"]),
            )
            for found in _DELAY.finditer(self.obs.log())
        ]

    def tell_buffering(self, report: Report, ours: Collection[str]) -> None:
        """Adds by how much OBS delays all its audio, by its log: for our tracks, and in all."""
        found = _BUFFERING.findall(self.obs.log())
        added = sum(int(ms) for ms, _, source in found if source in ours)
        report.add(
            "audio buffering that OBS added for one of our tracks",
            "ms",
            added,
            target="<= 21, OBS's own first step",
            met=added <= 22,
            digits=0,
        )
        total = max((int(total) for _, total, _ in found), default=0)
        report.add("audio buffering in all, also for OBS's own inputs", "ms", total, digits=0)
        report.details["buffering"] = found


def _connect(**options: Any) -> ObsConnection:
    return Server().connect(**options)
