"""The protocols of the field's benchmarks, a file each."""
