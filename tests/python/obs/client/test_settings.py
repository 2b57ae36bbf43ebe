# SPDX-License-Identifier: MIT
from __future__ import annotations

import json
import os
import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pypac_obs.errors import ObsError, ObsWrongPassword
from pypac_obs.log import LOGGER, SessionLog
from pypac_obs.obs.client.connection import ObsAddress, Secret
from pypac_obs.obs.client.settings import (
    ObsFolder,
    ServerWords,
    find_server,
    obs_folders,
    portable_folder,
    websocket_settings,
)

FLATPAK = ".var/app/com.obsproject.Studio/config/obs-studio"


@dataclass
class Password:
    env: str | None = None
    keyring: str | None = None


@dataclass
class Rule:
    host: str | None = None
    port: int | None = None
    password: Password | None = None


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def environ(home: Path, **more: str) -> dict[str, str]:
    # Windows' own place for it, too.
    return {"HOME": str(home), "APPDATA": str(native(home).parent)} | more


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def global_ini(folder: Path, **values: str) -> Path:
    lines = "".join(f"{key}={value}\n" for key, value in values.items())
    return write(folder / "global.ini", f"[General]\nName=x\n\n[OBSWebSocket]\n{lines}\n[Z]\na=b\n")


def config_json(folder: Path, **values: Any) -> Path:
    path = folder / "plugin_config" / "obs-websocket" / "config.json"
    return write(path, json.dumps(values))


def native(home: Path) -> Path:
    return home / ".config" / "obs-studio"


flatpak = pytest.mark.linux("Windows has no Flatpaks")


# Folders ------------------------------------------------------------------------------------------


def test_folders_on_linux(home: Path) -> None:
    found = {folder.kind: folder for folder in obs_folders(environ(home), platform="linux")}
    assert found["native"].config == native(home)
    assert found["native"].plugins == native(home) / "plugins"
    assert found["flatpak"].config == home / FLATPAK
    assert found["flatpak"].plugins == home / FLATPAK / "plugins"


def test_xdg_config_home_moves_the_native_one(home: Path) -> None:
    moved = environ(home, XDG_CONFIG_HOME=str(home / "elsewhere"))
    found = {folder.kind: folder for folder in obs_folders(moved, platform="linux")}
    assert found["native"].config == home / "elsewhere" / "obs-studio"


def test_folders_on_windows_and_macos() -> None:
    variables = {"USERPROFILE": "/u", "APPDATA": "/u/Roaming", "PROGRAMDATA": "/data"}
    [windows] = obs_folders(variables, platform="win32")
    assert windows.config == Path("/u/Roaming/obs-studio")
    assert windows.plugins == Path("/data/obs-studio/plugins")
    [macos] = obs_folders({"HOME": "/u"}, platform="darwin")
    assert macos.config == Path("/u/Library/Application Support/obs-studio")
    assert macos.plugins == macos.config / "plugins"


def test_a_portable_one_keeps_all_in_its_own_folder() -> None:
    folder = portable_folder(Path("/opt/obs"))
    assert (folder.kind, folder.config) == ("portable", Path("/opt/obs/config/obs-studio"))


def test_the_installation_that_was_used_last_comes_first(home: Path) -> None:
    (native(home) / "logs").mkdir(parents=True)
    (home / FLATPAK / "logs").mkdir(parents=True)
    os.utime(native(home) / "logs", (1000, 1000))
    os.utime(home / FLATPAK / "logs", (2000, 2000))
    assert [f.kind for f in obs_folders(environ(home), platform="linux")] == ["flatpak", "native"]
    os.utime(native(home) / "logs", (3000, 3000))
    assert [f.kind for f in obs_folders(environ(home), platform="linux")] == ["native", "flatpak"]


# Settings -----------------------------------------------------------------------------------------


def settings_in(folder: Path) -> Any:
    return websocket_settings(ObsFolder("native", folder, folder / "plugins"))


