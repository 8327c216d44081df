"""The log writer on real pipes, full ones too."""

import json
import logging
import os
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from typing import BinaryIO

import pytest
import structlog

from vipa.reasons import Reason
from vipa_agent.logs import LogFormat, LogWriter, configure
from vipa_lab.until import until

DEADLINE_S = 10.0


@pytest.fixture
def pipe() -> Iterator[tuple[BinaryIO, int]]:
    read_fd, write_fd = os.pipe()
    with os.fdopen(read_fd, "rb") as reader, os.fdopen(write_fd, "wb") as keeper:
        yield reader, keeper.fileno()


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines_keep_message_and_values_apart(pipe: tuple[BinaryIO, int]) -> None:
    reader, fd = pipe
    configure(writer := LogWriter(fd, LogFormat.JSON))
    structlog.get_logger().info("holder changed", vip="erp", reason=Reason.HOLDER_SILENT, term=12)
    structlog.get_logger().bind(interface="eth1").warning(
        "odd", address=ip_address("10.1.1.7"), raw=b"\xff", text="\ud800"
    )
    assert writer.close()
    first, second = (json.loads(reader.readline()) for _ in range(2))
    assert first.pop("time").endswith("Z")
    assert first == {"level": "info", "message": "holder changed", "vip": "erp", "reason": "HolderSilent", "term": 12}
    assert (second["level"], second["interface"], second["address"]) == ("warning", "eth1", "10.1.1.7")


def test_text_lines_are_one_line_each_and_quote_what_needs_it(pipe: tuple[BinaryIO, int]) -> None:
    reader, fd = pipe
    configure(writer := LogWriter(fd, LogFormat.TEXT))
    structlog.get_logger().info("holder changed", vip="erp", detail='said "no"\nand left', empty="")
    assert writer.close()
    assert reader.readline().decode().split(" ", 1)[1] == (
        'info     holder changed vip=erp detail="said \\"no\\"\\nand left" empty=""\n'
    )


@pytest.mark.parametrize("log_format", LogFormat)
def test_exceptions_and_other_packages_come_along(pipe: tuple[BinaryIO, int], log_format: LogFormat) -> None:
    reader, fd = pipe
    configure(writer := LogWriter(fd, log_format))
    try:
        int("x")
    except ValueError:
        structlog.get_logger().exception("cannot read state", path="state.json")
        logging.getLogger("asyncio").exception("Task %s failed", "T")
    logging.getLogger("asyncio").error("%d", "not a number")
    logging.getLogger("asyncio").info("chatter")
    structlog.get_logger().debug("chatter")
    assert writer.close()
    output = os.read(reader.fileno(), 65536).decode()
    assert output.count("ValueError") == 2
    assert "cannot read state" in output
    assert "Task T failed" in output
    assert "log message without sense" in output
    assert "chatter" not in output


def test_a_full_pipe_blocks_nobody_and_the_missing_lines_are_counted(pipe: tuple[BinaryIO, int]) -> None:
    reader, fd = pipe
    configure(writer := LogWriter(fd, LogFormat.JSON, queue_lines=100))
    log = structlog.get_logger()
    sent = 3000

    def chatter() -> None:
        for number in range(sent):  # 3 MB into a pipe of 64 KiB that nobody reads
            log.info("line", number=number, padding="x" * 1000)

    chatterer = threading.Thread(target=chatter, daemon=True)
    chatterer.start()
    chatterer.join(DEADLINE_S)
    assert not chatterer.is_alive(), "the full pipe blocked who logs"
    assert writer.dropped > 0
    assert not writer.close(timeout_s=0.05), "what cannot be written cannot be waited for"

    numbers: list[int] = []
    missing = 0
    while len(numbers) + missing < sent:
        line = json.loads(reader.readline())
        if line["message"] == "line":
            numbers.append(line["number"])
        else:
            assert (line["message"], line["level"]) == ("log lines dropped", "warning")
            missing += line["count"]
    assert len(numbers) + missing == sent
    assert missing > 0
    assert numbers == sorted(numbers)


def test_a_slow_start_recovers_and_says_so(pipe: tuple[BinaryIO, int]) -> None:
    reader, fd = pipe
    configure(LogWriter(fd, LogFormat.JSON, queue_lines=10))
    log = structlog.get_logger()
    for number in range(500):
        log.info("line", number=number, padding="x" * 1000)
    seen: list[str] = []

    def said() -> bool:
        seen.append(json.loads(reader.readline())["message"])
        return seen[-1] == "log lines dropped"

    until(said, "the loss is told", DEADLINE_S)
    log.info("all is well again")
    until(lambda: json.loads(reader.readline())["message"] == "all is well again", "the next line", DEADLINE_S)


def test_a_non_blocking_pipe_loses_nothing_of_a_line(pipe: tuple[BinaryIO, int]) -> None:
    reader, fd = pipe
    os.set_blocking(fd, False)
    writer = LogWriter(fd, LogFormat.TEXT)
    line = b"x" * 300_000  # several times the pipe
    writer.put(line)
    assert reader.readline() == line + b"\n"


def test_a_closed_pipe_is_no_error(pipe: tuple[BinaryIO, int]) -> None:
    reader, fd = pipe
    writer = LogWriter(fd, LogFormat.TEXT)
    reader.close()
    writer.put(b"nobody hears this")
    assert writer.close()
