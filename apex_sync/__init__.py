"""The Apex Sync engine: ops, fold, wire codec and sync session, without a socket, file, SQL or clock of its own."""
