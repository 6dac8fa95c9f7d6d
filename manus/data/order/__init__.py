"""Which sample stands where: mixing, shuffling, packing. Pure arithmetic, in preparation and in training."""
