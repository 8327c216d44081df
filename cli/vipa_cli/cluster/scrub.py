"""Takes out of objects and logs what must not leave a cluster. Pure."""

import re
from typing import Any, Final

from vipa_cli.cluster.kubeconfig import Json

LEFT_OUT: Final = "(left out)"
# A JSON Web Token: two base64url objects, each beginning with {" ; and whatever an HTTP header calls a bearer token.
_TOKENS: Final = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*|(?i:(?<=bearer ))\S+")
_KEYS: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)")
_NOISE: Final = ("managedFields",)
# A copy of the whole object, secrets in it included.
_COPIES: Final = ("kubectl.kubernetes.io/last-applied-configuration",)


def scrub_text(text: str) -> str:
    """Without tokens, private keys, and passwords in URLs."""
    for pattern in (_TOKENS, _KEYS, _USERINFO):
        text = pattern.sub(LEFT_OUT, text)
    return text


def scrub(thing: Json) -> Json:
    """A copy of an object or list without what kubectl keeps in annotations, and without values of environment
    variables and of Secrets."""
    cleaned: Json = _scrub(thing)
    return cleaned


def _scrub(value: Any, field: str = "") -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, list):
        return [_variable(each) if field == "env" else _scrub(each) for each in value]
    if isinstance(value, dict):
        secret = value.get("kind") == "Secret"
        return {
            key: LEFT_OUT if secret and key in ("data", "stringData") else _scrub(inner, key)
            for key, inner in value.items()
            if key not in _NOISE and key not in _COPIES
        }
    return scrub_text(value) if isinstance(value, str) else value


def _variable(entry: Any) -> Any:  # noqa: ANN401 - JSON
    return entry | {"value": LEFT_OUT} if isinstance(entry, dict) and "value" in entry else entry
