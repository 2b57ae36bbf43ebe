# SPDX-License-Identifier: MIT
"""Filters in a profile, as the descriptors of the native filters describe them.

A filter is written ``{kind: {setting: value}}``. Beside its own settings each may have a ``name``,
by which it is addressed while the session runs, and ``bypass``. One that somebody else wrote in
Python is written ``{plugin: {use: ..., settings: {setting: value}}}``: what it has to set is known
when its code runs, so only then. Text in the place of a filter is the name of a preset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    TypeAdapter,
    ValidationError,
    create_model,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError

from pypac_obs.profile.checks import (
    Between,
    Check,
    Many,
    OneOf,
    check_switch,
    check_text,
    describe,
    listed,
    problem,
)
from pypac_obs.profile.plugin_rule import PluginSettings, Use
from pypac_obs.profile.rule import Name, Rule, Text
from pypac_obs.profile.schema import FILTER

if TYPE_CHECKING:
    from pypac_obs import _core

__all__ = [
    "PLUGIN",
    "PRESET",
    "FilterForm",
    "FilterInfo",
    "FilterRule",
    "ParamInfo",
    "filter_infos",
    "filter_names",
    "info_of",
    "key_settings",
    "note_plugin",
    "parameters_model",
]

#: The kind of filters that somebody else wrote.
PLUGIN = "plugin"

#: The kind of what stands for a preset's filters, until a profile puts these in its place.
PRESET = "preset"

#: What every filter may have behind its own settings.
_OF_ALL: dict[str, tuple[Any, Any]] = {
    "name": (
        Name | None,
        Field(default=None, description="How it is called in addresses; else by its kind."),
    ),
    "bypass": (
        Annotated[bool, Check(check_switch)],
        Field(default=False, description="Whether the audio goes by it, as late as through it."),
    ),
}


@dataclass(frozen=True)
class ParamInfo:
    """One parameter of a filter, as its native descriptor has it.

    ``type`` is number, integer, boolean, choice, track or tracks; ``default`` is None where it has
    to be given. A value that is not ``live`` takes another filter, which is faded in.
    """

    id: str
    type: str
    unit: str
    min: float
    max: float
    default: float | bool | str | tuple[str, ...] | None
    logarithmic: bool
    choices: tuple[str, ...]
    live: bool
    help: str


@dataclass(frozen=True)
class FilterInfo:
    """A kind of filter, as its native descriptor has it."""

    kind: str
    help: str
    params: tuple[ParamInfo, ...]


@cache
def filter_infos() -> Mapping[str, FilterInfo]:
    """The descriptors of all filters, by kind."""
    from pypac_obs import _core  # a profile without filters is read without the core

    return {info.kind: _info_of(info) for info in _core.filter_infos()}


# By `FilterRule.identity`: plugins that have run here have said what they can be set to.
_plugin_infos: dict[str, FilterInfo] = {}


def note_plugin(identity: str, info: FilterInfo) -> None:
    """Notes what a filter that is a plugin can be set to: from now on its values are checked."""
    _plugin_infos[identity] = info


def info_of(identity: str) -> FilterInfo | None:
    """The descriptor of a filter, by `FilterRule.identity`; None: a plugin that has not run yet."""
    return _plugin_infos.get(identity) or filter_infos().get(identity)


def _info_of(native: _core.PluginInfo) -> FilterInfo:
    # Copies: what is native must not outlive the core at the interpreter's end.
    params = (
        ParamInfo(
            id=one.id,
            type=one.type,
            unit=one.unit,
            min=one.min,
            max=one.max,
            default=tuple(one.default) if isinstance(one.default, list) else one.default,
            logarithmic=one.logarithmic,
            choices=tuple(one.choices),
            live=one.live,
            help=one.help,
        )
        for one in native.params
    )
    return FilterInfo(native.kind, native.help, tuple(params))


class PluginFilter(Rule):
    """A filter that somebody else wrote in Python, in a process of its own that a run starts."""

    use: Use
    """Which one: the name of an installed plugin, module:Class or file.py:Class."""
    settings: PluginSettings = Field(default_factory=dict)
    """Its parameters. What is to be set while it runs has to be there."""
    name: Name | None = _OF_ALL["name"][1]
    bypass: Annotated[bool, Check(check_switch)] = _OF_ALL["bypass"][1]


@cache
def settings_model(kind: str) -> type[Rule]:
    """The model of a filter's settings, made from its descriptor."""
    return PluginFilter if kind == PLUGIN else _model_of(filter_infos()[kind], _OF_ALL)


def parameters_model(info: FilterInfo) -> type[Rule]:
    """The model of a filter's own parameters alone."""
    return _model_of(info, {})


def _model_of(info: FilterInfo, more: Mapping[str, tuple[Any, Any]]) -> type[Rule]:
    fields: dict[str, Any] = {**{param.id: _field(param) for param in info.params}, **more}
    model: type[Rule] = create_model(info.kind, __base__=Rule, **fields)
    model.__doc__ = info.help
    return model


def _kinds() -> tuple[str, ...]:
    return (*filter_infos(), PLUGIN)


def _field(param: ParamInfo) -> tuple[Any, Any]:
    form: Any
    if param.type == "number":
        form = Annotated[float, Between(param.min, param.max)]
    elif param.type == "integer":
        form = Annotated[int, Between(int(param.min), int(param.max))]
    elif param.type == "boolean":
        form = Annotated[bool, Check(check_switch)]
    elif param.type == "choice":
        form = Annotated[Literal[param.choices], OneOf()]
    elif param.type == "track":
        form = Text | None
    else:
        # One that needs a key is of no use without.
        least = 1 if param.default is None else 0
        form = Annotated[tuple[Text, ...], Many(least=least, most=16)]
    default: Any = param.default
    if param.type == "track":
        default = default or None
    elif param.type == "tracks":
        default = None if default is None else default or ()
    elif param.type == "integer" and default is not None:
        default = int(default)
    return form, Field(
        default=... if default is None and param.type != "track" else default,
        description=param.help,
    )


