"""What every layer may use: files, hashes, seeds, checkpoints, processes."""
