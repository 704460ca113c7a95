"""``fastgmm accumulate``, ``merge`` and ``maximize``: an iteration of EM over points in several places."""

import json
import os
import re
import shlex
import warnings

import numpy as np
import pytest

import fastgmm
from fastgmm import GaussianMixture
from fastgmm.cli.command_line import main
from fastgmm.data.datasets import load_old_faithful
from tests.cli.test_command_line import assert_one_line_error
from tests.estimator.test_moments import assert_close_models, one_iteration
from tests.problems import same_bits


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Run in an empty directory, so that file names in arguments are short and nothing is left behind."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def points():
    return load_old_faithful()


def write_csv(name, points):
    rows = "".join(f"geyser,{waiting!r},{eruption!r}\n" for eruption, waiting in points.tolist())
    with open(name, "w") as file:
        file.write("kind,waiting,eruptions\n" + rows)


@pytest.fixture
def model(points):
    """A model of named columns, a few iterations from its end, and the points of two sites in ``a.csv``, ``b.csv``."""
    with warnings.catch_warnings(action="ignore"):
        gm = GaussianMixture(2, random_state=0, max_iter=2, init_params="random", reg_covar=1e-3).fit(points)
    gm.feature_names_in_ = np.array(["eruptions", "waiting"], object)
    gm.save("model.npz")
    write_csv("a.csv", points[:100])
    write_csv("b.csv", points[100:])
    return gm


def moments_of(gm, points, **options):
    with warnings.catch_warnings(action="ignore"):  # names
        return gm.moments(points, **options)


@pytest.fixture
def sites(model, capsys):
    """``a.npz`` and ``b.npz`` with the moments of the points there."""
    for site in "ab":
        assert main(["accumulate", "model.npz", f"{site}.csv", "-o", f"{site}.npz"]) == 0
    capsys.readouterr()
    return model


def test_accumulate_writes_the_moments_that_the_estimator_would(model, points, capsys):
    assert main(["accumulate", "model.npz", "a.csv", "-o", "a.npz"]) == 0
    expected = moments_of(model, points[:100])
    assert same_bits(fastgmm.load_moments("a.npz"), expected)
    out, err = capsys.readouterr()
    assert re.search(r"^points +100$", out, re.MULTILINE)
    assert f"{expected.log_likelihood / 100:.10g} per point" in out
    assert err == ""


def test_accumulate_as_json(model, points, capsys):
    points[3:5] = np.nan
    np.save("points.npy", points)
    assert main(["accumulate", "model.npz", "points.npy", "-o", "m.npz", "--json", "-q"]) == 0
    facts = json.loads(capsys.readouterr().out)
    expected = moments_of(model, points)
    assert (facts["points"], facts["total_weight"], facts["moments"]) == (270, 270.0, "m.npz")
    assert facts["log_likelihood_per_point"] == pytest.approx(expected.log_likelihood / 270, rel=1e-15)
    assert facts["counts"] == expected.counts.tolist()


def test_accumulate_of_points_without_any_value_is_of_no_weight(model, capsys):
    np.save("points.npy", np.full((3, 2), np.nan))
    assert main(["accumulate", "model.npz", "points.npy", "-o", "m.npz", "--json", "-q"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["points"], facts["total_weight"], facts["log_likelihood_per_point"]) == (0, 0.0, None)


@pytest.mark.prints
def test_accumulate_takes_labels(model, points):
    labels = np.where(np.arange(100) % 3, -1, 1)
    with open("labels.csv", "w") as file:
        file.write("known\n" + "".join(f"{label}\n" for label in labels))
    assert main(["accumulate", "model.npz", "a.csv", "--labels", "labels.csv", "-o", "a.npz"]) == 0
    assert same_bits(fastgmm.load_moments("a.npz"), moments_of(model, points[:100], labels=labels))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0\n2\n" + "\n" * 98, "labels.csv, line 2: the label is 2, but with --components 2 a label is 0, 1, or -1"),
        ("0\n", "labels.csv has 1 rows, a.csv has 100."),
        ("0\nx\n", "labels.csv, line 2, column 1: 'x' is not a number"),
    ],
)
def test_what_is_wrong_with_labels_is_said_of_their_file(model, capsys, content, message):
    with open("labels.csv", "w") as file:
        file.write(content)
    assert main(["accumulate", "model.npz", "a.csv", "--labels", "labels.csv", "-o", "a.npz"]) == 1
    assert_one_line_error(capsys, message)
    assert not os.path.exists("a.npz")


