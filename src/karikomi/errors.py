"""The one kind of error that is the user's to mend."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the caller gave is wrong; the message says in one line what, and what would be right."""


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """An error for a name that does not exist, offering the nearest one that does.

    >>> str(unknown("criterion", "magnitud", ["magnitude", "random"]))
    "unknown criterion 'magnitud'; did you mean 'magnitude'? There are: magnitude, random"
    """
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f" did you mean {near[0]!r}?" if near else ""
    return InputError(f"unknown {kind} {name!r};{hint} There are: {', '.join(names)}")
