# SPDX-License-Identifier: MIT
"""`pypac-obs record`: records programs without a profile."""

from __future__ import annotations

import click

from pypac_obs.cli import DONE, FAILED
from pypac_obs.cli.detached_output import detached_output
from pypac_obs.cli.durations import duration_option
from pypac_obs.cli.run import warnings_of_folder
from pypac_obs.cli.running import run_session
from pypac_obs.cli.session_log import log_level_option
from pypac_obs.errors import ProfileError
from pypac_obs.profile import Profile
from pypac_obs.recorder import profile_for_programs
from pypac_obs.session import Session
from pypac_obs.undecoded import readable, with_variables

__all__ = ["command"]

_DEFAULT_FOLDER = "~/Recordings/{date} {time}"


@click.command("record")
@click.argument("programs", nargs=-1, required=True, metavar="NAME-OR-PID...")
@duration_option
@click.option(
    "--out",
    "folder",
    metavar="FOLDER",
    default=_DEFAULT_FOLDER,
    show_default=True,
    help="Where the files go; {date} and {time} are filled in.",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["wav", "flac"]),
    default="wav",
    show_default=True,
    help="32-bit float WAV, or 24-bit FLAC.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="One line of JSON a second, and the summary at the end."
)
@log_level_option
def command(
    programs: tuple[str, ...],
    duration: float | None,
    folder: str,
    file_format: str,
    as_json: bool,
    log_level: str,
) -> int:
    """Record programs into a file each, all on one timeline.

    A program is a name (Discord), a pattern ("steam_app_*") or a PID; PID 0 is the whole system.
    One that is not running is no error: its track is silence until it starts.
    """
    # As the capture and `ps` write a name whose bytes are no text.
    names = tuple(map(readable, programs))
    profile = _profile(names, with_variables(folder), file_format)
    with detached_output():
        for warning in (*profile.warnings, *warnings_of_folder(profile)):
            click.echo(f"Warning: {warning}", err=True)
        session = Session(profile, duration_s=duration, name="record")
        summary = run_session(session, as_json=as_json, log_level=log_level)
    return FAILED if summary.failures else DONE


def _profile(programs: tuple[str, ...], folder: str, file_format: str) -> Profile:
    wanted = [int(name) if name.isascii() and name.isdigit() else name for name in programs]
    try:
        return profile_for_programs(wanted, files={"folder": folder, "format": file_format})
    except ProfileError as error:
        # There is no profile to correct: what is wrong stands on the command line.
        mistakes = [f"expected {m.expected}, found {m.found}" for m in error.mistakes]
        raise click.UsageError("; ".join(mistakes)) from None
