# SPDX-License-Identifier: MIT
"""`pypac-obs get`: shows values of a running session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pypac_obs.cli.console import column_table, make_console, plain, print_json, say
from pypac_obs.cli.session_choice import connect_to_chosen, session_option
from pypac_obs.cli.value_words import value_text

__all__ = ["command"]

# Where a value comes from, in words.
_LAYERS = {"profile": "profile", "live": "set while it runs", "held": "held by a client"}


@click.command("get")
@click.argument("address", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@session_option
def command(address: str | None, as_json: bool, name: str | None) -> None:
    """Show a value of a running session, or all of them.

    With an ADDRESS, such as voice.gain_db, it prints the value alone.
    """
    with connect_to_chosen(name) as control:
        if address is not None:
            one = control.value(address)
            if as_json:
                print_json(one)
            else:
                say(value_text(one["value"]))
            return
        values = control.values()
    if as_json:
        print_json(values)
        return
    table = column_table(("Address", "Value", "Range", "From"))
    for where, one in values.items():
        layer = str(one.get("layer", ""))
        table.add_row(
            plain(where),
            plain(_with_unit(value_text(one["value"]), one)),
            plain(_range(one)),
            plain(_LAYERS.get(layer, layer), "dim" if layer == "profile" else ""),
        )
    make_console().print(table)


def _with_unit(text: str, one: Mapping[str, Any]) -> str:
    unit = one.get("unit")
    return f"{text} {unit}" if isinstance(unit, str) and unit else text


def _range(one: Mapping[str, Any]) -> str:
    if one.get("min") is None or one.get("max") is None:
        return ""
    return f"{value_text(one['min'])} to {value_text(one['max'])}"