class FilterRule(BaseModel):
    """A filter of a track, written ``{kind: {setting: value}}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    """Which filter: a key of `filter_infos`, or "plugin"; "preset" before a profile has it."""
    settings: Mapping[str, object]
    """All of its settings, those left out with their defaults; of a plugin those that are there."""
    use: str | None = None
    """Of a plugin or a preset: which."""
    name: str | None = None
    """How it is called in addresses; None: as `filter_names` says."""
    bypass: bool = False
    """Whether the audio goes by it."""

    @model_validator(mode="wrap")
    @classmethod
    def _check_settings(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        rule = handler(data)
        if rule.kind == PRESET:
            return rule
        if rule.kind == PLUGIN:
            checked = PluginFilter.model_validate({"use": rule.use, "settings": rule.settings})
            object.__setattr__(rule, "settings", checked.settings)
            return rule
        if rule.kind not in filter_infos():
            raise _unknown_filter(rule.kind)
        settings = settings_model(rule.kind).model_validate(dict(rule.settings))
        object.__setattr__(rule, "settings", settings.model_dump(exclude=set(_OF_ALL)))
        return rule

    @property
    def identity(self) -> str:
        """What it is: another one is another filter, whatever its name."""
        return self.kind if self.use is None else f"{self.kind} {self.use}"

    @model_serializer
    def _as_written(self) -> dict[str, object] | str:
        if self.kind == PRESET:
            return self.use or ""
        own: dict[str, object] = dict(self.settings)
        if self.use is not None:
            own = {"use": self.use, **({"settings": own} if own else {})}
        if self.name is not None:
            own["name"] = self.name
        if self.bypass:
            own["bypass"] = True
        return {self.kind: own}


def filter_names(filters: Sequence[tuple[str, str | None]]) -> list[str]:
    """How the filters of a track are called, from their kinds and given names.

    A name that is given again (in the chain that it is compared with) gets a number, too.

    >>> filter_names([("gain", None), ("gain", "makeup"), ("gain", None), ("gain", "makeup")])
    ['gain', 'makeup', 'gain-2', 'makeup-2']
    """
    given_names = {name for _, name in filters if name is not None}
    taken: set[str] = set()
    names: list[str] = []
    for kind, given in filters:
        stem = given or kind
        candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 2 * len(filters) + 2))
        name = next(
            one
            for one in candidates
            if one not in taken and (one == given or one not in given_names)
        )
        taken.add(name)
        names.append(name)
    return names


def key_settings(
    kind: str, settings: Mapping[str, Any]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The tracks that steer a filter, each with the place of its name in the settings."""
    if kind not in filter_infos():
        return
    for param in filter_infos()[kind].params:
        value = settings.get(param.id)
        if param.type == "track" and isinstance(value, str):
            yield (param.id,), value
        elif param.type == "tracks":
            if isinstance(value, str):
                yield (param.id,), value
            elif isinstance(value, list | tuple):
                yield from (
                    ((param.id, index), one)
                    for index, one in enumerate(value)
                    if isinstance(one, str)
                )


def _unknown_filter(kind: str) -> PydanticCustomError:
    kinds = _kinds()
    return problem(f"a filter: {listed(kinds)}", describe(kind), kinds, kind)


@cache
def _one_key(kind: str) -> TypeAdapter[dict[str, Rule]]:
    """Validates {kind: settings} as a mapping, so that errors carry the kind in their path."""
    form: Any = GenericAlias(dict, (str, settings_model(kind)))
    return TypeAdapter(form)


@dataclass(frozen=True)
class FilterForm:
    """Reads ``{kind: {setting: value}}``, or the name of a preset where these are allowed.

    Both pydantic hooks are documented in its manual.
    """

    presets: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return Check(self.read).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        filters = {
            "title": FILTER,
            "type": "object",
            "description": "One filter and its settings.",
            "properties": {
                kind: {
                    **handler(settings_model(kind).__pydantic_core_schema__),
                    "description": settings_model(kind).__doc__,
                }
                for kind in _kinds()
            },
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
        if not self.presets:
            return filters
        return {"anyOf": [{"type": "string", "description": "The name of a preset."}, filters]}

    def read(self, value: Any) -> Any:
        """Checks what was written, and gives a FilterRule."""
        if isinstance(value, FilterRule):
            if value.kind == PRESET and not value.use:
                raise problem("a preset's name in `use`", describe(value.use))
            if value.kind != PRESET or self.presets:
                return value
            value = value.use
        if isinstance(value, str):
            if not self.presets:
                raise problem("a filter: there are no presets in a preset", describe(value))
            return FilterRule(kind=PRESET, settings={}, use=check_text(value))
        if not isinstance(value, Mapping) or len(value) != 1:
            raise problem("one filter, such as {gain: {gain_db: -6}}", describe(value))
        [(kind, settings)] = value.items()
        if kind not in _kinds():
            fault = _unknown_filter(str(kind))
            details = InitErrorDetails(type=fault, loc=(str(kind), "[key]"), input=value)
            raise ValidationError.from_exception_data("filter", [details])
        checked = _one_key(kind).validate_python({kind: settings})[kind]
        settings = checked.model_dump()
        name, bypass = (settings.pop(key) for key in _OF_ALL)
        use = settings.pop("use") if kind == PLUGIN else None
        own = settings["settings"] if kind == PLUGIN else settings
        return FilterRule(kind=kind, settings=own, use=use, name=name, bypass=bypass)
