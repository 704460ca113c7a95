"""A model comes back bit for bit, or not at all."""

import io
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from fastgmm.errors import ModelFormatError
from fastgmm.files.members import npy
from fastgmm.files.model_file import SavedModel, load_model, save_model
from fastgmm.machine.whole_file import require_writable, whole_file
from fastgmm.parameters import Parameters
from fastgmm.version import __version__
from tests.model_files import (
    FAMILY_NAMES,
    archived,
    encoded,
    make_model,
    make_parameters,
    members_of,
    same,
    sealed,
    writer,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def rewrite(path, change):
    """Let ``change`` edit the members of the archive, then write it again with a digest that fits."""
    members = members_of(path.read_bytes())
    change(members)
    path.write_bytes(sealed(members))


def edit_header(path, **changes):
    def change(members):
        header = json.loads(np.load(io.BytesIO(members["header"])).tobytes())
        text = json.dumps(header | changes)
        members["header"] = npy(np.frombuffer(text.encode(), np.uint8))

    rewrite(path, change)


def replace_array(path, name, array):
    rewrite(path, lambda members: members.update({name: npy(np.asarray(array))}))


# --- round trip ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("covariance_type", FAMILY_NAMES)
def test_round_trip_is_bitwise(path, covariance_type):
    model = make_model(covariance_type)
    save_model(path, model)
    assert same(load_model(path), model)


def test_loaded_arrays_are_own_writable_float64(path):
    save_model(path, make_model())
    for name in ("weights", "means", "covariances"):
        array = getattr(load_model(path).parameters, name)
        assert array.dtype == np.float64
        assert array.flags.writeable
        assert array.flags.c_contiguous


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_floats_that_are_not_finite_survive(path, value):
    save_model(path, make_model(fit={"lower_bound": value, "lower_bounds": [value, 1.0], "nested": {"x": value}}))
    fit = load_model(path).fit
    assert repr(fit) == repr({"lower_bound": value, "lower_bounds": [value, 1.0], "nested": {"x": value}})


def test_header_is_strict_json_and_numpy_reads_the_arrays(path):
    model = make_model(fit={"lower_bound": float("-inf")})
    save_model(path, model)
    with np.load(path, allow_pickle=False) as archive:
        header = json.loads(archive["header"].tobytes(), parse_constant=pytest.fail)
        np.testing.assert_array_equal(archive["means"], model.parameters.means)
    assert header["fastgmm"] == __version__
    assert header["fit"] == {"lower_bound": {"$float": "-inf"}}
    assert header["feature_names"] == ["eruptions", "Dauer in µs"]


def test_same_model_gives_same_bytes(tmp_path):
    save_model(tmp_path / "a", make_model())
    save_model(tmp_path / "b", make_model())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_memory_layout_and_byte_order_do_not_matter(tmp_path):
    model = make_model()
    own = model.parameters
    other = Parameters("full", own.weights.astype(">f8"), np.asfortranarray(own.means), own.covariances)
    save_model(tmp_path / "a", model)
    save_model(tmp_path / "b", make_model(parameters=other))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_path_is_used_as_it_is(tmp_path):
    save_model(tmp_path / "model", make_model())
    assert os.listdir(tmp_path) == ["model"]


def test_weight_of_zero_is_allowed(path):
    own = make_parameters()
    save_model(path, make_model(parameters=Parameters("full", np.array([0.25, 0.75, 0.0]), own.means, own.covariances)))
    assert load_model(path).parameters.weights[2] == 0.0


def test_a_large_diagonal_model_needs_no_matrices(path):
    n_features = 50_000
    parameters = Parameters("diag", np.ones(1), np.zeros((1, n_features)), np.ones((1, n_features)))
    save_model(path, SavedModel(parameters))
    assert load_model(path).parameters.n_features == n_features


# --- what cannot be saved --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("covariance_type", "round", "covariance_type must be one of"),
        ("weights", [0.5, 0.4, 0.2], "should be normalized"),
        ("weights", [1.5, -0.5, 0.0], "should be in the range"),
        ("weights", [0.5, 0.5], "should have the shape of"),
        ("means", [[0.0, np.nan]] * 3, "finite array"),
        ("means", [0.0, 1.0], "finite array of shape"),
        ("covariances", np.ones((3, 2)), "should have the shape of"),
        ("covariances", [[[1.0, 0.5], [0.2, 1.0]]] * 3, "should be symmetric"),
        ("covariances", [[[1.0, 2.0], [2.0, 1.0]]] * 3, "should be symmetric, positive-definite"),
        ("covariances", [[[-1.0, 0.0], [0.0, 1.0]]] * 3, "should be symmetric, positive-definite"),
    ],
)
def test_unsound_parameters_are_refused_on_saving_and_loading(path, monkeypatch, name, value, message):
    fields = vars(make_parameters()) | {name: value if isinstance(value, str) else np.asarray(value)}
    model = make_model(parameters=Parameters(**fields))
    with pytest.raises(ModelFormatError, match=message):
        save_model(path, model)
    assert not path.exists()
    if name == "means" and np.ndim(value) == 1:
        return
    path.write_bytes(encoded(model))
    with pytest.raises(ModelFormatError, match=message):
        load_model(path)


