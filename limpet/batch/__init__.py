"""Many videos with one command: a list of jobs, workers that run them, a journal, and a summary. Imports no torch."""
