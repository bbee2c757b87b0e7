"""Organisations: an owner who reads along with several coaches, and the invites by which coaches join."""

from apex_server.organisations.routes import organisation_routes

__all__ = ["organisation_routes"]