def test_options_that_json_cannot_hold_are_refused(path):
    with pytest.raises(TypeError):
        save_model(path, make_model(options={"random_state": np.random.RandomState(0)}))
    assert not path.exists()


@pytest.mark.parametrize(
    "change",
    [{"feature_names": ("a", "b" * 100_000)}, {"fit": {f"{key}": 0 for key in range(10_000)}}],
    ids=["a long name", "many results"],
)
def test_what_would_be_refused_is_not_saved(path, change):
    with pytest.raises(ModelFormatError, match="the header"):
        save_model(path, make_model(**change))
    assert not path.exists()


# --- damage ----------------------------------------------------------------------------------------------------------


def test_missing_file_stays_file_not_found(path):
    with pytest.raises(FileNotFoundError):
        load_model(path)


def test_every_prefix_is_refused(path):
    save_model(path, make_model("spherical"))
    content, put = path.read_bytes(), writer(path)
    for length in range(len(content)):
        with pytest.raises(ModelFormatError):
            load_model(put(content[:length]))


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_damaged_byte_is_refused_or_harmless(path, mask):
    model = make_model("spherical")
    save_model(path, model)
    content, put = bytearray(path.read_bytes()), writer(path)
    for position in range(len(content)):
        content[position] ^= mask
        with suppress(ModelFormatError):
            assert same(load_model(put(content)), model), position
        content[position] ^= mask


@pytest.mark.parametrize("content", [b"", b"PK", b"hello, world" * 10, b"\x93NUMPY" + bytes(100)])
def test_foreign_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelFormatError, match="not a fastgmm model"):
        load_model(path)


def test_foreign_npz_is_refused(path):
    np.savez(path, header=np.arange(3), weights=np.ones(1))
    with pytest.raises(ModelFormatError, match="not a fastgmm model"):
        load_model(path)


def test_a_compressed_archive_is_refused(path):
    save_model(path, make_model())
    with np.load(path) as archive:
        members = dict(archive)
    np.savez_compressed(path, **members)
    with pytest.raises(ModelFormatError):
        load_model(path)


def test_newer_version_is_refused_by_name(path):
    save_model(path, make_model())
    edit_header(path, version=2, fastgmm="9.9.9")
    with pytest.raises(ModelFormatError, match=r"newer fastgmm \(9\.9\.9\) in version 2"):
        load_model(path)


@pytest.mark.parametrize("version", [0, -1, True, "1", None, 1.5])
def test_odd_versions_are_refused(path, version):
    save_model(path, make_model())
    edit_header(path, version=version)
    with pytest.raises(ModelFormatError, match="unknown version"):
        load_model(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "other"},
        {"covariance_type": "tied"},
        {"covariance_type": ["full"]},
        {"n_components": 4},
        {"dtype": "int8"},
        {"feature_names": ["one"]},
        {"feature_names": "ab"},
        {"feature_names": [1, 2]},
        {"options": None},
        {"fit": [1]},
        {"fit": {"lower_bound": {"$float": "many"}}},
        {"fit": {"lower_bound": float("nan")}},
        {"fit": {"prior": [1.0]}},
        *({held: {"prior": {"strength": 1.0}}} for held in ("options", "fit")),
        *({held: {"prior": {"mean": [[1.0], [1.0, 2.0]]}}} for held in ("options", "fit")),
        {"options": {"prior": {"mean": "x"}}},
        {"options": {"prior": {"mean": {}}}},
        {"options": {"prior": {"mean_precision": [1.0, 2.0]}}},
        {"options": {"prior": {"degrees_of_freedom": [1.0]}}},
        {"options": {"prior": [1.0]}},
    ],
)
def test_header_that_does_not_fit_is_refused(path, changes):
    save_model(path, make_model())
    edit_header(path, **changes)
    with pytest.raises(ModelFormatError):
        load_model(path)


def test_changed_array_with_a_valid_zip_checksum_is_refused_by_the_digest(path):
    save_model(path, make_model())
    members = members_of(path.read_bytes())
    members["means"] = npy(np.zeros((3, 2)))
    path.write_bytes(archived(members))
    with pytest.raises(ModelFormatError, match="digest"):
        load_model(path)


class Bomb:
    def __reduce__(self):
        return os._exit, (66,)


