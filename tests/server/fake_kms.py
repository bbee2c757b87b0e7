"""A key service as clouds have them, in memory: it wraps and unwraps, and never hands a key out."""

import secrets

from apex_server.vault import MasterKeyMissing, UserKey


class FakeKeyService:
    """Behaves like a key management service with versions of one key."""

    def __init__(self) -> None:
        self._versions: dict[str, UserKey] = {}
        self.current_id: str | None = None
        self.rotate()

    def rotate(self) -> None:
        """Make a new version the current one; older ones go on unwrapping."""
        self.current_id = f"projects/apex/keys/data/versions/{len(self._versions) + 1}"
        self._versions[self.current_id] = UserKey(secrets.token_bytes(32))

    async def refresh(self) -> None:
        """Do nothing: the service is asked each time."""

    async def wrap(self, key: bytes, *, master_key_id: str, context: str) -> bytes:
        """Encrypt a key."""
        return self._version(master_key_id).seal(key, what=context)

    async def unwrap(self, wrapped: bytes, *, master_key_id: str, context: str) -> bytes:
        """Decrypt a key."""
        return self._version(master_key_id).open(wrapped, what=context)

    def _version(self, name: str) -> UserKey:
        if name not in self._versions:
            raise MasterKeyMissing(name, source="the key service")
        return self._versions[name]
