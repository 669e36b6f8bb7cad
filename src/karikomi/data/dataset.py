"""Data in memory: examples, a data set, what may be done to it, and its split into training and validation."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from karikomi.errors import InputError


@dataclass(frozen=True)
class Examples:
    """Inputs and labels.

    ``x`` is ``[n, …]``, either uint8 (read as x / 255) or float32 (read as it is); ``y`` is int64 ``[n]``.
    """

    x: np.ndarray
    y: np.ndarray

    @classmethod
    def from_arrays(cls, x: np.ndarray, y: np.ndarray, of: str = "") -> Self:
        """Your own arrays: inputs ``[n, …]`` (uint8, or numbers that become float32) and labels from 0.

        Raises:
            InputError: where shapes, types or values do not fit together, naming the arrays x and y followed by ``of``.
        """
        x, y = np.asarray(x), np.asarray(y)
        if y.ndim != 1 or len(x) != len(y) or len(y) == 0 or x.ndim < 2:
            raise InputError(f"x{of} must be [n, …] and y{of} [n] with n at least 1; they are {x.shape} and {y.shape}")
        if y.dtype.kind in "OUS":
            raise InputError(f"y{of} holds text; give numbers, such as np.unique(y, return_inverse=True)[1]")
        if not np.issubdtype(y.dtype, np.integer) or y.min() < 0:
            raise InputError(f"y{of} must hold whole numbers from 0; it is {y.dtype}, smallest {y.min()}")
        if x.dtype != np.uint8:
            if not (np.issubdtype(x.dtype, np.number) or x.dtype == bool) or np.iscomplexobj(x):
                raise InputError(f"x{of} must hold real numbers; it is {x.dtype}")
            x = x.astype(np.float32)
            if not np.isfinite(x).all():
                raise InputError(f"x{of} holds NaN or infinite values")
        return cls(np.ascontiguousarray(x), y.astype(np.int64))

    def __len__(self) -> int:
        return len(self.y)

    def take(self, indices: np.ndarray) -> Self:
        return type(self)(self.x[indices], self.y[indices])

    @property
    def scale(self) -> float:
        """What ``x`` is multiplied by before a network sees it."""
        return 1 / 255 if self.x.dtype == np.uint8 else 1.0


def stratified(y: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ``count`` of the examples with labels ``y``, each class in proportion, within one example: bool ``[n]``.

    >>> stratified(np.array([0, 0, 0, 0, 1, 1]), 3, np.random.default_rng(0)).reshape(3, 2).sum(axis=1)
    array([1, 1, 1])
    """
    n = len(y)
    order = rng.permutation(n)
    # Sorting a random order by class and taking equally spaced places gives every class its share.
    by_class = order[np.argsort(y[order], kind="stable")]
    drawn = np.zeros(n, dtype=bool)
    drawn[by_class[(np.arange(count) * n + n // 2) // count]] = True
    return drawn


@dataclass(frozen=True)
class Split:
    """Which of the training examples train (``train``) and which decide when to stop (``validation``)."""

    train: np.ndarray
    validation: np.ndarray

    def reduced(self, share: float, labels: np.ndarray, rng: np.random.Generator) -> Self:
        """The same with a stratified share (0 … 1) of the examples that train; ``labels`` are those of all examples.

        Raises:
            InputError: if no example is left to train on.
        """
        left = round(share * len(self.train))
        if left == 0:
            raise InputError(f"a share of {share:g} leaves none of {len(self.train)} training examples")
        return replace(self, train=self.train[stratified(labels[self.train], left, rng)])


@dataclass(frozen=True)
class Dataset:
    """Training and test examples of a classification task with classes 0 … ``classes`` − 1.

    Attributes:
        name: what tables and pages call it.
        train: the training examples; validation and scoring examples are drawn from them.
        test: the test examples; they decide nothing.
        classes: how many classes there are.

    >>> x, y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 2, 0, 1, 2])
    >>> data = Dataset.from_arrays(x, y, x[:3], y[:3], name="mine")
    >>> data.sample_shape, data.classes
    ((2,), 3)
    """

    name: str
    train: Examples
    test: Examples
    classes: int

    @property
    def sample_shape(self) -> tuple[int, ...]:
        return self.train.x.shape[1:]

    def with_channels(self) -> Self:
        """The same images ``[h, w]`` as images of one channel, ``[1, h, w]``."""
        train, test = (replace(examples, x=examples.x[:, None]) for examples in (self.train, self.test))
        return replace(self, train=train, test=test)

    def with_label_noise(self, share: float, rng: np.random.Generator) -> Self:
        """The same data, with wrong labels for a share (0 … 1) of the training examples, drawn at random.

        A wrong label is each of the other classes with equal probability. The test set stays as it is.

        References:
            Zhang et al. 2017, Understanding deep learning requires rethinking generalization (arXiv 1611.03530).
        """
        y = self.train.y.copy()
        wrong = rng.permutation(len(y))[: round(share * len(y))]
        y[wrong] = (y[wrong] + rng.integers(1, self.classes, len(wrong))) % self.classes
        return replace(self, train=replace(self.train, y=y))

    def standardized(self) -> Self:
        """The same data with mean 0 and standard deviation 1 over the training set, as float32.

        Of vectors each feature is standardized; of images ``[h, w]`` all pixels together; of images ``[c, h, w]`` each
        channel. What never varies becomes 0.
        """
        x = self.train.x
        axes = (0,) if x.ndim == 2 else (0, 1, 2) if x.ndim == 3 else (0, *range(2, x.ndim))
        mean, deviation = (of(x, axes, dtype=np.float64, keepdims=True) for of in (np.mean, np.std))
        shift, width = mean.astype(np.float32), np.where(deviation > 0, deviation, 1).astype(np.float32)
        train, test = (replace(part, x=(part.x - shift) / width) for part in (self.train, self.test))
        return replace(self, train=train, test=test)

    @classmethod
    def from_arrays(
        cls,
        x_train: np.ndarray,
        y_train: np.ndarray,
        x_test: np.ndarray,
        y_test: np.ndarray,
        *,
        name: str = "arrays",
    ) -> Self:
        """A data set from your own arrays.

        Args:
            x_train: inputs ``[n, …]``: uint8, read as x / 255, or numbers that become float32.
            y_train: labels ``[n]``, whole numbers 0 … C − 1, each of them there.
            x_test: more inputs of the same kind.
            y_test: their labels.
            name: what tables and pages call it.

        Returns:
            The data set.

        Raises:
            InputError: where shapes, types or values do not fit together.
        """
        train = Examples.from_arrays(x_train, y_train, "_train")
        test = Examples.from_arrays(x_test, y_test, "_test")
        if train.x.shape[1:] != test.x.shape[1:] or train.x.dtype != test.x.dtype:
            raise InputError(
                f"x_train and x_test must hold the same kind of sample; they are {train.x.dtype} {train.x.shape[1:]}"
                f" and {test.x.dtype} {test.x.shape[1:]}"
            )
        classes = int(train.y.max()) + 1
        missing = sorted(set(range(classes)) - set(np.unique(train.y).tolist()))
        if missing or classes < 2:
            raise InputError(
                f"labels must be 0 … C − 1, C at least 2, each of them in y_train; it lacks {missing or 1}"
            )
        if test.y.max() >= classes:
            raise InputError(f"y_test has the label {test.y.max()}, but y_train ends at {classes - 1}")
        return cls(name, train, test, classes)

    def split(self, validation: int, rng: np.random.Generator) -> Split:
        """Hold ``validation`` training examples back, stratified: each class in proportion, within one example.

        Raises:
            InputError: if fewer than one example per class, or no training example, would be left.
        """
        n = len(self.train)
        if not self.classes <= validation <= n - self.classes:
            raise InputError(
                f"validation must lie between {self.classes} and {n - self.classes} examples for {self.name}"
                f" ({n} training examples, {self.classes} classes); it is {validation}"
            )
        held_back = stratified(self.train.y, validation, rng)
        return Split(train=np.flatnonzero(~held_back), validation=np.flatnonzero(held_back))
