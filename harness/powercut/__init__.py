"""The power-cut simulator: what does a store lose when the power goes, at any instant of its life?

A child runs a seeded workload on a store, with a preloaded library that records every write, truncation, rename,
deletion and sync of its files in order, together with its acknowledgements (`recorder.c`, `recording`). The trace is
then replayed up to sampled points: what a finished sync covered is kept, of the rest nothing, all, a prefix, a random
subset or torn sectors (`disk`). Each such crash state becomes a folder of files, is opened by SQLite and compared with
what was acknowledged (`model`, `check`): ``python -m harness.powercut run --backend rust --mode writethrough-full``.
"""
