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
# # Batches
#
# What is it worth to write many rows by one call? One call of `abatch_set` is one commit: its fixed cost is paid once,
# then each row costs little. Stores that sync before they acknowledge, values of 64 B.
#
# Nothing is timed here: `make bench` measures, `make notebook` runs this page again over the newest record.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd() if Path("notebooks").exists() else Path.cwd().parent))

import matplotlib.pyplot as plt
import numpy as np

from harness.report.reading import STYLE, by_store, newest_sweep, origin, synced, us

plt.rcParams.update(STYLE)
SHOWN = ("rust", "threads", "sqlite3", "aiosqlite")  # ours, and SQLite by hand
run = newest_sweep()
batches = by_store(synced(run.measurements("rows-batch", value_size=64), *SHOWN))
singles = {store: us(found[0]) for store, found in by_store(synced(run.measurements("rows-single"), *SHOWN)).items()}
print(origin(run))

# %% [markdown]
# For each store what a call costs and what a row costs are fitted, by relative error, to what a row cost in batches of
# 1 to 10,000.

# %%
print(f"{'store':34}{'a call, µs':>12}{'a row, µs':>12}{'one call each / batches of 1000':>34}")
for store, found in batches.items():
    sizes = np.array([record["params"]["batch"] for record in found], dtype=float)
    rows = np.array([us(record) for record in found])
    design = np.column_stack([1 / sizes, np.ones_like(sizes)]) / rows[:, None]
    (call, row), *_ = np.linalg.lstsq(design, np.ones(len(rows)))
    thousand = dict(zip(sizes, rows)).get(1000.0)
    gain = f"{singles[store] / thousand:.0f}x" if thousand and store in singles else "-"
    print(f"{', '.join(store):34}{call:>12.0f}{row:>12.2f}{gain:>34}")

# %%
figure, axes = plt.subplots()
for store, found in batches.items():
    sizes = [record["params"]["batch"] for record in found]
    axes.loglog(sizes, [us(record) for record in found], "o-", markersize=4, label=", ".join(store))
axes.set_xlabel("rows in one call")
axes.set_ylabel("µs per row, durable")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# The system's side of it, which does not depend on how busy the machine was: writes and syncs that a row asks for, and
# bytes written for each byte of values. Beyond the size where a row asks for a hundredth of a sync, what is left is the
# work of the row itself.

# %%
print(f"{'store':34}{'rows in a call':>16}{'write calls a row':>20}{'syncs a row':>14}{'bytes a byte':>14}")
for store, found in batches.items():
    for record in found:
        counters, size = record["counters"], record["params"]["value_size"]
        calls, written = (counters.get(name, float("nan")) for name in ("write_calls", "written_bytes"))
        syncs = counters.get("syncs", float("nan"))
        place = f"{', '.join(store):34}{record['params']['batch']:>16}"
        print(f"{place}{calls:>20.3f}{syncs:>14.4f}{written / size:>14.2f}")
