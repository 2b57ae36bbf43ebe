# SPDX-License-Identifier: MIT
"""Where OBS keeps its files, and what its settings say about its websocket server.

OBS's files are the user's: they are read here, never written.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from pypac_obs.errors import ObsError, ObsWrongPassword
from pypac_obs.obs.client.address import DEFAULT_PORT, ObsAddress, Secret

__all__ = [
    "ObsFolder",
    "PasswordRule",
    "ServerRule",
    "ServerWords",
    "WebsocketSettings",
    "find_server",
    "is_here",
    "obs_folders",
    "portable_folder",
    "read_ini",
    "websocket_settings",
]

Kind = Literal["native", "flatpak", "portable"]

FLATPAK_ID = "com.obsproject.Studio"
KEYRING_SERVICE = "pypac-obs"
# OBS's settings are a few kB.
_MAX_BYTES = 2**20


class PasswordRule(Protocol):
    """Where the password is: exactly one of the two is set."""

    @property
    def env(self) -> str | None:
        """The name of an environment variable."""

    @property
    def keyring(self) -> str | None:
        """The name of an entry in the keyring, under the service `pypac-obs`."""


class ServerRule(Protocol):
    """Where OBS is, as far as somebody said so: a profile's `outputs.obs` or the command line."""

    @property
    def host(self) -> str | None:
        """The name or the address of the computer."""

    @property
    def port(self) -> int | None:
        """The port of the websocket server."""

    @property
    def password(self) -> PasswordRule | None:
        """Where its password is."""


@dataclass(frozen=True, slots=True)
class ObsFolder:
    """One installation's place for the user's files, whether it exists or not.

    ``config`` holds global.ini and the scenes, ``plugins`` the modules that the user adds.
    """

    kind: Kind
    config: Path
    plugins: Path

    def last_used(self) -> float:
        """When OBS last started with these files, as a file's time; 0.0 if it never did."""
        # Each start writes a log of its own, so the folder's time is the newest start's.
        for path in (self.config / "logs", self.config):
            try:
                return path.stat().st_mtime
            except OSError:
                continue
        return 0.0


@dataclass(frozen=True, slots=True)
class WebsocketSettings:
    """What OBS's settings say about its websocket server, and in which file."""

    enabled: bool
    port: int
    password: Secret | None
    file: Path


def obs_folders(
    environ: Mapping[str, str] = os.environ, *, platform: str = sys.platform
) -> tuple[ObsFolder, ...]:
    """Tells where OBS may keep its files here, the most recently used installation first."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
    found: list[ObsFolder] = []
    if platform == "win32":
        config = Path(environ.get("APPDATA") or home / "AppData" / "Roaming") / "obs-studio"
        shared = Path(environ.get("PROGRAMDATA") or "C:/ProgramData")
        found.append(ObsFolder("native", config, shared / "obs-studio" / "plugins"))
    elif platform == "darwin":
        config = home / "Library" / "Application Support" / "obs-studio"
        found.append(ObsFolder("native", config, config / "plugins"))
    else:
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "obs-studio"
        found.append(ObsFolder("native", config, config / "plugins"))
        inside = home / ".var" / "app" / FLATPAK_ID / "config" / "obs-studio"
        found.append(ObsFolder("flatpak", inside, inside / "plugins"))
    return tuple(sorted(found, key=ObsFolder.last_used, reverse=True))


def portable_folder(obs: Path) -> ObsFolder:
    """Tells where an OBS that was unpacked into the folder ``obs`` keeps its files.

    It is portable if it is started with --portable, or has a file portable_mode.txt.
    """
    return ObsFolder("portable", obs / "config" / "obs-studio", obs / "obs-plugins")


def websocket_settings(folder: ObsFolder) -> WebsocketSettings | None:
    """Reads the settings of the websocket server; None where OBS has not written any.

    The newest form counts: OBS 31 and newer keep them in a file of obs-websocket's own, older ones
    in global.ini. What can't be read is as good as not there.
    """
    own = folder.config / "plugin_config" / "obs-websocket" / "config.json"
    found = _from_json(own)
    for name in ("user.ini", "global.ini"):
        found = found or _from_ini(folder.config / name)
    return found


def _from_json(path: Path) -> WebsocketSettings | None:
    try:
        values = json.loads(_text(path))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    enabled, port = values.get("server_enabled"), values.get("server_port")
    needed, password = values.get("auth_required", True), values.get("server_password")
    return WebsocketSettings(
        enabled=enabled is True,
        port=_port(port),
        password=Secret(password) if isinstance(password, str) and password and needed else None,
        file=path,
    )


def _from_ini(path: Path) -> WebsocketSettings | None:
    try:
        values = read_ini(path, "OBSWebSocket")
    except (OSError, ValueError):
        return None
    if not values:
        return None
    needed = values.get("AuthRequired", "true").lower() == "true"
    password = values.get("ServerPassword", "")
    return WebsocketSettings(
        enabled=values.get("ServerEnabled", "false").lower() == "true",
        port=_port(values.get("ServerPort", "")),
        password=Secret(password) if password and needed else None,
        file=path,
    )


def _text(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError("too large for settings")
    return data.decode("utf-8-sig", "surrogateescape")


def _port(value: object) -> int:
    try:
        port = int(value)  # type: ignore[call-overload]
    except (TypeError, ValueError, OverflowError):
        return DEFAULT_PORT
    return port if 1 <= port <= 65535 else DEFAULT_PORT


def read_ini(path: Path, section: str) -> dict[str, str]:
    """Reads a section of one of OBS's files. Raises OSError, and ValueError for what is none."""
    return _ini_section(_text(path), section)


