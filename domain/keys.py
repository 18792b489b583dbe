"""Finding things by the words that people type."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from domain.errors import UsageError

T = TypeVar("T", bound=Hashable)


def find(word: str, known: Mapping[str, T], what: str) -> T:
    """The thing of that name, whatever its case; UsageError with near matches otherwise.

    >>> find("Freq", {"frequency": 1, "FREQ": 2}, "dataset")
    2
    """
    by_folded = {name.casefold(): thing for name, thing in known.items()}
    if word.casefold() in by_folded:
        return by_folded[word.casefold()]
    near = difflib.get_close_matches(word.casefold(), list(by_folded), n=3, cutoff=0.5)
    names = [name for name in known if name.casefold() in near] or list(known)
    if len(names) > 20:  # dozens of names are no help
        names = [*names[:20], f"and {len(names) - 20} more"]
    hint = f"did you mean {', '.join(names)}?" if near else f"there are {', '.join(names)}."
    raise UsageError(f"there is no {what} '{word}': {hint}")


def find_all(words: Iterable[str], known: Mapping[str, T], what: str) -> list[T]:
    """``find`` for several words, each thing once, in the order asked."""
    return list(dict.fromkeys(find(word, known, what) for word in words))
