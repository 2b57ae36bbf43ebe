# SPDX-License-Identifier: MIT
"""`pypac-obs obs install`: puts the OBS module where OBS looks for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pypac_obs.cli.console import say
from pypac_obs.obs.client.settings import ObsFolder, obs_folders, portable_folder
from pypac_obs.obs.install.plugin import (
    default_folders,
    install,
    installation,
    keep_tracks_folder,
    needed_permission,
    obs_runs,
)

__all__ = ["command", "folders_of", "where_options"]


def where_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --where and --portable to a command; `folders_of` takes what they give."""
    where = click.option(
        "--where",
        type=click.Choice(["native", "flatpak"]),
        help="Which OBS. [each that has been used here]",
    )
    portable = click.option(
        "--portable",
        metavar="FOLDER",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="A portable OBS: the folder that it was unpacked into.",
    )
    return where(portable(function))


def folders_of(where: str | None, portable: Path | None) -> tuple[ObsFolder, ...]:
    """The installations of OBS that the options mean."""
    if where is not None and portable is not None:
        raise click.UsageError("--where and --portable exclude each other.")
    if portable is not None:
        return (portable_folder(portable.absolute()),)
    if where is None:
        return default_folders()
    named = tuple(folder for folder in obs_folders() if folder.kind == where)
    if not named:
        raise click.UsageError(f"There is no {where} OBS on this system.")
    return named


@click.command("install")
@where_options
def command(where: str | None, portable: Path | None) -> None:
    """Put the OBS module where OBS looks for it, and tell where that is.

    With it OBS has the source "PyPAC-OBS track". An older one is replaced.
    """
    changed = False
    for folder in folders_of(where, portable):
        before = installation(folder).state
        there = install(folder)
        changed = changed or before != "current"
        words = {"absent": "Installed", "other": "Updated", "current": "Is installed already"}
        say(f"{words[before]}: {there.module}")
        permission = needed_permission(folder)
        if permission:
            kept = keep_tracks_folder(folder)
            say(f"The folder of the tracks is there from each login on: {kept}")
            say("The Flatpak needs permission to read the tracks of sessions, once:")
            say(f"  {permission}")
    if changed and obs_runs():
        say("OBS is running: it has the new module when it is started again.")
