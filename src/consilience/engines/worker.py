"""What a worker process runs: receive a program from the parent that started it, then do tasks until the pipe closes.

A worker ends with its parent, however that ends, in the midst of a task too; the last thing it does then is to delete
the files that were handed to it.

Bytes come only through the pipe that the parent opened for this process; the program is the caller's own code.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from consilience.engines.processes import Marks
from consilience.engines.shipping import received

LOOK_S = 0.5


def main() -> None:
    """python -m consilience.engines.worker PIPE MARKS PLACE PARENT, as Processes starts it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    pipe = Connection(int(sys.argv[1]))
    marks = Marks(Path(sys.argv[2]), int(sys.argv[3]))
    try:
        program = received(pipe.recv_bytes())
        while True:
            task = pipe.recv_bytes()
            for result in program(task, marks):
                pipe.send_bytes(b"r" + result)
            pipe.send_bytes(b"d")
    except (EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone, or about to be
        time.sleep(2 * LOOK_S)
    except KeyboardInterrupt:
        return
    except BaseException:
        pipe.send_bytes(b"e" + traceback.format_exc(limit=-3).encode("utf-8", "replace"))


def _end_with_parent() -> None:
    """Wait for the parent to be gone, and follow it."""
    parent, folder = int(sys.argv[4]), Path(sys.argv[2]).parent
    while os.getppid() == parent:
        time.sleep(LOOK_S)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main()
