"""Registries: what there is of a kind, by name, with a line about each."""

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from karikomi.errors import InputError, unknown


def later(where: str) -> Callable[..., Any]:
    """The function at ``package.module:name``, imported at its first call: a name need not wait for torch.

    >>> later("math:sqrt")(9)
    3.0
    """
    module, _, name = where.partition(":")
    return lambda *args, **kwargs: getattr(import_module(module), name)(*args, **kwargs)


@dataclass(frozen=True)
class Entry:
    """What a registry says of a name.

    Attributes:
        function: what the name stands for; which arguments it takes is a matter of the registry.
        meaning: what it is, in one line.
        needs: what it cannot do without.
        paper: where it comes from.
        code: SHA-256 of the code that a user registered; empty for what is built in.
    """

    function: Callable[..., Any]
    meaning: str
    needs: tuple[str, ...] = ()
    paper: str = ""
    code: str = ""


EntryT = TypeVar("EntryT", bound=Entry)


class Registry(Mapping[str, EntryT], Generic[EntryT]):
    """Entries by name, in the order in which they are listed.

    >>> greetings = Registry("greeting", {"hello": Entry(str.title, "a friendly word")})
    >>> greetings.find("helo")
    Traceback (most recent call last):
    ...
    karikomi.errors.InputError: unknown greeting 'helo'; did you mean 'hello'? There are: hello
    """

    def __init__(self, kind: str, entries: Mapping[str, EntryT]) -> None:
        self.kind, self._entries = kind, dict(entries)

    def __getitem__(self, name: str) -> EntryT:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, name: str) -> EntryT:
        """The entry called ``name``; an InputError offers the nearest name if there is none."""
        if name not in self:
            raise unknown(self.kind, name, self)
        return self[name]

    def add(self, name: str, entry: EntryT) -> None:
        """One more entry, a user's own; the same name again takes its place, a built-in one does not.

        Raises:
            InputError: for the name of what is built in.
        """
        if name in self and not self[name].code:
            raise InputError(f"{self.kind} {name!r} is built in; give yours another name")
        self._entries[name] = entry


def code_of(function: Callable[..., Any]) -> str:
    """SHA-256 of the file that a function is written in, or of the function where there is no file.

    Raises:
        InputError: if its code cannot be read, so that a run could not tell one version of it from another.
    """
    try:
        file = inspect.getsourcefile(function)
        written = Path(file).read_text() if file and Path(file).exists() else inspect.getsource(function)
    except (OSError, TypeError) as problem:
        raise InputError(f"the code of {function!r} cannot be read; define it in a file or a notebook") from problem
    return hashlib.sha256(written.encode()).hexdigest()
