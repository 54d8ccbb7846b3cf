"""A frozen value with some fields replaced, as `dataclasses.replace` does it, but faster.

Only for frozen dataclasses with slots, without a base that has fields and without __post_init__:
the states that every step replaces many times.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")
_put = object.__setattr__


def changed(value: T, **changes: Any) -> T:
    """A copy with these fields replaced. AttributeError for a field that there is not."""
    kind: Any = type(value)
    new: T = kind.__new__(kind)
    for name in kind.__slots__:
        _put(new, name, getattr(value, name))
    for name, field in changes.items():
        _put(new, name, field)
    return new
