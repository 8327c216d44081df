"""Figures of the end-to-end tests: kept line by line, shown in a table, and a section of docs/benchmarks.md."""

from pathlib import Path

import msgspec

from kind_report import replaced, section
from report import CLUSTER, kept
from vipa_lab.kind.outages import Outage, append, read, table

CABLE = Outage(
    fault="cable pulled",
    timing="Default",
    outage_ms=5.0,
    lost=1,
    sent=500,
    lateness_ms=0.2,
    two_ms=0.0,
    tcp_broke=0,
    nodes=("w1", "w2"),
    machine="2 × CPU",
    commit="0123456789",
    date="2026-01-31",
)


def test_outages_are_remembered_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "outages.jsonl"
    assert read(path) == []
    append(CABLE, path)
    append(CABLE, path)
    path.write_bytes(path.read_bytes()[:-9])  # the disk was full
    assert read(path) == [CABLE]


def test_the_table_has_a_line_per_fault_and_profile() -> None:
    again = msgspec.structs.replace(CABLE, outage_ms=25.0, lost=5, lateness_ms=9.0, tcp_broke=2)
    calm = msgspec.structs.replace(CABLE, timing="Calm")
    lines = table([CABLE, calm, again]).splitlines()[2:]
    assert lines == [
        "| cable pulled | Default | 2 (1) | 5 / 25 | 6 of 1,000 | 0 | 1 of 2 | w1 → w2 |",
        "| cable pulled | Calm | 1 (0) | 5 / 5 | 1 of 500 | 0 | 0 of 1 | w1 → w2 |",
    ]


def test_the_section_is_replaced_and_outlives_the_other_figures(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    assert kept(page) == ""
    page.write_text("# Benchmarks\n\nothers\n")
    assert kept(page) == ""
    page.write_text(replaced(page, section([CABLE])))
    page.write_text(replaced(page, section([CABLE], "a note")))
    text = page.read_text()
    assert text.startswith(f"# Benchmarks\n\nothers\n\n{CLUSTER}")
    assert text.count(CLUSTER) == 1
    assert "- note: a note\n" in text
    page.write_text("# Benchmarks\n\nnew\n" + kept(page))
    assert page.read_text() == text.replace("others", "new")