def test_the_old_form_is_read(home: Path) -> None:
    path = global_ini(home, ServerEnabled="true", ServerPort="4460", ServerPassword="p=a;#ss")
    found = settings_in(home)
    assert (found.enabled, found.port, found.file) == (True, 4460, path)
    assert found.password.reveal() == "p=a;#ss"


def test_the_old_form_is_read_as_obs_on_windows_writes_it(home: Path) -> None:
    text = "\ufeff[OBSWebSocket]\r\nServerEnabled=true\r\nServerPassword=a\\\\b\\nc\r\n"
    write(home / "global.ini", text)
    assert settings_in(home).password.reveal() == "a\\b\nc"


def test_the_new_form_counts_more(home: Path) -> None:
    global_ini(home, ServerEnabled="true", ServerPort="4460", ServerPassword="old")
    path = config_json(
        home, server_enabled=False, server_port=4470, server_password="new", auth_required=True
    )
    found = settings_in(home)
    assert (found.enabled, found.port, found.file) == (False, 4470, path)
    assert found.password.reveal() == "new"


def test_user_ini_counts_more_than_global_ini(home: Path) -> None:
    global_ini(home, ServerPort="4460")
    write(home / "user.ini", "[OBSWebSocket]\nServerPort=4480\n")
    assert settings_in(home).port == 4480


def test_a_password_that_is_not_asked_for_is_none(home: Path) -> None:
    global_ini(home, ServerEnabled="true", AuthRequired="false", ServerPassword="x")
    assert settings_in(home).password is None
    config_json(home, server_enabled=True, auth_required=False, server_password="x")
    assert settings_in(home).password is None


def test_no_settings_are_none(home: Path) -> None:
    assert settings_in(home) is None
    write(home / "global.ini", "[General]\nx=1\n")
    assert settings_in(home) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"\xff\xfe\x00", b"[" * 100_000, b" " * (2**20 + 1)],
    ids=["empty", "cut off", "a list", "a number", "not UTF-8", "nested", "too large"],
)
def test_settings_that_cannot_be_read_fall_back_to_the_older_ones(
    home: Path, content: bytes
) -> None:
    write(home / "plugin_config" / "obs-websocket" / "config.json", content)
    global_ini(home, ServerPort="4460")
    assert settings_in(home).port == 4460


@pytest.mark.parametrize("port", ["", "x", "0", "65536", "-1", "9" * 5000, "4460.5"])
def test_a_port_that_is_none_is_the_usual_one(home: Path, port: str) -> None:
    global_ini(home, ServerPort=port)
    assert settings_in(home).port == 4455
    config_json(home, server_port=port)
    assert settings_in(home).port == 4455


def test_wrong_types_in_the_new_form_do_no_harm(home: Path) -> None:
    config_json(home, server_enabled="yes", server_port=[1], server_password={"a": 1})
    found = settings_in(home)
    assert (found.enabled, found.port, found.password) == (False, 4455, None)


# Finding the server -------------------------------------------------------------------------------


def test_without_anything_it_is_the_default(home: Path) -> None:
    assert find_server(None, environ(home)) == ObsAddress()


def test_obs_own_settings_give_port_and_password(home: Path) -> None:
    path = global_ini(native(home), ServerEnabled="true", ServerPort="4460", ServerPassword="own")
    assert find_server(None, environ(home)) == ObsAddress(
        "localhost", 4460, Secret("own"), str(path), ""
    )


@flatpak
def test_the_settings_of_the_flatpak_are_found(home: Path) -> None:
    config_json(home / FLATPAK, server_enabled=True, server_port=4461, server_password="flat")
    found = find_server(None, environ(home))
    assert (found.port, found.password) == (4461, Secret("flat"))


def test_a_server_that_is_off_is_told(home: Path) -> None:
    path = global_ini(native(home), ServerEnabled="false")
    assert find_server(None, environ(home)).disabled_in == str(path)


