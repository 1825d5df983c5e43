"""What `json.dumps` takes and `json.loads` gives, where no reader says more of it."""

from typing import Any

Json = Any
"""Numbers, strings, truth values, lists, dictionaries with strings as keys, None."""
