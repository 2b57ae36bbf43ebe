# SPDX-License-Identifier: MIT
"""`pypac-obs control`: how other programs reach a running session."""

from __future__ import annotations

import click

from pypac_obs.cli import LazyGroup

__all__ = ["command"]

COMMANDS = {
    "url": "Print the address of a running session's control API.",
    "token": "Print the token that the control API asks for.",
}


@click.group("control", cls=LazyGroup, files="pypac_obs.cli.control_", summaries=COMMANDS)
def command() -> None:
    """Show how other programs reach a running session: its address and the token."""
