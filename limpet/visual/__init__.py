"""Overlays, pictures and the report of a run."""
