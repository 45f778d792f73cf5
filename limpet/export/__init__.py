"""The whole tracker, memory included, as files for other runtimes. Running them: ``limpet.runtime``."""
