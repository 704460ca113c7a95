"""The command ``fastgmm``: what it takes, what it prints, and how it ends.

Results go to standard output, everything else to standard error. A mistake of the user's is one line there; what is
not foreseen here keeps its traceback.
"""

import json
import logging
import math
import os
import sys
import warnings
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from fastgmm.data.tables import HEADERS, INPUT_KINDS, OUTPUT_SUFFIXES, require_known_kind
from fastgmm.families import FAMILIES
from fastgmm.fit.options import ACCELERATIONS, INIT_METHODS
from fastgmm.kernels import BACKEND_NAMES
from fastgmm.show.reports import Report, json_ready, printable
from fastgmm.version import __version__

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

_EPILOG = "exit status: 0 done, 1 failed, 2 wrong usage, 3 not converged (the model is written all the same)"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status: 0 done, 1 failed, 2 usage, 3 not converged, 130 interrupted.
    """
    try:
        arguments = _parser().parse_args(argv)
        with _log_and_warnings(arguments):
            report = _run(arguments)
            _print(report, arguments.json)
        return report.exit_code
    except SystemExit as stop:
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        _abandon_stdout()
        return EXIT_FAILED
    except OSError as error:
        return _fail(f"error: {_describe_os_error(error)}")
    except MemoryError as error:
        return _fail(f"error: not enough memory {error}".rstrip())
    except (ValueError, TypeError, ImportError) as error:
        return _fail(f"error: {error}")


def _run(arguments: Namespace) -> Report:
    # Imported when needed, so that `fastgmm --help` does not wait.
    if arguments.command == "demo":
        from fastgmm.cli.demo import demo

        return demo(arguments)
    from fastgmm.cli import commands

    run: Callable[[Namespace], Report] = getattr(commands, arguments.command)
    return run(arguments)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(json_ready(report.facts), allow_nan=False))
    else:
        for piece in report.text:
            sys.stdout.write(piece)
    # Here, so that a closed pipe is noticed while it can still be handled.
    sys.stdout.flush()


# --- standard error --------------------------------------------------------------------------------------------------


def _say(message: str) -> None:
    """A line on standard error, over a progress bar where there is one: that draws itself anew."""
    erase = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{erase}fastgmm: {printable(' '.join(message.split()))}", file=sys.stderr, flush=True)


def _fail(message: str, exit_code: int = EXIT_FAILED) -> int:
    _say(message)
    return exit_code


def _describe_os_error(error: OSError) -> str:
    if error.filename is None or error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}"


class _SayHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        prefix = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        _say(prefix + record.getMessage())


@contextmanager
def _log_and_warnings(arguments: Namespace) -> Iterator[None]:
    """The logger ``fastgmm`` and all warnings on standard error; neither with ``--quiet``."""
    logger, handler, level = logging.getLogger("fastgmm"), _SayHandler(), logging.getLogger("fastgmm").level
    wanted = logging.DEBUG if arguments.verbose else logging.INFO
    logger.setLevel(logging.ERROR if arguments.quiet else wanted)
    logger.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if arguments.quiet else "default")
            warnings.showwarning = lambda message, *_, **__: _say(f"warning: {message}")
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _abandon_stdout() -> None:
    """Nobody reads any more: let the interpreter flush into nothing instead of complaining."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# --- the parser ------------------------------------------------------------------------------------------------------


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="fastgmm", description="Gaussian mixtures of millions of points.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"fastgmm {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_fit(commands)
    _add_predict(commands)
    _add_score(commands)
    _add_info(commands)
    _add_demo(commands)
    return parser


def _add_command(commands: "_SubParsersAction[ArgumentParser]", name: str, about: str) -> ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about, epilog=_EPILOG)
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no warnings")
    parser.add_argument("-v", "--verbose", action="store_true", help="log every iteration")
    return parser


def _add_points(parser: ArgumentParser) -> None:
    parser.add_argument("points", type=_input_file, help=f"points, one a row: {INPUT_KINDS}")
    parser.add_argument("--columns", type=_columns, metavar="A,B,...", help="only these columns, by name or from 0")
    parser.add_argument(
        "--header", choices=HEADERS, default="auto", help="does the first row hold names? (text; default: auto)"
    )
    parser.add_argument(
        "--delimiter",
        type=_delimiter,
        metavar="CHARACTER|tab|space",
        help="between cells (text; default: by file name)",
    )


def _add_running(parser: ArgumentParser) -> None:
    parser.add_argument("--seed", type=_seed, default=0, help="of the start (default: 0)")
    parser.add_argument("--threads", type=_positive, help="default: all CPUs this process may use")
    parser.add_argument("--backend", choices=BACKEND_NAMES, default="auto")


