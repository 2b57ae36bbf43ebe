# SPDX-License-Identifier: MIT
"""What filters that are written in Python can be set to, once they have said it."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from pypac_obs import _core
from pypac_obs.errors import PluginFailed
from pypac_obs.profile.checks import describe
from pypac_obs.profile.filters import FilterInfo, parameters_model

__all__ = ["check_settings", "native_parameters"]


def check_settings(who: str, info: FilterInfo, settings: Mapping[str, object]) -> None:
    """Raises PluginFailed where a filter does not take them, or needs more."""
    try:
        parameters_model(info).model_validate(dict(settings))
    except ValidationError as error:
        raise PluginFailed(
            _in_words(who, error), remedy="Correct its `settings` in the profile."
        ) from None


def _in_words(who: str, error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    context = found.get("ctx", {})
    where = ".".join((who, *(str(one) for one in found["loc"] if one != "[key]")))
    if found["type"] == "missing":
        return f"{where}: expected a value, found none"
    expected = context.get("expected", found["msg"])
    return f"{where}: expected {expected}, found {context.get('found', describe(found['input']))}"


def native_parameters(info: FilterInfo) -> list[_core.ParamInfo]:
    """Gives what the engine has to know of a filter's parameters."""
    return [
        _core.ParamInfo(
            id=one.id,
            type=one.type,
            unit=one.unit,
            min=one.min,
            max=one.max,
            default=list(one.default) if isinstance(one.default, tuple) else one.default,
            choices=list(one.choices),
            help=one.help,
        )
        for one in info.params
    ]
