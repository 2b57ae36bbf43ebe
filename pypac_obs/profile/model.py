# SPDX-License-Identifier: MIT
"""What a profile says, as frozen and typed values.

The names of the fields are those of the YAML keys, save two that Python does not allow:
``TrackRule.sends`` is the key ``from`` and ``ProcessSource.except_`` the key ``except``. A model
that is built directly raises pydantic's own ValidationError (a ValueError); ``load_profile``,
``parse_profile`` and ``Profile.from_dict`` raise ProfileError.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from pypac_obs.profile import references
from pypac_obs.profile.checks import (
    Between,
    Check,
    Many,
    OneOf,
    check_process,
    check_switch,
    describe,
    listed,
    nearest,
    problem,
)
from pypac_obs.profile.filters import PRESET, FilterForm, FilterRule, filter_names
from pypac_obs.profile.outputs import FilesRule, OutputRules
from pypac_obs.profile.plugin_rule import PluginSettings, Use
from pypac_obs.profile.rule import WRITTEN, Name, Rule, Text, check_named
from pypac_obs.profile.schema import schema_of

__all__ = [
    "ControlRule",
    "DeviceSource",
    "DropOut",
    "EverythingExceptSource",
    "FilesRule",
    "FilterRule",
    "OutputRules",
    "PluginSource",
    "ProcessRef",
    "ProcessSource",
    "Profile",
    "RingSettings",
    "Send",
    "SessionSettings",
    "SourceRule",
    "SyntheticSignal",
    "SyntheticSource",
    "SystemSource",
    "TrackRule",
]

#: In both chains of a track together: the engine takes as many.
MOST_FILTERS = references.MOST_FILTERS

Process = Annotated[
    str | int,
    Check(
        check_process,
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 1}]},
    ),
]


# Session ---------------------------------------------------------------------------------------


class RingSettings(Rule):
    """How much audio the buffers between threads hold before frames are lost, and counted."""

    capture_ms: Annotated[int, Between(100, 10_000)] = 500
    """Between a source's capture and the mixer, in milliseconds."""
    output_ms: Annotated[int, Between(250, 60_000)] = 4000
    """Between the mixer and each output, in milliseconds: how long a disk may stall."""


class SessionSettings(Rule):
    """What all tracks of a session share."""

    sample_rate: Annotated[int, Between(8000, 192_000)] = 48_000
    """Frames per second of every track, in Hz. Sources at another rate are converted."""
    latency_ms: Annotated[float, Between(5, 2000)] = 40.0
    """How long the mixer waits for late packets, in milliseconds. What is later is a gap."""
    filter_headroom_ms: Annotated[float, Between(0, 500)] = 0.0
    """By how much all tracks are delayed beyond the longest chain of filters, in milliseconds: how
    much latency filters can have that come while the session runs."""
    rings: RingSettings = RingSettings()
    """The lengths of the buffers between threads."""


# Control ---------------------------------------------------------------------------------------


class ControlRule(Rule):
    """Whether and where other programs of this computer can change a running session."""

    enabled: Annotated[bool, Check(check_switch)] = True
    """Whether the session can be changed from outside: by commands, pages and other programs."""
    port: Annotated[int, Between(1024, 65_535)] = 14_700
    """The TCP port on 127.0.0.1; where it is taken, the next free one after it."""
    remember: Annotated[bool, Check(check_switch)] = False
    """Whether values that were set while it runs are kept for the next run of this file."""


# Sources ---------------------------------------------------------------------------------------


class ProcessSource(Rule):
    """Captures the programs that match, and nothing else."""

    kind: ClassVar[str] = "process"

    process: Annotated[tuple[Process, ...], Many()]
    """Program names, patterns (* and ?) and PIDs; one alone needs no list."""
    except_: Annotated[tuple[Process, ...], Many(least=0)] = Field(
        default=(), validation_alias="except", serialization_alias="except"
    )
    """Programs that stay out although `process` matches them."""
    pick: Annotated[Literal["all", "first", "newest"], OneOf()] = "all"
    """Which of the running programs that match: all, the first of the list, or the newest."""


