"""How long ago something was, in as few characters as say it."""

from datetime import datetime


def age(since: str, now: datetime) -> str:
    """Time since an RFC 3339 time: "42s", "5m", "3h", "12d"; "" when there is none, or it is no time."""
    try:
        seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    except (ValueError, TypeError):  # TypeError: a time without zone, which no part of vipa writes
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
