"""How a number is made: the clock, the worker processes, interleaved rounds, counted syncs, the host, records."""
