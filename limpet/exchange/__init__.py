"""Exchange formats: masks of other programs in and out, one format per file."""
