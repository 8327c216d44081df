"""Run one nftables script in the calling thread's network namespace, through libnftables.

The ``nft`` program need not be installed: vipa depends on the library alone.
"""

import ctypes
import functools
from typing import Any, Final

from vipa_lab.errors import LabError

_LIBRARY: Final = "libnftables.so.1"


@functools.cache
def _library() -> Any:  # noqa: ANN401 - a ctypes library has no better type
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise LabError(f"{_LIBRARY} is missing: install libnftables1 (Debian, Ubuntu) or nftables") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_ctx_buffer_error.argtypes = [ctypes.c_void_p]
    library.nft_ctx_buffer_output.argtypes = [ctypes.c_void_p]
    library.nft_ctx_get_error_buffer.argtypes = [ctypes.c_void_p]
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


def run_nft(script: str) -> None:
    """Apply ``script`` (nft syntax) as one transaction; LabError with nft's own words when it is refused."""
    library = _library()
    context = library.nft_ctx_new(0)
    try:
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_buffer_output(context)
        if library.nft_run_cmd_from_buffer(context, script.encode()) != 0:
            words = library.nft_ctx_get_error_buffer(context).decode(errors="replace").strip()
            raise LabError(f"nftables refused the lab's rules: {words}")
    finally:
        library.nft_ctx_free(context)
