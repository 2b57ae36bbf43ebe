# SPDX-License-Identifier: MIT
"""`pypac-obs obs plan`: what `run` and `obs apply` would change in OBS."""

from __future__ import annotations

import click

from pypac_obs.cli.console import print_json, say
from pypac_obs.cli.obs import connect
from pypac_obs.obs.provisioning.plan import Plan
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.provisioning.step import Step, When
from pypac_obs.profile import load_profile

__all__ = ["command", "print_steps", "say_remarks"]


@click.command("plan")
@click.argument("profile")
@click.option("--json", "as_json", is_flag=True, help="The plan as one JSON object.")
def command(profile: str, as_json: bool) -> None:
    """Print what of OBS is not as the profile says: + is made, ~ changed, - removed.

    Nothing is changed. What the profile leaves out is no part of it.
    """
    rules = load_profile(profile)
    provisioner = Provisioner(rules, rules.name)
    with connect(provisioner.rule) as obs:
        plan = provisioner.plan(obs)
    if as_json:
        print_json(plan.to_json())
        return
    _print(plan)


def _print(plan: Plan) -> None:
    if plan.empty:
        say("nothing to change")
    print_steps(plan.steps)
    say_remarks(plan.conflicts, plan.notes, plan.warnings)
    waiting = [step for step in plan.steps if plan.waits(step)]
    if waiting:
        say(f"{' and '.join(plan.running)} of OBS runs, so {len(waiting)} of these have to wait.")


def print_steps(steps: tuple[Step, ...]) -> None:
    """Prints steps, each with its changes below it."""
    for step in steps:
        when = "" if step.when is When.NOW else f"   [{step.when.value}]"
        say(f"{step.sign} {step.subject}{when}")
        for change in step.changes:
            say(f"    {change}")


def say_remarks(
    conflicts: tuple[str, ...], notes: tuple[str, ...], warnings: tuple[str, ...]
) -> None:
    """Prints what is in the way, worth knowing, and seldom meant."""
    for text in conflicts:
        say(f"Conflict: {text}")
    for text in notes:
        say(f"Note: {text}")
    for text in warnings:
        say(f"Warning: {text}")
