# SPDX-License-Identifier: MIT
"""What is looked at on Windows: its version, its audio service, this program's own files."""

from __future__ import annotations

from collections.abc import Iterator

from pypac_obs import _core
from pypac_obs.audio_system import RESTART_SERVICE, service_trouble
from pypac_obs.capabilities import capabilities
from pypac_obs.diagnosis.devices import GRAPH_PATIENCE_S, default_output, inputs_found
from pypac_obs.diagnosis.finding import Finding, State
from pypac_obs.errors import PypacError
from pypac_obs.input_devices import InputDevice, inputs_of
from pypac_obs.native_files import blocked_files
from pypac_obs.obs.install.plugin import MODULE
from pypac_obs.wording import counted

__all__ = ["AUDIO_SERVICE", "PROGRAM_FILES", "program_files", "windows"]

PROGRAM_FILES = "program files"
AUDIO_SERVICE = "audio service"
_ANOTHER_DEVICE = "Choose another device in Windows' sound settings, and look again."
# Windows 11 24H2.
_QUIET_BUILD = 26100


def program_files() -> Iterator[Finding]:
    """Looks for files of this program that Windows misses or blocks."""
    blocked = list(blocked_files())
    for file in blocked:
        # Only what sends tracks to OBS by it needs the module.
        state: State = "note" if file.path.stem == MODULE else "bad"
        yield Finding(PROGRAM_FILES, state, f"{file.path} {file.found}", file.remedy)
    if not blocked:
        yield Finding(PROGRAM_FILES, "good", "none is missing or blocked")


def windows() -> Iterator[Finding]:
    """Looks at the version of Windows, and at its audio service."""
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
        yield Finding(AUDIO_SERVICE, "bad", error.message, error.remedy)
        return
    try:
        capture.wait_until_running(GRAPH_PATIENCE_S)
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
        yield Finding(AUDIO_SERVICE, "bad", trouble.message, trouble.remedy)
        return
    yield Finding(AUDIO_SERVICE, "good", "answers")
    yield default_output(server.default_sink, "Windows' sound settings")
    yield from inputs_found(inputs)
    try:
        formats = _core.default_endpoint_formats(GRAPH_PATIENCE_S)
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
