# SPDX-License-Identifier: MIT
"""`pypac-obs obs restore`: puts back what was in OBS before."""

from __future__ import annotations

import click

from pypac_obs.cli import DONE, FAILED
from pypac_obs.cli.console import say
from pypac_obs.cli.obs import connect
from pypac_obs.cli.obs_apply import print_report
from pypac_obs.errors import ObsError
from pypac_obs.obs.provisioning.identity import identity_of
from pypac_obs.obs.provisioning.journal import Journal, journals
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.obs.provisioning.restore import restore
from pypac_obs.profile import load_profile
from pypac_obs.session_registry import running_sessions

__all__ = ["command"]


@click.command("restore")
@click.argument("profile", required=False)
@click.option("--forget", is_flag=True, help="Give up for good what cannot be put back.")
def command(profile: str | None, forget: bool) -> int:
    """Put back what was in OBS before PROFILE was applied; without it, before any was.

    Removes the inputs, the scene, the OBS profile and the scene collection that were made for the
    profile, and nothing else. What cannot be put back, as it was renamed or deleted in OBS, is
    said, and stays noted for the next time; the exit code is 1 then.
    """
    complete = True
    if profile is not None:
        rules = load_profile(profile)
        provisioner = Provisioner(rules, rules.name)
        with connect(provisioner.rule) as obs:
            identity = identity_of(obs)
            _refuse_while_running(Journal.of(identity, rules.name), identity)
            report = provisioner.restore(obs, forget=forget)
        print_report(report, nothing="nothing to put back")
        complete = report.complete
    else:
        with connect(None) as obs:
            identity = identity_of(obs)
            found = journals(identity)
            if not found:
                say("nothing to put back")
            for journal in found:
                _refuse_while_running(journal, identity)
            for journal in found:
                report = restore(obs, journal, forget=forget)
                print_report(report, nothing="nothing to put back")
                complete = complete and report.complete
    if not complete:
        say(
            "What was not put back stays noted. If you have deleted it: "
            "`pypac-obs obs restore --forget`."
        )
    return DONE if complete else FAILED


def _refuse_while_running(journal: Journal, identity: str) -> None:
    """A session that runs would make again what is put back."""
    for session in running_sessions():
        if Journal.of(identity, session.name).path == journal.path:
            raise ObsError(
                f"the session {session.name} runs, and keeps OBS as its profile says",
                remedy=f"End it (process {session.pid}), then try again.",
            )
