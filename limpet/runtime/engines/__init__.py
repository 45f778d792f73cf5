"""One module a runtime, each with ``open_engine(manifest, folder, options) -> Engine``."""
