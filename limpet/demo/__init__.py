"""The demo: a clip with exact masks in the package, and the code that tracks and scores it."""
