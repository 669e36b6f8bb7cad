"""What docs/performance.md says around its figures."""

HEAD = """# Performance

Written by `make bench`; the raw figures are in `benchmarks/results.json`. Each part was measured in one run:

{machine}

All contestants take turns (A B C, A B C, …), because other work on a machine slows all of them alike: times are
medians over the repetitions, ratios are medians of the ratios within each repetition. Trust the ratios first.
`python benchmarks PART --avx2` shows a part as it would be on a machine with AVX2 alone.
"""

STEPS = """## Training steps

LeNet-300-100 on MNIST, minibatches of 60, Adam with learning rate 0.0012, data in memory, masks as uneven as those of
tickets after 0, 3, 7, 10, 15 and 18 rounds. A step's time is the wall time divided by the steps of all networks that
trained at once, on all {cores} cores unless it says one core. It includes what a training costs once.

How many times faster the sparse engine is:

{ratios}

Microseconds per step:

{times}

- *sparse*: this package's engine, one network per core.
- *PyTorch*: a loop with masks multiplied into the gradients (so that removed weights and Adam's moments stay 0) and
  fused Adam. A dense network has no masks. *prune*: the same loop with `torch.nn.utils.prune`.
- *JAX*: the whole loop under `jit` and `lax.scan`, masks multiplied in.
- *population*: this package's engine for any module, {population}.
- *limit*: two products per surviving link and example, three behind the first layer, at this machine's own peak
  rate, {peak}, as measured between the others. Zeros in the data count like other
  values here; the sparse engine skips many of them in the first layer while it has many links, and leaves out inputs
  that always are 0 (67 of MNIST's 784), and so may be faster.

Each library was given the setup that was the fastest here, chosen at density 0.108: {chosen}. All did the same
work: after 200 steps from the same weights, with the same minibatches, the mean training loss and the loss on the
test images differ from the sparse engine's by {apart} at most (allowed: {tolerance}).
"""

SPARSE = """## Training of few links

MNIST, minibatches of 60, Adam with learning rate 0.0012, data in memory; the same network for all, with the same
links in every layer, drawn by lot. How many times faster than the fastest of the others, each in the setup that is
the fastest at that point (threads, or a process per core):

{ratios}

Microseconds per step and network, on all {cores} cores unless it says one core:

{times}

- *engine*: this package's sparse engine, one network per core; *one core*: one network alone.
- *SparseLinear*: `karikomi.torch.SparseLinear` in a plain PyTorch loop with fused Adam; *sparselab*, *sparseprop*: the
  same loop with their layers; *dense*: the same loop with `nn.Linear` without masks, eager or compiled. The engine is
  compared with the fastest of these three, SparseLinear with the faster of sparselab and sparseprop.
- *nothing*: the same loop with layers that compute nothing. What is left is PyTorch's (minibatches, activations, loss,
  autograd, Adam): no layer can make the loop more times faster than it is.

After 200 steps the mean training loss and the loss on the test images differ from the engine's by {apart} at most
(allowed: {tolerance}). The fastest setups: {chosen}.
"""

KERNELS = """## Where the time goes

784-1024-1024-10 as above, the sparse engine on one core, batch {batch}, Adam: the shortest time of each kernel within
whole steps, in microseconds. *limit of each*: a multiply-add per link and lane (64) at this core's peak, {peak} G a
second, once for each pass. Units and inputs that nothing depends on are left out, so layers have fewer links.

{table}

What comes on top of the arithmetic (by the code, not measured one by one):

- Every link loads its unit's 64 values and its weight: five loads of AVX-512 for four multiply-adds, and a core does no
  more of the one than of the other in a cycle.
- Sums of all units (256 KiB) are in the second-level cache: each tile of inputs reads and writes them once more, which
  costs the more, the fewer links a unit has in a tile.
- On the way back weights are read at places scattered over all links of the layer.
- *gradient and Adam*: sums across lanes; a root and a division per link; weights and both moments read and written.
"""

LOTTERY = """## Whole lotteries

Dense networks, tickets and re-initialized tickets, {replicates} replicates, {iterations} iterations each, validated
every 100 iterations on 10,000 images; at the end test accuracy at the early stop and after the last iteration, and
accuracy on all 50,000 training images. *ten rounds*: 20 % of the links a round in every layer. *eighteen rounds*:
10 % in the output layer, as in the paper.

{table}

The script is plain PyTorch with data in memory, masks multiplied in and fused Adam ({script}: the faster choice here).
It is given {scripted} of the very same networks of every round, in turn with the sparse engine, and its time is
multiplied up to all of them, since it trains one after the other; scoring, removal and re-initialization are on the
sparse engine's account alone. The accuracies that the two reach after the last iteration differ by {apart} percentage
points on average.
"""

