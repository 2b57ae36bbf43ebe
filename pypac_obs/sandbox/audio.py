# SPDX-License-Identifier: MIT
"""A private audio system: D-Bus, PipeWire, WirePlumber and pipewire-pulse in a temporary folder.

The demo and the tests run real programs in it. It needs no sound card, no systemd and no user
session, runs as root, and never touches the user's own audio::

    with Sandbox() as sandbox:
        game = sandbox.play_tone("game", 440.0)
        voice = sandbox.play_tone("voice", 1000.0, api="pulse")
        subprocess.run(["pw-dump"], env=sandbox.env)
        game.kill()

Whatever it started is gone when it closes, and also when the Python process is killed: a small
guardian process waits for that.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np

from pypac_obs.errors import BackendUnavailable, NotRunning

__all__ = ["Player", "Sandbox", "missing_packages"]

#: Which Debian and Ubuntu package brings each program.
PACKAGES = {
    "dbus-daemon": "dbus-daemon",
    "pipewire": "pipewire",
    "pw-cat": "pipewire-bin",
    "pw-cli": "pipewire-bin",
    "pw-link": "pipewire-bin",
    "pw-metadata": "pipewire-bin",
    "wireplumber": "wireplumber",
    "pipewire-pulse": "pipewire-pulse",
    "pactl": "pulseaudio-utils",
    "pacat": "pulseaudio-utils",
}

#: Marks every process of a sandbox, in its environment.
MARK = "PYPAC_OBS_SANDBOX"

#: Runs until its standard input closes, which is when its starter has died or closed the sandbox;
#: then ends every process that carries the mark, also those that left their process group.
GUARDIAN = r"""
trap '' INT TERM HUP
cat > /dev/null
for round in 1 2 3; do
  for process in /proc/[0-9]*; do
    pid=${process#/proc/}
    [ "$pid" = "$$" ] && continue
    if tr '\0' '\n' < "$process/environ" 2> /dev/null | grep -qx "$1=$2"; then
      kill -KILL "$pid" 2> /dev/null
    fi
  done
done
rm -rf "$2"
"""

Api = Literal["pipewire", "pulse"]

#: Players are to keep time on a busy machine too: below PipeWire 1.4 pw-cat asks for real-time
#: priority only with this configuration.
_IN_TIME = {"PIPEWIRE_CONFIG_NAME": "client-rt.conf"}

READY_WITHIN_S = 15.0
ENDS_WITHIN_S = 2.0
POLL_S = 0.01


def missing_packages() -> tuple[str, ...]:
    """Return the Debian packages that a sandbox needs and this machine lacks, sorted."""
    return tuple(sorted({PACKAGES[name] for name in PACKAGES if shutil.which(name) is None}))


class Player:
    """A real program that runs in a sandbox."""

    def __init__(
        self, name: str, process: subprocess.Popen[bytes], log: Path, audio_file: Path | None = None
    ) -> None:
        self.name = name
        #: What it writes, standard output and error together.
        self.log = log
        #: What it plays, where the sandbox made the file.
        self.audio_file = audio_file
        self._process = process

    def __repr__(self) -> str:
        state = "running" if self.running else f"ended with {self._process.returncode}"
        return f"<Player {self.name} pid={self.pid} {state}>"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """True until the program has ended; true as well while it is frozen."""
        return self._process.poll() is None

    def freeze(self) -> None:
        """Stop it in its tracks (SIGSTOP), as a hung program is."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after freeze()."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end (SIGTERM); end it by force if it does not."""
        _end(self._process)

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it ends, and return its exit code."""
        return self._process.wait(timeout)

    def output(self) -> str:
        """What it has written so far."""
        return self.log.read_text(errors="replace")


class Sandbox:
    """A private audio system, for as long as the ``with`` block lasts.

    ``sinks`` are made before anything plays, the first is the default; ``rate`` and ``quantum``
    (frames) are the graph's. ``env`` is the environment for the programs that are to live in it.
    """

    def __init__(
        self, *, sinks: Sequence[str] = ("speakers",), rate: int = 48000, quantum: int = 1024
    ) -> None:
        self.rate = rate
        self.quantum = quantum
        self._initial_sinks = tuple(sinks)
        self._folder: Path | None = None
        self._env: dict[str, str] = {}
        self._guardian: subprocess.Popen[bytes] | None = None
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._players: list[Player] = []
        self._devices: dict[str, str] = {}  # name -> properties of its node

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
        """Start everything, and return when programs can play. Raises `BackendUnavailable`."""
        if self._folder is not None:
            return
        missing = missing_packages()
        if missing:
            raise BackendUnavailable(
                f"a private audio system needs packages that are not installed: "
                f"{', '.join(missing)}",
                remedy=f"sudo apt install {' '.join(missing)}",
            )
        # The path of a Unix socket has at most 107 bytes, so the folder's must be short.
        base = "/tmp" if os.access("/tmp", os.W_OK | os.X_OK) else None
        self._folder = Path(tempfile.mkdtemp(prefix="pypac-", dir=base))
        try:
            self._lay_out()
            self._start_guardian()
            for sink in self._initial_sinks:
                self._devices[sink] = _device("Audio/Sink", sink)
            self._write_devices()
            self._start_daemon(
                "dbus-daemon",
                ["--session", "--nofork", "--nopidfile", f"--address={self._bus_address}"],
            )
            self._wait_for("dbus-daemon", (self.folder / "run" / "bus").exists)
            self._start_audio()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End every program and daemon, and remove the folder. May be called again."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        for player in self._players:
            player._process.send_signal(signal.SIGTERM)
            player._process.send_signal(signal.SIGCONT)
        for player in self._players:
            _end(player._process)
        for name in ("pipewire-pulse", "wireplumber", "pipewire", "dbus-daemon"):
            if name in self._daemons:
                _end(self._daemons.pop(name))
        self._players.clear()
        self._devices.clear()
        if self._guardian is not None:
            # It also ends what our programs have started themselves.
            assert self._guardian.stdin is not None
            self._guardian.stdin.close()
            self._guardian.wait()
            self._guardian = None
        shutil.rmtree(folder, ignore_errors=True)

    @property
    def folder(self) -> Path:
        """The temporary folder. Raises `NotRunning` outside the ``with`` block."""
        if self._folder is None:
            raise NotRunning("the sandbox is not running", remedy="Use it in a with statement.")
        return self._folder

    @property
    def env(self) -> dict[str, str]:
        """The environment for programs that are to play or capture here; a copy."""
        _ = self.folder
        return dict(self._env)

    @property
    def remote(self) -> str:
        """The path of PipeWire's socket, for a client that does not live in ``env``."""
        return str(self.folder / "run" / "pipewire-0")

    def logs(self) -> dict[str, str]:
        """What each daemon and player has written, by name."""
        files = sorted((self.folder / "log").iterdir())
        return {file.stem: file.read_text(errors="replace") for file in files}

    # -- devices ----------------------------------------------------------------------------------

    def add_sink(self, name: str) -> None:
        """Add a device to play to (a null sink), which stays after a restart of PipeWire."""
        self._add_device(name, "Audio/Sink")

    def add_source(self, name: str) -> None:
        """Add a virtual microphone: what programs play to the target ``name`` is what it hears."""
        self._add_device(name, "Audio/Source/Virtual")

    def _add_device(self, name: str, media_class: str) -> None:
        if name in self._devices:
            raise ValueError(f"there is a device {name!r} already")
        self._devices[name] = _device(media_class, name)
        self._write_devices()
        self.run("pw-cli", "create-node", "adapter", self._devices[name])
        self._wait_for("wireplumber", lambda: self._has_device(name))

    def _has_device(self, name: str) -> bool:
        kinds = ("sinks", "sources")
        return any(name in self.run("pactl", "list", "short", kind).split() for kind in kinds)

    # -- programs ---------------------------------------------------------------------------------

    def run(self, *command: str, timeout: float = 10.0) -> str:
        """Run a command to its end, and return what it wrote. Raises `CalledProcessError`."""
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=timeout, check=True
        )
        return done.stdout

    def spawn(
        self,
        args: Sequence[str | os.PathLike[str]],
        *,
        name: str | None = None,
        env: dict[str, str] | None = None,
    ) -> Player:
        """Start a program; with ``name`` as a program of that name (a copy of its file)."""
        return self._spawn(args, name, None, env)

    def play_tone(
        self,
        program_name: str,
        frequency: float,
        *,
        api: Api = "pipewire",
        level_dbfs: float = -12.0,
        channels: int = 2,
        rate: int | None = None,
        seconds: float = 60.0,
        sink: str | None = None,
    ) -> Player:
        """Start a real player that plays a sine of ``frequency`` Hz, as the program of that name.

        ``api`` is what it speaks: "pipewire" (pw-cat) or "pulse" (pacat). ``level_dbfs`` is the
        sine's peak. It plays ``seconds`` of 32-bit float, whole seconds of the same samples.
        """
        tone = self._tone_file(frequency, level_dbfs, channels, rate or self.rate, seconds)
        return self.play_file(program_name, tone, api=api, sink=sink)

    def play_file(
        self,
        program_name: str,
        audio_file: str | os.PathLike[str],
        *,
        api: Api = "pipewire",
        sink: str | None = None,
    ) -> Player:
        """Start a real player that plays an audio file once, as the program of that name."""
        path = Path(audio_file)
        if sink is not None and "Audio/Source" in self._devices.get(sink, ""):
            return self._play_into_source(program_name, path, sink)
        if api == "pulse":
            args = ["pacat", "--playback", "--file-format=wav", "--latency-msec=100", str(path)]
            args += [f"--device={sink}"] if sink else []
        else:
            args = ["pw-cat", "--playback", f"--latency={self.quantum}", str(path)]
            args += [f"--target={sink}"] if sink else []
        return self._spawn(args, program_name, path, _IN_TIME)

    def _play_into_source(self, program_name: str, path: Path, source: str) -> Player:
        # Session managers link no player to a source, so the sandbox does it.
        args = ["pw-cat", "--playback", f"--latency={self.quantum}", "--target=0", str(path)]
        player = self._spawn(args, program_name, path, _IN_TIME)
        for side in ("FL", "FR"):
            link = ("pw-link", f"{program_name}:output_{side}", f"{source}:input_{side}")
            self._wait_for("wireplumber", functools.partial(self._succeeds, link))
        return player

    def _succeeds(self, command: Sequence[str]) -> bool:
        try:
            self.run(*command)
        except subprocess.CalledProcessError:
            return False
        return True

    def kill(self, player: Player) -> None:
        """End a player at once, as a crash does."""
        player.kill()

    def _spawn(
        self,
        args: Sequence[str | os.PathLike[str]],
        name: str | None,
        audio_file: Path | None,
        env: dict[str, str] | None,
    ) -> Player:
        command = [os.fspath(arg) for arg in args]
        found = shutil.which(command[0])
        if found is None:
            package = PACKAGES.get(command[0])
            raise BackendUnavailable(
                f"the program {command[0]} is not installed",
                remedy=f"sudo apt install {package}" if package else "",
            )
        program = self._named_copy(found, name) if name else found
        label = name or Path(found).name
        log = self.folder / "log" / f"{label}-{len(self._players)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [program, *command[1:]],
                env=self.env | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,  # a Ctrl-C at the terminal is for the session, not for its players
            )
        player = Player(label, process, log, audio_file)
        self._players.append(player)
        return player

    def _named_copy(self, program: str, name: str) -> str:
        # A copy, not a link: /proc/PID/exe tells the file, and that is what captures go by.
        copy = self.folder / "bin" / Path(program).name / name
        if not copy.exists():
            copy.parent.mkdir(exist_ok=True)
            shutil.copy2(program, copy)
        return str(copy)

    def _tone_file(
        self, frequency: float, level_dbfs: float, channels: int, rate: int, seconds: float
    ) -> Path:
        path = self.folder / f"tone-{frequency:g}-{level_dbfs:g}-{channels}-{rate}-{seconds:g}.wav"
        if not path.exists():
            # One second, again and again: seamless where the frequency is a whole number.
            second = np.sin(2 * np.pi * frequency * np.arange(rate) / rate)
            second *= 10 ** (level_dbfs / 20)
            frames = np.repeat(second.astype("<f4"), channels).tobytes()
            rounds = max(1, round(seconds))
            with path.open("wb") as file:
                file.write(_wav_header(channels, rate, rounds * len(frames)))
                for _ in range(rounds):
                    file.write(frames)
        return path

    # -- trouble to order -------------------------------------------------------------------------

    def set_quantum(self, frames: int) -> None:
        """Force the length of the graph's cycles; 0 gives it back to PipeWire."""
        self.run("pw-metadata", "-n", "settings", "0", "clock.force-quantum", str(frames))

    def set_rate(self, rate: int) -> None:
        """Force the graph's sample rate; 0 gives it back to PipeWire."""
        self.run("pw-metadata", "-n", "settings", "0", "clock.force-rate", str(rate))

    def move(self, player: Player, sink: str) -> None:
        """Move what a program plays to another sink, as a user does in a mixer."""
        streams = json.loads(self.run("pactl", "--format=json", "list", "sink-inputs"))
        # A native stream shows no process here, only the name of its program.
        own = [
            stream["index"]
            for stream in streams
            if stream["properties"].get("application.process.id") == str(player.pid)
            or stream["properties"].get("application.name") == player.name
        ]
        if not own:
            raise NotRunning(f"{player.name} plays nothing")
        for index in own:
            self.run("pactl", "move-sink-input", str(index), sink)

    def restart_pipewire(self) -> None:
        """Kill PipeWire and start it again, with all that lives on it."""
        pipewire = self._daemons.pop("pipewire")
        pipewire.kill()
        pipewire.wait()
        for name in ("pipewire-pulse", "wireplumber"):
            # Both end by themselves when PipeWire goes; systemd would start them again.
            _end(self._daemons.pop(name))
        for socket in ("pipewire-0", "pipewire-0.lock", "pulse/native", "pulse/pid"):
            (self.folder / "run" / socket).unlink(missing_ok=True)
        self._start_audio()

    def restart_wireplumber(self) -> None:
        """Kill WirePlumber and start it again.

        WirePlumber 0.4 does not link programs to sinks that were in use meanwhile.
        """
        self._daemons["wireplumber"].kill()
        self._daemons.pop("wireplumber").wait()
        self._start_daemon("wireplumber")
        self._wait_for("wireplumber", self._plays)

    # -- inside -----------------------------------------------------------------------------------

    @property
    def _bus_address(self) -> str:
        return f"unix:path={self.folder}/run/bus"

    def _lay_out(self) -> None:
        folder = self.folder
        for part in ("run", "home", "bin", "log", "config", "state", "cache", "data"):
            (folder / part).mkdir(mode=0o700)
        sound = ("PIPEWIRE_", "PULSE_", "WIREPLUMBER_", "SPA_")
        foreign = (*sound, "DBUS_", "XDG_", "DISPLAY", "WAYLAND_DISPLAY", "NOTIFY_SOCKET")
        env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        env |= {
            MARK: str(folder),
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "XDG_DATA_HOME": str(folder / "data"),
            "DBUS_SESSION_BUS_ADDRESS": self._bus_address,
            # No way to the machine's own bus: logind and BlueZ are not ours to talk to.
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/run/no-system-bus",
            "PULSE_SERVER": f"unix:{folder}/run/pulse/native",
            "PULSE_COOKIE": str(folder / "home" / "cookie"),
        }
        self._env = env
        config = folder / "config"
        _write(
            config / "pipewire" / "pipewire.conf.d" / "graph.conf",
            f"context.properties = {{\n  default.clock.rate = {self.rate}\n"
            f"  default.clock.quantum = {self.quantum}\n"
            # PipeWire sets its own minimum of 1024 where it runs in a virtual machine.
            "  default.clock.min-quantum = 32\n"
            "  vm.overrides = { default.clock.min-quantum = 32 }\n"
            "  settings.check-quantum = false\n}\n",
        )
        # WirePlumber must not take the machine's sound cards, cameras and headsets. Up to 0.4 it is
        # told in Lua, from 0.5 on in its own format.
        _write(
            config / "wireplumber" / "main.lua.d" / "51-no-hardware.lua",
            "alsa_monitor.enabled = false\nv4l2_monitor.enabled = false\n"
            "libcamera_monitor.enabled = false\n",
        )
        _write(
            config / "wireplumber" / "bluetooth.lua.d" / "51-no-hardware.lua",
            "bluez_monitor.enabled = false\n",
        )
        _write(
            config / "wireplumber" / "wireplumber.conf.d" / "no-hardware.conf",
            "wireplumber.profiles = {\n  main = {\n    hardware.audio = disabled\n"
            "    hardware.bluetooth = disabled\n    hardware.video-capture = disabled\n  }\n}\n",
        )

    def _write_devices(self) -> None:
        objects = "\n".join(
            f"  {{ factory = adapter args = {properties} }}"
            for properties in self._devices.values()
        )
        _write(
            self.folder / "config" / "pipewire" / "pipewire.conf.d" / "devices.conf",
            f"context.objects = [\n{objects}\n]\n",
        )

    def _start_guardian(self) -> None:
        self._guardian = subprocess.Popen(
            ["/bin/sh", "-c", GUARDIAN, "guardian", MARK, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _start_audio(self) -> None:
        run = self.folder / "run"
        self._start_daemon("pipewire")
        self._wait_for("pipewire", (run / "pipewire-0").exists)
        self._start_daemon("wireplumber")
        self._start_daemon("pipewire-pulse")
        self._wait_for("pipewire-pulse", (run / "pulse" / "native").exists)
        self._wait_for("wireplumber", self._plays)

    def _plays(self) -> bool:
        """True once every device is there and WirePlumber has chosen the default one."""
        sinks = [name for name, args in self._devices.items() if "Audio/Sink" in args]
        try:
            if not all(self._has_device(name) for name in self._devices):
                return False
            # Not from pactl: it names a default sink before WirePlumber has chosen one.
            return not sinks or "'default.audio.sink'" in self.run("pw-metadata", "0")
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return False

    def _start_daemon(self, name: str, args: Iterable[str] = ()) -> None:
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                [name, *args],
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    def _wait_for(self, daemon: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not condition():
            ended = self._daemons[daemon].poll()
            if ended is not None or time.monotonic() > deadline:
                what = f"ended with {ended}" if ended is not None else "did not get ready in time"
                log = (self.folder / "log" / f"{daemon}.log").read_text(errors="replace")
                tail = "\n".join(log.splitlines()[-8:])
                raise BackendUnavailable(f"{daemon} {what}; its last words:\n{tail}")
            time.sleep(POLL_S)


def _device(media_class: str, name: str) -> str:
    return (
        "{ factory.name = support.null-audio-sink "
        f'node.name = "{name}" node.description = "{name}" media.class = {media_class} '
        "audio.position = [ FL FR ] object.linger = true "
        # As a sound card's: the monitor hears what is played, not the sink's own volume.
        "monitor.channel-volumes = true }"
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _wav_header(channels: int, rate: int, data_bytes: int) -> bytes:
    float_format = 3  # WAVE_FORMAT_IEEE_FLOAT
    block = channels * 4
    form = struct.pack("<HHIIHH", float_format, channels, rate, rate * block, block, 32)
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", data_bytes)
    return b"RIFF" + struct.pack("<I", 4 + len(chunks) + data_bytes) + b"WAVE" + chunks


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGCONT)  # a frozen process takes no other signal
    try:
        process.wait(ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
