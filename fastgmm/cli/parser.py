"""What the command ``fastgmm`` takes, and the help that says so."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Mapping
from dataclasses import replace

from fastgmm.cli.argument_types import as_argument, column_names, families, file_that_ends_in, numbers_of_components
from fastgmm.cli.examples import FIRST_STEPS
from fastgmm.cli.parsing import (
    Parser,
    add_blocks,
    add_command,
    add_errors,
    add_labels,
    add_options,
    add_output,
    add_points,
    add_weight,
    epilog,
)
from fastgmm.families import FAMILIES
from fastgmm.fit.options import OPTIONS, Option
from fastgmm.fit.rules import SHARE, SIZE, integer_from
from fastgmm.selection.criteria import CRITERIA
from fastgmm.show.mixture_display import KINDS
from fastgmm.version import __version__

_PICTURE_SUFFIXES = (".png", ".pdf", ".svg", ".jpg")
SHELLS = ("bash", "zsh", "tcsh")


def make_parser(options: Mapping[str, Option] = OPTIONS) -> ArgumentParser:
    """All commands. ``options`` are those of fits, of which some have flags."""
    parser: ArgumentParser = Parser(
        prog="fastgmm",
        description="Gaussian mixtures of millions of points.",
        epilog=epilog(FIRST_STEPS),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastgmm {__version__}")
    parser.add_argument("--print-completion", choices=SHELLS, help="print what completes commands in this shell")
    parser.set_defaults(refuse=parser.error)
    commands = parser.add_subparsers(dest="command", metavar="command")
    _add_fit(commands, options)
    _add_select(commands)
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


def _add_fit(commands: "_SubParsersAction[ArgumentParser]", options: Mapping[str, Option]) -> None:
    parser = add_command(commands, "fit", "fit a mixture to points, and write it to a model file or describe it")
    add_points(parser, or_blocks=True)
    parser.add_argument(
        "-o", "--output", metavar="MODEL.npz", help="the model file to write (default: none; the mixture is printed)"
    )
    add_labels(parser)
    add_errors(parser)
    parser.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="keeps the fit every half second at most, and at its end, so that the same command goes on from there if "
        "this one is killed",
    )
    add_options(parser, options, required=("n_components",))
    group = add_blocks(parser)
    add_weight(group)
    group.add_argument(
        "--label-column",
        metavar="COLUMN",
        help="of component numbers, -1, empty or NA where unknown, by name or from 0",
    )


def _add_select(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(
        commands,
        "select",
        "choose the number of components and the covariances",
        "Fit mixtures of several numbers of components and kinds of covariances, and choose the best by a criterion.",
    )
    add_points(parser, or_blocks=True)
    parser.add_argument(
        "-k",
        "--components",
        dest="n_components",
        type=numbers_of_components,
        default="1..10",
        metavar="1..10|2,4,8",
        help="from which numbers of components to choose; a single one is that alone (default: 1..10)",
    )
    parser.add_argument(
        "--covariance-type",
        type=families,
        default="all",
        metavar="all|full,tied,...",
        help=f"from which covariances: {', '.join(FAMILIES)} (default: all)",
    )
    parser.add_argument("--criterion", choices=CRITERIA, default="bic", help="the lowest is the best (default: bic)")
    parser.add_argument("--exact", action="store_true", help="fit every candidate to all points, however many they are")
    parser.add_argument("-o", "--output", metavar="MODEL.npz", help="write the best model to this file")
    parser.add_argument("--table", type=file_that_ends_in((".csv",)), metavar="TABLE.csv", help="write all candidates")
    parser.add_argument(
        "--plot",
        type=file_that_ends_in(_PICTURE_SUFFIXES),
        metavar="PICTURE.png",
        help="draw the criterion against the number of components",
    )
    names = ("random_state", "n_threads", "backend", "deadline", "reg_covar")
    add_options(parser, {name: OPTIONS[name] for name in names})
    add_weight(add_blocks(parser))


def _add_predict(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(commands, "predict", "the most probable component of every point")
    parser.add_argument("model", help="a model file")
    add_points(parser, or_blocks=True)
    add_output(parser, ".npy, .csv or .parquet (default: one line a point on stdout)")
    parser.add_argument("--proba", action="store_true", help="the probabilities of all components instead")
    add_blocks(parser)


def _add_score(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(commands, "score", "the log-likelihood of points")
    parser.add_argument("model", help="a model file")
    add_points(parser, or_blocks=True)
    parser.add_argument("--samples", action="store_true", help="the log-density of every point instead of the mean")
    add_output(parser, "write those to .npy, .csv or .parquet instead of stdout")
    add_weight(add_blocks(parser))


def _add_impute(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(
        commands,
        "impute",
        "fill in missing values of points",
        "Fill in missing values of points with what the model expects of them, given the rest of their row.\n"
        "All other cells of text are written as they are read, and columns that are not the model's, too,\n"
        "unless --columns chooses some. Of other kinds of files the model's columns alone are written.",
    )
    parser.add_argument("model", help="a model file")
    add_points(parser)
    add_output(parser, ".csv, or .npy or .parquet with the columns of the model alone (default: CSV on stdout)")
    parser.add_argument(
        "--draws",
        type=as_argument(integer_from(1).read),
        metavar="M",
        help="M draws from the distribution of missing values instead of what is expected: M tables below each other, "
        "numbered from 0 in a first column 'draw'; in .npy an array (M, points, features)",
    )
    add_options(parser, {"random_state": replace(OPTIONS["random_state"], help="of the draws")})


def _add_sample(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(commands, "sample", "draw points from a model")
    parser.add_argument("model", help="a model file")
    n_rows = as_argument(integer_from(1).read)
    parser.add_argument("-n", "--rows", type=n_rows, required=True, help="points to draw, in random order")
    add_output(parser, ".npy, .csv or .parquet (default: CSV on stdout)")
    parser.add_argument(
        "--label-column", metavar="NAME", help="a last column of this name: the component that each point is drawn from"
    )
    add_options(parser, {"random_state": replace(OPTIONS["random_state"], help="of the draws")})


def _add_regress(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(
        commands,
        "regress",
        "what some features are expected to be where others are given",
        "What some features of the model are expected to be where others are given: Gaussian mixture regression. The "
        "given ones are found by name; points without names have these alone, in the order of --given, or all.",
    )
    parser.add_argument("model", help="a model file")
    add_points(parser)
    features = "features of the model, by name or from 0"
    parser.add_argument("--given", type=column_names, required=True, metavar="A,B,...", help=features)
    parser.add_argument(
        "--target", type=column_names, metavar="C,D,...", help=f"{features} (default: all that are not given)"
    )
    parser.add_argument("--std", action="store_true", help="conditional standard deviations as well, in columns C_std")
    add_output(parser, ".npy, .csv or .parquet (default: one line a point on stdout)")


def _add_outliers(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(
        commands,
        "outliers",
        "which points are odd",
        "Which points have a density so low that, of the model's own points, less than a share of alpha have one as "
        "low: their rows from 0, the least probable first.",
    )
    parser.add_argument("model", help="a model file")
    add_points(parser)
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
    add_options(parser, {"random_state": replace(OPTIONS["random_state"], help="of the draws")})
    add_output(parser, "write the p-values of all points to .npy, .csv or .parquet instead")


def _add_accumulate(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(commands, "accumulate", "write the moments of points under a model, which EM needs of them")
    parser.add_argument("model", help="a model file")
    add_points(parser)
    _add_archive(parser, "MOMENTS.npz", "the file of moments to write; it holds sums, whose size is the model's")
    add_labels(parser)


def _add_merge(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(commands, "merge", "add up moments of points in several places, under the same model")
    parser.add_argument("moments", nargs="+", metavar="MOMENTS.npz", help="files that accumulate or merge wrote")
    _add_archive(parser, "TOTAL.npz", "the file of moments to write")


def _add_maximize(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(commands, "maximize", "make the next model of a model and moments under it")
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
    parser = add_command(
        commands,
        "plot",
        "draw a model, and points",
        "Draw a model, and points where there are some: one feature as a histogram, two as points and ellipses, three "
        "to six in pairs, and of more the two directions in which components differ most.",
    )
    parser.add_argument("model", help="a model file")
    add_points(parser, are_needed=False)
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
    parser = add_command(commands, "export", "write a model as a graph of ONNX, for other programs")
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
    parser = add_command(commands, "info", "what a model file holds")
    parser.add_argument("model", help="a model file")


def _add_demo(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = add_command(commands, "demo", "fit points drawn from a mixture of Old Faithful's eruptions")
    n_rows = as_argument(integer_from(1).read)
    parser.add_argument("--rows", type=n_rows, default=1_000_000, help="points to draw (default: 1000000)")
    parser.add_argument(
        "--picture",
        type=file_that_ends_in(_PICTURE_SUFFIXES),
        default="fastgmm-demo.png",
        help="default: fastgmm-demo.png",
    )
    taken = {name: OPTIONS[name] for name in ("random_state", "n_threads", "backend")}
    add_options(parser, {"n_components": replace(OPTIONS["n_components"], default=2)} | taken)