def test_merge_adds_moments_up(sites, points, capsys):
    assert main(["merge", "a.npz", "b.npz", "-o", "total.npz", "--json"]) == 0
    total = fastgmm.load_moments("a.npz") + fastgmm.load_moments("b.npz")
    assert same_bits(fastgmm.load_moments("total.npz"), total)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["files"], facts["points"], facts["moments"]) == (2, 272, "total.npz")
    assert main(["merge", "total.npz", "-o", "copy.npz"]) == 0
    assert same_bits(fastgmm.load_moments("copy.npz"), total)
    assert re.search(r"^points +272$", capsys.readouterr().out, re.MULTILINE)


def test_maximize_makes_the_model_that_an_iteration_of_a_fit_makes_of_all_points(sites, points, capsys):
    assert main(["merge", "a.npz", "b.npz", "-o", "total.npz"]) == 0
    capsys.readouterr()
    assert main(["maximize", "model.npz", "total.npz", "-o", "next.npz"]) == 0
    after = fastgmm.load("next.npz")
    assert_close_models(after, one_iteration(sites, points), 1e-12)
    assert list(after.feature_names_in_) == ["eruptions", "waiting"]
    assert after.reg_covar == 1e-3
    change = after.lower_bound_ - sites.lower_bound_
    assert change > 0
    out = capsys.readouterr().out
    assert f"{after.lower_bound_:.10g} per point, of model.npz" in out
    assert re.search(rf"^change +{re.escape(f'{change:+.3g}')}$", out, re.MULTILINE)


def test_iterations_end_where_a_fit_ends(sites, points, capsys):
    options = sites.get_params() | {"warm_start": True, "max_iter": 200, "tol": 1e-9}
    expected = fastgmm.load("model.npz").set_params(**options).fit(points)
    os.rename("model.npz", "model0.npz")
    for step in range(expected.n_iter_):
        names = f"model{step}.npz", f"model{step + 1}.npz"
        for site in "ab":
            assert main(["accumulate", names[0], f"{site}.csv", "-o", f"{site}.npz"]) == 0
        assert main(["merge", "a.npz", "b.npz", "-o", "total.npz"]) == 0
        capsys.readouterr()
        assert main(["maximize", names[0], "total.npz", "-o", names[1], "--json"]) == 0
        facts = json.loads(capsys.readouterr().out)
    assert_close_models(fastgmm.load(names[1]), expected, 1e-10)
    assert 0 <= facts["change"] < 1e-8
    assert facts["lower_bound"] == pytest.approx(expected.lower_bound_, rel=1e-12)


