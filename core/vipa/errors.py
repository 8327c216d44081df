"""vipa's exceptions on one screen: what a caller may catch, and whose fault each one is."""


class VipaError(Exception):
    """Root of all errors that carry a message for people."""


class ConfigError(VipaError):
    """The user's input (flag, file) is wrong; the message says what would be right."""


class KeyFileError(ConfigError):
    """The heartbeat key file is unusable."""


class PeerError(VipaError):
    """What another station sent is unusable; it is dropped and counted under ``result``."""

    def __init__(self, result: str, detail: str = "") -> None:
        super().__init__(f"{result}: {detail}" if detail else result)
        self.result = result
