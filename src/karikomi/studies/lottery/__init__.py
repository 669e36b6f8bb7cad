"""Find winning tickets: train, remove, rewind, again.

Trains a network, removes its lowest links, returns the others to their initial weights and trains again, round by
round, in several replicates and beside controls. Ends with the answer: means with 95 % intervals, differences paired
by replicate, a verdict per density, and a page with figures. The same command again goes on where it was stopped; a
finished run answers at once.

The blog post's experiment: karikomi lottery

With more controls: karikomi lottery --arms ticket reinit shuffled random --reinits 3

What does a ticket owe to its signs, sizes and zeros? karikomi lottery --arms signed-reinit constant reshuffled-weights
frozen

Which criterion, and is it its mask? karikomi lottery --criteria magnitude snip synflow --scope global --arms shuffled

Another network: karikomi lottery --network mlp-64-64 --criterion magnitude-increase --scope global
"""
