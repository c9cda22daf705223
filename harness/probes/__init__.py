"""What no workload can tell: each module measures one thing in a process of its own (``python -m harness.probes``)."""
