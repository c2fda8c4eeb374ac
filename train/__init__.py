"""Made faces, data, training."""
