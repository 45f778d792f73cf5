"""Makes a small network from a big one: the losses that compare the two."""
