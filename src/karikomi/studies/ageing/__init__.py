"""Let neurons die cycle by cycle, and the network relearn: does it hold, and by what?

Trains a network in several replicates (or takes yours). In every cycle some units die, the same in all arms; what is
left is measured on the test set, trains for a fixed number of steps, and is measured again. Beside it the same
network ages without training, trains as long without deaths, or is trained anew at its new size; and deaths in one
region stand beside as many scattered ones. Ends with the answer: accuracy after a life with 95 % intervals,
differences paired by replicate, and a page with figures. The same command again goes on where it was stopped; a
finished run answers at once.

Three neurons a cycle: karikomi ageing

In seconds: karikomi ageing --preset quick

Region by region: karikomi ageing --network modular-5-60-200-60 --patterns regional scattered --regions 1 3 4

Links: karikomi ageing --network modular-5-60-200-200-60 --patterns local long-range --deaths 50 --cycles 10

Your networks: karikomi ageing --network mlp-256-256 --models a.safetensors b.safetensors
"""
