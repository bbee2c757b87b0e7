"""A real S3 server for tests: Swift in a process of its own, up in about a second."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server.swift_server import ACCESS_KEY, BUCKET, SECRET_KEY

__all__ = ["CREDENTIALS", "swift"]

CREDENTIALS = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY}


@contextmanager
def swift() -> Iterator[str]:
    """Give the address of a Swift with an empty bucket; it is gone at the end."""
    import boto3

    with tempfile.TemporaryDirectory(prefix="apex-swift-") as folder:
        program = Path(__file__).with_name("swift_server.py")
        server = subprocess.Popen([sys.executable, str(program), folder], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            assert port.isdigit(), "Swift did not start; see its output above"
            address = f"http://127.0.0.1:{port}"
            client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **CREDENTIALS)
            client.create_bucket(Bucket=BUCKET)
            yield address
        finally:
            server.kill()
            server.wait()
