"""The VOT challenges: a tracker as their toolkit runs it, workspaces for it, and our own (unofficial) measures."""