SCALING = """## How cost grows

Sparse engine, microseconds per step and network, one network per core unless the table says otherwise.

With density (LeNet-300-100). Layers that are still nearly whole use a dense product; the first one skips zeros in the
data while it has many links:

{density}

With width (two hidden layers of that many units):

{width}

With the number of networks in one list (density 0.108). Fewer networks than cores leave cores idle:

{replicates}

With cores, one network on each: how many times faster than one core.

{cores}
"""

MEMORY = """## Peak memory

Of a process that plays the first {rounds} rounds of the lottery ({iterations} iterations), in megabytes. Later rounds
hold fewer links, and tickets of earlier ones are on disk. Both load PyTorch itself: it is most of what is there before
the first network.

{table}

The script trains one network after the other, so that more of them take no more; where it is faster as one process
per core, each of them takes this much. Examples that a DataLoader brings are never all in memory.
"""

TRAINING = """## Training of any network

Microseconds per training step and network (MNIST, batch 60, Adam), all cores. *loop*: what a user would write in
PyTorch, data in memory as float32; *compiled*: the same through `torch.compile`, compiled beforehand; *one* and
*several*: the engine that `--engine auto` picks, with one network, and with {several} together; how many times faster
than the faster of the two loops.

{table}

The mean losses of all four differ by {apart} at most.
"""

CONVOLUTIONS = """## Convolutional networks

MNIST, minibatches of 60, Adam with learning rate 0.0012, data in memory. Of every layer the largest weights after
{trained} iterations are left, the weights are those before training; the output layer loses links at half the rate of
the others. How many times faster the engine is, with one network per core and, *alone*, with one on all cores:

{ratios}

Microseconds per step and network:

{times}

- *PyTorch*: a loop with masks multiplied into the gradients and fused Adam: eager or compiled, channels last or not,
  whichever is the fastest here, in a process per core; *one network*: in one process with as many threads as are
  the fastest. The engine alone is compared with the latter, one network per core with the faster of both.
- *sparseprop*: the loop with its `SparseConv2d`, in the form that it finds to be the faster one, and `SparseLinear`;
  {sparseprop}.

After {checked} steps the mean training loss differs from the engine's by {apart} at most (allowed: {tolerance}).

How many times longer each convolution takes (forward, gradient and back to its input, on one core) than its
multiply-adds, one per link, place and lane of four blocks of 16, would take at the machine's peak:

{limits}

A lottery of conv-2-small (preset paper-conv-2-small, {rounds} rounds, {iterations} iterations each, 3 replicates), as
in [whole lotteries](#whole-lotteries): {sparse} by the engine, {script} by the script in {processes} processes,
{ratio} times as long. Accuracies differ by {accuracy} percentage points on average.
"""

GROW = """## Links that go and grow

What part of a training the changes of links take, in the arms of `karikomi grow` and with its defaults: LeNet-300-100
on MNIST, a change every {every} steps until three quarters of the training, validated every {every} steps on 10,000
images, or not at all; one thread. Microseconds per change, which are those of choosing what goes and grows and of
sorting and moving the links, and of {every} steps.

{table}
"""

LESIONS = """## Lesions

784-256-256-10 trained on MNIST; {examples} test images; zero ablation. The sparse engine counts every right answer of
every lesion; with it compared are *a pass each*: the plain PyTorch forward with a mask on the lesioned unit, all cores,
data in memory (timed for {sampled} lesions and multiplied up), and *cached*: PyTorch with activations computed once and
the unit's rank-one term subtracted.

{times}

The counts of right answers are those of the PyTorch passes, image for image, but for {apart} of {answers} answers.

Betweenness (distance 1 / |w|) of the whole graph, {nodes} nodes and {links} links:

{betweenness}
"""

CHANNELS = """## Lesions of convolutional networks

Knock-outs of every channel on MNIST's test images, zero ablation, all cores. *A pass each*: the plain PyTorch forward
with a mask on the lesioned channel, data in memory, images in the order in memory and in minibatches of the size that
are the fastest ({sampled} lesions, spread over the layers, are timed and multiplied up).

{table}
"""

MODELS = """## Lesions of any model

Knock-outs of single units: of a ResNet-20 on {images} images of 32 × 32, of a transformer of 6 layers and 8 heads on
{sequences} sequences of 64 tokens. With them are compared *hooks*: a pass of the model for each unit, in which a
forward hook overwrites it, and *captum*: `LayerFeatureAblation`. Some units, spread over the layers, are timed and
multiplied up.

{table}
"""
