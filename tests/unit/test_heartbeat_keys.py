"""Key files: one key per line, the first signs; what is wrong is said with file, line and remedy."""

import pytest

from vipa.errors import KeyFileError
from vipa.heartbeat import parse_keys
from vipa.heartbeat.keys import MAC_BYTES

SECRET = "0123456789abcdef"


def test_labels_comments_and_blank_lines() -> None:
    keys = parse_keys(f"# rolled out in May\n\nnew:{SECRET}\n  old:{SECRET}xyz \n", "keys")
    assert len(keys) == 2
    assert len({key.id for key in keys}) == 2
    assert len(keys[0].tag(b"message")) == MAC_BYTES
    assert keys[0].tag(b"message") != keys[1].tag(b"message")


def test_the_same_line_is_the_same_key_wherever_it_stands() -> None:
    (alone,) = parse_keys(SECRET, "one")
    second = parse_keys(f"other:{SECRET}{SECRET}\n{SECRET}\n", "two")[1]
    assert alone == second


def test_the_label_names_a_key_and_does_not_make_its_secret() -> None:
    (plain,), (labelled,) = parse_keys(SECRET, "k"), parse_keys(f"a:{SECRET}", "k")
    assert plain.id != labelled.id
    assert plain.secret == labelled.secret


def test_no_key_has_the_id_of_unsigned_heartbeats() -> None:
    assert all(parse_keys(f"{n}:{SECRET}", "k")[0].id != 0 for n in range(100))


def test_the_secret_does_not_show_in_repr() -> None:
    (key,) = parse_keys(SECRET, "k")
    assert SECRET not in repr(key)
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["keys.txt", "no key in it"]),
        ("# nothing\n", ["keys.txt", "no key in it"]),
        ("short", ["keys.txt:1", "5 characters", "at least 16", "openssl"]),
        (f"a:{SECRET}\nb:tooshort\n", ["keys.txt:2", "8 characters"]),
        (f"a:{SECRET}\n\na:{SECRET}x\n", ["keys.txt:3", "key a is already in line 1", "an ID of its own"]),
        (f"{SECRET}\n{SECRET}\n", ["keys.txt:2", "already in line 1", "stands there once"]),
    ],
)
def test_messages_say_where_and_what_would_be_right(text: str, words: list[str]) -> None:
    with pytest.raises(KeyFileError) as caught:
        parse_keys(text, "keys.txt")
    for word in words:
        assert word in str(caught.value)
    assert "tooshort" not in str(caught.value)
