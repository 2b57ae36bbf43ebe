# SPDX-License-Identifier: MIT
"""`pypac-obs obs apply`: makes OBS as the profile says."""

from __future__ import annotations

import click

from pypac_obs.cli import DONE, FAILED
from pypac_obs.cli.console import print_json, say
from pypac_obs.cli.obs import connect
from pypac_obs.cli.obs_plan import print_steps, say_remarks
from pypac_obs.obs.provisioning.plan import Report
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.profile import load_profile

__all__ = ["command", "print_report"]


@click.command("apply")
@click.argument("profile")
@click.option("--json", "as_json", is_flag=True, help="What was done as one JSON object.")
def command(profile: str, as_json: bool) -> int:
    """Make OBS as the profile says; twice in a row changes nothing.

    What was there before is noted, and `obs restore` puts it back. What has to wait until OBS stops
    recording or streaming is said, and the exit code is 1 until it is done.
    """
    rules = load_profile(profile)
    provisioner = Provisioner(rules, rules.name)
    with connect(provisioner.rule) as obs:
        report = provisioner.apply(obs)
    if as_json:
        print_json(report.to_json())
    else:
        print_report(report, nothing="nothing to change")
    return DONE if report.complete else FAILED


def print_report(report: Report, *, nothing: str) -> None:
    """Prints what was done, and what was not; ``nothing`` where there was nothing to do."""
    if not report.done and report.complete:
        say(nothing)
    print_steps(report.done)
    say_remarks((), report.notes, report.warnings)
    for step in report.waiting:
        say(f"Waits until {' and '.join(report.running)} of OBS has stopped: {step}")
    for error in report.errors:
        click.echo(f"Error: {error}", err=True)