def _add_fit(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "fit", "fit a mixture to points and write it to a model file")
    _add_points(parser)
    parser.add_argument("-k", "--components", type=_positive, required=True, help="number of components")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL.npz", help="the model file to write")
    parser.add_argument("--covariance-type", choices=tuple(FAMILIES), default="full")
    parser.add_argument("--tol", type=_not_negative, default=1e-3, help="stop below this change (default: 1e-3)")
    parser.add_argument(
        "--reg-covar",
        type=_regularization,
        default=1e-6,
        metavar="NUMBER|relative",
        help="added to variances; relative: a millionth of each feature's own (default: 1e-6)",
    )
    parser.add_argument("--max-iter", type=_count, default=100, help="most iterations of a start (default: 100)")
    parser.add_argument("--n-init", type=_positive, default=1, help="starts to try (default: 1)")
    parser.add_argument("--init-params", choices=INIT_METHODS, default="auto")
    parser.add_argument("--accelerate", choices=ACCELERATIONS, help="fewer iterations where they converge slowly")
    parser.add_argument(
        "--deadline", type=_seconds, metavar="SECONDS", help="end with the best so far (default: no deadline)"
    )
    _add_running(parser)


def _add_predict(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "predict", "the most probable component of every point")
    parser.add_argument("model", help="a model file")
    _add_points(parser)
    parser.add_argument("-o", "--output", type=_output_file, help=".npy or .csv (default: one line a point on stdout)")
    parser.add_argument("--proba", action="store_true", help="the probabilities of all components instead")


def _add_score(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "score", "the log-likelihood of points")
    parser.add_argument("model", help="a model file")
    _add_points(parser)
    parser.add_argument("--samples", action="store_true", help="the log-density of every point instead of the mean")
    parser.add_argument("-o", "--output", type=_output_file, help="write those to .npy or .csv instead of stdout")


def _add_info(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "info", "what a model file holds")
    parser.add_argument("model", help="a model file")


def _add_demo(commands: "_SubParsersAction[ArgumentParser]") -> None:
    parser = _add_command(commands, "demo", "fit points drawn from a mixture of Old Faithful's eruptions")
    parser.add_argument("--rows", type=_positive, default=1_000_000, help="points to draw (default: 1000000)")
    parser.add_argument("-k", "--components", type=_positive, default=2, help="number of components (default: 2)")
    parser.add_argument("--picture", type=_picture_file, default="fastgmm-demo.png", help="default: fastgmm-demo.png")
    _add_running(parser)


def _input_file(text: str) -> str:
    try:
        require_known_kind(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def _output_file(text: str) -> str:
    return _with_suffix(text, OUTPUT_SUFFIXES)


def _picture_file(text: str) -> str:
    return _with_suffix(text, (".png", ".pdf", ".svg", ".jpg"))


def _with_suffix(text: str, known: Sequence[str]) -> str:
    if Path(text).suffix.lower() not in known:
        raise ArgumentTypeError(f"{text}: expected a file name that ends in {' or '.join(known)}")
    return text


def _delimiter(text: str) -> str:
    delimiter = {"tab": "\t", "\\t": "\t", "space": " "}.get(text, text)
    if len(delimiter) != 1 or delimiter.isalnum() or delimiter in '"\r\n.+-':
        raise ArgumentTypeError(f"{text!r} is not a character that separates cells, tab or space")
    return delimiter


def _columns(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise ArgumentTypeError(f"{text!r}: a column without a name")
    return names


def _count(text: str) -> int:
    return _integer(text, 0)


def _seed(text: str) -> int:
    if _count(text) >= 2**32:
        raise ArgumentTypeError(f"{text} is not an integer below 2**32")
    return int(text)


def _positive(text: str) -> int:
    return _integer(text, 1)


def _integer(text: str, smallest: int) -> int:
    with suppress(ValueError):
        if int(text) >= smallest:
            return int(text)
    raise ArgumentTypeError(f"{text!r} is not an integer of {smallest} or more")


def _not_negative(text: str) -> float:
    with suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise ArgumentTypeError(f"{text!r} is not a number of 0 or more")


def _seconds(text: str) -> float:
    seconds = _not_negative(text)
    if seconds == 0:
        raise ArgumentTypeError("a deadline of 0 seconds leaves no time for a start")
    return seconds


def _regularization(text: str) -> float | str:
    return text if text == "relative" else _not_negative(text)
