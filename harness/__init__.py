"""The harness: which store, with which promise, at which cost, on this machine.

`workloads` say what is done, `contenders` who does it, `measure` how it is timed, counted and recorded, `suites` what
is compared with what; `figures` and `report` read records only; `cli` is what people type: ``python -m harness``.
"""
