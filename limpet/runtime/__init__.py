"""Runs exported trackers with numpy and one runtime; nothing here imports torch."""
