"""J, F, and the protocols of the field's benchmarks; a tracker is an argument here."""
