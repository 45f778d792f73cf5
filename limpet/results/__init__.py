"""The result folder of a video: masks, overlay, report, and the journal with which a killed run is resumed."""
