"""Workouts over REST: `/api/workouts`, and the bulk sync of apps without the SDK."""

from apex_server.workouts.routes import workout_routes

__all__ = ["workout_routes"]
