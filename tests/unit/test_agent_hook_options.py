"""Notify hooks on the agent's command line: what is taken, and what is refused with a remedy."""

from pathlib import Path

import pytest

from vipa_agent.hooksettings import TIMEOUT_S, HookSettings
from vipa_agent.settings import parse


def words(folder: Path, *more: str) -> list[str]:
    return ["--node", "w1", "--manifests", str(folder), "--insecure", *more]


def test_hooks_are_taken_in_order_and_none_is_none(tmp_path: Path) -> None:
    assert not parse(words(tmp_path)).hooks
    given = parse(words(tmp_path, "--notify", "/b", "--notify", "/a", "--notify-url", "https://[::1]:8443/x?token=1"))
    assert given.hooks == HookSettings(("/b", "/a"), ("https://[::1]:8443/x?token=1",), TIMEOUT_S)
    assert given.hooks
    assert parse(words(tmp_path, "--notify-timeout", "2.5")).hooks.timeout_s == 2.5


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--notify", "hook.sh"), "--notify: 'hook.sh' is not an absolute path; wrap a program"),
        (("--notify", "sh -c true"), "is not an absolute path"),
        (("--notify-url", "ftp://host/x"), "is no http:// or https:// URL with a host"),
        (("--notify-url", "https:///x"), "is no http:// or https:// URL with a host"),
        (("--notify-url", "http://host:port/"), "is no http:// or https:// URL with a host"),
        (("--notify-timeout", "0"), "--notify-timeout: 0 is not between 0.1 and 3600 seconds"),
        (("--notify-timeout", "nan"), "--notify-timeout: nan is not between"),
    ],
)
def test_nonsense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(words(tmp_path, *more))
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
