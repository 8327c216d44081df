"""Whether a virtual IP is good, and which one is meant, on recorded objects."""

import pytest

from unit.fakes.recorded import RECORDED, Object, vip
from vipa_cli.cluster.errors import UsageError
from vipa_cli.cluster.objects import pick
from vipa_cli.cluster.view import view


def test_good_and_not_good() -> None:
    good, bad = view(vip("erp")), view(vip("web"))
    assert (good.ready, good.redundant, good.holder, good.spares, good.wrong) == (True, True, "w1/eth1", 2, [])
    assert (bad.ready, bad.holder, bad.reason) == (False, "", "NoHealthyEndpoint")
    assert bad.wrong == ["no candidate is healthy; status.succession says why for each [NoHealthyEndpoint]"]


def test_served_though_refused_is_not_good() -> None:
    def refuse(thing: Object) -> None:
        thing["status"]["conditions"][0] |= {"status": "False", "reason": "Invalid", "message": "bad spec"}

    seen = view(vip("erp", refuse))
    assert (seen.ready, seen.reason, seen.wrong) == (True, "Invalid", ["bad spec [Invalid]"])


def test_one_cause_is_told_once() -> None:
    def refuse(thing: Object) -> None:
        for condition in thing["status"]["conditions"]:
            condition |= {"status": "False", "reason": "NoCandidates", "message": condition["type"]}

    assert view(vip("web", refuse)).wrong == ["Accepted [NoCandidates]"]


def test_nobody_has_looked_at_it() -> None:
    seen = view({"metadata": {"name": "new"}, "spec": {"addresses": ["10.1.1.9"]}})
    assert (seen.addresses, seen.ready, seen.reason) == (["10.1.1.9"], False, "NoStatus")
    assert "does the operator run?" in seen.wrong[0]


def test_a_virtual_ip_by_name_by_address_and_by_mistake() -> None:
    vips = RECORDED["VirtualIP"]
    assert pick(vips, "web") is pick(vips, "10.1.1.8")
    for wanted, says in (
        ("epr", "meant erp?"),
        ("10.1.1.77", "10.1.1.7"),
        ("xxxxxxxx", "there are: erp, web"),
    ):
        with pytest.raises(UsageError) as raised:
            pick(vips, wanted)
        assert says in str(raised.value)
    with pytest.raises(UsageError, match="no VirtualIP at all yet"):
        pick([], "erp")
