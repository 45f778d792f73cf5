"""The click model: its network, its training, and what a person shows it."""
