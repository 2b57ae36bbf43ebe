# SPDX-License-Identifier: MIT
"""`pypac-obs obs`: the commands about OBS Studio, each in a file `obs_NAME.py` of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from pypac_obs.cli import LazyGroup

if TYPE_CHECKING:
    from pypac_obs.obs.client.connection import ObsConnection
    from pypac_obs.obs.client.settings import PasswordRule, ServerRule

__all__ = ["Server", "command", "connect", "server_of", "server_options"]

COMMANDS = {
    "install": "Put the OBS module where OBS looks for it.",
    "uninstall": "Take the OBS module away.",
    "plan": "Print what of OBS is not as a profile says.",
    "apply": "Make OBS as a profile says.",
    "restore": "Put back what was in OBS before.",
    "status": "Tell what OBS is doing now.",
    "record": "Start or stop OBS's recording.",
    "stream": "Start or stop OBS's stream.",
    "import-filters": "Print an OBS source's filters in a profile's form.",
    "demo": "Bring two programs into an OBS of its own, and measure them.",
}


@click.group("obs", cls=LazyGroup, files="pypac_obs.cli.obs_", summaries=COMMANDS)
def command() -> None:
    """See and control OBS Studio, through its websocket server.

    The server's password is never an argument: it comes from the profile's `outputs.obs`, from the
    environment (OBS_PASSWORD) or, for an OBS on this computer, from OBS's own settings. Another
    computer gets it only if you name that computer yourself: with --host, or in OBS_HOST.
    """


def connect(
    rule: ServerRule | None, *, named_host: str | None = None, **options: Any
) -> ObsConnection:
    """Connects to the OBS that a rule names, with the options of ObsConnection; raises ObsError.

    Warns where it is on another computer. ``named_host`` is one that the command line names.
    """
    from pypac_obs.obs.client.connection import ObsConnection
    from pypac_obs.obs.client.settings import ServerWords, find_server

    for warning in ServerWords.of(rule, named_host=named_host).warnings:
        click.echo(f"Warning: {warning}", err=True)
    return ObsConnection(find_server(rule, named_host=named_host), **options)


@dataclass(frozen=True)
class Server:
    """Which OBS the command line means; a ServerRule for `find_server`."""

    host: str | None = None
    port: int | None = None
    password: PasswordRule | None = None
    named_host: str | None = None  # by the command line itself

    def connect(self, **options: Any) -> ObsConnection:
        """Connects, with the options of ObsConnection; raises ObsError."""
        return connect(self, named_host=self.named_host, **options)


def server_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --host, --port and --profile to a command, which gets them as ``server``."""

    @click.option("--host", metavar="NAME", help="The computer that OBS runs on. [localhost]")
    @click.option(
        "--port",
        type=click.IntRange(1, 65535),
        metavar="PORT",
        help="The port of OBS's websocket server. [from OBS's settings, or 4455]",
    )
    @click.option("--profile", metavar="FILE", help="Take them, and the password, from a profile.")
    @functools.wraps(function)
    def command(
        *args: Any, host: str | None, port: int | None, profile: str | None, **options: Any
    ) -> Any:
        return function(*args, server=server_of(host, port, profile), **options)

    return command


def server_of(host: str | None, port: int | None, profile: str | None) -> Server:
    """Gives the OBS that these options mean: what they leave out is the profile's."""
    rule = None
    if profile is not None:
        from pypac_obs.profile import load_profile

        rule = load_profile(profile).outputs.obs
    if rule is None:
        return Server(host, port, named_host=host)
    return Server(host or rule.host, port or rule.port, rule.password, named_host=host)
