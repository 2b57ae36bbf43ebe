# SPDX-License-Identifier: MIT
"""`pypac-obs doctor`: what of the system is present, and what to install or change."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import click
import psutil
import soundfile

from pypac_obs import _core
from pypac_obs.audio_system import RESTART_SERVICE, service_trouble
from pypac_obs.capabilities import capabilities, versions
from pypac_obs.cli import DONE, NO_AUDIO_SYSTEM
from pypac_obs.cli.console import (
    column_table,
    counted,
    make_console,
    plain,
    print_json,
    say,
    sentence,
)
from pypac_obs.cli.devices import inputs_in_words
from pypac_obs.cli.doctor_report import DEFAULT_NAME, Line, new_file, report_text
from pypac_obs.cli.loopback_questions import Answer, ask_all
from pypac_obs.errors import PypacError
from pypac_obs.input_devices import InputDevice, inputs_of
from pypac_obs.native_files import blocked_files
from pypac_obs.obs.client.settings import ObsFolder, portable_folder
from pypac_obs.obs.install.plugin import MODULE, built_module, default_folders, installation
from pypac_obs.obs.install.programs import ObsProgram, obs_programs

__all__ = ["Finding", "command", "examine"]

State = Literal["good", "note", "bad"]
_STYLES: dict[State, str] = {"good": "green", "note": "yellow", "bad": "red"}
_WORDS: dict[State, str] = {"good": "good", "note": "look", "bad": "missing"}

_RECORDINGS = "~/Recordings"
_RECORDINGS_FOLDER = "recordings folder"
# One stereo track in 32-bit float at 48 kHz.
_TRACK_BYTES_PER_HOUR = 48_000 * 2 * 4 * 3600
_LITTLE_SPACE = 5 * 10**9
_PROTECTED_FOLDERS = (
    " If it should be writable: Controlled folder access (Windows Security > Ransomware "
    f"protection) may refuse it; allow {Path(sys.executable).name} there."
)
_GRAPH_PATIENCE_S = 2.0
# Windows 11 24H2.
_QUIET_BUILD = 26100
# It brought the websocket server that we speak with.
_OLDEST_OBS = 28

# The packages that bring each part, by the family of the distribution.
_PACKAGES = {
    "library": {
        "debian": "libpipewire-0.3-0",
        "fedora": "pipewire-libs",
        "arch": "libpipewire",
    },
    "daemon": {"debian": "pipewire", "fedora": "pipewire", "arch": "pipewire"},
    "session manager": {
        "debian": "wireplumber",
        "fedora": "wireplumber",
        "arch": "wireplumber",
    },
    "pulse": {
        "debian": "pipewire-pulse",
        "fedora": "pipewire-pulseaudio",
        "arch": "pipewire-pulse",
    },
    "rtkit": {"debian": "rtkit", "fedora": "rtkit", "arch": "realtime-privileges rtkit"},
    "sndfile": {"debian": "libsndfile1", "fedora": "libsndfile", "arch": "libsndfile"},
}
_INSTALL = {
    "debian": "sudo apt install",
    "fedora": "sudo dnf install",
    "arch": "sudo pacman -S",
}


@dataclass(frozen=True)
class Finding:
    """One part of the system: is it there, which version, and what to do about it.

    ``state`` is "good", "note" (works, and could be better) or "bad" (recording cannot work).
    """

    part: str
    state: State
    found: str
    remedy: str = ""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="The findings as one JSON object.")
@click.option(
    "--report",
    "report",
    is_flag=False,
    flag_value="",
    metavar="[FILE]",
    help=f"Write a report to send in ({DEFAULT_NAME} unless named; never over another file). On "
    "Windows it also measures what captures of programs do there: for half a minute or so, with a "
    "quiet tone.",
)
def command(as_json: bool, report: str | None) -> int:
    """Tell what of the system is present, its versions, and what to install or change.

    The exit code is 0 when recording can work, and 3 when it cannot.
    """
    if report is not None:
        if as_json:
            raise click.UsageError("--json and --report cannot be given together.")
        return _report(report)
    findings = list(examine())
    works = all(finding.state != "bad" for finding in findings)
    if as_json:
        plain_findings = [asdict(finding) for finding in findings]
        print_json({"works": works, "versions": versions(), "findings": plain_findings})
    else:
        _print(findings, works)
    return DONE if works else NO_AUDIO_SYSTEM


def _report(wanted: str) -> int:
    # First of all, so that nobody waits for what then cannot be written.
    path, file = new_file(wanted)
    try:
        with file:
            findings = list(examine())
            works = all(finding.state != "bad" for finding in findings)
            _print(findings, works)
            answers: list[Answer] = []
            unasked = _why_unasked(findings)
            if not unasked:
                say("")
                say("Now small programs of its own play, and are captured: a quiet tone.")
                ask_all(lambda answer: _tell(answers, answer))
            lines = [_public(finding) for finding in findings]
            file.write(report_text(lines, answers, unasked))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    say("")
    say(f"Written to {path}: look through it before you send it in.")
    return DONE if works else NO_AUDIO_SYSTEM


def _tell(answers: list[Answer], answer: Answer) -> None:
    answers.append(answer)
    say(f"{len(answers)}. {answer.question}")
    say(f"   {answer.answer}")


def _why_unasked(findings: list[Finding]) -> str:
    """Why there is nothing to measure on this system; empty: there is."""
    ability = capabilities()["wasapi"]
    if not ability.built_in:
        return "Not measured: the open questions are those of Windows' process loopback."
    if not ability.present:
        return sentence(f"not measured: {ability.reason}")
    for finding in findings:
        if finding.part == _AUDIO_SERVICE and finding.state == "bad":
            return sentence(f"not measured: {finding.found}")
    return ""


def _public(finding: Finding) -> Line:
    """What a report for others says of a finding: without the names of devices and programs."""
    found = finding.found
    if finding.part in ("default output", "default input") and not found.startswith("none"):
        found = "there is one"
    elif finding.part == _INPUTS:
        found = counted(found.count('", "') + 1, "input")
    elif finding.part == "audio graph":
        found = found.partition(", driven by")[0]
    elif finding.part == "frozen programs":
        found = "there are some"
    elif finding.part in (_OBS, _OBS_MODULE):
        found = found.partition("; in ")[0]
    elif finding.part == _PROGRAM_FILES:
        found = found.rpartition("\\")[2]
    return Line(finding.part, _WORDS[finding.state], found)


def _print(findings: list[Finding], works: bool) -> None:
    table = column_table(("Part", "State", "Found"))
    for finding in findings:
        word = plain(_WORDS[finding.state], _STYLES[finding.state])
        table.add_row(plain(finding.part), word, plain(finding.found))
    make_console().print(table)
    for finding in findings:
        if finding.remedy:
            say(f"{finding.part}: {finding.remedy}")
    say("Recording can work." if works else "Recording cannot work yet.")


def examine() -> Iterator[Finding]:
    """Looks at everything, in the order in which one would repair it.

    What cannot be looked at is a finding, too, and costs nothing of the rest.
    """
    yield from _looked_at("pypac-obs", lambda: [_this_program()])
    if sys.platform.startswith("linux"):
        yield from _looked_at("PipeWire", _pipewire)
        yield from _looked_at("pipewire-pulse", lambda: [_pulse()])
    elif sys.platform == "win32":
        yield from _looked_at(_PROGRAM_FILES, _program_files)
        yield from _looked_at("Windows", _windows)
        yield from _looked_at(_OBS, lambda: _obs(obs_programs()))
    else:
        yield Finding(
            "audio system",
            "bad",
            f"capture on {platform.system()} is not part of this version",
            "Use Linux or Windows; profiles with synthetic sources run everywhere.",
        )
    yield from _looked_at("libsndfile", _formats)
    yield from _looked_at(_RECORDINGS_FOLDER, lambda: [_disk()])


def _looked_at(part: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except PypacError as error:
        yield Finding(part, "bad", error.message, error.remedy)
    except Exception as error:
        # Whoever calls doctor is in trouble already; half a list would not help.
        yield Finding(part, "note", f"cannot be looked at: {error or type(error).__name__}")


def _this_program() -> Finding:
    known = versions()
    return Finding(
        "pypac-obs",
        "good",
        f"{known['pypac-obs']} on Python {known['python']}, {known['system']}",
    )


# Windows -----------------------------------------------------------------------------------------


_PROGRAM_FILES = "program files"
_AUDIO_SERVICE = "audio service"
_INPUTS = "inputs"
_OBS = "OBS Studio"
_OBS_MODULE = "OBS module"
_ANOTHER_DEVICE = "Choose another device in Windows' sound settings, and look again."


def _program_files() -> Iterator[Finding]:
    blocked = list(blocked_files())
    for file in blocked:
        # Only what sends tracks to OBS by it needs the module.
        state: State = "note" if file.path.stem == MODULE else "bad"
        yield Finding(_PROGRAM_FILES, state, f"{file.path} {file.found}", file.remedy)
    if not blocked:
        yield Finding(_PROGRAM_FILES, "good", "none is missing or blocked")


def _obs(programs: Sequence[ObsProgram]) -> Iterator[Finding]:
    """Each OBS, and whether it has this version's module."""
    if not programs:
        yield Finding(
            _OBS,
            "note",
            "not found: tracks can go to files only",
            "To have them in OBS, install it (https://obsproject.com). A portable one is found "
            "while it runs.",
        )
    for program in programs:
        yield _obs_program(program)
    if any(program.kind != "portable" for program in programs):
        for folder in default_folders():
            yield _obs_module(folder, "")
    for program in programs:
        if program.kind == "portable":
            yield _obs_module(portable_folder(program.folder), f' --portable "{program.folder}"')


