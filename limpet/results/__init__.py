"""The result folder of a video: masks, overlay, report, and the journal from which a killed run goes on."""
