"""Sync on the server: judges what devices push, commits it scope by scope, and serves the feed of what is new."""