@flatpak
def test_of_two_installations_the_one_that_is_switched_on_counts(home: Path) -> None:
    global_ini(native(home), ServerEnabled="false", ServerPassword="off")
    config_json(home / FLATPAK, server_enabled=True, server_password="on")
    os.utime(home / FLATPAK, (1000, 1000))
    assert find_server(None, environ(home)).password == Secret("on")


@flatpak
def test_a_port_that_is_named_picks_the_installation(home: Path) -> None:
    global_ini(native(home), ServerEnabled="true", ServerPort="4460", ServerPassword="native")
    config_json(home / FLATPAK, server_enabled=True, server_port=4461, server_password="flat")
    for port, password in ((4460, "native"), (4461, "flat")):
        assert find_server(Rule(port=port), environ(home)).password == Secret(password)
        found = find_server(None, environ(home, OBS_PORT=str(port)))
        assert (found.port, found.password) == (port, Secret(password))
    assert find_server(Rule(port=4462), environ(home)).password is None


def test_the_environment_counts_more_than_the_settings(home: Path) -> None:
    global_ini(native(home), ServerEnabled="true", ServerPort="4460", ServerPassword="own")
    found = find_server(None, environ(home, OBS_PASSWORD="mine"))
    assert (found.port, found.password) == (4460, Secret("mine"))
    assert found.found_in == "the environment (OBS_PASSWORD)"


def test_the_rule_counts_more_than_the_environment(home: Path) -> None:
    variables = environ(
        home, OBS_HOST="elsewhere", OBS_PORT="4459", OBS_PASSWORD="usual", MINE="special"
    )
    rule = Rule("127.0.0.1", 4466, Password(env="MINE"))
    assert find_server(rule, variables) == ObsAddress(
        "127.0.0.1", 4466, Secret("special"), "the environment (MINE)"
    )


def test_another_computer_is_not_told_this_ones_password(home: Path) -> None:
    global_ini(native(home), ServerEnabled="true", ServerPassword="own")
    found = find_server(Rule(host="studio-pc"), environ(home))
    assert (found.host, found.port, found.password) == ("studio-pc", 4455, None)


PASSWORDS: dict[str, tuple[Rule, str]] = {
    "variable": (Rule("studio-pc", None, Password(env="GITHUB_TOKEN")), "GITHUB_TOKEN"),
    "keyring": (Rule("studio-pc", None, Password(keyring="bank")), "the keyring (bank)"),
    "usual variable": (Rule("studio-pc"), "OBS_PASSWORD"),
}


