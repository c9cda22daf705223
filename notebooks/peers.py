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
# # Peers
#
# Which store costs how much, among those that promise the same? A number of a store that syncs before it acknowledges
# and a number of one that does not are no answers to the same question: each durability class has a map of its own,
# and nothing here is compared across them.
#
# Nothing is timed here: `make bench` measures, `make notebook` runs this page again over the newest record.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd() if Path("notebooks").exists() else Path.cwd().parent))

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm

from harness.report.reading import STYLE, newest_sweep, origin, us
from harness.report.recorded import CLASSES

plt.rcParams.update(STYLE)
run = newest_sweep()
print(origin(run))

ladder = {id(record) for record in run.ladder()}
times = {name: {} for name in CLASSES}  # class -> title -> store -> µs
for record in run.kind("measurement"):
    if record["unit"] == "ns" and record["contender"] != "control" and id(record) not in ladder:
        store = f"{record['contender']}, {record['configuration']}"
        times[record["durability"]].setdefault(record["title"], {})[store] = us(record)


def shares(found):
    """Stores, titles that two of them or more ran, and how many times the fastest each one took."""
    titles = [title for title, by_store in found.items() if len(by_store) > 1]
    stores = list(dict.fromkeys(store for title in titles for store in found[title]))
    cells = [[found[title].get(store, np.nan) / min(found[title].values()) for title in titles] for store in stores]
    return stores, titles, np.array(cells)


# %% [markdown]
# Each cell says how many times the fastest of its class a store took in one workload; where it is empty the sweep did
# not run it.

# %%
for name in CLASSES:
    stores, titles, cells = shares(times[name])
    figure, axes = plt.subplots(figsize=(3 + 0.42 * len(titles), 2.4 + 0.26 * len(stores)))
    axes.imshow(cells, aspect="auto", cmap="Oranges", norm=LogNorm(1, 300))
    for (row, column), value in np.ndenumerate(cells):
        if np.isfinite(value):
            text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
            colour = "white" if value > 30 else "#374151"
            axes.text(column, row, text, ha="center", va="center", fontsize=6.5, color=colour)
    axes.set_yticks(range(len(stores)), stores, fontsize=7)
    axes.set_xticks(range(len(titles)), titles, fontsize=7, rotation=45, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(name, fontsize=9, fontweight="bold")
    plt.show()

# %% [markdown]
# The same beside our own store of the class: the geometric mean of a store's time over ours, over the workloads that
# both ran, and how many of them it is the faster in. A mean hides which workload is yours: read the row above.

# %%
OURS = dict(zip(CLASSES, ("rust, writethrough-full", "rust, writethrough-normal", "rust, lazy")))
for name in CLASSES:
    stores, titles, cells = shares(times[name])
    if OURS[name] not in stores:
        continue
    ratios = np.log(cells / cells[stores.index(OURS[name])])
    both = {store: row[np.isfinite(row)] for store, row in zip(stores, ratios) if np.isfinite(row).any()}
    print(f"{name}, beside {OURS[name]}")
    for store, found in sorted(both.items(), key=lambda item: item[1].mean()):
        mean, faster = np.exp(found.mean()), (found < 0).sum()
        print(f"  {store:40}{mean:>8.1f}x over {found.size:2} workloads, faster in {faster}")

# %% [markdown]
# A class is what was seen, not what was declared: each store wrote rows one at a time, was killed, and what was left of
# them was counted; so were its syncs.

# %%
print(f"{'store':40}{'syncs a write':>14}{'left':>12}  an acknowledged write is")
for record in sorted(run.kind("promise"), key=lambda record: CLASSES.index(record["durability"])):
    syncs = "-" if record["syncs_per_write"] is None else f"{record['syncs_per_write']:.3f}"
    kept = f"{record['left']} of {record['written']}"
    store = f"{record['contender']}, {record['configuration']}"
    print(f"{store:40}{syncs:>14}{kept:>12}  {record['durability']}{'' if record['held'] else ': NOT HELD'}")
