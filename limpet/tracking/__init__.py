"""The tracker, what it remembers, and whole videos."""
