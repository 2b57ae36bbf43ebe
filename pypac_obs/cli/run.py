# SPDX-License-Identifier: MIT
"""`pypac-obs run`: runs a profile."""

from __future__ import annotations

from datetime import datetime

import click

from pypac_obs.cli import DONE, FAILED
from pypac_obs.cli.detached_output import detached_output
from pypac_obs.cli.durations import duration_option
from pypac_obs.cli.running import run_session
from pypac_obs.cli.session_log import log_level_option
from pypac_obs.obs.client.settings import ServerWords
from pypac_obs.obs.provisioning.lint import profile_warnings
from pypac_obs.profile import FilesRule, Profile, expand_path, load_profile
from pypac_obs.profile.places import folder_warnings
from pypac_obs.session import Session
from pypac_obs.working_folder import absolute

__all__ = ["command", "warn", "warnings_of", "warnings_of_folder"]


@click.command("run")
@click.argument("profile")
@duration_option
@click.option(
    "--json", "as_json", is_flag=True, help="One line of JSON a second, and the summary at the end."
)
@log_level_option
def command(profile: str, duration: float | None, as_json: bool, log_level: str) -> int:
    """Run a profile: capture its sources, mix its tracks, feed its outputs.

    Ctrl-C, SIGTERM or a closed terminal ends it cleanly; a second one aborts it at once. On a
    terminal it shows a live table, in a pipe a line for each change.
    """
    rules = load_profile(profile)
    with detached_output():
        warn(rules)
        session = Session(rules, duration_s=duration)
        summary = run_session(session, as_json=as_json, log_level=log_level)
    return FAILED if summary.failures else DONE


def warn(profile: Profile) -> None:
    """Writes to standard error what is allowed but seldom meant."""
    for warning in warnings_of(profile):
        click.echo(f"Warning: {warning}", err=True)


def warnings_of(profile: Profile) -> list[str]:
    """Gives what is allowed but seldom meant, one sentence each."""
    warnings = [*profile.warnings, *profile_warnings(profile)]
    warnings += warnings_of_folder(profile)
    if profile.outputs.obs is not None:
        warnings += ServerWords.of(profile.outputs.obs).warnings
    if not profile.outputs.by_name():
        warnings.append("The profile has no output, so nothing is written.")
    return warnings


def warnings_of_folder(profile: Profile) -> list[str]:
    """Gives what speaks against the folders of a profile's files, one sentence each."""
    names = {"track": "", "profile": profile.name, "session": profile.name}
    start = datetime.now().astimezone()
    warnings: list[str] = []
    for rule in profile.outputs.by_name().values():
        if isinstance(rule, FilesRule):
            folder = expand_path(rule.folder, **names, start=start)
            warnings += folder_warnings(absolute(folder))
    return list(dict.fromkeys(warnings))
