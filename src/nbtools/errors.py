"""Every deliberate exception of nbtools, and the exit code it ends the command with.

::

    NbtoolsError                 1   a run failed
    ├── InputError               2   the user can mend it: what was found, what is needed, where
    │   ├── ParameterError           a notebook's parameters
    │   ├── SettingsError            an environment variable, source.yml or a mapping
    │   ├── NoDataError              nothing to compute from
    │   └── SampleError              numbers of which no statistic can be made
    ├── LockedError             75   another run holds the lock
    ├── WarehouseError           1   ClickHouse refused or could not be reached
    ├── QualityError             1   a data-quality check of severity ``fail`` found rows
    ├── RunError                 1   a notebook did not run to its end
    ├── BookError                1   the book could not be built
    ├── PublicationError         1   the place where the book is published refused it
    └── DeliveryError            1   the Bot API refused a message for good

Messages are one line. Only ``__main__`` catches :class:`NbtoolsError`.
"""


class NbtoolsError(Exception):
    """Base of every deliberate exception."""

    exit_code = 1


class InputError(NbtoolsError):
    """Something the user gave is wrong; nothing was changed."""

    exit_code = 2


class ParameterError(InputError):
    """A notebook's parameters are unknown, missing or of the wrong type."""


class SettingsError(InputError):
    """An environment variable, ``source.yml`` or a mapping is wrong."""


class NoDataError(InputError):
    """There are no events where some are needed."""


class SampleError(InputError):
    """A sample that the asked statistic is not defined for, or a level that is none."""


class LockedError(NbtoolsError):
    """Another run holds the lock."""

    exit_code = 75


class WarehouseError(NbtoolsError):
    """ClickHouse refused a statement or could not be reached."""


class QualityError(NbtoolsError):
    """A data-quality check that must not fail found rows; nothing was replaced."""


class RunError(NbtoolsError):
    """A notebook did not run to its end."""


class BookError(NbtoolsError):
    """The book could not be built; the last good copy stays."""


class PublicationError(NbtoolsError):
    """The place where the book is published refused it; readers have the book before."""


class DeliveryError(NbtoolsError):
    """The Bot API refused a message for good."""