def test_a_model_without_a_lower_bound_leaves_the_change_unknown(points, capsys):
    gm = GaussianMixture.from_parameters([0.5, 0.5], [[2, 55], [4, 80]], [[1, 40], [1, 40]], "diag")
    gm.save("model.npz")
    fastgmm.save_moments("m.npz", gm.moments(points))
    assert main(["maximize", "model.npz", "m.npz", "-o", "next.npz"]) == 0
    assert "unknown: no lower bound in the file" in capsys.readouterr().out
    assert main(["maximize", "model.npz", "m.npz", "-o", "next.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["change"] is None


def test_the_regularization_may_be_another_and_must_be_where_it_is_relative(sites, capsys):
    fastgmm.load("model.npz").set_params(reg_covar="relative").save("relative.npz")
    assert main(["maximize", "relative.npz", "a.npz", "-o", "next.npz"]) == 1
    assert_one_line_error(capsys, "relative.npz: --reg-covar relative is a share of the variances of the points")
    assert main(["maximize", "relative.npz", "a.npz", "-o", "next.npz", "--reg-covar", "0.25"]) == 0
    capsys.readouterr()
    expected = sites.set_params(reg_covar=0.25).maximized(fastgmm.load_moments("a.npz"))
    assert np.array_equal(fastgmm.load("next.npz").covariances_, expected.covariances_)
    assert main(["maximize", "relative.npz", "a.npz", "-o", "next.npz", "--reg-covar", "relative"]) == 2
    assert "argument --reg-covar: must be a float in the range [0.0, inf)" in capsys.readouterr().err


# --- what is refused -------------------------------------------------------------------------------------------------


def test_moments_that_do_not_add_up_are_refused_with_their_files(sites, points, capsys):
    other = moments_of(sites, points).recentred(sites.means_ + 1.0)
    fastgmm.save_moments("about.npz", other)
    options = {"weights": [0.5, 0.5], "means": [[2, 55], [4, 80]], "covariances": [[1, 40], [1, 40]]}
    fastgmm.save_moments("diag.npz", GaussianMixture.from_parameters(**options, covariance_type="diag").moments(points))
    one = GaussianMixture.from_parameters([1.0], [[2, 55]], [[[1, 0], [0, 40]]]).moments(points)
    fastgmm.save_moments("one.npz", one)
    for name, words in {
        "about.npz": "Moments about different means do not add up",
        "diag.npz": "Moments of different families do not add up: 'full' and 'diag'",
        "one.npz": "Moments of different shapes do not add up: counts (2,) and (1,)",
    }.items():
        assert main(["merge", "a.npz", "b.npz", name, "-o", "total.npz"]) == 1
        assert_one_line_error(capsys, f"{name} and a.npz: {words}")
    assert not os.path.exists("total.npz")


@pytest.mark.parametrize("arguments", [["merge", "a.npz", "b.npz"], ["maximize", "model.npz", "b.npz"]])
def test_damaged_moments_are_refused(sites, capsys, arguments):
    with open("b.npz", "r+b") as file:
        file.seek(700)
        file.write(b"\xff\xff")
    assert main([*arguments, "-o", "out.npz"]) == 1
    assert_one_line_error(capsys, "b.npz: damaged")
    assert not os.path.exists("out.npz")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["accumulate", "a.npz", "a.csv"], "a.npz: not a fastgmm model"),
        (["accumulate", "model.npz", "c.csv"], "c.csv: No such file or directory"),
        (["merge", "model.npz"], "model.npz: not fastgmm moments"),
        (["merge", "a.npz", "c.npz"], "c.npz: No such file or directory"),
        (["maximize", "a.npz", "a.npz"], "a.npz: not a fastgmm model"),
        (["maximize", "model.npz", "model.npz"], "model.npz: not fastgmm moments"),
        (["maximize", "model.npz", "far.npz"], "far.npz: These moments are about other means than those of the model"),
        (["maximize", "model.npz", "empty.npz"], "empty.npz: These are moments of no weight"),
        (["accumulate", "model.npz", "-", "--labels", "-"], "standard input cannot be both points and labels"),
    ],
)
def test_mistakes_are_exit_1_with_one_line(sites, capsys, arguments, message):
    moments = fastgmm.load_moments("a.npz")
    fastgmm.save_moments("far.npz", moments.recentred(moments.about + 1.0))
    fastgmm.save_moments("empty.npz", moments.scaled(0.0))
    assert main([*arguments, "-o", "out.npz"]) == 1
    assert_one_line_error(capsys, message)
    assert not os.path.exists("out.npz")


@pytest.mark.parametrize(
    "arguments",
    [
        ["accumulate", "model.npz", "a.csv", "-o", "a.csv"],
        ["accumulate", "model.npz", "a.csv", "-o", "model.npz"],
        ["merge", "a.npz", "b.npz", "-o", "b.npz"],
        ["maximize", "model.npz", "a.npz", "-o", "model.npz"],
    ],
)
def test_an_input_is_not_written_over(sites, capsys, arguments):
    with open(arguments[-1], "rb") as file:
        before = file.read()
    assert main(arguments) == 1
    assert_one_line_error(capsys, f"the output would replace the input {arguments[-1]}")
    with open(arguments[-1], "rb") as file:
        assert file.read() == before


@pytest.mark.parametrize("command", ["accumulate", "merge", "maximize"])
def test_an_output_must_be_named(sites, capsys, command):
    assert main([command, "model.npz", "a.npz"]) == 2
    assert "the following arguments are required: -o/--output" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["accumulate", "merge", "maximize"])
def test_the_examples_of_the_help_run(model, capsys, command):
    os.rename("a.csv", "here.csv")
    os.rename("b.csv", "there.csv")
    assert main([command, "--help"]) == 0
    examples = re.findall(r"^  fastgmm (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert len(examples) == 4
    for example in examples:
        assert main(shlex.split(example)) == 0
    capsys.readouterr()
    assert fastgmm.load("next-model.npz").lower_bound_ > model.lower_bound_
