"""Types (CRDs) of vipa that were deleted: seeing them go, without the API server's patience.

To delete a type's objects the API server first begins to serve the type, if nobody has asked for it yet, and fails with
"storage is (re)initializing"; it tries again after twice as long each time, up to 1,000 s (crd_finalizer.go of
apiextensions-apiserver). Any change of the type makes it try at once.
"""

import contextlib
import json
import time
from itertools import count
from typing import Final

from vipa_lab.kube.accounts import OURS
from vipa_lab.kube.kubectl import Kubectl, KubectlError, Object
from vipa_lab.until import until

# Twice what the API server's first ten attempts take, after which its waits grow beyond a person's patience.
_NUDGE_S: Final = 10.0
# One look costs 0.1 s of processor.
_POLL_S: Final = 0.5


def delete_types(kubectl: Kubectl, timeout_s: float = 120.0) -> None:
    """Delete vipa's types with all their objects, and wait as :func:`await_types_gone` does."""
    kubectl.run("delete", "crds", "-l", OURS, "--ignore-not-found", "--wait=false")
    await_types_gone(kubectl, timeout_s)


def await_types_gone(kubectl: Kubectl, timeout_s: float = 120.0) -> None:
    """Wait until none of vipa's types is left; AssertionError with their conditions when they do not go."""
    left: list[Object] = []
    started, nudges = time.monotonic(), count(1)
    next_nudge_s = _NUDGE_S

    def gone() -> bool:
        nonlocal left, next_nudge_s
        left = kubectl.list("crds", selector=OURS)
        if left and time.monotonic() - started >= next_nudge_s:
            next_nudge_s += _NUDGE_S
            with contextlib.suppress(KubectlError):  # the last one may have gone in between
                kubectl.run("annotate", "crds", "-l", OURS, "--overwrite", f"vipa.dev/nudge={next(nudges)}")
        return not left

    until(gone, lambda: f"types that do not go: {json.dumps([_account(each) for each in left])}", timeout_s, _POLL_S)


def _account(crd: Object) -> Object:
    held = {name: crd["metadata"].get(name) for name in ("name", "deletionTimestamp", "finalizers")}
    return held | {"conditions": crd.get("status", {}).get("conditions")}
