"""The command, as ``python -m karikomi``."""

from karikomi.cli import main

if __name__ == "__main__":
    main()
