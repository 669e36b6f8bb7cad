"""Linear mode connectivity: do two minibatch orders lead to the same minimum?

Trains a network for K iterations, then two copies of it, the twins, under two minibatch orders, and measures loss and
error along the straight line between them (Frankle et al. 2020): of the dense network and of its tickets, round by
round. Ends with the answer: the error barrier with 95 % intervals over replicates, and whether the network is stable
to SGD noise. And the barrier between the tickets of neighbouring rounds (Paul et al. 2023).

LeNet-300-100 from the start and later: karikomi stability

In seconds: karikomi stability --preset quick

The dense network alone, in more detail: karikomi stability --rounds 0 --after 0 20 50 100 200 500 1000
"""
