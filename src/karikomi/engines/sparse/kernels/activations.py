"""The activation functions that the kernels know, as numbers."""

IDENTITY, RELU, TANH = range(3)
ACTIVATIONS = {"identity": IDENTITY, "relu": RELU, "tanh": TANH}
