"""The parts of ``train_briefly.py``."""
