"""Which rights vipa's programs have on an API server, and which of them they used: its roles beside its audit log."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, NamedTuple

from vipa_lab.kube.accounts import SYSTEM
from vipa_lab.kube.kubectl import Kubectl


class Right(NamedTuple):
    """``namespace`` "": everywhere. ``resource`` with its subresource."""

    account: str
    verb: str
    group: str
    resource: str
    namespace: str


class Audit:
    """Of what the service accounts ``accounts`` of vipa's namespace ask; the log is kept in ``folder``. ``flags`` are
    kube-apiserver's."""

    def __init__(self, folder: Path, accounts: Collection[str]) -> None:
        self._log: Final = folder / "audit.log"
        self._accounts = frozenset(accounts)
        users = [f"system:serviceaccount:{SYSTEM}:{name}" for name in sorted(accounts)]
        rules = [{"level": "Metadata", "users": users}, {"level": "None"}]
        policy = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": rules}
        (folder / "policy.json").write_text(json.dumps(policy))
        self.flags = (f"--audit-policy-file={folder / 'policy.json'}", f"--audit-log-path={self._log}")

    def asked(self, *, leaving_out: str) -> tuple[set[Right], list[str]]:
        """What the accounts asked for so far, and what of it they were refused; without the programs whose User-Agent
        begins with ``leaving_out``."""
        used: set[Right] = set()
        refused: list[str] = []
        # A line that is being written just now is not whole yet.
        for line in self._log.read_text().rpartition("\n")[0].splitlines():
            entry: dict[str, Any] = json.loads(line)
            if entry["userAgent"].startswith(leaving_out):
                continue
            account = entry["user"]["username"].rpartition(":")[2]
            what = entry.get("objectRef", {})
            resource = "/".join(part for part in (what.get("resource"), what.get("subresource")) if part)
            status = entry.get("responseStatus", {}).get("code", 0)
            if status == 403:
                refused.append(f"{account}: {entry['verb']} {resource}: {entry['responseStatus']}")
            # A server-side apply that makes the object is asked for as patch and needs create too.
            verbs = {entry["verb"], *(["create"] if status == 201 else [])}
            for namespace in ("", what.get("namespace", "")):
                used |= {Right(account, verb, what.get("apiGroup", ""), resource, namespace) for verb in verbs}
        return used, refused

    def granted(self, kubectl: Kubectl) -> set[Right]:
        """What the roles say that are bound to the accounts, as the API server has them."""
        found: set[Right] = set()
        for kind in ("clusterrolebinding", "rolebinding"):
            for binding in json.loads(kubectl.run("get", kind, "-A", "-o", "json"))["items"]:
                accounts = {each["name"] for each in binding.get("subjects", []) if each.get("namespace") == SYSTEM}
                role, namespace = binding["roleRef"], binding["metadata"].get("namespace", "")
                for account in accounts & self._accounts:
                    rules = kubectl.get(role["kind"], role["name"], namespace)["rules"]
                    found |= {
                        Right(account, verb, group, resource, namespace)
                        for rule in rules
                        for verb in rule["verbs"]
                        for group in rule["apiGroups"]
                        for resource in rule["resources"]
                    }
        assert {right.account for right in found} == self._accounts
        return found