def _ini_section(text: str, name: str) -> dict[str, str]:
    r"""Reads one section as libobs does: no quotes, no comments behind values, \\ \n \r escaped.

    >>> _ini_section("[A]\nx=1\n[B]\nkey=a\\\\b=c\n", "B")
    {'key': 'a\\b=c'}
    """
    values: dict[str, str] = {}
    inside = False
    for line in text.split("\n"):
        line = line.strip("\r\t ")
        if line.startswith("[") and line.endswith("]"):
            inside = line[1:-1] == name
        elif inside and "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values[key.strip()] = _unescaped(value.strip())
    return values


def _unescaped(value: str) -> str:
    characters: Iterator[str] = iter(value)
    result = []
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            character = {"n": "\n", "r": "\r", "\\": "\\"}.get(escaped, "\\" + escaped)
        result.append(character)
    return "".join(result)


def find_server(
    rule: ServerRule | None,
    environ: Mapping[str, str] = os.environ,
    *,
    named_host: str | None = None,
) -> ObsAddress:
    """Finds OBS's websocket server: its host, its port, its password.

    Each of the three comes from the first that has it: the rule (a profile, the command line), the
    environment (OBS_HOST, OBS_PORT, OBS_PASSWORD), OBS's own settings, OBS's default. OBS's own
    settings count for an OBS on this computer only. Nothing is connected.

    A profile may come from anybody, so a password goes to this computer, and to one that its user
    names outside the profile: in OBS_HOST, or as ``named_host`` on the command line.

    Raises ObsWrongPassword if the rule names a password that is not there, and ObsError if the
    environment holds no valid address.
    """
    host = _host(rule, environ)
    port = (rule.port if rule else None) or _port_in(environ)
    settings = _matching_settings(port, environ) if is_here(host) else None
    password, found_in, withheld = None, "", ""
    if _is_trusted(host, environ, named_host):
        password, found_in = _named_password(rule, environ)
        if not found_in and environ.get("OBS_PASSWORD"):
            password, found_in = Secret(environ["OBS_PASSWORD"]), _in_environment("OBS_PASSWORD")
    else:
        withheld = _password_place(rule, environ)
    if not found_in and settings is not None:
        password, found_in = settings.password, str(settings.file)
    address = ObsAddress(
        password=password, found_in=found_in or "OBS's defaults", withheld=withheld
    )
    if settings is not None:
        off = "" if settings.enabled else str(settings.file)
        address = replace(address, port=settings.port, disabled_in=off)
    try:
        return replace(address, host=host, port=address.port if port is None else port)
    except ValueError as error:
        raise ObsError(
            str(error), remedy="Correct the profile, or the environment (OBS_HOST, OBS_PORT)."
        ) from None


