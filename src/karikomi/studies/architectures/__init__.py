"""Compare architectures: which bears the loss of units, and which recovers?

Trains networks of several shapes in several replicates, wide and deep at equal numbers of parameters, without and with
dropout and batch normalization, or any networks by name. Each loses its units at random, layers in proportion, and
accuracy is measured on the way; and each ages: units die cycle by cycle, without training and retrained. Ends with the
answer: effects on accuracy, robustness and recovery with 95 % intervals, paired by replicate and corrected.

Wide against deep, dropout, batch normalization: karikomi architectures

In seconds: karikomi architectures --preset quick

The shapes of Shin_Miz's notebooks: karikomi architectures --preset notebooks

Networks by name: karikomi architectures --networks lenet-300-100 lenet-5 resnet-8
"""
