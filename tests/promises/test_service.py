"""The server of the page ``docs/service.md`` answers, from several processes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import fastgmm
from tests.promises.pages import blocks


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_the_service_answers_every_worker_alike(tmp_path, rng):
    """Many requests at once, to several processes that accept from one socket; a bad one does not end a worker."""
    model = fastgmm.GaussianMixture(3, random_state=0, tol=0.1).fit(rng.normal(size=(500, 4)))
    model.save(tmp_path / "model.npz")
    rows = rng.normal(size=(200, 4))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    (script,) = blocks("service.md", "python")
    script = script.replace("8000", address.rpartition(":")[2]).replace("os.cpu_count()", "3")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(fastgmm.__file__).parents[1])])}
    log = (tmp_path / "log").open("w")
    command = [sys.executable, "-W", "ignore", "-c", script]
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log, start_new_session=True)

    def ask(numbers):
        request = urllib.request.Request(address, json.dumps(numbers).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                ask(rows[0].tolist())
                break
            time.sleep(0.1)
        with pytest.raises(urllib.error.HTTPError, match="400"):
            ask([1.0, 2.0])
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, rows.tolist()))
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        log.close()
    assert [answer["label"] for answer in answers] == model.predict(rows).tolist()
    assert [answer["log_density"] for answer in answers] == model.score_samples(rows).tolist()
