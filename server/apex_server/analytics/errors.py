"""What this slice alone refuses."""

from apex_server.errors import ApiError

__all__ = ["ParquetMissing"]


class ParquetMissing(ApiError):
    """Parquet needs a library of 55 MB, which a server need not have."""

    status = 501
    code = "parquet_missing"
    title = "This server cannot write Parquet."
    next_step = "Ask for `csv` or `json`, or have `apex-sync-server[parquet]` installed on the server."
