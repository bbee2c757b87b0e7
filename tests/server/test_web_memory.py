"""What a web process no longer needs goes back to the system."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from apex_server.serving import environment_of
from apex_server.settings import Settings

HASH_IN_THREADS = """
from concurrent.futures import ThreadPoolExecutor
import psutil
from argon2 import PasswordHasher

hasher = PasswordHasher(time_cost=1, memory_cost=19_456, parallelism=1)
process = psutil.Process()
before = process.memory_info().rss
with ThreadPoolExecutor(1) as threads:
    for _ in range(4):
        threads.submit(hasher.hash, "as fast as it gets").result()
    print((process.memory_info().rss - before) // 1024**2)
"""
HELD_MIB_MAX = 4


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="the variable is glibc's; other C libraries do not read it"
)
def test_the_memory_of_a_hashed_password_is_given_back(tmp_path: Path) -> None:
    """A hash takes 19 MiB, which glibc would keep from the second one on."""
    settings = Settings.from_environment({"APEX_DATA_DIR": str(tmp_path)})
    command = [sys.executable, "-c", HASH_IN_THREADS]

    ran = subprocess.run(command, env=environment_of(settings), capture_output=True, text=True, check=True)

    assert int(ran.stdout) <= HELD_MIB_MAX
