# SPDX-License-Identifier: MIT
"""What is looked at on Linux: PipeWire, its session manager, and PulseAudio's server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

import psutil

from pypac_obs import _core
from pypac_obs.capabilities import capabilities
from pypac_obs.diagnosis.devices import GRAPH_PATIENCE_S, default_output, inputs_found
from pypac_obs.diagnosis.finding import Finding
from pypac_obs.diagnosis.remedies import install
from pypac_obs.errors import PypacError
from pypac_obs.input_devices import InputDevice, inputs_of

__all__ = ["pipewire", "pulse"]


def pipewire() -> Iterator[Finding]:
    """Looks at the library, the daemon, the session manager and the graph."""
    library = capabilities()["pipewire"]
    if not library.built_in:
        yield Finding(
            "PipeWire library",
            "bad",
            "this build of pypac-obs was made without PipeWire",
            "Install a released wheel, or build where PipeWire's headers are "
            "(Debian: libpipewire-0.3-dev).",
        )
        return
    if not library.present:
        yield Finding("PipeWire library", "bad", library.reason, install("library"))
        return
    yield Finding("PipeWire library", "good", library.version)
    try:
        capture = _core.PipewireCapture(meter_streams=True)
    except PypacError as error:
        yield Finding("PipeWire daemon", "bad", error.message, error.remedy or _start_pipewire())
        yield _session_manager("")
        return
    try:
        # Without a program that plays no cycle may ever come: that is no trouble.
        capture.wait_until_running(GRAPH_PATIENCE_S)
        yield from _graph(capture.server_info(), inputs_of(capture))
    finally:
        capture.stop()


def _graph(server: _core.PipewireServer, inputs: list[InputDevice]) -> Iterator[Finding]:
    yield Finding("PipeWire daemon", "good", f"version {server.server_version}")
    yield _session_manager(server.default_sink)
    if server.cycles and server.rate:
        cycle_ms = 1000 * server.quantum / server.rate
        yield Finding(
            "audio graph",
            "good",
            f"{server.quantum} frames a cycle at {server.rate} Hz ({cycle_ms:.1f} ms), "
            f"driven by {server.driver or 'an unknown node'}",
        )
    else:
        yield Finding("audio graph", "good", "idle: nothing plays, so no cycle has come")
    yield default_output(server.default_sink, "the desktop's sound settings")
    yield from inputs_found(inputs)
    yield _real_time(server)
    if server.frozen_programs:
        names = ", ".join(server.frozen_programs)
        yield Finding(
            "frozen programs",
            "note",
            f"{names}: the audio system waits for it, and all of it stands still",
            "Let it go on (fg, or kill -CONT PID), or end it.",
        )


def _real_time(server: _core.PipewireServer) -> Finding:
    part = "real-time priority"
    if server.realtime:
        return Finding(part, "good", f"the capture thread runs at {server.realtime_priority}")
    if not server.cycles:
        return Finding(part, "good", "not known before something plays")
    return Finding(
        part,
        "note",
        f"refused: {server.realtime_refusal or 'the system gave no reason'}; on a busy machine "
        "audio may be lost, which the ledger would say",
        f"{install('rtkit')} Then log in again.",
    )


def _session_manager(default_sink: str) -> Finding:
    part = "session manager"
    for name in ("wireplumber", "pipewire-media-session"):
        if _runs(name):
            return Finding(part, "good", " ".join(filter(None, (name, _version_of(name)))))
    if default_sink:
        return Finding(part, "good", "one that this program does not know by name")
    if shutil.which("wireplumber"):
        return Finding(
            part,
            "bad",
            "WirePlumber is installed and does not run: programs get no audio streams",
            "systemctl --user enable --now wireplumber",
        )
    return Finding(part, "bad", "none: programs get no audio streams", install("session manager"))


def pulse() -> Finding:
    """Looks whether programs that speak PulseAudio's protocol can play."""
    part = "pipewire-pulse"
    answers = _pulse_answers()
    if answers and _runs("pulseaudio") and not _runs("pipewire-pulse"):
        return Finding(
            part,
            "note",
            "PulseAudio runs in its place: programs that use it cannot be captured",
            f"{install('pulse')} It takes the place of PulseAudio; then log in again.",
        )
    if answers:
        return Finding(part, "good", "answers")
    if shutil.which("pipewire-pulse"):
        return Finding(
            part,
            "note",
            "does not answer: most programs (browsers, Discord, games) cannot play",
            "systemctl --user enable --now pipewire-pulse.socket",
        )
    return Finding(
        part,
        "note",
        "not installed: most programs (browsers, Discord, games) cannot play",
        install("pulse"),
    )


def _pulse_answers() -> bool:
    server = os.environ.get("PULSE_SERVER", "")
    path = server.removeprefix("unix:")
    if not server:
        path = os.path.join(os.environ.get("XDG_RUNTIME_DIR", ""), "pulse", "native")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1.0)
            client.connect(path)
    except OSError:
        return False
    return True


def _runs(program: str) -> bool:
    own = os.getuid() if hasattr(os, "getuid") else None
    for process in psutil.process_iter(["name", "uids"]):
        name, uids = process.info["name"], process.info.get("uids")
        # The kernel cuts names after 15 bytes.
        if name and name[:15] == program[:15] and (uids is None or uids.real == own):
            return True
    return False


def _version_of(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    words = done.stdout.split()
    return words[-1] if words and words[-1][0].isdigit() else ""


def _start_pipewire() -> str:
    if shutil.which("pipewire"):
        return "systemctl --user enable --now pipewire.socket pipewire.service"
    return install("daemon")
