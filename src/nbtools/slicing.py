"""How the 15-minute slices are divided, from ``slices.yml``.

The file is ``slices.yml`` in the home folder where there is one, and
``parameters/slices.yml`` of the checkout otherwise, as with ``source.yml``.
"""

from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nbtools.errors import SettingsError
from nbtools.settings import PROJECT

DIMENSIONS = ("os", "source", "country", "city", "gender", "exp_group")
MOST_VALUES = 50
_LISTED = ("city",)  # thousands of values, of which a rollup can hold only some


class Slicing(NamedTuple):
    """How slices are divided and waited for.

    Attributes
    ----------
    dimensions : tuple of str
        What users are divided by, beside the total.
    kept : tuple of (str, str)
        Dimension and value: of a dimension named here only these values are kept, the rest
        is ``other``.
    grace_minutes : int
        How long after a slice's end a silent service is waited for while the other has events.
    late_minutes : int
        How far back each fill reads again.
    path : Path or None
        The file, for messages.
    """

    dimensions: tuple[str, ...] = ("os", "source")
    kept: tuple[tuple[str, str], ...] = ()
    grace_minutes: int = 10
    late_minutes: int = 120
    path: Path | None = None

    @property
    def text(self) -> str:
        """What the slices are divided by, as it stands in the table."""
        kept = [f"{dimension}={value}" for dimension, value in self.kept]
        return "; ".join([*self.dimensions, *kept])


DEFAULT = Slicing()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)
    dimensions: list[str | dict[str, list[str]]]
    grace_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    late_minutes: Annotated[int, Field(ge=0, le=10080)] = 120

    @field_validator("dimensions")
    @classmethod
    def _known(cls, entries: list[str | dict[str, list[str]]]) -> list[str | dict[str, list[str]]]:
        names = [name for name, _ in _pairs(entries)]
        for name, values in _pairs(entries):
            if name not in DIMENSIONS:
                raise ValueError(f"{name!r} is none of {', '.join(DIMENSIONS)}")
            if names.count(name) > 1:
                raise ValueError(f"{name} stands there twice")
            if not values and (values is not None or name in _LISTED):
                raise ValueError(f"{name} must say what to keep, such as - {name}: [Moscow]")
            if values and len(values) > MOST_VALUES:
                raise ValueError(f"{name} keeps {len(values)} values, at most {MOST_VALUES}")
        return entries


def _pairs(entries: list[str | dict[str, list[str]]]) -> list[tuple[str, list[str] | None]]:
    """Return each dimension and what it keeps, None where that is everything."""
    found: list[tuple[str, list[str] | None]] = []
    for entry in entries:
        found += [(entry, None)] if isinstance(entry, str) else list(entry.items())
    return found


def load(home: Path) -> Slicing:
    """Return how a home's slices are divided.

    Parameters
    ----------
    home : Path
        The home folder.

    Raises
    ------
    SettingsError
        If the file cannot be read or names what slices cannot be divided by.
    """
    own = home / "slices.yml"
    path = own if own.exists() else PROJECT / "parameters" / "slices.yml"
    try:
        found = _File.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except OSError as error:
        raise SettingsError(f"Cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise SettingsError(f"Cannot read {path}: it is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} is not YAML: {' '.join(str(error).split())}.") from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = str(problem["loc"][0]) if problem["loc"] else "the file"
        text = problem["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{path}: {where}: {text}.") from None
    pairs = _pairs(found.dimensions)
    kept = [(name, value) for name, values in pairs for value in values or ()]
    names = tuple(name for name, _ in pairs)
    return Slicing(names, tuple(kept), found.grace_minutes, found.late_minutes, path)
