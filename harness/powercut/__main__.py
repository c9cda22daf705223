"""``python -m harness.powercut``."""

from __future__ import annotations

from harness.powercut.cli import main

if __name__ == "__main__":  # the pool's processes import this module, too
    main()
