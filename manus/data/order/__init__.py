"""Which sample stands where: mixing, shuffling, packing. Pure arithmetic, while preparing and while training."""
