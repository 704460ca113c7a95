"""The rule of the regression gate: a slower kernel fails, whatever the machine's noise; noise alone does not."""

import json

import numpy as np
import pytest

from bench.gate_rule import RETRIES, Limit, Reading, compare, judge

LIMIT = Limit("sweep", least_seconds=5e-4)
# Sixteen milliseconds where the yardstick takes forty.
BASELINE = {"sweep": 0.4}


def noisy_machine(slowdown: float, seed: int, worst: float = 1.5):
    """Readings whose seconds are the true ones times anything up to ``worst``, the yardstick's as well."""
    rng = np.random.default_rng(seed)

    def measure(name: str) -> Reading:
        # The best of seven rounds, each disturbed in its own way.
        disturbed = rng.uniform(1.0, worst, size=(2, 7)).min(axis=1)
        return Reading(0.016 * slowdown * disturbed[0], 0.040 * disturbed[1])

    return measure


@pytest.mark.parametrize("seed", range(20))
def test_a_kernel_slower_by_a_quarter_fails_on_a_noisy_machine(seed):
    (verdict,) = judge([LIMIT], noisy_machine(1.25, seed, worst=1.1), BASELINE)
    assert verdict.failed


def test_a_kernel_slower_by_a_fifth_fails():
    assert compare(LIMIT, Reading(0.0193, 0.040), 0.4).failed
    assert not compare(LIMIT, Reading(0.0191, 0.040), 0.4).failed


@pytest.mark.parametrize("seed", range(20))
def test_noise_does_not_fail(seed):
    (verdict,) = judge([LIMIT], noisy_machine(1.0, seed), BASELINE)
    assert not verdict.failed


def test_a_slower_machine_is_not_a_slower_kernel():
    (verdict,) = judge([LIMIT], lambda name: Reading(0.048, 0.120), BASELINE)
    assert not verdict.failed
    assert verdict.change == pytest.approx(0.0)


def test_a_fifth_of_almost_nothing_does_not_fail():
    tiny = Limit("tiny", least_seconds=5e-4)
    assert not compare(tiny, Reading(2e-4, 0.040), 1e-4 / 0.040).failed


def test_one_disturbed_measurement_is_taken_again():
    readings = iter([Reading(0.030, 0.040), Reading(0.016, 0.040)])
    (verdict,) = judge([LIMIT], lambda name: next(readings), BASELINE)
    assert not verdict.failed
    assert verdict.reading.seconds == 0.016


def test_what_fails_is_measured_again_after_all_the_others():
    order = []
    judge([LIMIT, Limit("start", 5e-4)], lambda name: order.append(name) or Reading(0.030, 0.040), BASELINE)
    assert order == ["sweep", "start"] + RETRIES * ["sweep"]


def test_a_slow_kernel_is_measured_a_few_times_and_no_more():
    measured = []
    (verdict,) = judge([LIMIT], lambda name: measured.append(name) or Reading(0.030, 0.040), BASELINE)
    assert verdict.failed
    assert len(measured) == 1 + RETRIES


def test_a_figure_without_a_baseline_is_measured_and_passes():
    (verdict,) = judge([LIMIT], lambda name: Reading(1.0, 0.040), {})
    assert not verdict.failed
    assert verdict.change is None


@pytest.fixture
def gate(monkeypatch, tmp_path):
    """The gate with a single figure whose reading the test sets; returns a function that runs it."""
    pytest.importorskip("threadpoolctl")
    pytest.importorskip("resource")
    from bench import gate
    from bench.figures import Figure

    others = (Figure(Limit("start", 5e-4), "dgemm", lambda: lambda: None),)
    monkeypatch.setattr(gate, "all_figures", lambda: (Figure(LIMIT, "dgemm", lambda: lambda: None), *others))

    def run(reading: Reading, *options: str) -> int:
        monkeypatch.setattr(gate, "measure", lambda figure: reading)
        paths = ["--baseline", str(tmp_path / "baseline.json"), "--output", str(tmp_path / "gate.json")]
        monkeypatch.setattr("sys.argv", ["gate", *paths, *options])
        return gate.main()

    return run


def test_an_unknown_cpu_passes_loudly_and_keeps_the_result(gate, tmp_path, capsys):
    assert gate(Reading(0.016, 0.040)) == 0
    assert "NOTHING TO COMPARE WITH" in capsys.readouterr().out
    assert json.loads((tmp_path / "gate.json").read_text())["figures"][0]["ratio"] == pytest.approx(0.4)
    assert not (tmp_path / "baseline.json").exists()


def test_a_renewed_baseline_holds_from_then_on(gate, capsys):
    assert gate(Reading(0.016, 0.040), "--renew") == 0
    assert gate(Reading(0.017, 0.040)) == 0
    assert gate(Reading(0.020, 0.040)) == 1
    assert "sweep" in capsys.readouterr().out.splitlines()[-2]


@pytest.mark.prints
def test_one_figure_is_renewed_and_the_others_stay(gate, tmp_path):
    path = tmp_path / "baseline.json"
    assert gate(Reading(0.016, 0.040), "--renew") == 0
    baseline = json.loads(path.read_text())
    (of_this_cpu,) = baseline.values()
    of_this_cpu["figures"]["start"] = 1.0
    path.write_text(json.dumps(baseline))
    assert gate(Reading(0.020, 0.040), "--renew", "sweep") == 0
    (of_this_cpu,) = json.loads(path.read_text()).values()
    assert of_this_cpu["figures"] == {"sweep": 0.5, "start": 1.0}


@pytest.mark.prints
def test_a_figure_that_does_not_exist_is_not_renewed(gate):
    with pytest.raises(SystemExit):
        gate(Reading(0.016, 0.040), "--renew", "sweeep")


@pytest.mark.prints
def test_renewing_keeps_the_baselines_of_other_cpus(gate, tmp_path):
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({"another CPU": {"machine": {}, "figures": {"sweep": 1.0}}}))
    gate(Reading(0.016, 0.040), "--renew")
    assert len(json.loads(path.read_text())) == 2
