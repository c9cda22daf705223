"""Drivers: other people's tools run our workloads. None defines a workload, none has a coroutine function."""
