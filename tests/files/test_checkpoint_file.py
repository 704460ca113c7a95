"""Files of fits that may be killed: long ones, damaged ones, and others."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastgmm.errors import ModelFormatError
from fastgmm.files import members
from fastgmm.files.checkpoint_file import FORMAT, CheckpointFile
from tests.checkpoints import KilledError, fit, require_same_fit, rows


def test_a_fit_of_two_thousand_steps_is_saved_and_goes_on(tmp_path: Path) -> None:
    how = {"max_iter": 2000, "init_params": "random_from_data"}
    with pytest.raises(KilledError):
        fit(rows()[:200], tmp_path / "kept", how, killed_after=1990)
    resumed = fit(rows()[:200], tmp_path / "kept", how)
    assert len(resumed.history_) == 2000
    require_same_fit(resumed, fit(rows()[:200], tmp_path / "whole", how))
    read = fit(rows()[:200], tmp_path / "kept", how, killed_after=1)
    assert [vars(step) for step in read.history_] == [vars(step) for step in resumed.history_]


def test_a_fit_of_a_thousand_starts_is_saved(tmp_path: Path) -> None:
    how = {"max_iter": 1, "n_init": 1000, "init_params": "random_from_data", "covariance_type": "spherical"}
    first = fit(rows()[:20, :1], tmp_path / "kept", how)
    require_same_fit(first, fit(rows()[:20, :1], tmp_path / "kept", how, killed_after=1))


def test_a_damaged_checkpoint_is_refused_and_stays(tmp_path: Path) -> None:
    fit(rows(), tmp_path / "kept", {})
    content = bytearray((tmp_path / "kept").read_bytes())
    rng = np.random.RandomState(0)
    for place in rng.randint(len(content), size=30):
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.randint(8)
        (tmp_path / "kept").write_bytes(damaged)
        with pytest.raises(ModelFormatError):
            fit(rows(), tmp_path / "kept", {})
        assert (tmp_path / "kept").read_bytes() == damaged
    for length in (0, 1, 100, len(content) - 1):
        (tmp_path / "kept").write_bytes(content[:length])
        with pytest.raises(ModelFormatError):
            fit(rows(), tmp_path / "kept", {})


def test_a_model_is_no_checkpoint(tmp_path: Path) -> None:
    fit(rows(), None, {}).save(tmp_path / "model")
    with pytest.raises(ModelFormatError, match="not a fastgmm checkpoint"):
        fit(rows(), tmp_path / "model", {})


@pytest.mark.parametrize(
    "tree",
    [[], ["array", 10**9], ["array", -1], ["array", "1"], ["steps", 10**9], ["steps"], [[]], ["Step"], ["tuple"], 1],
)
def test_what_is_no_record_of_a_fit_is_refused(tmp_path: Path, tree: Any) -> None:
    class Numbers:
        numbers = np.zeros(3)

    (tmp_path / "kept").write_bytes(b"".join(members.encode(FORMAT, {"fit": tree}, Numbers())))
    with pytest.raises(ModelFormatError):
        CheckpointFile(tmp_path / "kept").load()


def test_numbers_are_taken_once(tmp_path: Path) -> None:
    """So that a short header makes no more of them than a file has."""
    tree = ["tuple", ["array", 3], ["array", 3]]
    for n, reason in ((5, "cannot reshape"), (6, "no record of a fit")):

        class Numbers:
            numbers = np.zeros(n)

        (tmp_path / "kept").write_bytes(b"".join(members.encode(FORMAT, {"fit": tree}, Numbers())))
        with pytest.raises(ModelFormatError, match=reason):
            CheckpointFile(tmp_path / "kept").load()
