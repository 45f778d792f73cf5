"""The tables and figures of the distillation paper, repeated at a scale that one machine can run."""
