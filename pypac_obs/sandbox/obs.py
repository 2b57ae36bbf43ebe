# SPDX-License-Identifier: MIT
"""A private OBS Studio: the real one, without a screen, with settings of its own.

It lives in a `pypac_obs.sandbox.Sandbox`, so it hears the programs of that sandbox and nothing
else, and shares its `XDG_RUNTIME_DIR` with the sessions that run there::

    with Sandbox() as sandbox, ObsSandbox(sandbox) as obs:
        host, port = obs.address
        ...                        # obs-websocket answers there, to obs.password
        obs.kill()                 # as a crash does
        obs.start()                # the same settings, scenes, port and password
        obs.screenshot("obs.png")
        print(obs.log())

Starting takes a few seconds, for all is drawn in software: share one among tests.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pypac_obs.errors import BackendUnavailable, NotRunning, ObsError, ObsWrongPassword
from pypac_obs.obs.client.connection import EventGroup, ObsAddress, ObsConnection, Secret
from pypac_obs.obs.client.link import SETTLING_S
from pypac_obs.obs.window import ask_to_close
from pypac_obs.sandbox import Player, Sandbox
from pypac_obs.sandbox import missing_packages as missing_for_audio

__all__ = ["ObsSandbox", "missing_packages"]

#: Which Debian and Ubuntu package brings each program, beside those of the audio system.
PACKAGES = {"obs": "obs-studio", "Xvfb": "xvfb"}

READY_WITHIN_S = 60.0
ENDS_WITHIN_S = 20.0
POLL_S = 0.05

ALL_TRACKS = 0b111111

# From this version on OBS answers while it still opens its windows, and may hang if it is asked
# for much just then. An older one has them open when it answers.
SETTLES_SINCE = (31,)


def missing_packages() -> tuple[str, ...]:
    """Return the Debian packages that a private OBS needs and this machine lacks, sorted."""
    own = {package for name, package in PACKAGES.items() if shutil.which(name) is None}
    return tuple(sorted(own | set(missing_for_audio())))


class ObsSandbox:
    """OBS in a running sandbox, one at a time, for as long as the ``with`` block lasts.

    ``canvas`` (pixels) and ``fps`` are small, so that drawing in software is cheap; ``sample_rate``
    is OBS's. ``files`` are put below `config_folder` before the first start, and win over what is
    written otherwise: a user's scene collection is ``{"basic/scenes/Untitled.json": ...}``, his
    profile ``{"basic/profiles/Untitled/basic.ini": ...}``. ``args`` go to OBS's command line. With
    ``visible`` its main window is open; else it starts minimised to the tray.

    Without `files` OBS starts as for a new user: a scene "Scene", with "Desktop Audio" and, where
    the sandbox has a source (a virtual microphone), "Mic/Aux", on all six tracks.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        canvas: tuple[int, int] = (640, 360),
        fps: int = 30,
        sample_rate: int = 48000,
        files: Mapping[str, str | bytes] | None = None,
        args: Sequence[str] = (),
        visible: bool = False,
    ) -> None:
        self.sandbox = sandbox
        self.canvas = canvas
        self.fps = fps
        self.sample_rate = sample_rate
        #: What obs-websocket asks for.
        self.password = secrets.token_urlsafe(12)
        #: What is put below `config_folder` before the first start; may be added to until then.
        self.files = dict(files or {})
        self._args = tuple(args)
        self._visible = visible
        #: When its websocket answered after the last start, by `time.monotonic`.
        self.answered_s = 0.0
        self._version: tuple[int, ...] = SETTLES_SINCE
        self._port = 0
        self._env: dict[str, str] = {}
        self._screen: Player | None = None
        self._obs: Player | None = None

    # -- life -------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Start OBS, and return when its websocket answers. Raises `BackendUnavailable`.

        After stop() or kill() it comes again with the settings that it had.
        """
        if self.running:
            return
        if self._screen is None:
            self._prepare()
        # A crash leaves these behind, and OBS would ask for its safe mode.
        shutil.rmtree(self.config_folder / ".sentinel", ignore_errors=True)
        (self.config_folder / "safe_mode").unlink(missing_ok=True)
        command = ["obs", "--multi", "--disable-updater", "--disable-shutdown-check"]
        command += [] if self._visible else ["--minimize-to-tray"]
        begun_s = time.monotonic()
        self._obs = self.sandbox.spawn([*command, *self._args], env=self._env)
        self._version = SETTLES_SINCE
        self._wait_for(self._obs, self._answers)
        self.answered_s = time.monotonic()
        if self._version >= SETTLES_SINCE:
            # Nothing tells when it has. On a busy machine it takes longer, as all before it did.
            time.sleep(max(SETTLING_S, (self.answered_s - begun_s) / 2))

    def kill(self) -> None:
        """End OBS at once (SIGKILL), as a crash does. start() brings it again."""
        self._process.kill()

    def stop(self) -> int:
        """Let OBS close as its user does, by its window, and return its exit code.

        What does not end in time, for it asks a question in a dialog, is killed: then the code is
        negative.
        """
        process = self._process
        # Not by SIGINT: OBS closes within the signal's handler, and crashes if it draws just then.
        if process.running and ask_to_close(self._env["DISPLAY"], "OBS "):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(ENDS_WITHIN_S)
        process.kill()
        return process.wait()

    def close(self) -> None:
        """Stop OBS and its screen. May be called again."""
        if self._obs is not None:
            self.stop()
            self._obs = None
        if self._screen is not None:
            self._screen.stop()
            self._screen = None

    # -- what others need of it -------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """True from start() until OBS has ended, by whatever cause."""
        return self._obs is not None and self._obs.running

    @property
    def pid(self) -> int:
        """OBS's process id."""
        return self._process.pid

    @property
    def address(self) -> tuple[str, int]:
        """Where its websocket listens: host and port."""
        _ = self._process
        return "127.0.0.1", self._port

    @property
    def config_folder(self) -> Path:
        """OBS's own folder of settings, scenes, profiles and user plugins."""
        return Path(self.sandbox.env["XDG_CONFIG_HOME"]) / "obs-studio"

    @property
    def recordings(self) -> Path:
        """The folder that OBS records into."""
        return self.sandbox.folder / "home" / "recordings"

    @property
    def env(self) -> dict[str, str]:
        """The environment of programs in the sandbox that also see OBS's screen; a copy."""
        return self.sandbox.env | self._env

    def log(self) -> str:
        """What OBS has written since its last start."""
        return self._process.output()

    def screenshot(self, path: str | os.PathLike[str]) -> None:
        """Save a picture of the screen that OBS draws on; the suffix tells the format.

        Raises `BackendUnavailable` where ImageMagick is not installed.
        """
        if shutil.which("import") is None:
            raise BackendUnavailable(
                "a picture of OBS needs ImageMagick, which is not installed",
                remedy="sudo apt install imagemagick",
            )
        _ = self._process
        subprocess.run(
            ["import", "-silent", "-window", "root", os.fspath(path)],
            env=self.env,
            check=True,
            capture_output=True,
            timeout=30,
        )

    # -- inside -----------------------------------------------------------------------------------

    @property
    def _process(self) -> Player:
        if self._obs is None:
            raise NotRunning("this OBS is not running", remedy="Use it in a with statement.")
        return self._obs

    def _prepare(self) -> None:
        missing = missing_packages()
        if missing:
            raise BackendUnavailable(
                f"a private OBS needs packages that are not installed: {', '.join(missing)}",
                remedy=f"sudo apt install {' '.join(missing)}",
            )
        self._port = free_port()
        self._write_settings()
        self.recordings.mkdir(exist_ok=True)
        # It takes a free display and writes its number, which so ends up in its log.
        screen = self.sandbox.spawn(
            ["Xvfb", "-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]
        )
        self._screen = screen
        self._wait_for(screen, lambda: bool(_display(screen)))
        self._env = {
            "DISPLAY": _display(screen),
            "QT_QPA_PLATFORM": "xcb",
            "LIBGL_ALWAYS_SOFTWARE": "1",
        }

    def _write_settings(self) -> None:
        width, height = self.canvas
        general = {"FirstRun": "true", "EnableAutoUpdates": "false"}
        names = {
            "Profile": "Untitled",
            "ProfileDir": "Untitled",
            "SceneCollection": "Untitled",
            "SceneCollectionFile": "Untitled",
        }
        websocket = {
            "FirstLoad": "false",
            "ServerEnabled": "true",
            "ServerPort": str(self._port),
            "AuthRequired": "true",
            "ServerPassword": self.password,
            "AlertsEnabled": "false",
        }
        newer_websocket = {
            "first_load": False,
            "server_enabled": True,
            "server_port": self._port,
            "auth_required": True,
            "server_password": self.password,
            "alerts_enabled": False,
        }
        profile = {
            "General": {"Name": "Untitled"},
            "Video": {
                "BaseCX": str(width),
                "BaseCY": str(height),
                "OutputCX": str(width),
                "OutputCY": str(height),
                "FPSType": "1",  # whole numbers
                "FPSInt": str(self.fps),
            },
            "Audio": {"SampleRate": str(self.sample_rate), "ChannelSetup": "Stereo"},
            "SimpleOutput": {"FilePath": str(self.recordings), "RecQuality": "Stream"},
            "AdvOut": {"RecFilePath": str(self.recordings)},
        }
        files: dict[str, str | bytes] = {
            # OBS up to 30 has all in global.ini; newer ones look into the other two as well.
            "global.ini": _ini({"General": general, "Basic": names, "OBSWebSocket": websocket}),
            "user.ini": _ini({"General": general, "Basic": names}),
            "plugin_config/obs-websocket/config.json": json.dumps(newer_websocket),
            "basic/profiles/Untitled/basic.ini": _ini(profile),
            "basic/scenes/Untitled.json": json.dumps(self._new_users_scenes()),
        }
        for name, content in (files | self.files).items():
            path = self.config_folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def _new_users_scenes(self) -> dict[str, Any]:
        """What OBS up to 31 makes at its first start; newer ones ask their user."""
        width, height = self.canvas
        scenes: dict[str, Any] = {
            "name": "Untitled",
            "version": 2,  # what is of no version newer ones bring into this form, little by little
            "resolution": {"x": width, "y": height},
            "current_scene": "Scene",
            "current_program_scene": "Scene",
            "scene_order": [{"name": "Scene"}],
            "sources": [{"id": "scene", "name": "Scene", "settings": {}}],
        }
        inputs = {"DesktopAudioDevice1": ("pulse_output_capture", "Desktop Audio")}
        sources = self.sandbox.run("pactl", "list", "short", "sources").splitlines()
        if any(".monitor" not in source for source in sources):
            inputs["AuxAudioDevice1"] = ("pulse_input_capture", "Mic/Aux")
        for place, (kind, name) in inputs.items():
            settings = {"device_id": "default"}
            scenes[place] = {"id": kind, "name": name, "settings": settings, "mixers": ALL_TRACKS}
        return scenes

    def _answers(self) -> bool:
        # The server listens before the scenes are loaded, and refuses requests until then: from
        # OBS 31 on also for a while after OBS has called itself started.
        if "Startup complete" not in self.log():
            return False
        address = ObsAddress(*self.address, Secret(self.password))
        try:
            with ObsConnection(address, timeout_s=2, subscriptions=EventGroup.NONE) as connection:
                connection.request("GetStats")
                self._version = connection.version.numbers
        except ObsWrongPassword:  # other settings were asked for
            return True
        except ObsError:
            return False
        return True

    def _wait_for(self, program: Player, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not condition():
            if not program.running or time.monotonic() > deadline:
                what = "did not get ready in time" if program.running else "ended"
                tail = "\n".join(program.output().splitlines()[-12:])
                raise BackendUnavailable(f"{program.name} {what}; its last words:\n{tail}")
            time.sleep(POLL_S)


def free_port() -> int:
    """Return a TCP port of this computer that nobody listens on.

    It lies below those that systems hand out by themselves, so no other program gets it by chance
    before its taker listens. Those who look at the same time are kept apart by a range each:
    ``PYPAC_SANDBOX_PORTS=20000-20999``.
    """
    first, last = map(int, os.environ.get("PYPAC_SANDBOX_PORTS", "20000-32767").split("-"))
    ports = list(range(first, last + 1))
    random.shuffle(ports)
    for port in ports:
        with socket.socket() as attempt, contextlib.suppress(OSError):
            attempt.bind(("127.0.0.1", port))
            return port
    raise BackendUnavailable(f"no port from {first} to {last} is free")


def _display(screen: Player) -> str:
    """The display of a running Xvfb, as ":99"; "" until it has told its number."""
    numbers = [line for line in screen.output().splitlines(keepends=True) if line[:-1].isdigit()]
    return f":{numbers[0].strip()}" if numbers and numbers[0].endswith("\n") else ""


def _ini(sections: Mapping[str, Mapping[str, str]]) -> str:
    return "\n".join(
        f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in keys.items())
        for name, keys in sections.items()
    )
