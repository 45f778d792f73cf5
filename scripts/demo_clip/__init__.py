"""Builds the clip of ``limpet demo``: photographs cut out and moved over another one, with exact masks."""
