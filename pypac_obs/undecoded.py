# SPDX-License-Identifier: MIT
"""Names and paths whose bytes are not UTF-8: on Linux any byte but 0 and "/" may be in them.

Python keeps such bytes in a string as surrogates, which no other program takes for text.
"""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping

__all__ = ["readable", "with_variables"]

_UNDECODED = re.compile("[\ud800-\udfff]")
_RUN = re.compile("[\udc80-\udcff]+")
_VARIABLE = "PYPAC_OBS_BYTES_"


def readable(text: str) -> str:
    """Replaces what is no character, so that every program takes the text.

    >>> readable("caf\\udce9")
    'caf\ufffd'
    """
    return _UNDECODED.sub("\N{REPLACEMENT CHARACTER}", text)


def with_variables(template: str, environ: MutableMapping[str, str] = os.environ) -> str:
    """Puts the bytes of a path that are not UTF-8 into environment variables, and names those.

    A template of a profile is text, and may name variables whose values are none.

    >>> environ = {}
    >>> with_variables("caf\\udce9/{date}", environ), list(environ.values())
    ('caf${PYPAC_OBS_BYTES_0}/{date}', ['\\udce9'])
    """
    values: dict[str, str] = {}

    def variable(match: re.Match[str]) -> str:
        name = values.setdefault(match[0], f"{_VARIABLE}{len(values)}")
        return f"${{{name}}}"

    text = _RUN.sub(variable, template)
    environ.update({name: value for value, name in values.items()})
    return text
