"""Requests with a service account's token, as vipa's programs make them: kubectl would read each object first."""

import json
import ssl
import urllib.error
import urllib.request
from typing import Final

from vipa_lab.kube.apiserver import ApiServer

USER_AGENT: Final = "Python-urllib"
"""How an audit log calls it, at the beginning."""


class Asker:
    """Of ``server``, with ``token``."""

    def __init__(self, server: ApiServer, token: str) -> None:
        self._server = server
        self._token = token
        self._context = ssl.create_default_context(cafile=server.ca_file)

    def refusal(self, method: str, path: str, body: object = None) -> str:
        """Why the API server refused; "" when it did not."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": kind}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._server.url}{path}", data, headers, method=method)
        try:
            urllib.request.urlopen(request, timeout=30, context=self._context).close()
        except urllib.error.HTTPError as error:
            with error:
                return f"{error.code}: {json.load(error)['message']}"
        return ""
