"""Remove each neuron alone: which are important, and which scores predict it?

Trains a network in several replicates (or takes yours) and measures on the whole test set what the loss of each unit
alone costs, in loss, accuracy and by class; what it adds on average when others are gone too (Shapley values); and
what pairs of important units cost together. Ends with the answer: Spearman's correlation of every score with unit
importance within layers, with 95 % intervals and corrected for their number, alone and with in-strength and mean
activation held constant; where important units are, how redundant units are, and a page with figures. The same
command again goes on where it was stopped; a finished run answers at once.

The question itself: karikomi importance

In seconds: karikomi importance --preset quick

Two rivals, finer Shapley values: karikomi importance --criteria taylor betweenness-inverse --shapley 100

Is it the wiring? Beside the scores of null networks: karikomi importance --null shuffled rewired untrained

Your networks: karikomi importance --network mlp-256-256 --models a.safetensors b.safetensors
"""