class ProcessRef(Rule):
    """Names programs where they are needed, without a source of their own."""

    process: Annotated[tuple[Process, ...], Many()]
    """Program names, patterns (* and ?) and PIDs; one alone needs no list."""


def _read_exclusion(value: Any) -> Any:
    if isinstance(value, str | ProcessRef):
        return value
    if isinstance(value, Mapping):
        return ProcessRef.model_validate(dict(value), context=WRITTEN)
    raise problem("the name of a process source, or {process: ...}", describe(value))


class EverythingExceptSource(Rule):
    """Captures every program except those named, also while they are not running."""

    kind: ClassVar[str] = "everything_except"

    everything_except: Annotated[
        tuple[Annotated[str | ProcessRef, Check(_read_exclusion)], ...], Many()
    ]
    """Names of process sources, or {process: ...} for programs that have no source."""


class DeviceSource(Rule):
    """Captures an input device, such as a microphone."""

    kind: ClassVar[str] = "device"

    device: Text
    """`default`, or the name of an input device, or a pattern (* and ?) of it."""
    channels: Annotated[tuple[Annotated[int, Between(1, 64)], ...], Many(least=0, most=2)] = ()
    """Which of its inputs, from 1: one for both sides, or two for left and right. Left out: all,
    or the first where they have no place in the room (AUX), as on interfaces."""


class SystemSource(Rule):
    """Captures everything that the computer plays."""

    kind: ClassVar[str] = "system"

    system: Annotated[Literal[True], OneOf()]
    """Always true."""


class DropOut(Rule):
    """A hole in a synthetic source."""

    at_s: Annotated[float, Between(0, 604_800)]
    """When it starts, in seconds from the start of the source."""
    length_ms: Annotated[float, Between(0.01, 3_600_000)]
    """How long it lasts, in milliseconds."""


class SyntheticSignal(Rule):
    """A signal that is computed, and how badly its device behaves."""

    kind: Annotated[Literal["tone", "noise", "numbered", "silence"], OneOf()]
    """A sine tone, white noise, samples that carry their own frame's number, or silence."""
    frequency_hz: Annotated[float, Between(1, 96_000)] = 440.0
    """The tone's frequency in Hz, below half of the session's sample rate."""
    level_dbfs: Annotated[float, Between(-120, 0)] = -12.0
    """The peak level of tone and noise in dBFS."""
    seed: Annotated[int, Between(0, 2**32 - 1)] = 0
    """Equal seeds give equal noise, jitter and numbers."""
    skew_ppm: Annotated[float, Between(-1000, 1000)] = 0.0
    """How much faster than nominal its clock runs, in parts per million."""
    jitter_ms: Annotated[float, Between(0, 1000)] = 0.0
    """The largest random delay of a packet, in milliseconds."""
    dropouts: Annotated[tuple[DropOut, ...], Many(or_one=False, least=0, most=1000)] = ()
    """Holes in the signal."""
    quantum: Annotated[int, Between(16, 8192)] = 480
    """The frames in a packet."""


class SyntheticSource(Rule):
    """Computes its signal: for tests and for trying things out."""

    kind: ClassVar[str] = "synthetic"

    synthetic: SyntheticSignal
    """The signal."""


class PluginSource(Rule):
    """Reads frames from a source that somebody else wrote in Python. A run loads its code."""

    kind: ClassVar[str] = "use"

    use: Use
    """Which one: the name of an installed plugin, module:Class or file.py:Class."""
    settings: PluginSettings = Field(default_factory=dict)
    """What its class is called with."""


AnySource = (
    ProcessSource
    | EverythingExceptSource
    | DeviceSource
    | SystemSource
    | SyntheticSource
    | PluginSource
)
SOURCES: dict[str, type[AnySource]] = {
    "process": ProcessSource,
    "everything_except": EverythingExceptSource,
    "device": DeviceSource,
    "system": SystemSource,
    "synthetic": SyntheticSource,
    "use": PluginSource,
}


