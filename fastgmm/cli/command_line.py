"""The command ``fastgmm``: what it does, what it prints, and how it ends.

Results go to standard output, everything else to standard error. A mistake of the user's is one line there; what is
not foreseen here keeps its traceback.
"""

import json
import logging
import os
import sys
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import ModuleType

from fastgmm.cli.argument_types import is_in_blocks
from fastgmm.cli.parser import make_parser
from fastgmm.cli.words import in_words_of_usage
from fastgmm.fit.options import InvalidParameterError, options_of
from fastgmm.show.reports import Report, json_ready, printable

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_STEPS_OF_EM = ("accumulate", "merge", "maximize")
_ALGEBRA = ("regress", "outliers")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        By default those of the process.

    Returns
    -------
    int
        The exit status: 0 done, 1 failed, 2 usage, 3 not converged or with degenerate components, 130 interrupted.
    """
    try:
        parser = make_parser()
        arguments, unknown = parser.parse_known_args(argv)
        if unknown:  # said by the command, whose help tells what it knows
            arguments.refuse(f"unrecognized arguments: {' '.join(unknown)}")
        if arguments.print_completion is not None:
            return _print_completion(parser, arguments.print_completion)
        if arguments.command is None:
            parser.print_help(sys.stderr)
            return EXIT_USAGE
        _require_options_that_agree(arguments)
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


def _require_options_that_agree(arguments: Namespace) -> None:
    """Complain of usage where options, each of which is allowed, are refused together."""
    try:
        options_of({name: getattr(arguments, name) for name in getattr(arguments, "options", ())}, "fastgmm")
    except InvalidParameterError as error:
        arguments.refuse(in_words_of_usage(str(error)))
    if arguments.command != "fit":
        return
    if is_in_blocks(arguments) and arguments.labels is not None:
        arguments.refuse("--labels is for points in memory: of points in blocks labels are a column, --label-column")
    if is_in_blocks(arguments) and arguments.errors is not None:
        arguments.refuse("--errors is for points in memory")
    if is_in_blocks(arguments) and arguments.assignment == "stochastic":
        arguments.refuse("--assignment stochastic keeps a label for every point: it needs points in memory")
    if arguments.checkpoint is not None and arguments.assignment == "stochastic":
        arguments.refuse("--checkpoint must be left out where --assignment stochastic: such a fit cannot be kept")


def _run(arguments: Namespace) -> Report:
    run: Callable[[Namespace], Report] = getattr(_home_of(arguments), arguments.command)
    return run(arguments)


def _home_of(arguments: Namespace) -> ModuleType:
    """The module that has a function of the command's name, imported when needed, so that no other is waited for."""
    if arguments.command == "demo":
        from fastgmm.cli import demo

        return demo
    if arguments.command in _ALGEBRA:
        from fastgmm.cli import algebra

        return algebra
    if arguments.command == "select":
        from fastgmm.cli import selecting

        return selecting
    if arguments.command == "export":
        from fastgmm.cli import export

        return export
    if arguments.command == "plot":
        from fastgmm.cli import pictures

        return pictures
    if arguments.command == "sample":
        from fastgmm.cli import sampling

        return sampling
    if arguments.command in _STEPS_OF_EM:
        from fastgmm.cli import moments

        return moments
    if is_in_blocks(arguments):
        from fastgmm.cli import in_blocks

        return in_blocks
    from fastgmm.cli import commands

    return commands


def _print_completion(parser: ArgumentParser, shell: str) -> int:
    from fastgmm.cli.completion import completion_of

    print(completion_of(parser, shell))
    return 0


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
