"""The distillation paper's tables and figures, repeated at a scale that a machine can bear."""
