"""Coaches and their athletes: invites, the relation between the two, and its end."""

from apex_server.clients.routes import clients_routes

__all__ = ["clients_routes"]