def _read_source(value: Any) -> Any:
    """Picks the model by the one key that names the kind, so that errors are about that kind."""
    if isinstance(value, tuple(SOURCES.values())):
        return value
    if not isinstance(value, Mapping):
        raise problem(f"a mapping with one of {listed(SOURCES)}", describe(value))
    kinds = [kind for kind in SOURCES if kind in value]
    if len(kinds) == 1:
        return SOURCES[kinds[0]].model_validate(dict(value), context=WRITTEN)
    if kinds:
        raise problem(f"only one of {listed(SOURCES)}", describe({k: value[k] for k in kinds}))
    for key in value:
        if nearest(str(key), SOURCES):
            fault = problem(f"one of {listed(SOURCES)}", describe(key), SOURCES, str(key))
            details = InitErrorDetails(type=fault, loc=(str(key), "[key]"), input=value)
            raise ValidationError.from_exception_data("source", [details])
    raise problem(f"a mapping with one of {listed(SOURCES)}", describe(value))


SourceRule = Annotated[AnySource, Check(_read_source)]


# Tracks ----------------------------------------------------------------------------------------


class Send(Rule):
    """A source that goes into a track, with a gain."""

    source: Text
    """The name of the source."""
    gain_db: Annotated[float, Between(-120, 40)] = 0.0
    """How much louder it becomes on its way, in dB."""


def _read_send(value: Any) -> Any:
    if isinstance(value, str):
        return {"source": value}
    if isinstance(value, Mapping | Send):
        return value
    raise problem("the name of a source, or {source: name, gain_db: x}", describe(value))


