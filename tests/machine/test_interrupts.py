"""A Ctrl-C that somebody swallowed comes back."""

import contextlib
import ctypes
import os
import signal
import threading
import time

import pytest

from fastgmm.machine.interrupts import no_interrupt_lost

pytestmark = pytest.mark.skipif(os.name != "posix", reason="POSIX signals")


def swallow_an_interrupt():
    with contextlib.suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)


def test_swallowed_interrupt_comes_back_soon():
    def run_on():
        with no_interrupt_lost():
            swallow_an_interrupt()
            time.sleep(10)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_on()
    assert time.monotonic() - began < 5


def test_swallowed_interrupts_come_back_again_and_again():
    def run_on():
        with no_interrupt_lost():
            swallow_an_interrupt()
            for _ in range(3):
                with contextlib.suppress(KeyboardInterrupt):
                    time.sleep(10)
            time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        run_on()


def test_swallowed_interrupt_comes_back_at_the_end():
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
        swallow_an_interrupt()


def test_interrupt_in_a_callback_from_c_is_neither_lost_nor_printed(capsys):
    callback_type = ctypes.CFUNCTYPE(None)
    callback = callback_type(lambda: signal.raise_signal(signal.SIGINT))

    def run_on():
        with no_interrupt_lost():
            callback()
            time.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        run_on()
    assert capsys.readouterr().err == ""


def test_nothing_comes_after_the_block():
    with pytest.raises(KeyboardInterrupt), no_interrupt_lost():
        signal.raise_signal(signal.SIGINT)
    time.sleep(0.3)


def test_the_handler_is_put_back():
    for error in (None, RuntimeError):
        with contextlib.suppress(RuntimeError), no_interrupt_lost():
            if error is not None:
                raise error
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_exceptions_pass():
    def fail():
        with no_interrupt_lost():
            swallow_an_interrupt()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()


def test_a_handler_of_the_application_stays():
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(1))
    try:
        with no_interrupt_lost():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert came == [1]


def test_other_threads_are_left_alone():
    done = []

    def work():
        with no_interrupt_lost():
            pass
        done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
