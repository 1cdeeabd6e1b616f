"""`laddstream` and `python -m laddstream`."""

from __future__ import annotations

from laddstream.cli.app import main

if __name__ == "__main__":
    main()
