"""How fast a tracker is, what it needs, and how near it comes to what the machine can do."""
