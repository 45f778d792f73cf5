"""``limpet serve``: a page on this machine to draw, propagate and correct the masks of a video."""
