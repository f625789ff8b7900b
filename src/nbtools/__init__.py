"""Product analytics of an app on ClickHouse, as a book of parameterized notebooks."""

from importlib.metadata import version

__version__ = version("nbtools")
