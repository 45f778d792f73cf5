"""Files of weights: limpet's own, and those of the official code."""
