"""Encryption at rest: what people write stands in Postgres only sealed, under a key of their own.

Every user has one random data key; it is stored wrapped under the installation's master key, which never enters the
database. Destroying a data key erases everything sealed with it, wherever a copy of that lies.
"""

from apex_server.vault.data_keys import SEAL_OVERHEAD_BYTES, UserKey
from apex_server.vault.errors import (
    KeyDestroyed,
    KeyFileForeign,
    KeyFileMissing,
    MasterKeyInvalid,
    MasterKeyMissing,
    MasterKeyNeeded,
    MasterKeyOutdated,
    NotAKeyFile,
    SealBroken,
    VaultError,
)
from apex_server.vault.key_file import KEY_FILE_NAME, KeyFile, read_key_file, renew_key_file
from apex_server.vault.key_ring import FORMER_KEYS_MAX, FormerKey, KeyRing
from apex_server.vault.master_keys import (
    DeliveredMasterKeys,
    FileMasterKeys,
    LocalMasterKeys,
    MasterKeys,
    master_keys_of,
    new_master_key,
)
from apex_server.vault.rotation import is_rotated, rotate_master_key
from apex_server.vault.vault import SERVER_KEYS, Vault, server_key_context

__all__ = [
    "FORMER_KEYS_MAX",
    "KEY_FILE_NAME",
    "SEAL_OVERHEAD_BYTES",
    "SERVER_KEYS",
    "DeliveredMasterKeys",
    "FileMasterKeys",
    "FormerKey",
    "KeyDestroyed",
    "KeyFile",
    "KeyFileForeign",
    "KeyFileMissing",
    "KeyRing",
    "LocalMasterKeys",
    "MasterKeyInvalid",
    "MasterKeyMissing",
    "MasterKeyNeeded",
    "MasterKeyOutdated",
    "MasterKeys",
    "NotAKeyFile",
    "SealBroken",
    "UserKey",
    "Vault",
    "VaultError",
    "is_rotated",
    "master_keys_of",
    "new_master_key",
    "read_key_file",
    "renew_key_file",
    "rotate_master_key",
    "server_key_context",
]
