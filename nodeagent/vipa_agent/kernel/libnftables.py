"""libnftables in-process, for setting tables up from nft text. Never for what must be fast: it re-reads everybody's
tables on each call (8 ms beside 4,000 foreign chains; see nfnl.py for flips)."""

import ctypes
from typing import Final

from vipa_agent.kernel.errors import LibraryMissing, RulesetRefused

_SONAME: Final = "libnftables.so.1"


class Nft:
    """One libnftables context, bound to the network namespace it is made in."""

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(_SONAME)
        except OSError as error:
            raise LibraryMissing(
                f"{_SONAME} cannot be loaded ({error}): install the package libnftables1 (Debian, Ubuntu) "
                "or nftables-libs (Fedora, Alpine: nftables)"
            ) from error
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        library.nft_ctx_new.restype = ctypes.c_void_p
        for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_get_error_buffer"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        library.nft_run_cmd_from_buffer.restype = ctypes.c_int
        self._library = library
        self._context: int | None = library.nft_ctx_new(0)
        if self._context is None:
            raise RulesetRefused("libnftables could not make a context: out of memory, or no netlink socket allowed")
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def run(self, text: str) -> None:
        """Apply nft commands as one transaction. Raises RulesetRefused with nft's message; then nothing holds."""
        if self._context is None:
            raise RulesetRefused("the nftables context is closed")
        if self._library.nft_run_cmd_from_buffer(self._context, text.encode()) != 0:
            said = (self._library.nft_ctx_get_error_buffer(self._context) or b"").decode(errors="replace").strip()
            raise RulesetRefused(f"nftables refused the set-up of table vipa: {said or 'no message'}")

    def close(self) -> None:
        """Free the context."""
        if self._context is not None:
            self._library.nft_ctx_free(self._context)
            self._context = None
