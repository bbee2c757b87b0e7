"""Nutrition: what athletes eat, what they are asked to eat, and the library of foods."""

from apex_server.nutrition.routes import nutrition_routes

__all__ = ["nutrition_routes"]
