"""`apex org` on a real server: a coach joins knowing who will read, both sides see it, and leaving ends it."""

from pathlib import Path
from typing import Any

import httpx

from apex_client.blocking import Replica
from tests.client.apex_command import Terminal
from tests.e2e.whole_server import PASSWORD, WholeServer


def invite_of_an_owner(server: WholeServer) -> str:
    """Give the code of an organisation's invite, as its owner makes it over REST."""
    email = server.new_email("olga")
    body = {"email": email, "password": PASSWORD, "name": "Olga", "role": "owner"}
    token = httpx.post(f"{server.address}/api/auth/register", json=body).json()["access_token"]
    server.confirm_blocking(email)

    def asked(method: str, path: str, **json: Any) -> Any:
        url, headers = f"{server.address}/api/organisation{path}", {"Authorization": f"Bearer {token}"}
        answer = httpx.request(method, url, json=json, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    asked("PUT", "", name="Iron [red]House")
    return str(asked("POST", "/invites")["code"])


def test_a_coach_joins_sees_who_reads_and_leaves(server: WholeServer, tmp_path: Path) -> None:
    apex, email = Terminal(tmp_path, "coach"), server.new_email("ines")
    with Replica.open(apex.db) as replica:
        replica.register(server.address, email, PASSWORD, name="Ines", role="coach")
        server.confirm_blocking(email)
    code = invite_of_an_owner(server)

    assert "nobody reads along" in apex("org").ok().err
    assert apex("org", "join", code).code == 2, "nobody joins unasked"
    assert "nobody reads along" in apex("org").ok().err
    assert "you coach for Iron [red]House of Olga now" in apex("org", "join", code, "--yes").ok().err
    assert "Iron [red]House" in apex("org").ok().out
    assert "you left Iron [red]House" in apex("org", "leave", "--yes").ok().err
    again = apex("org", "leave", "--yes")
    assert again.code == 1 and "for no organisation" in again.err
    assert apex("org", "join", "AAAAA-AAAAA-AAAAA-AAAAA", "--yes").code == 1
