# SPDX-License-Identifier: MIT
"""`pypac-obs control token`: the secret that the control API asks for."""

from __future__ import annotations

import click

from pypac_obs.cli.console import say
from pypac_obs.control.token import read_or_make_token, renew_token

__all__ = ["command"]


@click.command("token")
@click.option("--renew", is_flag=True, help="Make a new one; programs need it from then on.")
def command(renew: bool) -> None:
    """Print the token that the control API asks for. Whoever has it can control your sessions.

    Give it only to programs of your own on this computer. It is the same for all your sessions.
    """
    say(renew_token() if renew else read_or_make_token())
