"""What can go wrong between operator and API server."""

from vipa.errors import VipaError


class ApiError(VipaError):
    """The API server said no. ``status``: HTTP status; ``reason``: its word for it, such as Conflict."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason


class UnreachableError(VipaError):
    """The API server did not answer, or not in time: whether it did what was asked is not known."""


class WatchError(VipaError):
    """kopf gave up watching; the program ends and is started anew."""
