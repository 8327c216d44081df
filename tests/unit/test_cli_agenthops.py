"""Which of several agents' words about next hops count, and what is said when they cannot be asked."""

import pytest

from vipa_cli.cluster.agenthops import Followed, _chosen, base, entry, once
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


def test_an_agent_that_does_not_know_the_name_ends_no_watch() -> None:
    watch = Followed(["a", "b", "c"], "erp")
    nothing: Json = {"node": "w3", "edition": "1", "virtualIPs": []}
    assert (watch.take("a", nothing, ""), watch.trouble) == (None, ""), "others may"
    assert (watch.take("b", None, "refused"), watch.trouble) == (None, "b: refused")
    vip = watch.take("c", said("w1", "w1", 3, "10.1.1.4"), "")
    assert vip is not None
    assert vip["status"]["nextHops"] == ["10.1.1.4"]
    assert watch.take("b", nothing, "") == vip
    assert watch.trouble == ""
    assert watch.take("c", nothing, "") is None
    assert "none of these agents has a virtual IP erp" in watch.trouble, "it has known it: it goes on"


def test_a_watch_ends_when_all_answer_at_the_start_and_none_knows_the_name() -> None:
    watch = Followed(["a", "b"], "shop")
    watch.take("a", said("w1", "w1", 3), "")
    assert watch.take("b", None, "refused") is None
    assert watch.trouble == "b: refused; none of these agents has a virtual IP shop in its plan"
    with pytest.raises(UsageError, match="none of these agents has a virtual IP shop"):
        watch.take("b", said("w2", "w1", 3), "")
