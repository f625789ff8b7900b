"""Libraries that others bring along and nothing here uses, kept out of our processes."""

import sys

# jsonschema checks international addresses with it, which no notebook's format has. It makes a
# parser of their grammar when it is imported: longer than all the rest of a command's start.
_UNUSED = ("rfc3987_syntax",)


def skip_unused() -> None:
    """Have imports of unused libraries fail at once; those who ask for them do without."""
    for name in _UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
