# SPDX-License-Identifier: MIT
"""How values of a session are written on the command line."""

from __future__ import annotations

import re

import click

__all__ = ["NegativeNumbersCommand", "as_step", "read_number", "value_from", "value_text"]

_SWITCH = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NEGATIVE = re.compile(r"-(\d|\.\d|inf)", re.ASCII)


class NegativeNumbersCommand(click.Command):
    """Takes -6 for a value, not for an option: ``set voice.gain_db -6``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Reads the arguments; negative numbers go to the end, behind ``--``."""
        if "--" not in args:
            valued = {
                name
                for param in self.params
                if isinstance(param, click.Option) and not param.is_flag
                for name in param.opts
            }
            values = [
                at
                for at, arg in enumerate(args)
                if _NEGATIVE.match(arg) and not (at and args[at - 1] in valued)
            ]
            rest = [arg for at, arg in enumerate(args) if at not in values]
            args = [*rest, "--", *(args[at] for at in values)]
        return super().parse_args(ctx, args)


def value_from(text: str, present: object) -> object:
    """Reads what a user has written for a place that has the value ``present`` now.

    What is of no use there is given as it was written: the session says what is valid.

    >>> value_from("-6", 0.0), value_from("off", True), value_from("loud", 0.0)
    (-6, False, 'loud')
    >>> value_from("game, music", []), value_from("", ["game"]), value_from("", "game")
    (['game', 'music'], [], None)
    """
    if isinstance(present, bool):
        return _SWITCH.get(text.casefold(), text)
    if isinstance(present, int | float):
        number = _number_in(text)
        return text if number is None else number
    if isinstance(present, list):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text or None


def value_text(value: object) -> str:
    """Writes a value as users read it.

    >>> value_text(-6.0), value_text(True), value_text(["game", "music"]), value_text(None)
    ('-6', 'on', 'game, music', 'none')
    """
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.10g}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def as_step(text: str) -> float | None:
    """Gives the step that +3 means; None for what is a value.

    >>> as_step("+3"), as_step("-6"), as_step("+much")
    (3, None, None)
    """
    return _number_in(text) if text.startswith("+") else None


def read_number(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """Reads a number for click, which gives None where there is none."""
    if text is None:
        return None
    number = _number_in(text)
    if number is None:
        raise click.BadParameter(f"expected a number such as 3 or -1.5, found {text!r}", ctx, param)
    return number


def _number_in(text: str) -> float | None:
    """A finite number; None for anything else, as for nan, which JSON does not have."""
    text = text.strip()
    if not _NUMBER.fullmatch(text) or abs(float(text)) == float("inf"):
        return None
    return int(text) if text.lstrip("+-").isdigit() and len(text) < 16 else float(text)
