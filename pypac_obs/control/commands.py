# SPDX-License-Identifier: MIT
"""All commands, in one table: HTTP, WebSocket and the published descriptions are made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pypac_obs.control.controls import Controls
from pypac_obs.control.documents import State, Status
from pypac_obs.control.messages import (
    AddressArguments,
    AdjustArguments,
    Changes,
    FadeArguments,
    Faded,
    MarkArguments,
    MarkTaken,
    NoArguments,
    Nothing,
    ReloadArguments,
    SubscribeArguments,
    TrackArguments,
    ValueArguments,
    ValueRead,
    ValueSet,
)

__all__ = ["COMMANDS", "SUBSCRIBE", "Command", "Reads"]

Reads = dict[str, object]


@dataclass(frozen=True)
class Command:
    """One command: what it takes, what it gives, and what it does.

    ``run`` is given the session, the checked arguments and the origin; it may wait. ``path`` is its
    address over HTTP (POST where it changes something), "" where it is for WebSockets alone.
    ``slow`` ones read files and open devices.
    """

    name: str
    arguments: type[BaseModel]
    result: type[BaseModel]
    run: Callable[[Controls, Any, str], Reads]
    summary: str
    path: str = ""
    method: str = "POST"
    slow: bool = False


def _command(
    name: str,
    arguments: type[BaseModel],
    result: type[BaseModel],
    run: Callable[[Controls, Any, str], Reads],
    summary: str,
    *,
    slow: bool = False,
) -> Command:
    return Command(name, arguments, result, run, summary, f"/api/v1/{name}", slow=slow)


def _is_now(controls: Controls, address: str, value: object) -> Reads:
    return {"address": address, "value": value, "revision": controls.revision}


def _get(controls: Controls, asked: AddressArguments, origin: str) -> Reads:
    value = controls.get(asked.address)
    layer = controls.layer_of(asked.address)
    return {**_is_now(controls, asked.address, value), "layer": layer}


def _set(controls: Controls, asked: ValueArguments, origin: str) -> Reads:
    value = controls.set(asked.address, asked.value, origin=origin)
    return _is_now(controls, asked.address, value)


def _adjust(controls: Controls, asked: AdjustArguments, origin: str) -> Reads:
    value = controls.adjust(asked.address, asked.by, origin=origin)
    return _is_now(controls, asked.address, value)


def _toggle(controls: Controls, asked: AddressArguments, origin: str) -> Reads:
    value = controls.toggle(asked.address, origin=origin)
    return _is_now(controls, asked.address, value)


def _fade(controls: Controls, asked: FadeArguments, origin: str) -> Reads:
    controls.fade(asked.address, asked.value, asked.seconds, origin=origin)
    return {**_is_now(controls, asked.address, asked.value), "seconds": asked.seconds}


def _hold(controls: Controls, asked: ValueArguments, origin: str) -> Reads:
    value = controls.hold(asked.address, asked.value, client=origin)
    return _is_now(controls, asked.address, value)


def _release(controls: Controls, asked: AddressArguments, origin: str) -> Reads:
    value = controls.release(asked.address, client=origin)
    return _is_now(controls, asked.address, value)


def _reload(controls: Controls, asked: ReloadArguments, origin: str) -> Reads:
    if asked.plan:
        changes = controls.plan()
    else:
        changes = controls.reload(origin=origin, expect_revision=asked.expect_revision)
    return {"lines": list(changes.lines()), "revision": controls.revision}


def _undo(controls: Controls, asked: NoArguments, origin: str) -> Reads:
    changes = controls.undo(origin=origin)
    return {"lines": list(changes.lines()), "revision": controls.revision}


def _mark(controls: Controls, asked: MarkArguments, origin: str) -> Reads:
    taken = controls.mark(asked.text, asked.host_ns, origin=origin)
    return {
        "frame": taken.frame,
        "in_file": taken.in_file,
        "sample_rate": controls.sample_rate,
    }


def _reset_loudness(controls: Controls, asked: TrackArguments, origin: str) -> Reads:
    controls.reset_loudness(asked.track)
    return {}


def _stop(controls: Controls, asked: NoArguments, origin: str) -> Reads:
    controls.stop()
    return {}


def _state(controls: Controls, asked: NoArguments, origin: str) -> Reads:
    return controls.state()


def _status(controls: Controls, asked: NoArguments, origin: str) -> Reads:
    return controls.status().to_json()


def _subscribe(controls: Controls, asked: SubscribeArguments, origin: str) -> Reads:
    return {}


#: What a WebSocket is sent is its connection's own doing: the session has no part in it.
SUBSCRIBE = Command(
    "subscribe", SubscribeArguments, Nothing, _subscribe, "Choose what this WebSocket is sent"
)

_ALL = (
    Command(
        "status",
        NoArguments,
        Status,
        _status,
        "Every source, track and output now",
        "/api/v1/status",
        "GET",
    ),
    Command(
        "state",
        NoArguments,
        State,
        _state,
        "Everything that a client shows at first",
        "/api/v1/state",
        "GET",
    ),
    Command(
        "get",
        AddressArguments,
        ValueRead,
        _get,
        "One value, and where it comes from",
        "/api/v1/values/{address}",
        "GET",
    ),
    _command("set", ValueArguments, ValueSet, _set, "Set a value"),
    _command("adjust", AdjustArguments, ValueSet, _adjust, "Add to a number, within its range"),
    _command("toggle", AddressArguments, ValueSet, _toggle, "Turn a switch over"),
    _command("fade", FadeArguments, Faded, _fade, "Bring a number to a value over a time"),
    _command(
        "reload", ReloadArguments, Changes, _reload, "Follow the profile's file as it is", slow=True
    ),
    _command("undo", NoArguments, Changes, _undo, "Go back to the profile before", slow=True),
    _command("mark", MarkArguments, MarkTaken, _mark, "Mark a moment", slow=True),
    _command(
        "reset_loudness",
        TrackArguments,
        Nothing,
        _reset_loudness,
        "Begin integrated loudness, range and the highest loudness and true peak anew",
    ),
    _command("stop", NoArguments, Nothing, _stop, "End the session"),
    Command("hold", ValueArguments, ValueSet, _hold, "Have a value for as long as it is held"),
    Command("release", AddressArguments, ValueSet, _release, "Let go of a value that was held"),
    SUBSCRIBE,
)

#: By name, in the order of the documentation.
COMMANDS = {command.name: command for command in _ALL}
