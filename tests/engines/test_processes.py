"""Worker processes: results of all tasks come, lost workers are replaced, and it is known on what they were lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from consilience.engines.processes import Processes
from consilience.errors import EngineError, FunctionError


def double(task, marks):
    marks.set(int(task), 0)
    yield str(2 * int(task)).encode()
    yield b"done"


def moody(task, marks):
    """Ends, hangs or fails, as it is told."""
    marks.set(7, 9)
    if task == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if task == b"leave":
        os._exit(5)
    if task == b"hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        time.sleep(60)
    if task == b"fail":
        raise ValueError("no such thing")
    yield task


def no_loss(loss):
    raise AssertionError(loss)


@pytest.mark.parametrize("n", [1, 2])
def test_every_task_is_done_once(n):
    with Processes(double, n, hang_s=30) as processes:
        tasks = [str(i).encode() for i in range(20)]
        found = sorted(processes.run(tasks, no_loss))
        assert found == sorted([(task, str(2 * int(task)).encode()) for task in tasks] + [(t, b"done") for t in tasks])
        assert list(processes.run([b"4"], no_loss)) == [(b"4", b"8"), (b"4", b"done")]  # the same workers, again


def test_a_worker_that_dies_is_replaced_and_its_marks_are_known():
    lost = []

    def note(loss):
        lost.append(loss)
        return [b"instead"] if loss.task == b"die" else []

    with Processes(moody, 1, hang_s=30) as processes:
        found = [result for _, result in processes.run([b"a", b"die", b"leave", b"b"], note)]
    assert found == [b"a", b"instead", b"b"]
    assert [(loss.task, loss.first, loss.second) for loss in lost] == [(b"die", 7, 9), (b"leave", 7, 9)]
    assert "SIGKILL" in lost[0].why and "exit code 5" in lost[1].why


def test_a_worker_that_no_signal_reaches_is_killed_when_it_marks_nothing():
    lost = []
    with Processes(moody, 1, hang_s=0.5) as processes:
        assert [r for _, r in processes.run([b"hang", b"a"], lambda loss: lost.append(loss) or [])] == [b"a"]
    assert "did not answer for 0.5 s" in lost[0].why


def test_a_program_that_fails_is_an_error_here():
    with (
        Processes(moody, 1, hang_s=30) as processes,
        pytest.raises(EngineError, match=r"ValueError: no such thing(.|\n)*Fix"),
    ):
        list(processes.run([b"fail"], no_loss))


def test_what_cannot_be_sent_is_an_error_that_says_so():
    held = threading.Lock()
    with pytest.raises(FunctionError, match=r"cannot be sent(.|\n)*Fix"):
        Processes(lambda task, marks: iter([held]), 1, hang_s=1)


def test_no_process_and_no_file_is_left_behind():
    with Processes(double, 2, hang_s=30) as processes:
        list(processes.run([b"1", b"2"], no_loss))
        pids = [worker.process.pid for worker in processes._workers if worker]
        folder = processes.folder
    assert not folder.exists()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


PARENT = """
import time
from consilience.engines.processes import Processes
def busy(task, marks):
    marks.set(0, 0)
    print("begun", flush=True)
    time.sleep(60)
    yield b""
with Processes(busy, 2, hang_s=60) as processes:
    print(processes.folder, flush=True)
    list(processes.run([b"a"], lambda lost: []))
"""


def test_workers_and_their_files_go_when_the_parent_is_killed():
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as parent:
        folder = Path(parent.stdout.readline().strip())
        assert parent.stdout.readline() == "begun\n"
        assert folder.is_dir()
        parent.kill()
        assert parent.stdout.read() == ""  # ends when the worker, who writes to it too, has ended
    assert not folder.exists()
