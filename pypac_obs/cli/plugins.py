# SPDX-License-Identifier: MIT
"""`pypac-obs plugins`: the filters, what each can be set to, and what others have installed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from pypac_obs import plugins
from pypac_obs.cli.console import column_table, make_console, plain, print_json, say
from pypac_obs.errors import InvalidValue, PypacError
from pypac_obs.profile.checks import describe, nearest
from pypac_obs.profile.filters import FilterInfo, FilterRule, ParamInfo, filter_infos
from pypac_obs.profile.latency import filter_latency
from pypac_obs.wording import milliseconds_text
from pypac_obs.working_folder import absolute

__all__ = ["command"]

_RATE = 48_000


@click.command("plugins")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(name: str | None, as_json: bool) -> None:
    """List the filters, and the plugins that are installed; or show what one can be set to.

    \b
      pypac-obs plugins               all of them
      pypac-obs plugins compressor    its parameters: units, ranges, defaults

    Latencies are those of the defaults at 48 kHz. No code of a plugin is loaded: what it can be set
    to shows once it runs.
    """
    if name is not None and name in filter_infos():
        _show_filter(filter_infos()[name], as_json=as_json)
        return
    installed = list(_installed())
    if name is None:
        _show_all(installed, as_json=as_json)
        return
    found = [one for one in installed if one.name == name]
    if not found:
        names = [*filter_infos(), *(one.name for one in installed)]
        meant = nearest(name, names)
        raise InvalidValue(
            f"there is no filter or plugin {describe(name)}",
            remedy=f"Did you mean {meant}?" if meant else "pypac-obs plugins lists all.",
        )
    if as_json:
        print_json({"plugins": [one.to_json() for one in found]})
        return
    for one in found:
        say(f"{one.name}: {one.words}")
    say("What it can be set to shows once it runs: pypac-obs get.")


@dataclass(frozen=True)
class InstalledPlugin:
    """A plugin of an installed package. Nothing of it has been imported."""

    name: str
    kind: str
    where: str
    trouble: str = ""

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"a {self.kind}, {self.trouble or self.where}"

    def to_json(self) -> dict[str, object]:
        """Gives plain values."""
        told: dict[str, object] = {
            "name": self.name,
            "kind": self.kind,
            "loads": self.where or None,
        }
        return told | ({"trouble": self.trouble} if self.trouble else {})


def _installed() -> Iterator[InstalledPlugin]:
    from pathlib import Path

    folder = absolute(Path())
    for kind in (plugins.SOURCES, plugins.FILTERS, plugins.OUTPUTS):
        for name in plugins.installed_plugins(kind):
            try:
                where = str(plugins.find_plugin(name, folder, kind))
            except PypacError as error:
                yield InstalledPlugin(name, kind.word, "", f"{error}. {error.remedy}")
            else:
                yield InstalledPlugin(name, kind.word, where)


def _latency_ms(info: FilterInfo) -> float | None:
    """With the defaults; what has to be given is 0, or a track."""
    given: dict[str, object] = {}
    for param in info.params:
        if param.default is None:
            given[param.id] = _any_value(param)
    rule = FilterRule(kind=info.kind, settings=given)
    frames = filter_latency(rule, _RATE, 2)
    return None if frames is None else frames * 1000 / _RATE


def _any_value(param: ParamInfo) -> object:
    if param.type in ("track", "tracks"):
        return "track"
    if param.type == "choice":
        return param.choices[0]
    return min(max(0.0, param.min), param.max)


def _show_all(installed: list[InstalledPlugin], *, as_json: bool) -> None:
    infos = filter_infos().values()
    if as_json:
        print_json(
            {
                "filters": [_filter_json(info) for info in infos],
                "plugins": [one.to_json() for one in installed],
            }
        )
        return
    console = make_console()
    table = column_table(("Filter", "Latency", "What it does"), right=("Latency",))
    for info in infos:
        table.add_row(plain(info.kind), plain(_latency_text(info)), plain(info.help))
    console.print(table)
    if not installed:
        say("No plugins of others are installed; docs/plugins.md says how to write one.")
        return
    table = column_table(("Plugin", "Kind", "A run loads"))
    for one in installed:
        table.add_row(plain(one.name), plain(one.kind), plain(one.trouble or one.where))
    console.print(table)


def _show_filter(info: FilterInfo, *, as_json: bool) -> None:
    if as_json:
        print_json(_filter_json(info))
        return
    say(f"{info.kind}: {info.help}")
    say(f"Latency: {_latency_text(info)} with the defaults at 48 kHz")
    table = column_table(("Parameter", "Unit", "Range", "Default", "Live", "What it does"))
    table.columns[0].no_wrap = True  # names are copied from here
    for param in info.params:
        table.add_row(
            plain(param.id),
            plain(param.unit),
            plain(_range_text(param)),
            plain(_default_text(param)),
            plain("yes" if param.live else "no"),
            plain(param.help),
        )
    make_console().print(table)
    if not all(param.live for param in info.params):
        say("A parameter that is not live takes a reload of the profile, and is faded in.")


def _filter_json(info: FilterInfo) -> dict[str, object]:
    return {
        "kind": info.kind,
        "help": info.help,
        "latency_ms": _latency_ms(info),
        "params": [
            {
                "id": param.id,
                "type": param.type,
                "unit": param.unit,
                **({"min": param.min, "max": param.max} if _is_number(param) else {}),
                "default": param.default,
                **({"choices": list(param.choices)} if param.choices else {}),
                "logarithmic": param.logarithmic,
                "live": param.live,
                "help": param.help,
            }
            for param in info.params
        ],
    }


def _is_number(param: ParamInfo) -> bool:
    return param.type in ("number", "integer")


def _latency_text(info: FilterInfo) -> str:
    latency_ms = _latency_ms(info)
    if latency_ms is None:
        return "?"
    return milliseconds_text(latency_ms) if latency_ms else "none"


def _range_text(param: ParamInfo) -> str:
    if _is_number(param):
        return f"{param.min:g} to {param.max:g}"
    if param.type == "boolean":
        return "true or false"
    if param.type == "choice":
        return ", ".join(param.choices)
    return "a track" if param.type == "track" else "tracks"


def _default_text(param: ParamInfo) -> str:
    default = param.default
    if default is None:
        return "to be given"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, tuple):
        return ", ".join(default) or "none"
    return default or "none"
