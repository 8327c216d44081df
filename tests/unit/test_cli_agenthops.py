"""Which of several agents' words about next hops count, and what is said when they cannot be asked."""

import pytest

from vipa_cli.cluster.agenthops import _chosen, base, entry, once
from vipa_cli.cluster.errors import UnreachableError, UsageError
from vipa_cli.cluster.kubeconfig import Json


def said(node: str, holder: str, term: int, *hops: str) -> Json:
    vip = {"name": "erp", "addresses": ["10.1.1.7"], "holder": holder, "term": term, "nextHops": list(hops)}
    return {"node": node, "edition": "1", "virtualIPs": [vip]}


def hops(*told: Json) -> list[str]:
    found: list[str] = _chosen(told, "10.1.1.7")["status"]["nextHops"]
    return found


def test_the_newest_holding_counts_and_of_it_the_holders_own_words() -> None:
    old, new = said("w1", "w1", 3, "10.1.1.4", "10.1.1.5"), said("w2", "w2", 4, "10.1.1.6", "fd00::6")
    assert hops(old, new) == ["10.1.1.6", "fd00::6"]
    assert hops(new, said("w3", "w2", 4, "10.1.1.6")) == ["10.1.1.6", "fd00::6"]
    assert hops(said("w3", "", 0), old) == ["10.1.1.4", "10.1.1.5"]
    assert hops(said("w3", "", 0)) == []
    assert entry([None]) is None


def test_what_cannot_be_asked_is_said_in_a_line() -> None:
    with pytest.raises(UsageError, match="has a virtual IP shop in its plan"):
        _chosen([said("w1", "w1", 1)], "shop")
    with pytest.raises(UsageError, match="such as w1:9117"):
        base("ftp://w1")
    assert (base("w1:9117"), base("https://w1/x/")) == ("http://w1:9117", "https://w1/x")
    with pytest.raises(UnreachableError, match="refused"):
        once(["127.0.0.1:1"], "erp")