@pytest.mark.parametrize(("rule", "place"), PASSWORDS.values(), ids=PASSWORDS.keys())
def test_a_computer_that_only_the_profile_names_gets_no_password(
    home: Path, rule: Rule, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", fake_keyring(lambda *_: "of the ring"))
    variables = environ(home, GITHUB_TOKEN="a token", OBS_PASSWORD="usual", OBS_HOST="elsewhere")
    found = find_server(rule, variables)
    assert (found.host, found.password) == ("studio-pc", None)
    assert place in found.withheld
    words = ServerWords.of(rule, variables)
    assert not words.given
    assert place in words.password_from
    assert place in words.warnings[1]
    assert "OBS_HOST=studio-pc" in words.warnings[1]


@pytest.mark.parametrize(("rule", "place"), PASSWORDS.values(), ids=PASSWORDS.keys())
@pytest.mark.parametrize("named", ["in the environment", "on the command line"])
def test_a_computer_that_its_user_names_gets_the_password(
    home: Path, rule: Rule, place: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", fake_keyring(lambda *_: "of the ring"))
    variables = environ(home, GITHUB_TOKEN="a token", OBS_PASSWORD="usual")
    on_command_line = "STUDIO-PC" if named == "on the command line" else None
    if on_command_line is None:
        variables["OBS_HOST"] = "Studio-PC"
    found = find_server(rule, variables, named_host=on_command_line)
    assert found.password is not None
    assert (place in found.found_in, found.withheld) == (True, "")
    words = ServerWords.of(rule, variables, named_host=on_command_line)
    assert words.given
    [warning] = words.warnings
    assert "another computer, and nothing on the way there is encrypted" in warning


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.3.2.1", "::1"])
def test_this_computer_gets_the_password_without_a_warning(home: Path, host: str) -> None:
    rule = Rule(host, None, Password(env="MINE"))
    variables = environ(home, MINE="mine")
    assert find_server(rule, variables).password == Secret("mine")
    words = ServerWords.of(rule, variables)
    assert (words.given, words.password_from, words.warnings) == (
        True,
        "the environment (MINE)",
        (),
    )


@pytest.mark.parametrize(
    "host",
    ["localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0", "10.0.0.1", "localhost."],
)
def test_what_only_looks_like_this_computer_is_another_one(home: Path, host: str) -> None:
    variables = environ(home, OBS_PASSWORD="mine")
    assert find_server(Rule(host), variables).password is None


def test_a_variable_that_is_named_and_not_set_is_told(home: Path) -> None:
    with pytest.raises(ObsWrongPassword, match="MINE, where OBS's password is to be, is not set"):
        find_server(Rule(password=Password(env="MINE")), environ(home))


@pytest.mark.parametrize("port", ["x", "-1", "99999", "0", "4455.0", "٤٤٥٥"])
def test_a_port_in_the_environment_that_is_none_is_told(home: Path, port: str) -> None:
    with pytest.raises(ObsError, match="port"):
        find_server(None, environ(home, OBS_PORT=port))


def test_a_host_in_the_environment_that_is_none_is_told(home: Path) -> None:
    with pytest.raises(ObsError, match="computer"):
        find_server(None, environ(home, OBS_HOST="ws://localhost"))


def fake_keyring(get_password: Any) -> types.ModuleType:
    module = types.ModuleType("keyring")
    module.get_password = get_password  # type: ignore[attr-defined]
    return module


def test_the_keyring_is_asked_where_the_rule_names_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {("pypac-obs", "studio"): "from the ring"}
    monkeypatch.setitem(sys.modules, "keyring", fake_keyring(lambda *key: kept.get(key)))
    found = find_server(Rule(password=Password(keyring="studio")), environ(home))
    assert (found.password, found.found_in) == (Secret("from the ring"), "the keyring (studio)")
    with pytest.raises(ObsWrongPassword, match="no password attic") as caught:
        find_server(Rule(password=Password(keyring="attic")), environ(home))
    assert caught.value.remedy == "keyring set pypac-obs attic"


def test_a_keyring_that_is_locked_or_missing_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(service: str, name: str) -> str:
        raise RuntimeError("secret words")

    rule = Rule(password=Password(keyring="studio"))
    monkeypatch.setitem(sys.modules, "keyring", fake_keyring(locked))
    with pytest.raises(ObsError, match="RuntimeError") as caught:
        find_server(rule, environ(home))
    assert "secret words" not in str(caught.value)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ObsError, match="not installed") as caught:
        find_server(rule, environ(home))
    assert "pypac-obs[keyring]" in caught.value.remedy


@pytest.mark.parametrize("place", ["OBS_PASSWORD", "the profile's variable", "keyring", "settings"])
def test_no_log_shows_a_password_wherever_it_was_read(
    place: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = f"correct horse of {place}"
    values = environ(home)
    rule = Rule()
    if place == "OBS_PASSWORD":
        values["OBS_PASSWORD"] = secret
    elif place == "keyring":
        monkeypatch.setitem(sys.modules, "keyring", fake_keyring(lambda *_: secret))
        rule.password = Password(keyring="studio")
    elif place == "settings":
        global_ini(native(home), ServerEnabled="true", ServerPassword=secret)
    else:
        values["MINE"] = secret
        rule.password = Password(env="MINE")
    found = find_server(rule, values)
    assert found.password is not None
    assert found.password.reveal() == secret
    with SessionLog("debug", lambda: home / "session.log", lambda: home / "other.log"):
        LOGGER.info("OBS at %s said: %s", found, secret)
    text = (home / "session.log").read_text()
    assert "said: ***" in text
    assert secret not in text
