# SPDX-License-Identifier: MIT
"""`pypac-obs obs stream`: starts and stops OBS's stream."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.obs import Server, server_options
from pypac_obs.obs.client.outputs import OutputControl, OutputKind

__all__ = ["command"]


@click.group("stream")
def command() -> None:
    """Start or stop OBS's stream."""


@command.command("start")
@server_options
def start(server: Server) -> None:
    """Start OBS's stream. If it streams already, nothing is changed."""
    with OutputControl(server.connect, OutputKind.STREAM) as output:
        was_running, _ = output.start()
    say("OBS streams already." if was_running else "OBS streams.")


@command.command("stop")
@server_options
def stop(server: Server) -> None:
    """Stop OBS's stream. If it does not stream, nothing is changed."""
    with OutputControl(server.connect, OutputKind.STREAM) as output:
        was_running, _ = output.stop()
    say("OBS has stopped streaming." if was_running else "OBS does not stream.")
