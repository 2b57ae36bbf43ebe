# SPDX-License-Identifier: MIT
"""`pypac-obs control url`: the address of a running session's control API."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.session_choice import connect_to_chosen, session_option

__all__ = ["command"]


@click.command("url")
@session_option
def command(name: str | None) -> None:
    """Print the address of a running session's control API, without the token."""
    with connect_to_chosen(name) as control:
        say(f"http://127.0.0.1:{control.port}/")
