"""Every error that a user can meet, as one tree.

    GridledgerError              1  one sentence: what, where, what to do
    |-- UsageError               2  an unknown key, a malformed date, a day that has not begun
    |-- SourceError              1  a window could not be fetched
    |   |-- Unreachable             no usable answer: connection, timeout, 5xx or 429 to the end
    |   |   `-- GivenUp             not asked any more in this run, after too much of that
    |   |-- Refused                 the provider said no (4xx) and asking again would not help
    |   `-- BrokenAnswer            an answer came whole but cannot be read (garbled, cut, HTML)
    |-- SchemaError              1  rows that do not fit their table, with column and sample
    |-- ClusterError             1  a Dask worker could not do the work, or none of them fits
    |   `-- ClusterLost             nothing is asked of it any more in this run
    `-- StoreError               1  the database or the disk refused
        |-- StoreMismatch        2  not ours, newer than this program, or of the other origin
        |-- StoreBusy            1  locked by another program for longer than we wait
        `-- StoreLost            1  the connection to the database broke, and did not come back

The number is the exit code of a command that ends with the error. Settings and locks have their own
two errors in ``utils``, which knows nothing of electricity.
"""

import reprlib

_SHORT = reprlib.Repr()  # its arguments came with Python 3.12
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def cited(value: object) -> str:
    """A value as an error quotes it: its beginning and end where it is long.

    >>> cited("2024-10-27")
    "'2024-10-27'"
    """
    return _SHORT.repr(value)


class GridledgerError(Exception):
    """Foreseeable trouble, said in one sentence that a user can act on."""

    exit_code = 1


class UsageError(GridledgerError):
    """The command or call was asked for something that does not exist or cannot be."""

    exit_code = 2


class SourceError(GridledgerError):
    """A window could not be fetched; the others go on."""


class Unreachable(SourceError):
    """The provider gave no usable answer, however often it was asked."""


class GivenUp(Unreachable):
    """The provider was not asked, because it gave no usable answer too often before."""


class Refused(SourceError):
    """The provider refused the request; ``status`` is the HTTP status, ``body`` its own words."""

    def __init__(self, message: str, status: int, body: bytes = b"") -> None:
        super().__init__(message)
        self.status = status
        self.body = body

    def __reduce__(self) -> tuple[type["Refused"], tuple[str, int, bytes]]:
        """It may have to travel between processes."""
        return Refused, (str(self), self.status, self.body)


class BrokenAnswer(SourceError):
    """The answer's body is not what its envelope promises; worth asking again."""


class SchemaError(GridledgerError):
    """Rows do not fit the declared table; nothing of their window is stored."""


class ClusterError(GridledgerError):
    """Dask's scheduler or its workers are not there, or are of no use; the window is not done."""


class ClusterLost(ClusterError):
    """Dask's scheduler, or its last worker, went away and did not come back."""


class StoreError(GridledgerError):
    """The database or the disk under it refused; the window was rolled back."""


class StoreMismatch(StoreError):
    """The store is foreign, newer than this program, or holds data of the other origin."""

    exit_code = 2


class StoreBusy(StoreError):
    """Another program kept the database locked for longer than we wait."""


class StoreLost(StoreError):
    """The connection to the database broke; its server rolled the transaction back."""
