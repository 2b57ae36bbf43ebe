# SPDX-License-Identifier: MIT
"""Says what sources take, or leave out, that a user may not expect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pypac_obs.log import keep_out
from pypac_obs.profile.model import AnySource, SystemSource

if TYPE_CHECKING:  # where the core cannot be loaded, commands have to say so
    from pypac_obs import _core

__all__ = ["binding_notes"]


def binding_notes(
    bound: Mapping[str, _core.CaptureStatus], rules: Mapping[str, AnySource]
) -> list[str]:
    """Gives a sentence for each surprise in what the sources of a profile are bound to.

    ``bound`` and ``rules`` are by the names of the sources. The surprises: a program that only
    calls itself what a source names, one that is taken because the named program has started it,
    one whose identity is not known, and one that two sources have.
    """
    notes = [note for name, status in bound.items() for note in _notes_of(name, status)]
    notes += _shared({name: bound[name] for name in bound if _takes_a_part(rules[name])})
    return list(dict.fromkeys(notes))


def _takes_a_part(rule: AnySource) -> bool:
    """The whole system has what others have: that is what it is for."""
    return not isinstance(rule, SystemSource)


def _notes_of(name: str, status: _core.CaptureStatus) -> Iterator[str]:
    for stream in status.streams:
        program = _named(stream)
        _keep_title_out(stream)
        remedy = f"To keep it out, add `except: [{_quoted(stream.program)}]` to {name}."
        if stream.claim:
            yield (
                f'Source {name} takes {program} only because it calls itself "{stream.claim}", '
                f"as other programs do. {remedy}"
            )
        elif stream.ancestor:
            yield (
                f"Source {name} takes {program} only because {stream.ancestor} has started it. "
                f"{remedy}"
            )
    for left_out in status.left_out:
        _keep_title_out(left_out)
        if left_out.claim:
            yield (
                f'Source {name} leaves out {_named(left_out)} only because it calls itself "'
                f'{left_out.claim}", as other programs do. To have it, name it in a source of its '
                "own."
            )
        else:
            yield (
                f"Source {name} leaves out {_named(left_out)}: nobody tells which program it is."
            )


def _keep_title_out(stream: _core.BoundStream | _core.LeftOut) -> None:
    """The claim may be the title of a window, which is nobody's business in a log."""
    if stream.claim and stream.claim.casefold() not in stream.program.casefold():
        keep_out(stream.claim)


def _shared(bound: Mapping[str, _core.CaptureStatus]) -> Iterator[str]:
    takers: dict[int, list[str]] = {}
    programs: dict[int, str] = {}
    for name, status in bound.items():
        for stream in status.streams:
            takers.setdefault(stream.serial, []).append(name)
            programs[stream.serial] = _named(stream)
    for serial, names in takers.items():
        if len(names) > 1:
            program = programs[serial]
            yield f"Sources {_listed(names)} each take {program}: its sound is in all of them."


def _named(program: _core.BoundStream | _core.LeftOut) -> str:
    name = program.program or "an unknown program"
    return f"{name} (PID {program.pid})" if program.pid else name


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + f" and {names[-1]}"


def _quoted(name: str) -> str:
    plain = name.replace("-", "").replace("_", "").replace(".", "")
    return name if plain.isalnum() and not plain.isdigit() else f"'{name}'"
