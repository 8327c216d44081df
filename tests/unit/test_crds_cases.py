"""Core judges every case as it says; tests/api holds the API server against the same table."""

import pytest

from judged.case import Case
from judged.everything import CASES
from vipa.reasons import Reason
from vipa.resources import read_object


@pytest.mark.parametrize("case", CASES, ids=str)
def test_core_judges_as_the_table_says(case: Case) -> None:
    found = [p.field for p in read_object(case.object).problems if p.reason is not Reason.NOT_SUPPORTED_YET]
    if case.field:
        assert case.field in found
    else:
        assert not found


def test_no_case_stands_twice() -> None:
    seen = [repr(case) for case in CASES]
    assert sorted(seen) == sorted(set(seen))
