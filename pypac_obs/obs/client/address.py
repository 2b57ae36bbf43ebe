# SPDX-License-Identifier: MIT
"""Where an OBS listens, and the password that it asks for."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, NoReturn, Self

from pypac_obs.log import keep_out

__all__ = ["ObsAddress", "Secret"]

DEFAULT_PORT = 4455


class Secret:
    """A text that no log, message, pickle or repr shows.

    >>> Secret("hunter2")
    Secret(***)
    >>> f"{Secret('hunter2')}", Secret("hunter2").reveal()
    ('***', 'hunter2')
    """

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        keep_out(text)
        self.__text = text

    def reveal(self) -> str:
        """Gives the text itself."""
        return self.__text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__text == other.__text

    def __hash__(self) -> int:
        return hash(self.__text)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class ObsAddress:
    """Where an OBS listens, and how we know.

    ``found_in`` says in words where the address and the password come from. ``withheld`` says where
    a password is from that this computer must not be given, as only a profile names it; "" for
    none. ``disabled_in`` is the file of OBS's settings that says that the websocket server is off,
    "" if none does.
    """

    host: str = "localhost"
    port: int = DEFAULT_PORT
    password: Secret | None = None
    found_in: str = "OBS's defaults"
    disabled_in: str = ""
    withheld: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^\s/\\@?#\[\]\x00-\x1f\x7f]{1,255}", self.host):
            raise ValueError(f"{self.host!r} is not the name or the address of a computer")
        if not 1 <= self.port <= 65535:
            raise ValueError(f"{self.port} is not a port: they go from 1 to 65535")

    @property
    def is_here(self) -> bool:
        """Whether its name is this computer's own address."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
