"""The demo: a clip with exact masks that ships with the package, and what tracks and scores it."""
