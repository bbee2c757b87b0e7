"""`python -m apex_server.db.reset_passwords`: what to run once after APEX_SECRET was changed."""

import asyncio

import asyncpg

from apex_server.db.errors import DatabaseError
from apex_server.db.migrate import connect_owner
from apex_server.db.roles import APP_ROLE, COMMIT_ROLE, reset_role_passwords
from apex_server.settings import Settings, SettingsError

__all__ = ["main"]


def main() -> None:
    """Give the login roles the passwords that follow from the current secret, and say so."""
    try:
        settings = Settings.from_environment()
        if settings.database_url is None:
            raise SystemExit("APEX_DATABASE_URL is not set; the server's own Postgres asks for no passwords")
        asyncio.run(reset(settings.database_url, settings.secret))
    except (SettingsError, DatabaseError, asyncpg.PostgresError) as error:
        raise SystemExit(f"the passwords were not changed: {error}") from error
    print(f"{APP_ROLE} and {COMMIT_ROLE} have new passwords; start the servers again")


async def reset(owner_url: str, secret: str) -> None:
    owner = await connect_owner(owner_url)
    try:
        await reset_role_passwords(owner, secret=secret)
    finally:
        await owner.close()


if __name__ == "__main__":
    main()
