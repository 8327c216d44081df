"""The small parts: when to reconcile, what the store believes, how news is counted, what the command line takes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipa.errors import ConfigError
from vipa.resources.virtualip import VirtualIPStatus
from vipa_operator.debounce import MOST_S, QUIET_S, Debounce
from vipa_operator.eventing import name_of
from vipa_operator.login import login
from vipa_operator.reconcile import EventWrite, Key, Kind
from vipa_operator.reconcile.times import parse
from vipa_operator.reconcile.writes import Severity
from vipa_operator.settings import parse as parse_words
from vipa_operator.settings import parse_listen
from vipa_operator.store import Store


def test_the_first_change_after_quiet_is_taken_at_once_and_the_rest_together() -> None:
    debounce = Debounce()
    assert debounce.due_at() is None
    debounce.changed(10.0)
    assert debounce.due_at() == 10.0
    debounce.done(10.0, 10.001)
    for i in range(5):
        debounce.changed(10.002 + i / 1000)
    assert debounce.due_at() == pytest.approx(10.001 + QUIET_S)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 5.0)), min_size=1, max_size=50))
def test_no_change_waits_longer_than_promised_and_most_of_the_time_is_left(steps: list[tuple[float, float]]) -> None:
    debounce, now = Debounce(), 0.0
    for pause_s, cost_s in steps:
        now += pause_s
        debounce.changed(now)
        due_at = debounce.due_at()
        assert due_at is not None
        assert now <= due_at <= now + MOST_S
        ended = max(now, due_at) + cost_s
        debounce.done(max(now, due_at), ended)
        now = ended
        assert debounce.due_at() is None


def raw(version: int, uid: str = "u1", generation: int = 1, **more: object) -> dict[str, Any]:
    meta = {"name": "erp", "uid": uid, "resourceVersion": str(version), "generation": generation}
    spec = {"addresses": ["10.1.1.7"]}
    return {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIP", "metadata": meta, "spec": spec, **more}


def test_the_store_takes_news_in_any_order() -> None:
    store = Store()
    assert store.put(Kind.VIP, raw(5))
    assert not store.put(Kind.VIP, raw(5))
    assert not store.put(Kind.VIP, raw(9))  # nothing but the version
    assert not store.put(Kind.VIP, raw(7, status={"addresses": ["10.1.1.9"]}))  # older than what is known
    assert store.cluster.vips["erp"].meta.version == "9"
    assert store.put(Kind.VIP, raw(10, generation=2))
    assert store.put(Kind.VIP, raw(20, uid="u2"))  # deleted and made anew
    assert not store.drop(Kind.VIP, "erp", "u1")  # the late word of the first one's end
    assert not store.put(Kind.VIP, raw(12))  # nor does the first one come back
    assert store.drop(Kind.VIP, "erp", "u2")
    assert store.take_changes() == {Key(Kind.VIP, "erp")}
    assert store.take_changes() == set()


def test_what_comes_back_from_a_write_is_no_news_and_anything_beside_it_is() -> None:
    store = Store()
    store.put(Kind.VIP, raw(1))
    written = VirtualIPStatus(addresses=("10.1.1.7",))
    store.cluster.statuses["erp"] = written
    assert not store.put(Kind.VIP, raw(2, status={"addresses": ["10.1.1.7"]}))
    assert store.cluster.vips["erp"].status == written
    store.cluster.statuses["erp"] = VirtualIPStatus(addresses=("10.1.1.8",))
    assert store.put(Kind.VIP, raw(3, status={"addresses": ["10.1.1.9"]}))  # somebody else's
    assert store.put(Kind.VIP, raw(4, generation=2, status={"addresses": ["10.1.1.8"]}))


def test_a_spec_is_read_once_for_each_generation() -> None:
    store = Store()
    store.put(Kind.VIP, raw(1))
    first = store.cluster.vips["erp"].spec
    store.put(Kind.VIP, raw(2, status={"addresses": ["10.1.1.7"]}))
    assert store.cluster.vips["erp"].spec is first
    store.put(Kind.VIP, raw(3, generation=2))
    assert store.cluster.vips["erp"].spec is not first


def test_an_object_with_a_foreign_finalizer_is_gone_to_us_once_it_is_deleted() -> None:
    store = Store()
    store.put(Kind.VIP, raw(1))
    dying = raw(2)
    dying["metadata"] = {**dying["metadata"], "deletionTimestamp": "2026-11-23T07:00:00Z"}
    assert store.put(Kind.VIP, dying)
    assert store.names(Kind.VIP) == frozenset()


def test_a_status_that_is_nonsense_is_as_if_there_were_none() -> None:
    store = Store()
    store.put(Kind.VIP, raw(1, status={"succession": "nonsense"}))
    assert store.cluster.vips["erp"].status.succession == ()


def event(**more: str) -> EventWrite:
    said = {"kind": "VirtualIP", "name": "erp", "uid": "u", "reason": "Invalid", "message": "no", **more}
    return EventWrite(severity=Severity.WARNING, **said)


def test_equal_news_has_one_name_and_other_news_another() -> None:
    assert name_of(event()) == name_of(event())
    others = [event(message="yes"), event(uid="v"), event(reason="Conflict"), event(name="web")]
    assert len({name_of(e) for e in [event(), *others]}) == 5


def test_times_that_are_none_are_long_ago() -> None:
    assert parse("nonsense") < parse("2026-11-23T07:00:00Z")


@pytest.mark.parametrize("text", ["9118", "nowhere", "::1:9118", "127.0.0.1:99999"])
def test_listen_addresses_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="ADDR:PORT"):
        parse_listen(text)


def test_two_starts_are_two_replicas() -> None:
    assert parse_words([]).name != parse_words([]).name
    assert parse_words(["--listen", "[::1]:0"]).listen == ("::1", 0)


def test_outside_of_a_cluster_the_kubeconfig_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match="give --kubeconfig"):
        login(None)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    with pytest.raises(ConfigError, match="service account"):
        login(None)
    with pytest.raises(ConfigError, match="there is no file"):
        login(tmp_path / "none")
    (tmp_path / "empty").write_text("{}")
    with pytest.raises(ConfigError, match="cannot be used"):
        login(tmp_path / "empty")


def kubeconfig(folder: Path, user: str) -> Path:
    path = folder / "config"
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
        f"clusters: [{{name: k, cluster: {{server: 'https://10.0.0.1:6443'}}}}]\nusers: [{{name: u, user: {user}}}]\n"
    )
    return path


def test_tokens_and_programs_of_a_kubeconfig_are_used(tmp_path: Path) -> None:
    info = login(kubeconfig(tmp_path, "{token: secret}"))
    assert (info.server, info.scheme, info.token) == ("https://10.0.0.1:6443", "Bearer", "secret")
    program = tmp_path / "who"
    said = '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "made"}}'
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    by = f"{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {program}, interactiveMode: Never}}}}"
    assert login(kubeconfig(tmp_path, by)).token == "made"
