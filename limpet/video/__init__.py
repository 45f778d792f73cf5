"""Reading frames, and writing masks and videos."""
