# SPDX-License-Identifier: MIT
"""What clients send and get, as models: requests are checked by them, descriptions made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pypac_obs.session_registry import LONGEST_TEXT

__all__ = [
    "AddressArguments",
    "AdjustArguments",
    "AuthMessage",
    "Changes",
    "ErrorBody",
    "ErrorDetails",
    "EventMessage",
    "FadeArguments",
    "Faded",
    "MarkArguments",
    "MarkTaken",
    "MetersMessage",
    "Model",
    "NoArguments",
    "Nothing",
    "PatchMessage",
    "ReloadArguments",
    "ReplyMessage",
    "RequestMessage",
    "SubscribeArguments",
    "TrackArguments",
    "ValueArguments",
    "ValueRead",
    "ValueSet",
    "WelcomeMessage",
]

Address = Annotated[
    str, Field(min_length=1, max_length=1000, description="such as voice.gain_db or voice.mute")
]
Value = bool | int | float | str | list[str] | None
Layer = Literal["profile", "live", "held"]
Revision = Annotated[int, Field(description="counts the changes of values and of the profile")]
Origin = Annotated[str, Field(description="the client that did it")]


class Model(BaseModel):
    """Keys that are not named here are errors, and so are numbers written as text."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class NoArguments(Model):
    """Nothing more is to be said."""


class Nothing(Model):
    """It is done."""


class AddressArguments(Model):
    """Which value."""

    address: Address


class ValueArguments(Model):
    """Which value, and what it becomes."""

    address: Address
    value: Value


class AdjustArguments(Model):
    """Which number, and how much is added to it."""

    address: Address
    by: float


class FadeArguments(Model):
    """Which number, what it becomes, and in what time."""

    address: Address
    value: Value
    seconds: Annotated[float, Field(ge=0, le=3600)]


class ReloadArguments(Model):
    """Whether to look only, and on which revision the profile's file is based."""

    plan: Annotated[bool, Field(description="only tell what would change")] = False
    expect_revision: Annotated[
        int | None, Field(ge=0, description="refuse where somebody else changed something since")
    ] = None


class MarkArguments(Model):
    """A mark: what it says, and which moment it is for."""

    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
    host_ns: Annotated[
        int | None, Field(ge=0, lt=2**63, description="of the system's monotonic clock; null: now")
    ] = None


class TrackArguments(Model):
    """Which track."""

    track: Annotated[
        str | None, Field(min_length=1, max_length=1000, description="null: all of them")
    ] = None


class MetersWanted(Model):
    """How often levels are sent."""

    hz: Annotated[float, Field(ge=1, le=30)]


class SubscribeArguments(Model):
    """What is sent from now on, in place of what was sent before."""

    events: bool = False
    meters: MetersWanted | None = None


class ValueSet(Model):
    """What is heard now."""

    address: Address
    value: Value
    revision: Revision


class ValueRead(ValueSet):
    """What is heard now, and where it comes from."""

    layer: Layer


class Faded(ValueSet):
    """Where the fade leads; it has begun."""

    seconds: float


class Changes(Model):
    """What has changed, or would: + comes, - goes, ~ changes, ! takes a restart."""

    lines: list[str]
    revision: Revision


class MarkTaken(Model):
    """Where the mark lies on the timeline, and whether a file keeps it."""

    frame: int
    in_file: bool
    sample_rate: int


class ErrorDetails(Model):
    """What is wrong, and what can be done; ``problems`` are those of a profile or of keys."""

    kind: str
    message: str
    remedy: str
    problems: list[str]


class ErrorBody(Model):
    """An error over HTTP."""

    error: ErrorDetails


# What goes over a WebSocket beside results.


class AuthMessage(Model):
    """A client's first message, within 5 s."""

    type: Literal["auth"]
    token: Annotated[str, Field(max_length=200)]
    client: Annotated[str, Field(max_length=40, pattern=r"^[ -~]*$")] = "client"


class WelcomeMessage(Model):
    """The client's own name, which is the origin of what it does."""

    type: Literal["welcome"]
    client: str


class RequestMessage(Model):
    """One command; its other keys are those of the command."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    type: Literal["request"]
    id: Annotated[Any, Field(description="comes back with the reply")] = None
    command: Annotated[str, Field(max_length=40)]


class ReplyMessage(Model):
    """What came of a request: ``result``, or ``error`` where ``ok`` is false."""

    type: Literal["reply"]
    id: Any
    ok: bool
    result: dict[str, Any] | None = None
    error: ErrorDetails | None = None


class PatchMessage(Model):
    """Values that have changed. A client ignores those whose origin is its own name."""

    type: Literal["patch"]
    number: int
    revision: Revision
    origin: Origin
    layer: Layer
    values: dict[str, Value]


class EventMessage(Model):
    """Something that happened; ``number`` counts events and patches, so a gap tells of some that
    were dropped."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    type: Literal["event"]
    event: str
    number: int
    host_ns: int


class MetersMessage(Model):
    """Whose levels the binary frames that follow have, in their order: sources, tracks, filters."""

    type: Literal["meters"]
    sources: list[str]
    tracks: list[str]
    filters: Annotated[
        list[str], Field(description="that make a track quieter, such as voice.filter.compressor")
    ]
