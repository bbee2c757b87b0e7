"""The doctor: says what is the matter with a replica file, and gets everything out of one, without ever writing to it.

| module | what it does |
|---|---|
| `finding` | what one look found, and what to do about it |
| `image` | reads a replica file, as far as SQLite can, whoever has it open |
| `file_looks`, `content_looks` | is the file sound, and does all in it follow from the records? |
| `server_looks` | does the server know this device, and hold the same? |
| `salvage` | everything in one ZIP |
"""

from apex_client.doctor.content_looks import content_findings
from apex_client.doctor.file_looks import file_findings
from apex_client.doctor.finding import Finding
from apex_client.doctor.image import ReplicaImage, Unreadable
from apex_client.doctor.salvage import Salvaged, salvage
from apex_client.doctor.server_looks import server_findings

__all__ = [
    "Finding",
    "ReplicaImage",
    "Salvaged",
    "Unreadable",
    "content_findings",
    "file_findings",
    "salvage",
    "server_findings",
]
