"""One thread for torch in all tests and their children: OpenMP's threads stall each other on busy cores."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
