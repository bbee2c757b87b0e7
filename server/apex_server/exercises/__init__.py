"""Exercises over REST: `/api/exercises`."""

from apex_server.exercises.routes import exercise_routes

__all__ = ["exercise_routes"]
