"""A device that only logs loads what logging needs; everything else comes with the first call that needs it."""

import subprocess
import sys

import pytest

NETWORK = {"asyncio", "certifi", "httpx", "ssl", "zstandard"}
ENCRYPTION = {"apex_client.message_sealing", "cryptography", "sqlcipher3"}
FIGURES = {
    "apex_client.assigning",
    "apex_client.program_history",
    "apex_client.training",
    "apex_sync.coaching.adherence",
}
LIBRARIES = {"apex_client.exercise_searching", "apex_client.food_searching", "apex_sync.coaching.food_library"}
FILES = {"apex_client.importers", "csv", "pkgutil", "xml", "zipfile"}

LOADED = "import sys; {}; print(*sys.modules)"


class TestImports:
    def test_the_replica_loads_neither_network_nor_encryption_nor_figures_nor_libraries(self) -> None:
        """Loading, not running, is what a cold start takes: a third of a millisecond for each small module."""
        loaded = modules_after("from apex_client.blocking import Replica")

        assert "apex_client.blocking.replica" in loaded
        assert not loaded & (NETWORK | ENCRYPTION | FIGURES | LIBRARIES | FILES)

    @pytest.mark.parametrize("package", ["apex_client", "apex_client.blocking", "apex_sync"])
    def test_a_package_alone_loads_none_of_its_modules(self, package: str) -> None:
        loaded = modules_after(f"import {package}")

        assert package in loaded
        assert not {each for each in loaded if each.startswith(("apex_", "msgspec"))} - {"apex_client", package}


def modules_after(statement: str) -> set[str]:
    """Give the modules that a fresh interpreter has loaded after a statement."""
    ran = subprocess.run([sys.executable, "-c", LOADED.format(statement)], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())
