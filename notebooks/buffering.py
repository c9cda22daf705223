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
# # Buffering
#
# What is it worth that many waiting writes share a commit? A commit waits for the disk once, whatever it carries.
# `buffer_size` bounds how many waiting writes share one. No write is acknowledged before its commit has been synced,
# so each step of the ladder keeps the same promise.
#
# Nothing is timed here: `make bench` measures, `make notebook` runs this page again over the newest record.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd() if Path("notebooks").exists() else Path.cwd().parent))

import matplotlib.pyplot as plt
import numpy as np

from harness.report.reading import STYLE, newest_sweep, origin, us
from harness.report.tables import ladder_label, ladder_steps

plt.rcParams.update(STYLE)
run = newest_sweep()
print(origin(run))

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
# The same for every store of the ladder. Those that promise less come last: their numbers answer another question.

# %%
print(f"{'store':34}{'buffer_size':>12}{'µs a write':>12}  an acknowledged write is")
for record in sorted(run.ladder(), key=lambda record: (record["durability"] != steps[0]["durability"], -us(record))):
    size = record["options"].get("buffer_size", "-")
    store = f"{record['contender']}, {record['configuration']}"
    print(f"{store:34}{size:>12}{us(record):>12.1f}  {record['durability']}")