@dataclass(frozen=True, slots=True)
class ServerWords:
    """Who gets which password, for people to read; nothing of it is opened or asked for.

    ``password_from`` is "" where none is named outside OBS's own settings.
    """

    host: str
    password_from: str
    given: bool
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls,
        rule: ServerRule | None,
        environ: Mapping[str, str] = os.environ,
        *,
        named_host: str | None = None,
    ) -> ServerWords:
        """Looks at what `find_server` would look at."""
        host, place = _host(rule, environ), _password_place(rule, environ)
        given, warnings = _is_trusted(host, environ, named_host), []
        if not is_here(host):
            warnings.append(
                f"OBS at {host} is on another computer, and nothing on the way there is encrypted: "
                "whoever can listen in the network sees what is done, and can guess at the "
                "password."
            )
        if place and not given:
            warnings.append(
                f"OBS at {host} does not get the password from {place}, as only the profile names "
                f"that computer: set the environment variable OBS_HOST={host} if you trust it."
            )
        return cls(host, place, given and bool(place), tuple(warnings))


def _host(rule: ServerRule | None, environ: Mapping[str, str]) -> str:
    return (rule.host if rule else None) or environ.get("OBS_HOST") or "localhost"


def _is_trusted(host: str, environ: Mapping[str, str], named_host: str | None) -> bool:
    named = {name.lower() for name in (named_host, environ.get("OBS_HOST")) if name}
    return is_here(host) or host.lower() in named


def _password_place(rule: ServerRule | None, environ: Mapping[str, str]) -> str:
    """Says where the password would be looked for; "" for nowhere but OBS's own settings."""
    named = rule.password if rule is not None else None
    if named is not None and named.env is not None:
        return _in_environment(named.env)
    if named is not None:
        return f"the keyring ({named.keyring})"
    return _in_environment("OBS_PASSWORD") if environ.get("OBS_PASSWORD") else ""


def _in_environment(name: str) -> str:
    return f"the environment ({name})"


def is_here(host: str) -> bool:
    """Tells whether a host's name is this computer's own address."""
    try:
        return ObsAddress(host).is_here
    except ValueError:
        return False


def _port_in(environ: Mapping[str, str]) -> int | None:
    text = environ.get("OBS_PORT")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise ObsError(
            f"OBS_PORT is {text[:40]!r}, which is not a port",
            remedy="Set it to the port under Tools > WebSocket Server Settings.",
        )
    return int(text)


def _matching_settings(port: int | None, environ: Mapping[str, str]) -> WebsocketSettings | None:
    """Picks the installation: one at this port, one that is switched on, the last one used."""
    found = [s for folder in obs_folders(environ) if (s := websocket_settings(folder)) is not None]
    if port is not None:
        found = [settings for settings in found if settings.port == port]
    return next((settings for settings in found if settings.enabled), next(iter(found), None))


def _named_password(
    rule: ServerRule | None, environ: Mapping[str, str]
) -> tuple[Secret | None, str]:
    """Gives the password that the rule names, and in words where it is from; "" for none."""
    named = rule.password if rule is not None else None
    if named is None:
        return None, ""
    if named.env is not None:
        if text := environ.get(named.env):
            return Secret(text), _in_environment(named.env)
        raise ObsWrongPassword(
            f"the environment variable {named.env}, where OBS's password is to be, is not set",
            remedy=f"Set {named.env}; or leave `password` out of the profile, and the password is "
            "read from OBS's own settings.",
        )
    assert named.keyring is not None
    return _from_keyring(named.keyring), f"the keyring ({named.keyring})"


def _from_keyring(name: str) -> Secret:
    try:
        import keyring  # optional, and slow to load
    except ImportError:
        raise ObsError(
            "the profile takes OBS's password from the keyring, which is not installed",
            remedy="pip install 'pypac-obs[keyring]'",
        ) from None
    try:
        text = keyring.get_password(KEYRING_SERVICE, name)
    except Exception as error:  # each backend has errors of its own
        raise ObsError(
            f"the keyring does not give OBS's password: {type(error).__name__}",
            remedy="Unlock the keyring, or use `password: {env: NAME}`.",
        ) from None
    if not text:
        raise ObsWrongPassword(
            f"the keyring has no password {name} of the service {KEYRING_SERVICE}",
            remedy=f"keyring set {KEYRING_SERVICE} {name}",
        )
    return Secret(text)
