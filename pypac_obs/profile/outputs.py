# SPDX-License-Identifier: MIT
"""What a profile says of its outputs: each has a name and a kind.

``files: {...}`` is an output that is named by its kind, ``archive: {files: {...}}`` one with a name
of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from pypac_obs.profile.checks import (
    Check,
    Many,
    OneOf,
    check_name,
    check_text,
    describe,
    listed,
    nearest,
    problem,
)
from pypac_obs.profile.obs_output import ObsRule
from pypac_obs.profile.paths import TemplateError, check_template, placeholders
from pypac_obs.profile.plugin_rule import PluginSettings, Use
from pypac_obs.profile.rule import WRITTEN, Name, Rule

__all__ = [
    "OUTPUT_KINDS",
    "AnyOutput",
    "FilesRule",
    "NamedOutput",
    "OutputRules",
    "PluginRule",
    "written",
]

#: The kinds of outputs. Under one of these keys of `outputs` an output is named by its kind.
OUTPUT_KINDS = ("files", "obs", "plugin")
_MOST = 64


def _check_folder(value: Any) -> Any:
    """Checks a folder, in which ``{track}`` has no place: all tracks of a session share it."""
    value = _check_template(value)
    if "track" in placeholders(value):
        raise problem("a folder that all tracks share ({track} belongs in name)", describe(value))
    return value


# Of sound files: one that is written goes in front of the one that `format` brings.
_ENDING = re.compile(
    r"(?<=.)\.(wave?|w64|rf64|bwf|flac|aiff?|mp3|ogg|opus|m4a|aac)$", re.IGNORECASE
)


def _check_file_name(value: Any) -> Any:
    check_text(value)
    if value.startswith("~") or any(c in value for c in '/\\:*?"<>|$'):
        raise problem("a file's name without ~ / \\ : * ? \" < > | $", describe(value))
    if ending := _ENDING.search(value):
        expected = f'a name without its ending ("{value[: ending.start()]}"; `format` says which)'
        raise problem(expected, describe(value))
    return _check_template(value)


def _check_template(value: Any) -> Any:
    check_text(value)
    try:
        check_template(value)
    except TemplateError as mistake:
        word = mistake.found.strip('"{}')
        raise problem(mistake.expected, mistake.found, mistake.choices, word) from None
    return value


class FilesRule(Rule):
    """Writes one file per track."""

    folder: Annotated[str, Check(_check_folder, {"minLength": 1, "maxLength": 256})] = (
        "~/Recordings/{date} {time}"
    )
    """Where the files go: ~, $VARIABLE, and {date} {time} {profile} {session} are filled in."""
    name: Annotated[str, Check(_check_file_name, {"minLength": 1, "maxLength": 256})] = "{track}"
    """A file's name without its ending: {date} {time} {track} {profile} {session} are filled in."""
    format: Annotated[Literal["wav", "flac"], OneOf()] = "wav"
    """The kind of file."""
    encoding: Annotated[Literal["float32", "pcm24", "pcm16"], OneOf()] | None = Field(
        default=None, validate_default=True
    )
    """How a sample is stored: float32 (wav's default), pcm24 (flac's default) or pcm16."""
    tracks: Annotated[tuple[Name, ...], Many()] | None = None
    """The tracks to write; all of them where this is left out."""
    follow: Annotated[Literal["record"], OneOf()] | None = None
    """`record`: the files start, split and end with OBS's recording."""

    @field_validator("encoding")
    @classmethod
    def _fits_the_format(cls, value: str | None, info: ValidationInfo) -> str | None:
        is_flac = info.data.get("format") == "flac"
        if is_flac and value == "float32":
            raise problem("pcm24 or pcm16, which is what flac can hold", describe(value))
        return value or ("pcm24" if is_flac else "float32")


class PluginRule(Rule):
    """Gives tracks to an output that somebody else wrote in Python. A run loads its code."""

    use: Use
    """Which one: the name of an installed plugin, module:Class or file.py:Class."""
    settings: PluginSettings = Field(default_factory=dict)
    """What its class is called with."""
    tracks: Annotated[tuple[Name, ...], Many()] | None = None
    """The tracks that it gets; those that it asks for where this is left out."""


AnyOutput = FilesRule | ObsRule | PluginRule


def _read_named(value: Any) -> Any:
    """Sees to it that there is one kind; a misspelt one is left to the model."""
    if isinstance(value, NamedOutput):
        return value
    kinds = [kind for kind in OUTPUT_KINDS if isinstance(value, Mapping) and kind in value]
    if len(kinds) > 1:
        raise problem(f"only one of {listed(OUTPUT_KINDS)}", describe(dict.fromkeys(kinds)))
    if not kinds and not (
        isinstance(value, Mapping) and any(nearest(str(key), OUTPUT_KINDS) for key in value)
    ):
        raise problem(f"a mapping with one of {listed(OUTPUT_KINDS)}", describe(value))
    return NamedOutput.model_validate(dict(value), context=WRITTEN)


