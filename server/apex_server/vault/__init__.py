"""Encryption at rest: what people write stands in Postgres only sealed, under a key of their own.

Every user has one random data key; it is stored wrapped under the installation's master key, which never enters the
database. Destroying a data key erases everything sealed with it, wherever a copy of that lies.
"""

from apex_server.vault.data_keys import SEAL_OVERHEAD_BYTES, UserKey
from apex_server.vault.errors import (
    KeyDestroyed,
    MasterKeyInvalid,
    MasterKeyMissing,
    MasterKeyNeeded,
    MasterKeyOutdated,
    SealBroken,
    VaultError,
)
from apex_server.vault.master_keys import FileMasterKeys, LocalMasterKeys, MasterKeys, master_keys_of, new_master_key
from apex_server.vault.rotation import is_rotated, rotate_master_key
from apex_server.vault.vault import SERVER_KEYS, Vault, server_key_context

__all__ = [
    "SEAL_OVERHEAD_BYTES",
    "SERVER_KEYS",
    "FileMasterKeys",
    "KeyDestroyed",
    "LocalMasterKeys",
    "MasterKeyInvalid",
    "MasterKeyMissing",
    "MasterKeyNeeded",
    "MasterKeyOutdated",
    "MasterKeys",
    "SealBroken",
    "UserKey",
    "Vault",
    "VaultError",
    "is_rotated",
    "master_keys_of",
    "new_master_key",
    "rotate_master_key",
    "server_key_context",
]
