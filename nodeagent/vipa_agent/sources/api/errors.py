"""How a request to the API can fail: nobody answers, or the answer is no."""


class Unreachable(Exception):
    """No answer, or one that broke off or went silent. The message says what the network said."""


class Refused(Exception):
    """An HTTP status other than 2xx. ``retry_after_s`` when the server named a time."""

    def __init__(self, code: int, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else str(code))
        self.code = code
        self.retry_after_s = retry_after_s