class NamedOutput(Rule):
    """An output with a name of its own, of one kind."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    files: FilesRule | None = None
    """Split files, one per track. `{}` takes every default."""
    obs: ObsRule | None = None
    """Inputs in OBS, one per track."""
    plugin: PluginRule | None = None
    """An output that somebody else wrote in Python."""

    @property
    def rule(self) -> AnyOutput:
        """What its kind says."""
        rule: AnyOutput = next(rule for _, rule in self if rule is not None)
        return rule

    @model_serializer(mode="wrap")
    def _without_other_kinds(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {kind: rule for kind, rule in handler(self).items() if rule is not None}


class OutputRules(Rule):
    """Where the tracks go: outputs by their names.

    >>> rules = OutputRules.model_validate({"files": {}, "flac": {"files": {"format": "flac"}}})
    >>> {name: rule.format for name, rule in rules.by_name().items()}
    {'files': 'wav', 'flac': 'flac'}
    """

    # The fields have names of their own, so that `files` and `obs` can be outputs of any name.
    model_config = ConfigDict(extra="allow", validate_by_name=False)
    __pydantic_extra__: dict[str, Annotated[NamedOutput, Check(_read_named)]] = Field(init=False)

    short_files: FilesRule | None = Field(
        default=None, validation_alias="files", serialization_alias="files"
    )
    """Split files, one per track. `{}` takes every default."""
    short_obs: ObsRule | None = Field(
        default=None, validation_alias="obs", serialization_alias="obs"
    )
    """Inputs in OBS, one per track."""
    short_plugin: PluginRule | None = Field(
        default=None, validation_alias="plugin", serialization_alias="plugin"
    )
    """An output that somebody else wrote in Python."""

    def by_name(self) -> dict[str, AnyOutput]:
        """All outputs, by their names."""
        short: dict[str, AnyOutput | None] = {
            "files": self.short_files,
            "obs": self.short_obs,
            "plugin": self.short_plugin,
        }
        return {name: rule for name, rule in short.items() if rule is not None} | {
            name: named.rule for name, named in self.__pydantic_extra__.items()
        }

    @property
    def files(self) -> FilesRule | None:
        """The first output that writes files; `by_name` has all."""
        return next((one for one in self.by_name().values() if isinstance(one, FilesRule)), None)

    @property
    def obs(self) -> ObsRule | None:
        """The output to OBS: there is one at the most, under any name."""
        return next((one for one in self.by_name().values() if isinstance(one, ObsRule)), None)

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_valid_keys(
        cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Checks names, too; a misspelt kind is no name."""
        lines: list[InitErrorDetails] = []
        if isinstance(data, Mapping):
            for name, value in data.items():
                if name not in OUTPUT_KINDS and (fault := _name_fault(name, value)) is not None:
                    loc = (str(name), "[key]")
                    lines.append(InitErrorDetails(type=fault, loc=loc, input=value))
            wrong = {line["loc"][0] for line in lines}
            data = {name: value for name, value in data.items() if str(name) not in wrong}
            if len(data) > _MOST:
                fault = problem(f"at most {_MOST} outputs", f"{len(data)} of them")
                lines.append(InitErrorDetails(type=fault, loc=(), input=data))
        try:
            model = handler(data)
            if not lines:
                return model
        except ValidationError as error:
            for line in error.errors(include_url=False):
                kind, context = line["type"], line.get("ctx", {})
                fault = PydanticCustomError(kind, "{kind}", {"kind": kind} | context)
                lines.append(InitErrorDetails(type=fault, loc=line["loc"], input=line["input"]))
        raise ValidationError.from_exception_data(cls.__name__, lines)


def _name_fault(name: Any, value: Any) -> PydanticCustomError | None:
    is_output = isinstance(value, NamedOutput) or (
        isinstance(value, Mapping) and any(kind in value for kind in OUTPUT_KINDS)
    )
    word = str(name)
    if not is_output and nearest(word, OUTPUT_KINDS):
        expected = f"one of the keys {listed(OUTPUT_KINDS)}"
        return problem(expected, describe(word), OUTPUT_KINDS, word)
    try:
        check_name(name)
    except PydanticCustomError as fault:
        return fault
    return None


def written(outputs: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, ...], str, Any]]:
    """Yields name, place, kind and settings of each output in plain data."""
    for name, value in outputs.items():
        if name in OUTPUT_KINDS:
            if value is not None:
                yield name, ("outputs", name), name, value
        elif isinstance(name, str) and isinstance(value, Mapping):
            for kind in OUTPUT_KINDS:
                if value.get(kind) is not None:
                    yield name, ("outputs", name, kind), kind, value[kind]