def _obs_program(program: ObsProgram) -> Finding:
    words = [program.version or "of an unknown version", program.kind]
    words.append("running" if program.running else "not running")
    found = f"{', '.join(words)}; in {program.folder}"
    major = program.version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST_OBS:
        return Finding(_OBS, "note", found, f"Update it: version {_OLDEST_OBS} or newer is needed.")
    return Finding(_OBS, "good", found)


def _obs_module(folder: ObsFolder, option: str) -> Finding:
    if built_module() is None:
        return Finding(
            _OBS_MODULE, "note", "not in this build of pypac-obs", "Install a released wheel."
        )
    there = installation(folder)
    if there.state == "current":
        return Finding(_OBS_MODULE, "good", f"of this version; in {there.module}")
    found = {"absent": "not installed", "other": "of another version"}[there.state]
    return Finding(
        _OBS_MODULE,
        "note",
        f"{found}; in {there.module}",
        f"If tracks are to go to OBS: close it, then pypac-obs obs install{option}",
    )


def _windows() -> Iterator[Finding]:
    ability = capabilities()["wasapi"]
    if not ability.built_in:
        yield Finding(
            "process loopback",
            "bad",
            "this build of pypac-obs was made without Windows' capture",
            "Install a released wheel.",
        )
        return
    build = int(ability.version.rpartition(".")[2] or 0)
    yield _windows_build(build, ability.reason)
    if not ability.present:
        return
    try:
        capture = _core.WasapiCapture(meter_streams=True)
    except PypacError as error:
        yield Finding(_AUDIO_SERVICE, "bad", error.message, error.remedy)
        return
    try:
        capture.wait_until_running(_GRAPH_PATIENCE_S)
        yield from _audio_service(capture.server_info(), inputs_of(capture))
    finally:
        capture.stop()


