# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Concurrency
#
# What does a write cost when many tasks write at once? They need no batch call: whatever waits when a commit begins is
# in it. Stores that sync before they acknowledge, values of 64 B.
#
# Nothing is timed here: `make bench` measures, `make notebook` runs this page again over the newest record.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd() if Path("notebooks").exists() else Path.cwd().parent))

import matplotlib.pyplot as plt

from harness.report.reading import STYLE, by_store, newest_sweep, origin, synced, us

plt.rcParams.update(STYLE)
SHOWN = ("rust", "threads", "sqlite3", "aiosqlite")  # ours, and SQLite by hand
run = newest_sweep()
writers = by_store(synced(run.outside_ladder("writers", value_size=64), *SHOWN))
print(origin(run))

# %% [markdown]
# The store's own counters say how many writes a commit carried.

# %%
print(f"{'store':34}{'tasks':>6}{'µs a write':>12}{'writes a commit':>17}{'syncs a write':>15}")
for store, found in writers.items():
    for record in sorted(found, key=lambda record: record["params"]["tasks"]):
        commits, syncs = (record["counters"].get(name) for name in ("commits", "syncs"))
        carried = f"{1 / commits:.1f}" if commits else "-"
        asked = f"{syncs:.4f}" if syncs is not None else "-"
        print(f"{', '.join(store):34}{record['params']['tasks']:>6}{us(record):>12.1f}{carried:>17}{asked:>15}")

# %%
figure, axes = plt.subplots()
for store, found in writers.items():
    curve = sorted((record["params"]["tasks"], us(record)) for record in found)
    axes.loglog(*zip(*curve), "o-", markersize=4, label=", ".join(store))
axes.axhline(run.begin["sync_us"], color="#9ca3af", linestyle="--", linewidth=1, label="one sync of this disk")
axes.set_xlabel("tasks that write at once")
axes.set_ylabel("µs per acknowledged write")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# How much of what the tasks could share they do share: a write that is one of `n` in a commit costs an `n`th of what it
# costs alone, if nothing but the commit costs. The share of that is the efficiency.

# %%
print(f"{'store':34}{'tasks':>6}{'writes a second':>17}{'times one task':>16}{'efficiency':>12}")
for store, found in writers.items():
    alone = {record["params"]["tasks"]: us(record) for record in found}.get(1)
    for record in sorted(found, key=lambda record: record["params"]["tasks"]):
        tasks = record["params"]["tasks"]
        times = alone / us(record) if alone else float("nan")
        print(f"{', '.join(store):34}{tasks:>6}{1e6 / us(record):>17,.0f}{times:>15.1f}x{times / tasks:>12.0%}")
