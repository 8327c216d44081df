"""The profiles keep their own published bounds, and the document shows the same numbers."""

import re
from pathlib import Path

import pytest

from vipa.timing import PROFILES, RENEW_SLACK_S, Profile, Timing, claim_delay_s, node_death_s

DOCUMENT = Path(__file__).parents[2] / "docs" / "design" / "0002-election.md"
BY_NAME = pytest.mark.parametrize("profile", PROFILES.values(), ids=[p.name for p in PROFILES.values()])


def test_every_name_has_a_profile() -> None:
    assert set(PROFILES) == set(Timing)
    assert all(profile.name is name for name, profile in PROFILES.items())


@BY_NAME
def test_a_permit_outlives_three_renewals_and_a_slow_commit(profile: Profile) -> None:
    assert profile.renew_s > 0
    assert 3 * profile.renew_s + RENEW_SLACK_S <= profile.permit_s + 1e-9


@BY_NAME
def test_the_permit_outlives_the_silence_it_guards(profile: Profile) -> None:
    # a live holder that renews is never overtaken by suspicion alone
    assert profile.silence_s < profile.permit_s


@BY_NAME
def test_the_second_spare_waits_one_probe_round_more(profile: Profile) -> None:
    assert claim_delay_s(profile, 2) - claim_delay_s(profile, 1) == pytest.approx(profile.probes * profile.gap_s)


@pytest.mark.parametrize(("timing", "most_s"), [(Timing.FAST, 0.030), (Timing.DEFAULT, 0.100), (Timing.CALM, 1.2)])
def test_node_death_is_what_was_promised(timing: Timing, most_s: float) -> None:
    assert node_death_s(PROFILES[timing]) <= most_s


def ms(seconds: float) -> str:
    return f"{seconds * 1000:g}"


@BY_NAME
def test_the_document_shows_these_numbers(profile: Profile) -> None:
    rows = {
        cells[0]: cells[1:]
        for line in DOCUMENT.read_text().splitlines()
        if (cells := [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]) and cells[0] in set(Timing)
    }
    death_s = node_death_s(profile)
    assert rows[profile.name] == [
        f"{ms(profile.interval_s)} / {ms(profile.other_interval_s)}",
        str(profile.miss),
        ms(profile.silence_s),
        ms(profile.permit_s),
        f"{profile.renew_s * 1000:.0f}",
        f"{profile.probes} × {ms(profile.gap_s)}",
        f"{ms(death_s - profile.interval_s)} … {ms(death_s)}",
        f"{ms(node_death_s(profile, 2))}",
    ]
