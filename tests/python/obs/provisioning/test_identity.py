# SPDX-License-Identifier: MIT
"""What was noted of one OBS is never put into another, whatever address they listen at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_obs import BAD_STATE, FakeObs

from pypac_obs.errors import ObsRefused
from pypac_obs.obs.client.connection import ObsAddress
from pypac_obs.obs.client.settings import obs_folders
from pypac_obs.obs.provisioning.identity import (
    give_identity,
    identity_in,
    identity_of,
    take_identity,
)
from pypac_obs.obs.provisioning.journal import journal_folder, journals
from pypac_obs.obs.provisioning.provisioner import Provisioner
from pypac_obs.profile import Profile

OLD, NEW = "obsWebSocketPersistentData.json", "plugin_config/obs-websocket/persistent_data.json"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    folders = ("XDG_STATE_HOME", "LOCALAPPDATA", "XDG_CONFIG_HOME", "APPDATA")
    return {"HOME": str(tmp_path)} | {name: str(tmp_path / name) for name in folders}


def provisioner(environ: dict[str, str], **rule: Any) -> Provisioner:
    data = {
        "version": 1,
        "session": {"latency_ms": 10},
        "sources": {"game": {"process": "game"}},
        "tracks": {"game": {"from": "game"}},
        "outputs": {"obs": {"tracks": {"game": 2}, "desktop_audio": "unassign"} | rule},
    }
    return Provisioner(Profile.from_dict(data, name="gaming"), "gaming", environ=environ)


def keep_files(obs: FakeObs, config: Path, place: str) -> None:
    """Writes what an OBS keeps for programs to where it does."""
    path = config / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({slot: value for (_, slot), value in obs.persistent.items()}))


def test_two_obs_at_one_address_are_each_put_back_as_they_were(environ: dict[str, str]):
    one, two = FakeObs(), FakeObs()
    one.inputs["Desktop Audio"]["tracks"] = {1, 2}
    two.inputs["Desktop Audio"]["tracks"] = {5}
    before = one.state(), two.state()
    for obs in (one, two):
        assert provisioner(environ).apply(obs).complete
    for obs in (two, one):
        assert provisioner(environ).restore(obs).complete
    assert (one.state(), two.state()) == before
    assert not list(journal_folder(environ).glob("*.json"))


def test_an_obs_is_known_at_another_port(environ: dict[str, str]):
    obs = FakeObs()
    before = obs.state()
    assert provisioner(environ).apply(obs).complete
    obs.address = ObsAddress("127.0.0.1", 4466)
    assert provisioner(environ).restore(obs).complete
    assert obs.state() == before


def test_nothing_of_ours_is_left_in_obs(environ: dict[str, str]):
    obs = FakeObs()
    provisioner(environ).plan(obs)
    assert not obs.persistent
    provisioner(environ).apply(obs)
    assert identity_of(obs) in obs.persistent.values()
    provisioner(environ).restore(obs)
    assert set(obs.persistent.values()) == {""}


def test_it_is_given_once():
    obs = FakeObs()
    assert give_identity(obs) == give_identity(obs) == identity_of(obs)
    assert give_identity(FakeObs()) != identity_of(obs)
    take_identity(obs)
    assert identity_of(obs) == "localhost:4455"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "LOCALHOST"])
def test_without_one_the_address_counts(host: str):
    obs = FakeObs()
    obs.address = ObsAddress(host, 4455)
    assert identity_of(obs) == "localhost:4455"


@pytest.mark.parametrize("junk", ["", "x" * 32, "0" * 33, 5, [], {"a": 1}, "../../etc/passwd"])
def test_what_is_no_number_of_ours_does_not_count(junk: object):
    obs = FakeObs()
    give_identity(obs)
    obs.persistent = dict.fromkeys(obs.persistent, junk)
    assert identity_of(obs) == "localhost:4455"


def test_an_obs_that_keeps_nothing_for_programs_is_put_back_too(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    def refuse(**data: object) -> None:
        raise ObsRefused("SetPersistentData", BAD_STATE, "no")

    obs = FakeObs()
    monkeypatch.setattr(obs, "_SetPersistentData", refuse)
    before = obs.state()
    assert provisioner(environ).apply(obs).complete
    assert len(journals("localhost:4455", environ)) == 1
    monkeypatch.undo()  # now it would, but what is noted is noted under the address
    obs.inputs["Desktop Audio"]["tracks"] = {1}
    assert provisioner(environ).apply(obs).complete
    assert provisioner(environ).restore(obs).complete
    assert obs.state() == before


@pytest.mark.parametrize("place", [OLD, NEW])
@pytest.mark.parametrize("is_here", [True, False])
def test_only_the_obs_that_it_is_loses_its_scene_collection(
    environ: dict[str, str], place: str, is_here: bool
):
    obs = FakeObs()
    rules = provisioner(environ, own_scene_collection="Streaming")
    assert rules.apply(obs).complete
    config = next(folder.config for folder in obs_folders(environ) if folder.kind == "native")
    file = config / "basic" / "scenes" / "Streaming.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"name": "Streaming"}))
    other = FakeObs()
    give_identity(other)
    keep_files(obs if is_here else other, config, place)
    report = rules.restore(obs)
    assert file.exists() != is_here
    assert any("Scene Collection > Remove" in note for note in report.notes) != is_here


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"pypac-obs": 5}', b"\xff", b"[" * 10000])
def test_a_file_that_is_damaged_tells_nothing(environ: dict[str, str], text: bytes):
    for folder in obs_folders(environ):
        for place in (OLD, NEW):
            (folder.config / place).parent.mkdir(parents=True, exist_ok=True)
            (folder.config / place).write_bytes(text)
        assert identity_in(folder) is None