def _one_preset(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Filters = Annotated[
    tuple[Annotated[FilterRule, FilterForm()], ...],
    Many(or_one=False, least=0, most=MOST_FILTERS),
    Check(_one_preset, short={"type": "string"}),
]


class TrackRule(Rule):
    """A named mix of sources, with a chain of filters."""

    sends: Annotated[
        tuple[Annotated[Send, Check(_read_send, short={"type": "string"})], ...], Many()
    ] = Field(validation_alias="from", serialization_alias="from")
    """What goes into the track: a source's name, {source: name, gain_db: x}, or a list of them."""
    filters: Filters = ()
    """Filters in the order in which the audio passes them; or a preset's name, also among them."""
    compare: Filters | None = None
    """Chain B: other filters to compare with `filters`, in the same form; [] is the dry sound."""
    chain: Annotated[Literal["a", "b"], OneOf()] = "a"
    """Which chain is heard where there is `compare`: a is `filters`, b is `compare`."""
    gain_db: Annotated[float, Between(-120, 40)] = 0.0
    """The track's fader, behind its filters, in dB."""
    mute: Annotated[bool, Check(check_switch)] = False
    """Whether the track is silent; every output has its silence."""
    channels: Annotated[Literal[1, 2], OneOf()] = 2
    """1 is mono, 2 is stereo."""

    def named_filters(self) -> list[tuple[str, FilterRule]]:
        """The filters of both chains, each with its name in addresses: a, then b."""
        filters = (*self.filters, *(self.compare or ()))
        names = filter_names([(one.kind, one.name) for one in filters])
        return list(zip(names, filters, strict=True))

    def bypasses(self) -> dict[str, bool]:
        """By name, which filters the audio goes by: all of the chain that is not heard, too."""
        count = len(self.filters)
        return {
            name: one.bypass or (index >= count) != (self.chain == "b")
            for index, (name, one) in enumerate(self.named_filters())
        }


def _check_presets(value: Any) -> Any:
    return check_named(value, "preset", least=0)


Presets = Annotated[
    dict[
        Name,
        Annotated[
            tuple[Annotated[FilterRule, FilterForm(presets=False)], ...],
            Many(or_one=False, least=0, most=MOST_FILTERS),
        ],
    ],
    Check(_check_presets),
]


# Profile ---------------------------------------------------------------------------------------


class Profile(Rule):
    """What to capture, how to mix it into tracks, and where to send them.

    >>> profile = Profile.from_dict({
    ...     "version": 1,
    ...     "sources": {"game": {"process": "game.exe"}},
    ...     "tracks": {"game": {"from": "game"}},
    ... })
    >>> profile.tracks["game"].sends[0].source
    'game'

    Two profiles are equal if they say the same and bear the same name.
    """

    version: Annotated[Literal[1], OneOf()]
    """The version of the profile's format: 1."""
    session: SessionSettings = SessionSettings()
    """What all tracks share: sample rate, latency, lengths of buffers."""
    sources: Annotated[
        dict[Name, SourceRule],
        Check(lambda value: check_named(value, "source"), {"minProperties": 1}),
    ]
    """What is captured, each under a name of your choice."""
    presets: Presets = Field(default_factory=dict)
    """Lists of filters, each under a name of your choice, for the `filters` of tracks."""
    tracks: Annotated[
        dict[Name, TrackRule],
        Check(lambda value: check_named(value, "track"), {"minProperties": 1}),
    ]
    """What is recorded, each under a name of your choice."""
    outputs: OutputRules = OutputRules()
    """Where the tracks go. Without any, only Python code gets the audio."""
    control: ControlRule = ControlRule()
    """How other programs of this computer change the session while it runs."""

    _file: Path | None = PrivateAttr(default=None)
    _name: str = PrivateAttr(default="profile")

    @classmethod
    def from_yaml(cls, path: str | Path) -> Profile:
        """Reads a profile from a YAML file; the same as ``load_profile``."""
        from pypac_obs.profile.loader import load_profile  # the loader needs this module

        return load_profile(path)

    @classmethod
    def from_dict(
        cls, data: Mapping[str, Any], *, name: str = "profile", file: Path | None = None
    ) -> Profile:
        """Builds a profile from Python objects in the form of the YAML; raises ProfileError.

        ``name`` fills ``{profile}`` in paths; ``file`` is what ``Profile.file`` shall say. What
        ``model_dump`` returns is accepted.
        """
        from pypac_obs.profile.loader import build_profile  # the loader needs this module

        return build_profile(data, name=name, file=file)

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema (2020-12) of the YAML file, for editors."""
        return schema_of(cls)

    @property
    def file(self) -> Path | None:
        """The file that the profile was read from, if any."""
        return self._file

    @property
    def folder(self) -> Path:
        """Where relative paths of plugins count from: the file's folder, else the working one."""
        return self._file.parent if self._file is not None else Path()

    @property
    def name(self) -> str:
        """The file's name without its ending, or "profile"."""
        return self._name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed but seldom meant, one sentence each."""
        return tuple(references.warnings(self.model_dump()))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Profile):
            return NotImplemented
        return self.name == other.name and self.model_dump() == other.model_dump()

    @model_validator(mode="after")
    def _names_lead_somewhere(self) -> Self:
        for found in references.problems(self.model_dump()):
            raise PydanticCustomError(references.PROBLEM, "{text}", {"text": str(found)})
        tracks = {name: self._with_presets(track) for name, track in self.tracks.items()}
        object.__setattr__(self, "tracks", tracks)
        return self

    def _with_presets(self, track: TrackRule) -> TrackRule:
        """Puts the filters of presets where their names stand."""

        def whole(filters: tuple[FilterRule, ...]) -> tuple[FilterRule, ...]:
            parts = (
                self.presets[str(one.use)] if one.kind == PRESET else (one,) for one in filters
            )
            return tuple(one for part in parts for one in part)

        if not any(one.kind == PRESET for one in (*track.filters, *(track.compare or ()))):
            return track
        compare = None if track.compare is None else whole(track.compare)
        return track.model_copy(update={"filters": whole(track.filters), "compare": compare})
