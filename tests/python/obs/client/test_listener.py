# SPDX-License-Identifier: MIT
"""Whose the other end of a connection is. Another user's is in test_connection.py."""

from __future__ import annotations

import ipaddress
import os
import socket

import pytest

from pypac_obs.errors import ObsUntrusted
from pypac_obs.obs.client import listener
from pypac_obs.obs.client.listener import refuse_other_users

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1167 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 1
   1: 0100007F:1167 0100007F:C350 06 00000000:00000000 00:00000000 00000000     0        0 0 1 0 1
   2: 0100007F:C350 0100007F:1167 01 00000000:00000000 00:00000000 00000000  1001        0 2 1 0 1
   3: 0100007F:1167 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1002        0 3 1 0 1
"""
# An IPv6 socket that takes IPv4, too.
MAPPED = """\
  sl  local_address                         remote_address                        st ...
   0: 0000000000000000FFFF00000100007F:1167 0000000000000000FFFF00000100007F:C350 01 \
0:0 00:0 0 1003 0 7 1
"""
LOCAL = (ipaddress.ip_address("127.0.0.1"), 4455)
REMOTE = (ipaddress.ip_address("127.0.0.1"), 50000)
little = pytest.mark.skipif("sys.byteorder != 'little'")


@little
def test_the_end_of_this_connection_counts_and_no_other() -> None:
    assert listener._owner([TABLE], local=LOCAL, remote=REMOTE) == 1002
    assert listener._owner([TABLE], local=REMOTE, remote=LOCAL) == 1001
    assert listener._owner([TABLE], local=LOCAL, remote=(REMOTE[0], 50001)) is None
    assert listener._owner([MAPPED], local=LOCAL, remote=REMOTE) == 1003


@pytest.mark.linux("Windows is not asked")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "both"])
def test_our_own_servers_pass_and_unseen_ones_do_not(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    six = host != "127.0.0.1"
    server = socket.create_server(
        ("::" if host == "both" else host, 0),
        family=socket.AF_INET6 if six else socket.AF_INET,
        dualstack_ipv6=host == "both",
    )
    target = "127.0.0.1" if host == "both" else host
    with server, socket.create_connection((target, server.getsockname()[1])) as connected:
        peer, _ = server.accept()
        with peer:
            refuse_other_users(connected, "here")
            monkeypatch.setattr(os, "geteuid", lambda: 12_345)
            with pytest.raises(ObsUntrusted, match="a program of the user"):
                refuse_other_users(connected, "here")
            monkeypatch.setattr(listener, "_read_tables", lambda: ["sl ...\n"])
            with pytest.raises(ObsUntrusted, match="outside of this system"):
                refuse_other_users(connected, "here")
            monkeypatch.setattr(listener, "_read_tables", list)
            refuse_other_users(connected, "here")


def test_a_name_of_this_computer_that_leads_elsewhere_is_refused() -> None:
    class Elsewhere:
        def getsockname(self) -> tuple[str, int]:
            return "192.0.2.1", 50000

        def getpeername(self) -> tuple[str, int]:
            return "192.0.2.2", 4455

    with pytest.raises(ObsUntrusted, match=r"leads to 192\.0\.2\.2"):
        refuse_other_users(Elsewhere(), "localhost:4455")  # type: ignore[arg-type]
