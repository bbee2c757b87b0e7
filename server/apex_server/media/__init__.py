"""Media: photos, recordings, films and documents; handed in part by part, looked at, sealed, and read by who may.

| module | what it does |
|---|---|
| `routes`, `handing_in`, `payloads` | the endpoints, and announcing media for any scope |
| `store`, `directory`, `s3` | where the bytes lie: the seam and its two sides |
| `sealed_files` | how they lie there |
| `checking` | what the worker does with what came in |
| `pictures`, `pixels` | how pictures are drawn anew; what is taken stands in `apex_sync.models.media` |
| `reading` | finding and opening what is ready, for other slices, too |
"""

from apex_server.media.checking import MediaKeeper
from apex_server.media.handing_in import HandingIn
from apex_server.media.reading import ReadyMedia, find_ready, pieces_of, readable, whole_file
from apex_server.media.routes import media_routes
from apex_server.media.sealed_files import MEDIA_KEY
from apex_server.media.store import MediaStore, media_store_of

__all__ = [
    "MEDIA_KEY",
    "HandingIn",
    "MediaKeeper",
    "MediaStore",
    "ReadyMedia",
    "find_ready",
    "media_routes",
    "media_store_of",
    "pieces_of",
    "readable",
    "whole_file",
]
