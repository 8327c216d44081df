"""What ends a command early: one sentence for people, and the exit code."""

from vipa_cli import exits


class ClusterError(Exception):
    """The message says what is wrong and what would help. ``code`` is the command's exit code."""

    code = exits.CANNOT_TELL


class UsageError(ClusterError):
    """What was asked for does not exist or makes no sense."""

    code = exits.USAGE


class NotGoodError(ClusterError):
    """The thing asked about is not good, so nothing was done."""

    code = exits.NOT_GOOD


class NotFoundError(ClusterError):
    """The API server has no such object."""


class NoTypesError(ClusterError):
    """The API server does not know vipa's resource types."""


class ForbiddenError(ClusterError):
    """The API server knows the user, and does not allow it."""


class UnauthorizedError(ClusterError):
    """The API server does not know the user."""


class UnreachableError(ClusterError):
    """No answer, or the connection broke."""


class GoneError(ClusterError):
    """The resourceVersion of a watch is too old: list again."""
