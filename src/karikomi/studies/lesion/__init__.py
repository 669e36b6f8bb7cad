"""Remove neurons one after the other: along which order does a network fail?

Trains a network in several replicates (or takes yours), scores its units on training examples, and removes them all,
one by one, the highest scores first and the lowest first, beside random orders and random orders within the layers.
Every step is measured on the whole test set. Ends with the answer: robustness R with 95 % intervals, differences from
random orders paired by replicate, where the cliff is, and a page with figures. The same command again goes on where
it was stopped; a finished run answers at once.

All seven criteria: karikomi lesion

In seconds: karikomi lesion --preset quick

Scored again and again: karikomi lesion --criteria taylor knock-out --timing static adaptive --every 8

Is it the wiring? Beside the scores of null networks: karikomi lesion --null shuffled rewired untrained

Your networks: karikomi lesion --network mlp-256-256 --models a.safetensors b.safetensors
"""
