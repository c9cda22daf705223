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
# # History
#
# How did what an operation costs move over the commits of this repository? `make history` lets asv build a commit and
# run the fixed blocks on it; all results of `results/asv` are here, oldest first.
#
# Nothing is timed here, and nothing here judges a commit: blocks of different days are not paired, and a shared machine
# has moods. The gate answers whether a commit made something slower; this page says where to look.

# %%
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd() if Path("notebooks").exists() else Path.cwd().parent))

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from harness.report import history
from harness.report.reading import RESULTS, STYLE
from harness.report.table import duration

plt.rcParams.update(STYLE)
commits = history.load(RESULTS / "asv")
machines = sorted({(commit.machine, commit.python) for commit in commits})
print(f"{len(commits)} commits, {', '.join(f'{machine} with Python {python}' for machine, python in machines)}")
for commit in commits:
    print(f"  {commit.commit}  {commit.when:%Y-%m-%d %H:%M}  {len(commit.values['track_ns'])} blocks")

BACKENDS = sorted({backend for commit in commits for _, backend in commit.values["track_ns"]})
WORKLOADS = sorted({workload for commit in commits for workload, _ in commit.values["track_ns"]})


def course(workload, backend, kind="track_ns"):
    """A value for each commit, nan where there is none."""
    return np.array([commit.values[kind].get((workload, backend), np.nan) for commit in commits])


# %% [markdown]
# The time of an operation, a panel for each workload, a line for each backend; the scale is logarithmic, so equal
# steps are equal ratios.

# %%
columns = 4
rows = -(-len(WORKLOADS) // columns)
figure, grid = plt.subplots(rows, columns, figsize=(11, 1.9 * rows), sharex=True, squeeze=False)
for axes, workload in zip(grid.flat, WORKLOADS):
    for backend in BACKENDS:
        axes.semilogy(course(workload, backend), "o-", markersize=3, linewidth=1, label=backend)
    axes.set_title(workload, fontsize=8, loc="left")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=6)
    axes.set_xticks(range(len(commits)), [commit.commit[:7] for commit in commits], rotation=90)
for axes in grid.flat[len(WORKLOADS) :]:
    axes.set_visible(False)
grid[0, 0].legend(frameon=False, fontsize=6)
figure.tight_layout()
plt.show()

# %% [markdown]
# From the first commit that has a block to the last one, and the largest step between neighbours on the way.

# %%
print(f"{'workload':18}{'backend':20}{'first':>10}{'last':>10}{'last / first':>14}   largest step")
for workload in WORKLOADS:
    for backend in BACKENDS:
        values = course(workload, backend)
        there = np.flatnonzero(np.isfinite(values))
        if there.size > 1:
            found = values[there]
            steps = np.log(found[1:] / found[:-1])
            largest = int(np.abs(steps).argmax())
            ends = f"{duration(found[0]):>10}{duration(found[-1]):>10}{found[-1] / found[0]:>13.2f}x"
            at = commits[there[largest + 1]].commit[:7]
            print(f"{workload:18}{backend:20}{ends}   {np.exp(steps[largest]):.2f}x at {at}")

# %% [markdown]
# Bytes that the process wrote for an operation do not depend on how busy the machine is, where one writer is in flight:
# where such a count moved, the code did. (With many tasks it depends on how many writes each commit found waiting.)

# %%
for workload in ("RowsSingle", "RowsBatch", "Sets"):
    for backend in BACKENDS:
        values = course(workload, backend, "track_written_bytes")
        there = np.flatnonzero(np.isfinite(values))
        moved = [pair for pair in zip(there, there[1:]) if abs(values[pair[1]] / values[pair[0]] - 1) > 0.005]
        said = ", ".join(f"{values[now]:.0f} from {commits[now].commit[:7]} on" for _, now in moved)
        print(f"{workload:18}{backend:20}{values[there[0]]:>10.0f} at first{', ' + said if said else ''}")
