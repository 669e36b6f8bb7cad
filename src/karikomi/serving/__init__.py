"""``karikomi serve``: a local page over a folder of runs."""
