"""The settings of training, which every study has and ``karikomi.train`` takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from cyclopts import Group, Parameter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from karikomi.engines.recipe import Augmentation, OptimizerName, Precision, Recipe, Schedule, learning_rates
from karikomi.errors import InputError

TRAINING = Parameter(group=Group("Training", sort_key=4))


class Described(BaseModel):
    """Fields whose docstrings are their help: a line break in them means nothing, a blank line begins a new line."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        for field in (cls.model_fields[name] for name in cls.__annotations__ if name in cls.model_fields):
            lines = (field.description or "").split("\n\n")
            field.description = "\n".join(" ".join(line.split()) for line in lines)


class TrainingSettings(Described):
    """How networks are trained. Frozen; an unknown name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    iterations: Annotated[int, TRAINING] = Field(default=5000, ge=1)
    """Training steps (minibatches) of every network."""
    epochs: Annotated[int | None, TRAINING] = Field(default=None, ge=1)
    """Passes through the training examples, in place of iterations."""
    batch: Annotated[int, TRAINING] = Field(default=60, ge=1)
    """Examples in a minibatch."""
    optimizer: Annotated[OptimizerName, TRAINING] = "adam"
    """Adam; AdamW, whose weight decay is decoupled; SGD with momentum; nesterov: with Nesterov's."""
    learning_rate: Annotated[float, TRAINING] = Field(default=1.2e-3, gt=0, lt=100)
    """Step size of the optimizer, at its highest."""
    learning_rate_schedule: Annotated[Schedule | None, TRAINING] = None
    """constant (default); step: a tenth after half of the iterations, a hundredth after three quarters (He et al.
    2016); cosine: falls to 0 along half a cosine."""
    warm_up: Annotated[int | None, TRAINING] = Field(default=None, ge=1)
    """Iterations over which the learning rate rises to its height, linearly; by default none."""
    momentum: Annotated[float, TRAINING] = Field(default=0.9, ge=0, lt=1)
    """Momentum of SGD; Adam does not use it."""
    weight_decay: Annotated[float, TRAINING] = Field(default=0.0, ge=0, lt=1)
    """L2 penalty, added to the gradient; AdamW shrinks the weights instead."""
    label_smoothing: Annotated[float | None, TRAINING] = Field(default=None, gt=0, lt=1)
    """Share of a label that is spread over all classes while training; by default none."""
    clip: Annotated[float | None, TRAINING] = Field(default=None, gt=0)
    """Largest L2 norm of a network's gradient; a longer one is scaled down to it. By default none."""
    augment: Annotated[tuple[Augmentation, ...] | None, TRAINING] = None
    """Training images change each time they are seen: shift by up to an eighth of their size, flip left to right half
    of the time. By default they do not."""
    validate_every: Annotated[int, TRAINING] = Field(default=100, ge=1)
    """Iterations between two validations."""
    engine: Annotated[Literal["auto", "sparse", "population"], TRAINING] = "auto"
    """sparse: perceptrons and convolutional networks on CPU, cost falls with density; population: torch, any
    network."""
    device: Annotated[Literal["cpu", "cuda"] | None, TRAINING] = None
    """Where the population engine computes; by default on a GPU if there is one."""
    precision: Annotated[Precision | None, TRAINING] = None
    """Of the products in training: tf32 (on a GPU) or bf16; by default float32. Networks are measured in float32."""

    @field_validator("learning_rate_schedule")
    @classmethod
    def _named_once(cls, schedule: Schedule | None) -> Schedule | None:
        return None if schedule == "constant" else schedule

    @field_validator("augment")
    @classmethod
    def _in_one_order(cls, augment: tuple[Augmentation, ...] | None) -> tuple[Augmentation, ...] | None:
        return tuple(name for name in get_args(Augmentation) if name in (augment or ())) or None

    @model_validator(mode="after")
    def _trains(self) -> Self:
        if self.optimizer == "nesterov" and self.momentum == 0:
            raise InputError("optimizer nesterov needs a momentum above 0")
        return self

    @classmethod
    def of(cls, **given: Any) -> Self:
        """Like the constructor, with errors of one line.

        Raises:
            InputError: naming the setting, what was given and what would be right.
        """
        try:
            return cls(**given)
        except ValidationError as problem:
            raise InputError(explain(problem)) from problem

    def changed(self, **given: Any) -> Self:
        """The same settings but for those given."""
        return self.of(**{**self.model_dump(), **given})

    def for_examples(self, examples: int) -> Self:
        """The same settings with ``epochs`` of so many training examples told as iterations, rounded up.

        Raises:
            InputError: if a minibatch takes more examples than there are.
        """
        if self.batch > examples:
            raise InputError(
                f"batch must be at most {examples}, the training examples that are left without validation; it is"
                f" {self.batch}"
            )
        if self.epochs is None:
            return self
        return self.changed(epochs=None, iterations=-(-self.epochs * examples // self.batch))

    def recipe(self, snapshots: tuple[int, ...] = (), *, iterations: int | None = None, start: int = 0) -> Recipe:
        """How these settings say that networks are trained.

        Args:
            snapshots: keep the weights after so many iterations.
            iterations: of a training of another length, with a schedule of its own.
            start: how many iterations of the schedule the network has behind it.
        """
        rate, steps = self.learning_rate, iterations or self.iterations
        if self.warm_up is not None or self.learning_rate_schedule is not None:
            rate = learning_rates(rate, self.learning_rate_schedule or "constant", self.warm_up or 0, steps, start)
        return Recipe(
            iterations=steps,
            batch=self.batch,
            optimizer=self.optimizer,
            learning_rate=rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            validate_every=self.validate_every,
            snapshots=snapshots,
            label_smoothing=self.label_smoothing or 0.0,
            clip=self.clip,
            augment=self.augment or (),
            precision=self.precision,
        )


def explain(problem: ValidationError, prefix: str = "") -> str:
    """The first setting that is wrong, in one line; ``prefix`` goes before its name (``--`` for a flag)."""
    errors = problem.errors(include_url=False)
    cause = errors[0].get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    setting = str(errors[0]["loc"][0])
    name = prefix + setting.replace("_", "-") if prefix else setting
    if errors[0]["type"] == "extra_forbidden":
        return f"there is no setting {name}"
    if errors[0]["type"] == "too_short":
        return f"{name} needs at least one value"
    # A setting of several types has an error for each.
    messages = [e["msg"].removeprefix("Input should be ").partition(", unable")[0] for e in errors]
    wanted = [message for message, e in zip(messages, errors, strict=True) if e["loc"][0] == setting]
    return f"{name} should be {' or '.join(wanted)}; it is {errors[0]['input']}"
