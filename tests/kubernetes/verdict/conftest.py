"""The judge, built once a session where Go is there."""
from __future__ import annotations

from functools import partial

import pytest

from tests.kubernetes.verdict.golang import build, go_version, is_live
from tests.kubernetes.verdict.peer import Judge, go_says


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge | None:
    """What Go says to chains; None where it is not there, as the head of the run tells."""
    return partial(go_says,
                   build(tmp_path_factory.mktemp("judge"))) if is_live(go_version()) else None
