# SPDX-License-Identifier: MIT
"""What every mapping of a profile has in common, and the kinds of text in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from pypac_obs.profile.checks import (
    Check,
    check_name,
    check_text,
    describe,
    listed,
    nearest,
    problem,
)
from pypac_obs.profile.names import NAME_PATTERN

__all__ = ["WRITTEN", "Name", "Rule", "Text", "check_named"]

Text = Annotated[str, Check(check_text, {"minLength": 1, "maxLength": 256})]
Name = Annotated[str, Check(check_name, {"pattern": NAME_PATTERN})]
# The validation context of plain data, such as YAML gives, where only the YAML's keys count.
WRITTEN = object()


class Rule(BaseModel):
    """A mapping of the profile: frozen, and without keys that it does not know."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def keys(cls) -> tuple[str, ...]:
        """The keys that the mapping may have in YAML."""
        return tuple(str(f.validation_alias or name) for name, f in cls.model_fields.items())

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_valid_keys(
        cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Adds the valid keys to errors about unknown ones, which pydantic leaves unsaid.

        A key that is only misspelt is one mistake: the right one is not also called missing. In
        what was WRITTEN, the names of fields that only Python uses are unknown keys too.
        """
        keys = cls.keys()
        lines: list[Any] = []
        if info.context is WRITTEN and isinstance(data, Mapping):
            for name in (cls.model_fields.keys() - set(keys)) & data.keys():
                lines.append({"type": "extra_forbidden", "loc": (name,), "input": data[name]})
                data = {key: value for key, value in data.items() if key != name}
        try:
            model = handler(data)
            if not lines:
                return model
        except ValidationError as error:
            lines += error.errors(include_url=False)
        meant = {
            nearest(str(line["loc"][0]), keys)
            for line in lines
            if line["type"] == "extra_forbidden" and len(line["loc"]) == 1
        }
        details = []
        for line in lines:
            kind, loc = line["type"], line["loc"]
            if kind == "missing" and len(loc) == 1 and loc[0] in meant:
                continue
            if kind == "extra_forbidden":
                word = str(loc[-1])
                expected = f"one of the keys {listed(keys)}" if keys[1:] else f"the key {keys[0]}"
                fault = problem(expected, describe(word), keys, word)
                loc = (*loc, "[key]")
            else:
                fault = PydanticCustomError(kind, "{kind}", {"kind": kind} | line.get("ctx", {}))
            details.append(InitErrorDetails(type=fault, loc=loc, input=line["input"]))
        raise ValidationError.from_exception_data(cls.__name__, details)


def check_named(value: Any, what: str, least: int = 1) -> Any:
    """A mapping of up to 256 things by their names; ``what`` is one of them."""
    if not isinstance(value, Mapping) or not least <= len(value) <= 256:
        many = isinstance(value, Mapping) and value
        found = f"{len(value)} of them" if many else describe(value)
        raise problem(f"a mapping of {least} to 256 {what}s by their names", found)
    return dict(value)
