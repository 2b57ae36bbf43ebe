# SPDX-License-Identifier: MIT
"""`pypac-obs obs import-filters`: an OBS source's filters in a profile's form."""

from __future__ import annotations

from pathlib import Path

import click
import yaml

from pypac_obs.cli.console import say
from pypac_obs.cli.obs import server_of
from pypac_obs.cli.track_words import no_track
from pypac_obs.obs.filter_import import ImportedFilter, as_yaml, import_filters, read_filters
from pypac_obs.profile import Profile, load_profile

__all__ = ["command"]


@click.command("import-filters")
@click.argument("source")
@click.option(
    "--profile", "profile_file", metavar="FILE", help="Check that the filters fit this profile."
)
@click.option("--track", metavar="NAME", help="Which of its tracks they are for.")
@click.option("--host", metavar="NAME", help="The computer that OBS runs on. [localhost]")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="The port of OBS's websocket server. [from OBS's settings, or 4455]",
)
def command(
    source: str,
    profile_file: str | None,
    track: str | None,
    host: str | None,
    port: int | None,
) -> None:
    """Print an OBS source's filters as the `filters` of a track.

    \b
      pypac-obs obs import-filters "Mic/Aux"

    OBS is only read, and no file is written: copy what is printed into your profile. What has no
    counterpart here is a comment. With --profile and --track it is checked first.
    """
    if (profile_file is None) != (track is None):
        raise click.UsageError("give both --profile and --track, or neither")
    rules = load_profile(profile_file) if profile_file is not None else None
    if rules is not None and track is not None and track not in rules.tracks:
        raise no_track(rules, track)
    with server_of(host, port, profile_file).connect() as obs:
        filters = import_filters(read_filters(obs, source))
    if rules is not None and track is not None:
        _check(rules, track, filters)
    click.echo(as_yaml(source, filters), nl=False)
    if rules is not None and track is not None:
        place = "in place of its `filters`" if rules.tracks[track].filters else "below it"
        where = f"{profile_file}:{_line_of(rules, track)}"
        say(f"# It fits. Put it into the track {track} ({where}), {place}.")


def _check(rules: Profile, track: str, filters: list[ImportedFilter]) -> None:
    """Raises ProfileError where the profile would be wrong with them."""
    written = rules.model_dump()
    written["tracks"][track]["filters"] = [one.written() for one in filters if one.kind]
    Profile.from_dict(written, name=rules.name, file=rules.file)


def _line_of(rules: Profile, track: str) -> int:
    """The line in which a track of a profile begins; the profile has been read already."""
    assert rules.file is not None
    root = yaml.compose(Path(rules.file).read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    for name in ("tracks", track):
        pairs = root.value if isinstance(root, yaml.MappingNode) else ()
        found = next((pair for pair in pairs if pair[0].value == name), None)
        if found is None:
            return 1
        key, root = found
    return int(key.start_mark.line) + 1
