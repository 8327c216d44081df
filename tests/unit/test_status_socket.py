"""The status socket, both ends."""

import asyncio
import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vipa_agent import status
from vipa_agent.status import StatusError, StatusServer, read_status

DOCUMENT = {"node": "w1", "epoch": 0, "vips": [{"name": "erp", "addresses": ["10.1.1.7"]}]}


@pytest.fixture
def state_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vipa") as short:  # pytest's own are too long for a socket's path
        yield Path(short)


def ask(state_dir: Path) -> "asyncio.Future[dict[str, object]]":
    return asyncio.get_running_loop().run_in_executor(None, read_status, state_dir)


def test_an_asker_gets_the_document_of_the_moment(state_dir: Path) -> None:
    async def scene() -> None:
        epochs = iter(range(10))
        server = StatusServer(state_dir, lambda: {**DOCUMENT, "epoch": next(epochs)})
        await server.start()
        assert await ask(state_dir) == DOCUMENT
        assert (await ask(state_dir))["epoch"] == 1
        mode = (state_dir / "agent.sock").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        await server.stop()
        assert list(state_dir.iterdir()) == []

    asyncio.run(scene())


def test_a_large_document_arrives_whole(state_dir: Path) -> None:
    async def scene() -> None:
        large = {"vips": [{"name": f"vip-{n}", "reason": "TopOfList" * 50} for n in range(5000)]}
        server = StatusServer(state_dir, lambda: large)
        await server.start()
        assert await ask(state_dir) == large
        await server.stop()

    asyncio.run(scene())


def test_an_asker_that_does_not_read_is_dropped_and_others_are_served(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "SLOW_S", 0.1)

    async def scene() -> None:
        server = StatusServer(state_dir, lambda: {"padding": "x" * 3_000_000})
        await server.start()
        stalled = [socket.socket(socket.AF_UNIX) for _ in range(status.ASKERS_MAX)]
        for one in stalled:
            one.setblocking(False)
            await asyncio.get_running_loop().sock_connect(one, str(state_dir / "agent.sock"))
        for _ in range(100):  # as soon as the first are given up
            try:
                assert len(str((await ask(state_dir))["padding"])) == 3_000_000
                break
            except StatusError:
                await asyncio.sleep(0.05)
        else:
            pytest.fail("never served")
        for one in stalled:
            one.close()
        await server.stop()

    asyncio.run(scene())


def test_a_new_agent_takes_over_and_the_old_one_leaves_it_be(state_dir: Path) -> None:
    async def scene() -> None:
        old = StatusServer(state_dir, lambda: {"agent": "old"})
        new = StatusServer(state_dir, lambda: {"agent": "new"})
        await old.start()
        await new.start()
        assert await ask(state_dir) == {"agent": "new"}
        await old.stop()
        assert await ask(state_dir) == {"agent": "new"}
        await new.stop()

    asyncio.run(scene())


def test_a_leftover_of_a_killed_agent_is_replaced(state_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(state_dir / "agent.sock"))
    with pytest.raises(StatusError, match="no vipa-agent runs with state dir"):
        read_status(state_dir)

    async def scene() -> None:
        server = StatusServer(state_dir, lambda: DOCUMENT)
        await server.start()
        assert await ask(state_dir) == DOCUMENT
        await server.stop()

    asyncio.run(scene())


def test_no_agent_there(tmp_path: Path) -> None:
    with pytest.raises(StatusError, match="no vipa-agent runs with state dir"):
        read_status(tmp_path / "nowhere")


def test_an_agent_that_hangs(state_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(state_dir / "agent.sock"))
        hung.listen()
        with pytest.raises(StatusError, match=r"did not answer within 0\.05 s"):
            read_status(state_dir, timeout_s=0.05)


@pytest.mark.parametrize(
    ("answer", "message"), [(b"", "broke off"), (b'{"node', "broke off"), (b"[1]", "is no vipa-agent")]
)
def test_a_senseless_answer(state_dir: Path, answer: bytes, message: str) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(state_dir / "agent.sock"))
        other.listen()
        pid = os.fork()
        if pid == 0:
            connection, _ = other.accept()
            connection.sendall(answer)
            os._exit(0)
        with pytest.raises(StatusError, match=message):
            read_status(state_dir)
        os.waitpid(pid, 0)


def test_too_long_a_path_is_explained(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with pytest.raises(StatusError, match="use a shorter state dir"):
        asyncio.run(StatusServer(deep, dict).start())
    with pytest.raises(StatusError, match="use a shorter state dir"):
        read_status(deep)


def test_a_state_dir_is_made(state_dir: Path) -> None:
    async def scene() -> None:
        server = StatusServer(state_dir / "a" / "b", lambda: DOCUMENT)
        await server.start()
        assert await ask(state_dir / "a" / "b") == DOCUMENT
        await server.stop()

    asyncio.run(scene())


def test_a_file_where_the_state_dir_should_be(state_dir: Path) -> None:
    (state_dir / "file").write_text("")
    with pytest.raises(StatusError, match=r"cannot offer status at .*/file/agent\.sock: File exists"):
        asyncio.run(StatusServer(state_dir / "file", dict).start())
