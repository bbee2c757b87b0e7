"""Requests made up from the API description, for each operation as an athlete and as a coach.

CI: a handful, beside the same ones each time in tests/server/test_openapi_fuzz.py. Full: hundreds, of another seed.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from apex_server.settings import Settings
from tests.e2e.whole_server import SECRET, running_server
from tests.server.openapi_fuzzing import ENDS_THE_SESSION, NOT_ASKED, OPERATIONS, ROLES, People, fuzz
from tests.server.sealed_rows import MASTER_KEY
from tests.torture.report import Outcome, Scale

EXAMPLES = {Scale.CI: 2, Scale.FULL: 150}
SEEDS = {Scale.CI: 1, Scale.FULL: 20_261_122}


def torture(scale: Scale) -> Iterator[Outcome]:
    """Ask everything."""
    outcome = Outcome(part="hostile input", fault="requests made up from the API description")
    data_dir = Path(tempfile.mkdtemp(prefix="apex-openapi-"))
    try:
        with (
            start_blocking_portal("asyncio") as portal,
            running_server(
                portal, Settings(data_dir=data_dir, secret=SECRET, master_key=MASTER_KEY, limits_factor=1e6)
            ) as server,
        ):
            people = People(server)
            for operation in sorted(OPERATIONS.keys() - NOT_ASKED.keys()):
                print(operation, file=sys.stderr, flush=True)
                for role in ROLES:
                    asked = People(server) if operation in ENDS_THE_SESSION else people
                    with outcome.run(f"{operation} as {role}"):
                        fuzz(operation, role, asked, examples=EXAMPLES[scale], from_seed=SEEDS[scale])
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    yield outcome
