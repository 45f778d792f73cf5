"""Drawing: overlays of masks, and pictures of attention."""
