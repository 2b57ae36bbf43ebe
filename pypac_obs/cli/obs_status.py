# SPDX-License-Identifier: MIT
"""`pypac-obs obs status`: what OBS is doing now."""

from __future__ import annotations

from dataclasses import asdict

import click

from pypac_obs.cli.console import column_table, listed, make_console, plain, print_json, say
from pypac_obs.cli.obs import Server, server_options
from pypac_obs.obs.client.status import InputState, ObsStatus, OutputState, read_status

__all__ = ["command"]


@click.command("status")
@server_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(server: Server, as_json: bool) -> None:
    """Tell what OBS is doing now: its scene, its recording and stream, and our tracks in it."""
    with server.connect() as obs:
        status = read_status(obs)
    if as_json:
        print_json(asdict(status))
    else:
        _print(status)


def _print(status: ObsStatus) -> None:
    say(f"OBS {status.obs_version} (websocket {status.websocket_version}) at {status.address}")
    say(f"Scene: {status.scene or '?'}")
    say(f"Recording: {_words(status.recording)}")
    say(f"Stream: {_words(status.stream)}")
    tracks = [str(track) for track in status.record_tracks]
    say(f"Tracks in the recording: {listed(tracks) if tracks else '?'}")
    if not status.inputs:
        say("OBS has no input of PyPAC-OBS.")
        return
    table = column_table(("Input", "Session", "Track", "OBS tracks", "Volume", "Mute", "Used"))
    for item in status.inputs:
        table.add_row(*(plain(text) for text in _cells(item)))
    make_console().print(table)


def _cells(item: InputState) -> tuple[str, ...]:
    tracks = ", ".join(map(str, item.obs_tracks)) or "none"
    volume = "?" if item.volume_db is None else f"{item.volume_db:.1f} dB"
    mute = "muted" if item.muted else "no"
    used = "in the scene" if item.active else "not in the scene"
    session = f"{item.session} (not running)" if item.session_runs is False else item.session
    return item.name, session, item.track, tracks, volume, mute, used


def _words(output: OutputState) -> str:
    if not output.active:
        return "off"
    seconds = int(output.seconds)
    time = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    state = "paused" if output.paused else "on"
    return f"{state}, {time}" + (f", {output.path}" if output.path else "")
