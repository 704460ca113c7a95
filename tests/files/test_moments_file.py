"""Moments come back bit for bit, or not at all."""

import dataclasses
import io
import json

import numpy as np
import pytest

import fastgmm
from fastgmm import Moments, load_moments, save_moments
from fastgmm.errors import ModelFormatError
from fastgmm.files.members import npy
from tests.model_files import members_of, sealed
from tests.problems import draw_problem, oracle_moments, same_bits


@pytest.fixture
def path(tmp_path):
    return tmp_path / "moments.npz"


def some_moments(family="full", **changes) -> Moments:
    return dataclasses.replace(oracle_moments(draw_problem(family, 7, 2, 3, weighted=True)), **changes)


def rewrite(path, change) -> None:
    """Let ``change`` edit the members of the archive, then write it again with a digest that fits."""
    members = members_of(path.read_bytes())
    change(members)
    path.write_bytes(sealed(members))


def edit_header(path, **changes) -> None:
    def change(members):
        header = json.loads(np.load(io.BytesIO(members["header"])).tobytes())
        members["header"] = npy(np.frombuffer(json.dumps(header | changes).encode(), np.uint8))

    rewrite(path, change)


@pytest.mark.parametrize("extra", [0, 4])
def test_they_come_back_to_the_bit(path, family, extra):
    moments = some_moments(family.name, extra=np.full((3, extra), 1.0 / 3.0))
    save_moments(path, moments)
    loaded = load_moments(path)
    assert same_bits(loaded, moments)
    assert {type(loaded.n_rows), type(loaded.total_weight), type(loaded.log_likelihood)} == {int, float}


def test_they_come_back_as_own_arrays(path):
    save_moments(path, some_moments())
    loaded = load_moments(path)
    for array in (loaded.counts, loaded.first, loaded.second, loaded.about, loaded.extra):
        assert array.flags.owndata
        assert array.flags.writeable


def test_a_likelihood_of_zero_comes_back(path):
    save_moments(path, some_moments(log_likelihood=-np.inf))
    assert load_moments(path).log_likelihood == -np.inf


def test_the_same_moments_give_the_same_bytes_which_numpy_reads(path):
    save_moments(path, some_moments())
    content = path.read_bytes()
    save_moments(str(path), some_moments())
    assert path.read_bytes() == content
    with np.load(path, allow_pickle=False) as arrays:
        assert list(arrays) == ["header", "counts", "first", "second", "about", "extra", "digest"]
        assert np.array_equal(arrays["first"], some_moments().first)


def test_numbers_of_numpy_are_written_as_numbers(path):
    save_moments(path, some_moments(n_rows=np.int64(7), total_weight=np.float64(2.5)))
    assert (load_moments(path).n_rows, load_moments(path).total_weight) == (7, 2.5)


def test_a_flipped_bit_anywhere_is_refused(path):
    save_moments(path, some_moments())
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(ModelFormatError, match=path.name):
            load_moments(path)


def test_the_file_of_a_model_holds_no_moments_and_the_other_way_round(path):
    fastgmm.GaussianMixture.from_parameters([1.0], [[0.0]], [[[4.0]]]).save(path)
    with pytest.raises(ModelFormatError, match="not fastgmm moments") as caught:
        load_moments(path)
    assert caught.value.problem == "foreign"
    save_moments(path, some_moments())
    with pytest.raises(ModelFormatError, match="not a fastgmm model") as caught:
        fastgmm.load(path)
    assert caught.value.problem == "foreign"


def test_any_other_file_is_foreign_and_a_missing_one_is_missing(path):
    with pytest.raises(FileNotFoundError):
        load_moments(path)
    path.write_text("counts, first")
    with pytest.raises(ModelFormatError, match="not fastgmm moments"):
        load_moments(path)


def test_a_newer_version_says_so(path):
    save_moments(path, some_moments())
    edit_header(path, version=2, fastgmm="9.0")
    with pytest.raises(ModelFormatError, match=r"written by a newer fastgmm \(9.0\)") as caught:
        load_moments(path)
    assert caught.value.problem == "newer"


@pytest.mark.parametrize("name", ["counts", "first", "second", "about", "extra"])
@pytest.mark.parametrize("array", [np.ones(2), np.ones((4, 3)), np.ones(()), np.full((3, 2), np.nan)], ids=str)
def test_arrays_that_are_no_moments_are_refused(path, name, array):
    save_moments(path, some_moments())
    rewrite(path, lambda members: members.update({name: npy(array)}))
    with pytest.raises(ModelFormatError, match="of moments must") as caught:
        load_moments(path)
    assert caught.value.problem == "unsound"


@pytest.mark.parametrize(
    "changes",
    [
        {"covariance_type": "diag"},
        {"covariance_type": "round"},
        {"covariance_type": ["full"]},
        {"n_rows": 7.0},
        {"n_rows": True},
        {"n_rows": -1},
        {"total_weight": 7},
        {"total_weight": -1.0},
        {"log_likelihood": {"$float": "nan"}},
        {"log_likelihood": None},
    ],
    ids=str,
)
def test_a_header_that_does_not_fit_is_refused(path, changes):
    save_moments(path, some_moments())
    edit_header(path, **changes)
    with pytest.raises(ModelFormatError):
        load_moments(path)


def test_missing_and_further_members_are_refused(path):
    for change in (lambda members: members.pop("about"), lambda members: members.update(weights=npy(np.ones(3)))):
        save_moments(path, some_moments())
        rewrite(path, change)
        with pytest.raises(ModelFormatError, match="unexpected members"):
            load_moments(path)


def test_what_could_not_be_loaded_is_not_written(path):
    with pytest.raises(ModelFormatError, match="second of moments must be a finite array"):
        save_moments(path, some_moments(second=np.full((3, 2, 2), np.inf)))
    with pytest.raises(TypeError, match="got GaussianMixture"):
        save_moments(path, fastgmm.GaussianMixture())
    assert not path.exists()
