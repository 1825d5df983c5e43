"""Results of pure functions, kept for the next call with the very same arguments.

Trajectories, road users and drives are frozen, and many scenarios share them: what is made of one
of them alone need not be made again. Arguments are told apart as the keys of dictionaries are:
numbers and edits by value, those that hold arrays by identity.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def memoized(most: int) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Keep the newest results of a function of positional arguments.

    Callers must not change what it returns.

    Args:
        most: How many are kept; the oldest goes first.
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        # The arguments are kept too: while they live, nothing else has their identity.
        kept: dict[tuple[Any, ...], tuple[Any, Result]] = {}

        @wraps(function)
        def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            assert not kwargs, f"{function.__name__} takes positional arguments"
            key = tuple(arg if isinstance(arg, Hashable) else (id(arg),) for arg in args)
            if (found := kept.get(key)) is not None:
                return found[1]
            made = function(*args, **kwargs)
            while len(kept) >= most:
                kept.pop(next(iter(kept)), None)
            kept[key] = (args, made)
            return made

        return call

    return decorate
