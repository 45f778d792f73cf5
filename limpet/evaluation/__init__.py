"""J, F and the protocol of DAVIS; a tracker is an argument here."""
