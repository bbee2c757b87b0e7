"""Who asks, as far as it can be known: a header is believed only as far as our own proxies wrote it."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_server.client_address import forwarded_address
from apex_server.db import Database
from tests.server.accounts_app import Clock, accounts_app, problem, speak_to

OURS = [ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")]
PROXY = "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        pytest.param(PROXY, "198.51.100.7", "198.51.100.7", id="one proxy"),
        pytest.param(PROXY, "198.51.100.7, 10.0.0.9", "198.51.100.7", id="two proxies"),
        pytest.param(PROXY, "203.0.113.1, 198.51.100.7", "198.51.100.7", id="what stands further left is invented"),
        pytest.param("198.51.100.7", "203.0.113.1", "198.51.100.7", id="a stranger speaks for nobody else"),
        pytest.param(PROXY, "", PROXY, id="no header"),
        pytest.param(PROXY, "unknown", PROXY, id="an unreadable hop"),
        pytest.param(PROXY, "203.0.113.1, unknown", PROXY, id="nothing left of an unreadable hop counts"),
        pytest.param(PROXY, "198.51.100.7:4711", "198.51.100.7", id="with a port"),
        pytest.param("fd00::1", '"[2001:db8::7]:4711"', "2001:db8::7", id="in brackets with a port"),
        pytest.param(PROXY, "10.0.0.8, 10.0.0.9", "10.0.0.8", id="all of them ours"),
        pytest.param("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7", id="a proxy seen through IPv6"),
        pytest.param("", "198.51.100.7", "", id="a socket without an address"),
    ],
)
def test_the_header_is_read_from_the_right_as_far_as_it_is_trusted(peer: str, forwarded: str, expected: str) -> None:
    assert forwarded_address(peer, forwarded, OURS) == expected


@given(st.lists(st.one_of(st.ip_addresses().map(str), st.text())), st.ip_addresses(v=4))
def test_whatever_a_client_writes_its_own_address_is_what_counts(invented: list[str], client: object) -> None:
    if any(ip in network for network in OURS for ip in [ipaddress.ip_address(str(client))] if ip.version == 4):
        return
    assert forwarded_address(PROXY, ",".join([*invented, str(client)]), OURS) == str(client)


@pytest.mark.anyio
async def test_attempts_count_for_the_client_behind_the_proxy_and_not_for_the_proxy(db: Database) -> None:
    app = accounts_app(db, Clock(), trusted_proxies=["10.0.0.0/8"])
    guess = {"email": "anna@example.com", "password": "a wrong guess"}
    async with speak_to(app, address=PROXY) as client:
        for _ in range(20):
            await client.post("/api/auth/login", json=guess, headers={"X-Forwarded-For": "203.0.113.1"})
        # An address in front of the own one does not make another client of it.
        for forwarded in ("203.0.113.1", "192.0.2.77, 203.0.113.1"):
            refused = await client.post("/api/auth/login", json=guess, headers={"X-Forwarded-For": forwarded})
            assert problem(refused) == (429, "too_many_attempts")
        other = await client.post("/api/auth/login", json=guess, headers={"X-Forwarded-For": "203.0.113.2"})
        assert problem(other) == (401, "wrong_credentials")
