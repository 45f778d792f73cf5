"""Builds the clip of ``limpet demo``: photographs cut out, moved over another photograph, with exact masks."""
