"""The two login roles that serve, beside the owner that migrates.

Requests log in as `apex_app`: neither superuser nor owner, under row-level security. The commit path logs in as
`apex_commit`, which has BYPASSRLS because COPY does not work under row-level security, and is neither superuser nor
owner either. Both are logins of their own, not `SET ROLE` from the owner's: whoever smuggles SQL into a request could
leave that with one `RESET`, and no statement leaves a login.

Their passwords follow from APEX_SECRET, so every machine of one installation knows them and none is stored. While the
secret is being changed, the roles have the passwords of one of two secrets, and every process knows both
(APEX_FORMER_SECRETS): `connect_role` takes whichever opens. An operator
who makes the roles by hand names them in APEX_DATABASE_URL_APP and APEX_DATABASE_URL_COMMIT instead; such a login
must be, or be a member of, the role it stands for, since migrations grant to `apex_app` and `apex_commit` by name.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from apex_server.db.errors import RolesMissing
from apex_server.settings import Settings

__all__ = [
    "APP_ROLE",
    "COMMIT_ROLE",
    "RoleUrls",
    "connect_role",
    "ensure_roles",
    "reset_role_passwords",
    "role_password",
    "role_urls",
]

APP_ROLE = "apex_app"
COMMIT_ROLE = "apex_commit"

# What RFC 7677 asks for at least, and Postgres's own default; the password is random, so more would only cost time.
SCRAM_ITERATIONS = 4096


class RoleUrls(NamedTuple):
    """Where the two pools connect."""

    app: str
    commit: str
    former_app: tuple[str, ...] = ()
    """With the passwords of former secrets, the newest first."""
    former_commit: tuple[str, ...] = ()


def role_urls(settings: Settings) -> RoleUrls:
    """Give the pools' connection strings: the ones set, or the owner's with the role and its password in its place."""
    if settings.database_url is None:
        raise ValueError("no database_url: start an EmbeddedPostgres and put its dsn into the settings")
    secrets_in_turn = (settings.secret, *settings.former_secrets)
    app = [login_url(settings.database_url, APP_ROLE, secret) for secret in secrets_in_turn]
    commit = [login_url(settings.database_url, COMMIT_ROLE, secret) for secret in secrets_in_turn]
    return RoleUrls(
        app=settings.database_url_app or app[0],
        commit=settings.database_url_commit or commit[0],
        former_app=() if settings.database_url_app else tuple(app[1:]),
        former_commit=() if settings.database_url_commit else tuple(commit[1:]),
    )


async def connect_role(url: str, *, former: Sequence[str] = (), **options: Any) -> asyncpg.Connection:
    """Connect as a role; where its password is refused, with the former ones in turn.

    Raises what asyncpg raises, for the last that was tried.
    """
    for candidate, following in zip((url, *former), (*former, None), strict=True):
        try:
            return await asyncpg.connect(candidate, **options)
        except asyncpg.InvalidPasswordError:
            if following is None:
                raise
    raise AssertionError("there is one url at least")


def login_url(owner_url: str, role: str, secret: str) -> str:
    url = urlsplit(owner_url)
    place = url.netloc.rpartition("@")[2]
    return urlunsplit(url._replace(netloc=f"{quote(role)}:{role_password(secret, role)}@{place}"))


def role_password(secret: str, role: str) -> str:
    """Derive a role's password from the installation's secret: 256 bits in hex."""
    return hmac.new(secret.encode(), f"apex role {role}".encode(), hashlib.sha256).hexdigest()


async def ensure_roles(owner: asyncpg.Connection, *, secret: str) -> None:
    """Create the roles that are missing; roles that exist are left as they are.

    Roles belong to the whole Postgres cluster, so two databases migrating at once may both try: the loser finds them
    made. Without the right to grant BYPASSRLS the commit role is made without it, and the commit path then copies
    into a temporary table. Raises RolesMissing when the owner may not create roles at all.
    """
    rows = await owner.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1::text[])", [APP_ROLE, COMMIT_ROLE])
    missing = {APP_ROLE, COMMIT_ROLE} - {row["rolname"] for row in rows}
    try:
        if APP_ROLE in missing:
            await create_role(owner, APP_ROLE, "NOBYPASSRLS", secret)
        if COMMIT_ROLE in missing:
            await create_commit_role(owner, secret)
    except asyncpg.InsufficientPrivilegeError as error:
        raise RolesMissing(
            sorted(missing), [f"CREATE ROLE {APP_ROLE} LOGIN PASSWORD '…'", commit_role_by_hand()]
        ) from error


def commit_role_by_hand() -> str:
    return f"CREATE ROLE {COMMIT_ROLE} LOGIN BYPASSRLS PASSWORD '…'"


async def create_commit_role(owner: asyncpg.Connection, secret: str) -> None:
    try:
        await create_role(owner, COMMIT_ROLE, "BYPASSRLS", secret)
    except asyncpg.InsufficientPrivilegeError:
        await create_role(owner, COMMIT_ROLE, "NOBYPASSRLS", secret)


async def create_role(owner: asyncpg.Connection, role: str, attribute: str, secret: str) -> None:
    verifier = await asyncio.to_thread(scram_verifier, role_password(secret, role))
    try:
        await owner.execute(f"CREATE ROLE {role} LOGIN INHERIT {attribute} PASSWORD '{verifier}'")
    except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        return


async def reset_role_passwords(owner: asyncpg.Connection, *, secret: str) -> None:
    """Give both roles the passwords that follow from this secret: what to do after APEX_SECRET was changed."""
    for role in (APP_ROLE, COMMIT_ROLE):
        await owner.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{scram_verifier(role_password(secret, role))}'")


def scram_verifier(password: str) -> str:
    """Give what Postgres stores of a password, so that the password itself reaches no statement log (RFC 5803)."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    encoded_salt, encoded_stored, encoded_server = (
        base64.b64encode(part).decode() for part in (salt, stored_key, server_key)
    )
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{encoded_salt}${encoded_stored}:{encoded_server}"
