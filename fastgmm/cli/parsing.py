"""What parsers of commands are made of: points, options, outputs, and help that ends in examples."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter, _ArgumentGroup, _SubParsersAction
from collections.abc import Mapping, Sequence
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
from fastgmm.cli.examples import EXAMPLES
from fastgmm.data.tables import HEADERS, INPUT_KINDS, OUTPUT_SUFFIXES
from fastgmm.fit.options import Option
from fastgmm.fit.rules import integer_from

_EXIT_STATUSES = """\
exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted,
3 not converged, or with degenerate components (the model is written all the same)
"""


class Parser(ArgumentParser):
    """argparse's, whose complaint is a line and where to look further, rather than all of the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}\nsee {self.prog} --help\n")


def add_command(
    commands: "_SubParsersAction[ArgumentParser]", name: str, about: str, description: str | None = None
) -> ArgumentParser:
    parser = commands.add_parser(
        name,
        help=about,
        description=description or about,
        epilog=epilog(EXAMPLES[name]),
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.set_defaults(refuse=parser.error)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every iteration")
    return parser


def epilog(examples: str) -> str:
    return f"{_EXIT_STATUSES}\nexamples:\n\n{examples}"


def add_points(parser: ArgumentParser, or_blocks: bool = False, are_needed: bool = True) -> None:
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


def add_blocks(parser: ArgumentParser) -> _ArgumentGroup:
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


def add_weight(group: _ArgumentGroup) -> None:
    group.add_argument("--weight", metavar="COLUMN", help="of weights, by name or from 0")


def add_options(parser: ArgumentParser, options: Mapping[str, Option], required: Sequence[str] = ()) -> None:
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


def add_output(parser: ArgumentParser, about: str) -> None:
    parser.add_argument("-o", "--output", type=file_that_ends_in(OUTPUT_SUFFIXES), help=about)


def add_errors(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--errors",
        type=input_file,
        metavar="VARIANCES.csv",
        help="the variances of the errors of points, a column for each feature; inf says that the value is missing",
    )


def add_labels(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--labels",
        type=input_file,
        metavar="LABELS.csv",
        help="what is known of points: a column of component numbers, -1, empty or NA where unknown; or a column for "
        "every component, how much it is believed in; --header and --delimiter hold for it as for the points",
    )
