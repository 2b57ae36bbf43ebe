# SPDX-License-Identifier: MIT
"""`pypac-obs obs uninstall`: takes the OBS module away."""

from __future__ import annotations

from pathlib import Path

import click

from pypac_obs.cli.console import say
from pypac_obs.cli.obs_install import folders_of, where_options
from pypac_obs.obs.install.plugin import installation, obs_runs, uninstall

__all__ = ["command"]


@click.command("uninstall")
@where_options
def command(where: str | None, portable: Path | None) -> None:
    """Take the OBS module out of OBS's folder, and leave all else there."""
    changed = False
    for folder in folders_of(where, portable):
        removed = uninstall(folder)
        changed = changed or removed
        say(f"{'Removed' if removed else 'Was not there'}: {installation(folder).module}")
    if changed and obs_runs():
        say("OBS is running: it has the module until it is closed.")