def _windows_build(build: int, reason: str) -> Finding:
    """What this Windows' build can do.

    >>> _windows_build(18363, "build 19041 or newer is needed").state
    'bad'
    >>> _windows_build(22631, "").state, _windows_build(26100, "").state
    ('note', 'good')
    """
    part = "Windows"
    if reason:
        remedy = "Update Windows: Windows 10 version 2004 or newer is needed."
        return Finding(part, "bad", reason, remedy)
    if build < _QUIET_BUILD:
        return Finding(
            part,
            "note",
            f"build {build}: after hours of capture its audio engine may put noise into the sound",
            f"Windows 11 24H2 (build {_QUIET_BUILD}) has that mended. Until then begin long "
            "recordings anew now and then.",
        )
    return Finding(part, "good", f"build {build}")


def _audio_service(server: _core.WasapiServer, inputs: list[InputDevice]) -> Iterator[Finding]:
    trouble = service_trouble(server)
    if trouble is not None:
        yield Finding(_AUDIO_SERVICE, "bad", trouble.message, trouble.remedy)
        return
    yield Finding(_AUDIO_SERVICE, "good", "answers")
    yield _default_output(server.default_sink, "Windows' sound settings")
    yield from _inputs(inputs)
    try:
        formats = _core.default_endpoint_formats(_GRAPH_PATIENCE_S)
    except PypacError as error:
        yield Finding("device formats", "note", error.message, RESTART_SERVICE)
        return
    for endpoint in formats:
        if endpoint.refusal:
            remedy = endpoint.remedy or _ANOTHER_DEVICE
            yield Finding("microphone", "note", endpoint.refusal, remedy)
        yield _endpoint_format(endpoint)


def _endpoint_format(endpoint: _core.EndpointFormat) -> Finding:
    part = f"{'input' if endpoint.input else 'output'} format"
    if endpoint.error:
        return Finding(
            part,
            "note",
            f"Windows does not tell it (0x{endpoint.error & 0xFFFFFFFF:08X})",
            _ANOTHER_DEVICE,
        )
    return Finding(
        part,
        "good",
        f"{endpoint.rate} Hz, {counted(endpoint.channels, 'channel')}, {endpoint.bits} bits, "
        f"every {endpoint.period_ms:g} ms (at least {endpoint.least_period_ms:g})",
    )


