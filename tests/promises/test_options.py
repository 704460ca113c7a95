"""An option is declared once: what checks, saves and reads options goes by that; what repeats it agrees with it."""

import ast
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fastgmm import GaussianMixture
from fastgmm.cli.parser import make_parser
from fastgmm.estimator.interchange import from_saved_model, to_saved_model
from fastgmm.files.model_file import load_model, save_model
from fastgmm.fit.options import OPTIONS, InvalidParameterError, Options, check_options, declared_in, option
from fastgmm.fit.rules import integer_from


@dataclass(frozen=True, eq=False, kw_only=True)
class WithPatience(Options):
    """The one place where these tests say something of an option that fastgmm does not have."""

    patience: int = option(3, integer_from(1), "--patience", "iterations to wait")


WITH_PATIENCE = declared_in(WithPatience)
FIT = ["fit", "points.npy", "-k", "2", "-o", "model.npz"]


class Patient(GaussianMixture):
    def __init__(self, n_components: int = 1, *, patience: int = 3, **options: Any) -> None:
        super().__init__(n_components, **options)
        self.patience = patience


def test_a_new_option_is_checked_by_its_rule() -> None:
    check_options({"patience": 1}, "Patient", WITH_PATIENCE)
    message = r"^The 'patience' parameter of Patient must be an int in the range \[1, inf\)\. Got 0 instead\.$"
    with pytest.raises(InvalidParameterError, match=message):
        check_options({"patience": 0}, "Patient", WITH_PATIENCE)


def test_a_new_option_is_a_flag_of_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = make_parser(WITH_PATIENCE)
    assert parser.parse_args(FIT).patience == 3
    told = parser.parse_args([*FIT, "--patience", "7"])
    assert (told.patience, told.options[-1]) == (7, "patience")
    with pytest.raises(SystemExit):
        parser.parse_args(["fit", "--help"])
    assert "--patience PATIENCE iterations to wait (default: 3) " in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        parser.parse_args([*FIT, "--patience", "0"])
    assert "argument --patience: must be an int in the range [1, inf); got '0'" in capsys.readouterr().err


def test_a_new_option_is_saved_and_read_back(tmp_path: Path) -> None:
    patient = Patient.from_parameters([1.0], [[0.0]], [[[1.0]]], patience=7)
    save_model(tmp_path / "model.npz", to_saved_model(vars(patient), WITH_PATIENCE))
    assert from_saved_model(Patient, load_model(tmp_path / "model.npz"), WITH_PATIENCE).patience == 7
    assert "patience" not in to_saved_model(vars(patient)).options


def test_the_signature_repeats_the_declarations() -> None:
    parameters = inspect.signature(GaussianMixture, eval_str=True).parameters.values()
    declarations = inspect.get_annotations(Options)
    assert {each.name: each.annotation for each in parameters} == declarations
    assert [(each.name, each.default) for each in parameters] == [(name, OPTIONS[name].default) for name in OPTIONS]


def test_the_docstring_tells_of_every_option_and_its_default_in_order() -> None:
    documented = str(inspect.getdoc(GaussianMixture)).split("\nParameters\n")[1].split("\nAttributes\n")[0]
    entries = re.findall(r"^(\w+) : .*?(?:optional|default=(.+))$", documented, re.MULTILINE)
    told = [(name, ast.literal_eval(default or "None")) for name, default in entries]
    assert told == [(name, declared.default) for name, declared in OPTIONS.items()]


@pytest.mark.parametrize("name", OPTIONS)
def test_a_default_obeys_its_rule_and_the_command_line_gives_it_or_its_own(name: str) -> None:
    declared = OPTIONS[name]
    assert declared.rule.allows(declared.default)
    if declared.flags and name != "n_components":  # which is asked for
        expected = declared.default if declared.default_of_flags is None else declared.default_of_flags
        assert getattr(make_parser().parse_args(FIT), name) == expected
