# SPDX-License-Identifier: MIT
"""`pypac-obs obs record`: starts and stops OBS's recording."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.obs import Server, server_options
from pypac_obs.obs.client.outputs import OutputControl, OutputKind

__all__ = ["command"]


@click.group("record")
def command() -> None:
    """Start or stop OBS's recording."""


@command.command("start")
@server_options
def start(server: Server) -> None:
    """Start OBS's recording, and tell its file.

    Returns when OBS records. If it records already, nothing is changed.
    """
    with OutputControl(server.connect, OutputKind.RECORDING) as output:
        was_running, path = output.start()
    say("OBS records already." if was_running else "OBS records.")
    if path:
        say(path)


@command.command("stop")
@server_options
def stop(server: Server) -> None:
    """Stop OBS's recording, and tell its file.

    Returns when the file is complete. If OBS does not record, nothing is changed.
    """
    with OutputControl(server.connect, OutputKind.RECORDING) as output:
        was_running, path = output.stop()
    say("OBS has stopped recording." if was_running else "OBS does not record.")
    if path:
        say(path)
