# SPDX-License-Identifier: MIT
"""`pypac-obs schema`: the JSON Schema of a profile."""

from __future__ import annotations

import click

from pypac_obs.cli.console import print_json
from pypac_obs.profile.model import Profile

__all__ = ["command"]


@click.command("schema")
def command() -> None:
    """Print the JSON Schema (2020-12) of a profile.

    Editors complete and check profiles with it. With the YAML extension of VS Code, write it to a
    file and begin the profile with:  # yaml-language-server: $schema=FILE
    """
    print_json(Profile.json_schema(), indent=2)
