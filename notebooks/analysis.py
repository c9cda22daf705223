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
# # Buffering, batches, concurrency
#
# Three questions about durable writes, answered from the newest complete record in `results/runs`. Nothing is timed
# here: `make bench` measures, `python -m harness notebook` runs this page again over what was measured.

# %%
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

ROOT = Path.cwd() if (Path.cwd() / "results").exists() else Path.cwd().parent
sys.path.insert(0, str(ROOT))

from harness.report.recorded import CLASSES, Recorded, newest  # noqa: E402
from harness.report.tables import ladder_label, ladder_steps  # noqa: E402

path = newest(ROOT / "results" / "runs", "sweep")
run = Recorded.load(path)
host = run.begin["host"]
print(f"record   {run.name}")
print(f"made by  {run.begin['command']}")
print(f"host     {host['cpu']}, {host['cores']} cores, {host['file_system']}, Python {host['python']}")
print(f"disk     one overwrite with fdatasync: {run.begin['sync_us']:.0f} µs")

plt.rcParams.update({"figure.figsize": (8, 3.6), "axes.spines.top": False, "axes.spines.right": False, "font.size": 9})


def us(record):
    """Median of a record in microseconds."""
    return record["summary"]["median"] / 1000


def durable(records):
    """Our own stores that sync before they acknowledge, and sqlite3 by hand beside them."""
    synced = [record for record in records if record["durability"] == CLASSES[0]]
    return [record for record in synced if record["contender"] in ("rust", "threads", "sqlite3", "aiosqlite")]


def lines(records):
    """Records by store, in the order of the record."""
    found = {}
    for record in records:
        found.setdefault((record["contender"], record["configuration"]), []).append(record)
    return found


# %% [markdown]
# ## Buffering
#
# A commit waits for the disk once, whatever it carries. `buffer_size` bounds how many waiting writes share one commit.
# No write is acknowledged before its commit has been synced, so each step of the ladder keeps the same promise.

# %%
steps = ladder_steps(run, "rust") or ladder_steps(run, "threads")
first = us(steps[0])
print(f"{'step':42}{'µs a write':>12}{'against the first':>20}{'syncs a write':>16}")
for step in steps:
    syncs = step["counters"].get("syncs", float("nan"))
    print(f"{ladder_label(step):42}{us(step):>12.1f}{first / us(step):>19.1f}x{syncs:>16.4f}")

# %% [markdown]
# If syncs are what a write costs, time must be a straight line over syncs per write: the slope is what a sync costs
# here, the intercept what is left of a write when it is shared by many. The line is fitted to the steps with WAL, by
# relative error.

# %%
grouped = [step for step in steps if step["contender"] != "sqlite3" and "syncs" in step["counters"]]
syncs = np.array([step["counters"]["syncs"] for step in grouped])
times = np.array([us(step) for step in grouped])
(slope, rest), *_ = np.linalg.lstsq(np.column_stack([syncs, np.ones_like(syncs)]) / times[:, None], np.ones(len(times)))
print(f"a sync: {slope:.0f} µs; the rest of a write: {rest:.1f} µs")

figure, axes = plt.subplots()
axes.loglog(syncs, times, "o", color="#c2410c", label="measured")
span = np.geomspace(syncs.min(), syncs.max(), 50)
axes.loglog(span, slope * span + rest, "-", color="#9ca3af", label=f"{slope:.0f} µs x syncs + {rest:.1f} µs")
axes.set_xlabel("syncs per write")
axes.set_ylabel("µs per acknowledged write")
axes.legend(frameon=False)
plt.show()

# %% [markdown]
# ## Batches
#
# One call of `abatch_set` is one commit: its fixed cost is paid once, then each row costs little. For each store the
# two are fitted, again by relative error, to what a row cost in batches of 1 to 10,000.

# %%
batches = durable(run.measurements("rows-batch", value_size=64))
singles = {store: us(found[0]) for store, found in lines(durable(run.measurements("rows-single"))).items()}
print(f"{'store':34}{'a call, µs':>12}{'a row, µs':>12}{'one call each / batches of 1000':>34}")
for store, found in lines(batches).items():
    sizes = np.array([record["params"]["batch"] for record in found], dtype=float)
    rows = np.array([us(record) for record in found])
    design = np.column_stack([1 / sizes, np.ones_like(sizes)]) / rows[:, None]
    (call, row), *_ = np.linalg.lstsq(design, np.ones(len(rows)))
    thousand = dict(zip(sizes, rows)).get(1000.0)
    gain = f"{singles[store] / thousand:.0f}x" if thousand and store in singles else "-"
    print(f"{', '.join(store):34}{call:>12.0f}{row:>12.2f}{gain:>34}")

# %%
figure, axes = plt.subplots()
for store, found in lines(batches).items():
    sizes = [record["params"]["batch"] for record in found]
    axes.loglog(sizes, [us(record) for record in found], "o-", markersize=4, label=", ".join(store))
axes.set_xlabel("rows in one call")
axes.set_ylabel("µs per row, durable")
axes.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## Concurrency
#
# Many tasks that write at once need no batch call: whatever waits when a commit begins is in it. The store's own
# counters say how many writes a commit carried.

# %%
writers = durable(run.outside_ladder("writers", value_size=64))
print(f"{'store':34}{'tasks':>6}{'µs a write':>12}{'writes a commit':>17}")
for store, found in lines(writers).items():
    for record in sorted(found, key=lambda record: record["params"]["tasks"]):
        commits = record["counters"].get("commits")
        carried = f"{1 / commits:.1f}" if commits else "-"
        print(f"{', '.join(store):34}{record['params']['tasks']:>6}{us(record):>12.1f}{carried:>17}")

# %%
figure, axes = plt.subplots()
for store, found in lines(writers).items():
    curve = sorted((record["params"]["tasks"], us(record)) for record in found)
    axes.loglog(*zip(*curve), "o-", markersize=4, label=", ".join(store))
axes.axhline(run.begin["sync_us"], color="#9ca3af", linestyle="--", linewidth=1, label="one sync of this disk")
axes.set_xlabel("tasks that write at once")
axes.set_ylabel("µs per acknowledged write")
axes.legend(frameon=False, fontsize=8)
plt.show()
