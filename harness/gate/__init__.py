"""The gate: does a commit cost more than the one before? Exact counters first, then paired time."""
