"""House rules as an ordinary test, after TigerBeetle's tidy: it fails on what must not be, and only speaks about size.

Every rule is a pure function of a path and a text, tried below on a text that breaks it.
"""

import ast
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ("core", "operator", "nodeagent", "router", "lab", "cli", "bench", "tests")
# One idea per file and per function (docs/development.md); these are spoken about, not failed.
FILE_LINES_MAX: Final = 300
FUNCTION_LINES_MAX: Final = 50
# Programs whose output is for people or for the program that started them.
MAY_PRINT: Final = ("cli/", "lab/", "bench/", "tests/lab/", "tests/unit/test_tidy.py")
# Calls that would block the event loop, were they on it.
OFF_THE_LOOP: Final = {
    ("nodeagent/vipa_agent/metrics.py", "time.sleep"): "pauses a scrape's own thread, to leave the loop its turns",
}
# A path that exists on one machine only. Built from parts, so that this file does not break its own rule.
MACHINE_PATH: Final = re.compile(r"(?<![\w.~$}-])/(?:" + "|".join(("work", "root", "home", "tmp")) + r")/\w")
UNFINISHED: Final = re.compile(r"\b(?:" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
NO_TEXT: Final = {".png", ".svg", ".pcap", ".gif"}

Rule = Callable[[str, ast.Module], Iterator[str]]


def tracked() -> list[str]:
    """Paths of all files of the project: what git has, or will have once it is committed."""
    # safe.directory: the checkout may belong to somebody else than who runs the tests.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [path for path in listed if (ROOT / path).is_file() and (ROOT / path).suffix not in NO_TEXT]


def calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every call to a name or to an attribute of names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if name:
                yield node.lineno, name


def dotted(node: ast.expr) -> str:
    """``time.time`` for that expression, "" for what is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (left := dotted(node.value)):
        return f"{left}.{node.attr}"
    return ""


def imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and module of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def printing(path: str, tree: ast.Module) -> Iterator[str]:
    """The agent logs and core returns; neither prints."""
    if not path.startswith(MAY_PRINT):
        for line, name in calls(tree):
            if name == "print":
                yield f"{path}:{line}: print() here: log it, return it, or move it to the command line"


def wall_clock(path: str, tree: ast.Module) -> Iterator[str]:
    """The wall clock jumps; durations and deadlines are measured on clocks that do not."""
    for line, name in calls(tree):
        if name == "time.time":
            yield f"{path}:{line}: time.time() jumps with the wall clock: use CLOCK_BOOTTIME or time.monotonic()"


def chance_in_core(path: str, tree: ast.Module) -> Iterator[str]:
    """Core gets chance handed in, or a simulation could not be repeated."""
    if path.startswith("core/"):
        for line, name in imports(tree):
            if name in ("random", "secrets", "uuid"):
                yield f"{path}:{line}: core imports {name}: hand the value in, so that a run can be repeated"


def blocking_agent(path: str, tree: ast.Module) -> Iterator[str]:
    """Nothing may hold up the agent's event loop: a late heartbeat moves addresses."""
    if not path.startswith("nodeagent/"):
        return
    for line, name in imports(tree):
        if name.partition(".")[0] == "subprocess":
            yield f"{path}:{line}: the agent imports subprocess: starting a program blocks the event loop"
    for line, name in calls(tree):
        if name in ("time.sleep", "os.system", "os.popen") and (path, name) not in OFF_THE_LOOP:
            yield f"{path}:{line}: {name}() blocks the event loop: use a timer, or Event.wait in a thread of its own"


def silent_except(path: str, tree: ast.Module) -> Iterator[str]:
    """An error is handled, reported or raised; it is never swallowed unseen."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield f"{path}:{node.lineno}: bare except catches even the end of the program: name the error"
        elif dotted(node.type) in ("Exception", "BaseException") and all(is_nothing(each) for each in node.body):
            yield f"{path}:{node.lineno}: except {dotted(node.type)} with nothing done: name the error, or report it"


def is_nothing(statement: ast.stmt) -> bool:
    """``pass``, ``...`` or ``continue``."""
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass | ast.Continue)


def module_docstring(path: str, tree: ast.Module) -> Iterator[str]:
    """A file says what it is for. Test files say it by their name."""
    if tree.body and not path.startswith("tests/") and ast.get_docstring(tree) is None:
        yield f"{path}:1: no module docstring: say in a sentence what this file is for"


RULES: Final[tuple[Rule, ...]] = (
    printing,
    wall_clock,
    chance_in_core,
    blocking_agent,
    silent_except,
    module_docstring,
)


def machine_paths(path: str, text: str) -> Iterator[str]:
    """A clone works on any machine, so no file names a folder of one."""
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE_PATH.search(line):
            yield f"{path}:{number}: a path of one machine: {line.strip()[:80]!r}"


def unfinished(path: str, text: str, limits: str) -> Iterator[str]:
    """What is unfinished is a limit, and limits are told to users: docs/limits.md must name the file."""
    if path not in limits:
        for number, line in enumerate(text.splitlines(), 1):
            if found := UNFINISHED.search(line):
                yield f"{path}:{number}: {found[0]} without a line in docs/limits.md that names {path}"


def addresses(path: str, text: str) -> Iterator[str]:
    """The lock pins versions and hashes; where packages come from is the machine's business."""
    for number, line in enumerate(text.splitlines(), 1):
        if "://" in line or line.startswith("-"):
            yield f"{path}:{number}: the lock names an address or an option: make it with 'make lock'"


def sizes(path: str, text: str, tree: ast.Module) -> Iterator[str]:
    """Files and functions past the house's size."""
    lines = len(text.splitlines())
    if lines > FILE_LINES_MAX:
        yield f"{path}: {lines} lines (house: {FILE_LINES_MAX})"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines (house: {FUNCTION_LINES_MAX})"


def test_the_house_is_tidy(capsys: pytest.CaptureFixture[str]) -> None:
    limits = (ROOT / "docs/limits.md").read_text()
    found: list[str] = []
    large: list[str] = []
    for path in tracked():
        text = (ROOT / path).read_text()
        found += machine_paths(path, text)
        found += unfinished(path, text, limits)
        if path == "requirements.lock":
            found += addresses(path, text)
        if path.endswith(".py") and path.startswith(CODE):
            tree = ast.parse(text, path)
            found += [problem for rule in RULES for problem in rule(path, tree)]
            large += sizes(path, text, tree)
    if large:
        with capsys.disabled():
            print("", *(f"large: {each}" for each in large), sep="\n")
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (printing, "core/vipa/x.py", "print(1)"),
        (printing, "nodeagent/vipa_agent/x.py", "def f():\n    print(1)"),
        (wall_clock, "nodeagent/vipa_agent/x.py", "import time\nnow = time.time()"),
        (chance_in_core, "core/vipa/x.py", "from random import choice"),
        (blocking_agent, "nodeagent/vipa_agent/x.py", "import subprocess"),
        (blocking_agent, "nodeagent/vipa_agent/x.py", "import time\ntime.sleep(1)"),
        (silent_except, "cli/x.py", "try:\n    f()\nexcept:\n    raise"),
        (silent_except, "cli/x.py", "try:\n    f()\nexcept Exception:\n    pass"),
        (silent_except, "cli/x.py", "try:\n    f()\nexcept BaseException:\n    ..."),
        (module_docstring, "core/vipa/x.py", "x = 1"),
    ],
)
def test_a_rule_finds_what_breaks_it(rule: Rule, path: str, source: str) -> None:
    assert list(rule(path, ast.parse(source)))


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (printing, "cli/vipa_cli/x.py", "print(1)"),
        (wall_clock, "lab/x.py", "import time\nnow = time.time_ns() + time.monotonic()"),
        (blocking_agent, "lab/x.py", "import subprocess"),
        (blocking_agent, "nodeagent/vipa_agent/x.py", "import asyncio\nasyncio.sleep(1)"),
        (silent_except, "cli/x.py", "try:\n    f()\nexcept OSError:\n    pass"),
        (silent_except, "cli/x.py", "try:\n    f()\nexcept Exception as error:\n    report(error)"),
        (module_docstring, "core/vipa/__init__.py", ""),
    ],
)
def test_a_rule_leaves_the_allowed_alone(rule: Rule, path: str, source: str) -> None:
    assert not list(rule(path, ast.parse(source)))


def test_texts_are_judged() -> None:
    path_of_one_machine = "see /" + "home/me/x"
    assert list(machine_paths("README.md", path_of_one_machine))
    assert not list(machine_paths("README.md", "the file ~/" + "tmp/x, $D/" + "tmp/y and build/" + "work/z"))
    note = "# TO" + "DO: later"
    assert list(unfinished("core/a.py", note, limits=""))
    assert not list(unfinished("core/a.py", note, limits="core/a.py does not do this yet"))
    assert list(addresses("requirements.lock", "--index-url https" + "://example.org"))
    assert not list(addresses("requirements.lock", "rich==14.0 \\\n    --hash=sha256:00"))
    long = "def f():\n" + "    x = 1\n" * FUNCTION_LINES_MAX
    assert list(sizes("a.py", long, ast.parse(long)))
