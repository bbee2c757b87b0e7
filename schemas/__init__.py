"""The language-neutral contracts, generated from the declarations and committed: `make schemas` writes them anew.

collections/   one JSON Schema for each kind of record, with who may write each field
openapi.json   the REST API; ../docs/api.md lists it for people
versions.json  the version of each kind of record, and the hash of its schema at that version
protocol.json  the messages of a sync, their fields in order, codes and limits
vectors/       golden frames: bytes in hex, and what they mean
"""