def test_pickled_member_is_refused_and_never_loaded(path):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([Bomb()], dtype=object), version=(1, 0))
    save_model(path, make_model())
    rewrite(path, lambda members: members.update(means=buffer.getvalue()))
    with pytest.raises(ModelFormatError):
        load_model(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((3, 2), np.float32),
        np.zeros((3, 2), ">f8"),
        np.asfortranarray(np.ones((3, 2))),
        np.zeros((3, 2), "c16"),
    ],
)
def test_other_dtypes_and_orders_are_refused(path, array):
    save_model(path, make_model())
    replace_array(path, "means", array)
    with pytest.raises(ModelFormatError):
        load_model(path)


@pytest.mark.parametrize("shape", ["(3, 1099511627776)", "(-3, -2)", "(10**9,)", "((((", "(3, 2.0)"])
def test_absurd_shapes_are_refused_before_anything_is_allocated(path, shape):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(48)
    save_model(path, make_model())
    rewrite(path, lambda members: members.update(means=member))
    with pytest.raises(ModelFormatError):
        load_model(path)


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1), (-1, 1, 1)])
def test_a_header_of_several_dimensions_is_refused(path, shape):
    """Found by the fuzzer: a view of it cannot be decoded."""
    save_model(path, make_model())
    text = np.frombuffer(members_of(path.read_bytes())["header"][128:], np.uint8)
    replace_array(path, "header", text.reshape(shape))
    with pytest.raises(ModelFormatError, match="not one row"):
        load_model(path)


def test_missing_and_extra_members_are_refused(path):
    save_model(path, make_model())
    rewrite(path, lambda members: members.update(extra=npy(np.zeros(1))))
    with pytest.raises(ModelFormatError, match="unexpected members"):
        load_model(path)
    rewrite(path, lambda members: members.pop("digest"))
    with pytest.raises(ModelFormatError, match="not a fastgmm model"):
        load_model(path)


def as_foreign(path):
    path.write_bytes(b"hello, world" * 10)


def as_damaged(path):
    path.write_bytes(path.read_bytes()[:-1])


def as_newer(path):
    edit_header(path, version=2)


def as_unsound(path):
    replace_array(path, "weights", np.full(3, 0.5))


@pytest.mark.parametrize("change", [as_foreign, as_damaged, as_newer, as_unsound])
def test_the_error_says_what_the_problem_is_and_which_file_has_it(path, change):
    save_model(path, make_model())
    change(path)
    with pytest.raises(ModelFormatError) as caught:
        load_model(path)
    assert caught.value.problem == change.__name__.removeprefix("as_")
    assert caught.value.path == str(path)
    assert str(caught.value) == f"{path}: {caught.value.reason}"


# --- whole or not at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exception", [OSError("disk full"), KeyboardInterrupt()])
def test_failing_write_leaves_the_old_file(path, exception):
    def write_half():
        with whole_file(path) as file:
            file.write(b"half of the new")
            raise exception

    path.write_text("old")
    with pytest.raises(type(exception)):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["model.npz"]


def test_failing_rename_leaves_the_old_file(path, monkeypatch):
    def fail(source, target):
        raise OSError("no")

    path.write_text("old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        save_model(path, make_model())
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["model.npz"]


def test_nothing_is_at_the_name_before_the_end(path):
    with whole_file(path) as file:
        file.write(b"x")
        assert not path.exists()
    assert path.read_bytes() == b"x"


def test_error_names_the_wanted_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.npz"), whole_file(tmp_path / "missing" / "model.npz"):
        pass
    with pytest.raises(FileNotFoundError, match=r"model\.npz"):
        require_writable(tmp_path / "missing" / "model.npz")
    with pytest.raises(IsADirectoryError):
        require_writable(tmp_path)


def test_require_writable_leaves_nothing(path):
    require_writable(path)
    assert os.listdir(path.parent) == []


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes and devices")
def test_mode_and_links_are_kept_and_devices_are_written_to(path):
    path.write_text("old")
    path.chmod(0o600)
    link = path.with_name("link")
    link.symlink_to(path)
    with whole_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    require_writable(os.devnull)
    with whole_file(os.devnull) as file:
        file.write(b"gone")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


@pytest.mark.parametrize(
    "change",
    [
        {"fit": {"lower_bound": "abc"}},
        {"fit": {"n_iter": True}},
        {"fit": {"lower_bounds": [1]}},
        {"fit": {"degenerate_components": 3}},
        {"options": {"tol": "x"}},
        {"options": {"n_init": -4}},
    ],
)
def test_options_and_results_that_make_no_sense_are_refused(path, change):
    with pytest.raises(ModelFormatError):
        save_model(path, make_model(**change))