def _inputs(inputs: list[InputDevice]) -> Iterator[Finding]:
    """The default input, and all of them by the names that a profile takes."""
    # Without a microphone PipeWire's session manager names an output as the default, and means its
    # monitor. That is no input, and `device: default` does not take it.
    default = next((one.system_name for one in inputs if one.is_default), "")
    nothing = "none: there is no microphone" if not inputs else "none"
    yield Finding("default input", "good", default or nothing)
    if inputs:
        yield Finding(_INPUTS, "good", inputs_in_words(inputs))


def _default_output(name: str, settings: str) -> Finding:
    if name:
        return Finding("default output", "good", name)
    return Finding(
        "default output",
        "note",
        "none: programs have nowhere to play, and so may have no audio stream",
        f"Connect a sound device, or choose one in {settings}.",
    )


# PipeWire ----------------------------------------------------------------------------------------


def _pipewire() -> Iterator[Finding]:
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
        yield Finding("PipeWire library", "bad", library.reason, _install("library"))
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
        capture.wait_until_running(_GRAPH_PATIENCE_S)
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
    yield _default_output(server.default_sink, "the desktop's sound settings")
    yield from _inputs(inputs)
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
        f"{_install('rtkit')} Then log in again.",
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
    return Finding(part, "bad", "none: programs get no audio streams", _install("session manager"))


def _pulse() -> Finding:
    part = "pipewire-pulse"
    answers = _pulse_answers()
    if answers and _runs("pulseaudio") and not _runs("pipewire-pulse"):
        return Finding(
            part,
            "note",
            "PulseAudio runs in its place: programs that use it cannot be captured",
            f"{_install('pulse')} It takes the place of PulseAudio; then log in again.",
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
        _install("pulse"),
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
    return _install("daemon")


# Files -------------------------------------------------------------------------------------------


def _formats() -> Iterator[Finding]:
    version = soundfile.__libsndfile_version__
    lacking = [one for one in ("flac", "rf64") if not capabilities()[one].present]
    if lacking:
        yield Finding(
            "libsndfile",
            "note",
            f"{version}, without {' and '.join(lacking).upper()}",
            _install("sndfile"),
        )
    else:
        yield Finding("libsndfile", "good", f"{version}: WAV, RF64, FLAC")


def _disk() -> Finding:
    part = _RECORDINGS_FOLDER
    wanted = Path(os.path.expanduser(_RECORDINGS))
    # Not exists(): that raises where a folder above may not be looked into.
    there = next((f for f in (wanted, *wanted.parents) if os.path.exists(f)), Path("/"))
    try:
        _write_into(there, in_new_folder=there != wanted)
    except OSError as error:
        return Finding(
            part,
            "note",
            f"{wanted}: {there} cannot be written to ({error.strerror or error})",
            "Choose another folder in the profile (outputs.files.folder), or with --out."
            + (_PROTECTED_FOLDERS if sys.platform == "win32" else ""),
        )
    free = shutil.disk_usage(there).free
    hours = free / _TRACK_BYTES_PER_HOUR
    found = f"{wanted}: {free / 1e9:.1f} GB free, {hours:.0f} hours of one stereo track as WAV"
    if free < _LITTLE_SPACE:
        return Finding(part, "note", found, "Make room, or choose another folder.")
    return Finding(part, "good", found)


def _write_into(folder: Path, *, in_new_folder: bool) -> None:
    """Makes a file there, and takes it away. Raises OSError.

    Windows tells by nothing else whether it may be done: os.access() looks at an attribute there,
    and Controlled Folder Access shows when a file is made. (tempfile would try again for ever.)
    """
    name = f"pypac-obs-{secrets.token_hex(8)}.tmp"
    place = folder / name if in_new_folder else folder
    if in_new_folder:
        place.mkdir()
    try:
        file = place / name
        file.touch(exist_ok=False)
        file.unlink()
    finally:
        if in_new_folder:
            place.rmdir()


# Remedies ----------------------------------------------------------------------------------------


def _install(what: str) -> str:
    """Says how to install a part here: the exact command where the distribution is known."""
    packages = _PACKAGES[what]
    family = _family()
    if family:
        return f"{_INSTALL[family]} {packages[family]}"
    return sentence(
        f"Install {packages['debian']} (Debian, Ubuntu), {packages['fedora']} (Fedora) or "
        f"{packages['arch']} (Arch), or what your distribution calls it"
    )


def _family() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    if "ubuntu" in names or "debian" in names:
        return "debian"
    if "fedora" in names or "rhel" in names:
        return "fedora"
    return "arch" if "arch" in names else ""
