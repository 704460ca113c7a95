"""What the command ``fastgmm`` takes, and the help that says so."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter, _ArgumentGroup, _SubParsersAction
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from fastgmm.cli.argument_types import (
    as_argument,
    column_names,
    delimiter,
    file_that_ends_in,
    input_file,
    input_in_memory_or_blocks,
)
from fastgmm.cli.examples import EXAMPLES, FIRST_STEPS
from fastgmm.data.tables import HEADERS, INPUT_KINDS, OUTPUT_SUFFIXES
from fastgmm.fit.options import OPTIONS, Option
from fastgmm.fit.rules import SHARE, SIZE, integer_from
from fastgmm.show.mixture_display import KINDS
from fastgmm.version import __version__

_PICTURE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")
_EXIT_STATUSES = """\
exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted,
3 not converged, or with degenerate components (the model is written all the same)
"""
SHELLS = ("bash", "zsh", "tcsh")


class Parser(ArgumentParser):
    """argparse's, whose complaint is a line and where to look further, rather than all of the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\nsee {self.prog} --help\n")


def make_parser(options: Mapping[str, Option] = OPTIONS) -> ArgumentParser:
    """All commands. ``options`` are those of fits, of which some have flags."""
    parser: ArgumentParser = Parser(
        prog="fastgmm",
        description="Gaussian mixtures of millions of points.",
        epilog=_epilog(FIRST_STEPS),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastgmm {__version__}")
    parser.add_argument("--print-completion", choices=SHELLS, help="print what completes commands in this shell")
    parser.set_defaults(refuse=parser.error)
    commands = parser.add_subparsers(dest="command", metavar="command")
    _add_fit(commands, options)
    _add_predict(commands)
    _add_score(commands)
    _add_impute(commands)
    _add_regress(commands)
    _add_outliers(commands)
    _add_sample(commands)
    _add_accumulate(commands)
    _add_merge(commands)
    _add_maximize(commands)
    _add_plot(commands)
    _add_export(commands)
    _add_info(commands)
    _add_demo(commands)
    return parser


def _add_command(
    commands: "_SubParsersAction[ArgumentParser]", name: str, about: str, description: str | None = None
) -> ArgumentParser:
    parser = commands.add_parser(
        name,
        help=about,
        description=description or about,
        epilog=_epilog(EXAMPLES[name]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.set_defaults(refuse=parser.error)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every iteration")
    return parser


def _epilog(examples: str) -> str:
    return f"{_EXIT_STATUSES}\nexamples:\n\n{examples}"


def _add_points(parser: ArgumentParser, or_blocks: bool = False, are_needed: bool = True) -> None:
    of_blocks = "; in blocks also a directory of files of one kind" if or_blocks else ""
    parser.add_argument(
        "points",
        nargs=None if are_needed else "?",
        type=input_in_memory_or_blocks if or_blocks else input_file,
        help=f"points, one a row: {INPUT_KINDS}; an empty cell, NA or NaN is a missing value{of_blocks}",
    )
    parser.add_argument(
        "--columns",
        type=column_names,
        metavar="A,B,...|numeric",
        help="only these columns, by name or from 0; numeric: those that hold numbers",
    )
    parser.add_argument(
        "--header", choices=HEADERS, default="auto", help="does the first row hold names? (text; default: auto)"
    )
    parser.add_argument(
        "--delimiter",
        type=delimiter,
        metavar="CHARACTER|tab|space",
        help="between cells (text; default: by file name)",
    )


def _add_blocks(parser: ArgumentParser) -> "_ArgumentGroup":
    """The options of points in blocks."""
    group = parser.add_argument_group(
        "points in blocks",
        "Points beyond memory are read a block of rows at a time, anew in each pass.\n"
        "So are those of a directory, and wherever one of these options is given.",
    )
    group.add_argument("--in-blocks", action="store_true", help="read them so")
    group.add_argument(
        "--block-rows",
        type=as_argument(integer_from(1).read),
        metavar="ROWS",
        help="how many a block has, which the last bits of a fit depend on (default: 8 to 16 MB)",
    )
    group.add_argument(
        "--cache",
        metavar="DIRECTORY",
        help="where to keep decoded points, which later passes and commands map into memory; it is never emptied",
    )
    return group


def _add_weight(group: "_ArgumentGroup") -> None:
    group.add_argument("--weight", metavar="COLUMN", help="of weights, by name or from 0")


def _add_options(parser: ArgumentParser, options: Mapping[str, Option], required: Sequence[str] = ()) -> None:
    """Flags for the options that have some; ``arguments.options`` names these to who makes the estimator."""
    with_flags = {name: option for name, option in options.items() if option.flags}
    for name, option in with_flags.items():
        default = option.default if option.default_of_flags is None else option.default_of_flags
        # 1e-3, not 0.001
        written = np.format_float_scientific(default, trim="-", exp_digits=1) if type(default) is float else default
        is_told = option.help is None or default is None or name in required
        parser.add_argument(
            *option.flags.split(),
            dest=name,
            type=as_argument(option.rule.read),
            choices=option.rule.choices,
            default=default,
            required=name in required,
            metavar=option.metavar,
            help=option.help if is_told else f"{option.help} (default: {written})",
        )
    parser.set_defaults(options=tuple(with_flags))


def _add_output(parser: ArgumentParser, about: str) -> None:
    parser.add_argument("-o", "--output", type=file_that_ends_in(OUTPUT_SUFFIXES), help=about)


def _add_fit(commands: "_SubParsersAction[ArgumentParser]", options: Mapping[str, Option]) -> None:
    parser = _add_command(commands, "fit", "fit a mixture to points, and write it to a model file or describe it")
    _add_points(parser, or_blocks=True)
    parser.add_argument(
        "-o", "--output", metavar="MODEL.npz", help="the model file to write (default: none; the mixture is printed)"
    )
    _add_labels(parser)
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keeps the fit every half second at most, and at its end, so that the same command goes on from there if "
        "this one is killed",
    )
    _add_options(parser, options, required=("n_components",))
    group = _add_blocks(parser)
    _add_weight(group)
    group.add_argument(
        "--label-column",
        metavar="COLUMN",
        help="of component numbers, -1, empty or NA where unknown, by name or from 0",
    )


def _add_labels(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--labels",
        type=input_file,
        metavar="LABELS.csv",
        help="what is known of points: a column of component numbers, -1, empty or NA where unknown; or a column for "
        "every component, how much it is believed in; --header and --delimiter hold for it as for the points",
    )


def _add_predict(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "predict", "the most probable component of every point")
    parser.add_argument("model", help="a model file")
    _add_points(parser, or_blocks=True)
    _add_output(parser, ".npy, .csv or .parquet (default: one line a point on stdout)")
    parser.add_argument("--proba", action="store_true", help="the probabilities of all components instead")
    _add_blocks(parser)


def _add_score(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "score", "the log-likelihood of points")
    parser.add_argument("model", help="a model file")
    _add_points(parser, or_blocks=True)
    parser.add_argument("--samples", action="store_true", help="the log-density of every point instead of the mean")
    _add_output(parser, "write those to .npy, .csv or .parquet instead of stdout")
    _add_weight(_add_blocks(parser))


def _add_impute(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(
        commands,
        "impute",
        "fill in missing values of points",
        "Fill in missing values of points with what the model expects of them, given the rest of their row.\n"
        "All other cells of text are written as they are read, and columns that are not the model's, too,\n"
        "unless --columns chooses some. Of other kinds of files the model's columns alone are written.",
    )
    parser.add_argument("model", help="a model file")
    _add_points(parser)
    _add_output(parser, ".csv, or .npy or .parquet with the columns of the model alone (default: CSV on stdout)")
    parser.add_argument(
        "--draws",
        type=as_argument(integer_from(1).read),
        metavar="M",
        help="M draws from the distribution of missing values instead of what is expected: M tables below each other, "
        "numbered from 0 in a first column 'draw'; in .npy an array (M, points, features)",
    )
    _add_options(parser, {"random_state": replace(OPTIONS["random_state"], help="of the draws")})


def _add_sample(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "sample", "draw points from a model")
    parser.add_argument("model", help="a model file")
    n_rows = as_argument(integer_from(1).read)
    parser.add_argument("-n", "--rows", type=n_rows, required=True, help="points to draw, in random order")
    _add_output(parser, ".npy, .csv or .parquet (default: CSV on stdout)")
    parser.add_argument(
        "--label-column", metavar="NAME", help="a last column of this name: the component that each point is drawn from"
    )
    _add_options(parser, {"random_state": replace(OPTIONS["random_state"], help="of the draws")})


def _add_regress(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(
        commands,
        "regress",
        "what some features are expected to be where others are given",
        "What some features of the model are expected to be where others are given: Gaussian mixture regression. The "
        "given ones are found by name; points without names have these alone, in the order of --given, or all.",
    )
    parser.add_argument("model", help="a model file")
    _add_points(parser)
    features = "features of the model, by name or from 0"
    parser.add_argument("--given", type=column_names, required=True, metavar="A,B,...", help=features)
    parser.add_argument(
        "--target", type=column_names, metavar="C,D,...", help=f"{features} (default: all that are not given)"
    )
    parser.add_argument("--std", action="store_true", help="conditional standard deviations as well, in columns C_std")
    _add_output(parser, ".npy, .csv or .parquet (default: one line a point on stdout)")


def _add_outliers(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(
        commands,
        "outliers",
        "which points are odd",
        "Which points have a density so low that, of the model's own points, less than a share of alpha have one as "
        "low: their rows from 0, the least probable first.",
    )
    parser.add_argument("model", help="a model file")
    _add_points(parser)
    parser.add_argument(
        "--alpha",
        type=as_argument(SHARE.read),
        default=1e-3,
        metavar="SHARE",
        help="how many of the model's own points would be called outliers (default: 0.001)",
    )
    parser.add_argument(
        "--draws",
        type=as_argument(integer_from(1).read),
        metavar="N",
        help="points to draw, to which p-values compare; one component needs none (default: 100000, or 10/alpha)",
    )
    _add_options(parser, {"random_state": replace(OPTIONS["random_state"], help="of the draws")})
    _add_output(parser, "write the p-values of all points to .npy, .csv or .parquet instead")


def _add_accumulate(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "accumulate", "write the moments of points under a model, which EM needs of them")
    parser.add_argument("model", help="a model file")
    _add_points(parser)
    _add_archive(parser, "MOMENTS.npz", "the file of moments to write; it holds sums, whose size is the model's")
    _add_labels(parser)


def _add_merge(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "merge", "add up moments of points in several places, under the same model")
    parser.add_argument("moments", nargs="+", metavar="MOMENTS.npz", help="files that accumulate or merge wrote")
    _add_archive(parser, "TOTAL.npz", "the file of moments to write")


def _add_maximize(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "maximize", "make the next model of a model and moments under it")
    parser.add_argument("model", help="the model file under which the moments were taken")
    parser.add_argument("moments", metavar="TOTAL.npz", help="moments of all points")
    _add_archive(parser, "NEXT.npz", "the model file to write")
    parser.add_argument(
        "--reg-covar",
        type=as_argument(SIZE.read),
        metavar="NUMBER",
        help="added to variances (default: as the model was fitted)",
    )


def _add_archive(parser: ArgumentParser, name: str, about: str) -> None:
    parser.add_argument("-o", "--output", required=True, metavar=name, help=about)


def _add_plot(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(
        commands,
        "plot",
        "draw a model, and points",
        "Draw a model, and points where there are some: one feature as a histogram, two as points and ellipses, three "
        "to six in pairs, and of more the two directions in which components differ most.",
    )
    parser.add_argument("model", help="a model file")
    _add_points(parser, are_needed=False)
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=file_that_ends_in(_PICTURE_SUFFIXES),
        metavar="PICTURE.png",
        help=f"the picture to write: {', '.join(_PICTURE_SUFFIXES)}",
    )
    # A model file does not hold the path of its fit.
    kinds = [kind for kind in KINDS if kind != "path"]
    parser.add_argument("--kind", choices=kinds, help="default: what suits the number of features")
    parser.add_argument("--features", type=column_names, metavar="A,B,...", help="draw only these, by name or from 0")


def _add_export(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "export", "write a model as a graph of ONNX, for other programs")
    parser.add_argument("model", help="a model file")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        type=file_that_ends_in((".onnx",)),
        metavar="MODEL.onnx",
        help="the graph to write: X in; label, probabilities and score_samples out",
    )
    parser.add_argument(
        "--dtype", choices=("float64", "float32"), default="float64", help="of all but labels (default: float64)"
    )


def _add_info(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "info", "what a model file holds")
    parser.add_argument("model", help="a model file")


def _add_demo(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "demo", "fit points drawn from a mixture of Old Faithful's eruptions")
    n_rows = as_argument(integer_from(1).read)
    parser.add_argument("--rows", type=n_rows, default=1_000_000, help="points to draw (default: 1000000)")
    parser.add_argument(
        "--picture",
        type=file_that_ends_in(_PICTURE_SUFFIXES),
        default="fastgmm-demo.png",
        help="default: fastgmm-demo.png",
    )
    taken = {name: OPTIONS[name] for name in ("random_state", "n_threads", "backend")}
    _add_options(parser, {"n_components": replace(OPTIONS["n_components"], default=2)} | taken)
