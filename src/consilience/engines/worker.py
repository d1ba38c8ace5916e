"""What a worker process runs: receive a program from the parent that started it, then do tasks until the pipe closes.

Bytes come only through the pipe that the parent opened for this process; the program is the caller's own code.
"""

from __future__ import annotations

import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from consilience.engines.processes import Marks
from consilience.engines.shipping import received


def main() -> None:
    """python -m consilience.engines.worker PIPE MARKS PLACE, as Processes starts it."""
    pipe = Connection(int(sys.argv[1]))
    marks = Marks(Path(sys.argv[2]), int(sys.argv[3]))
    try:
        program = received(pipe.recv_bytes())
        while True:
            task = pipe.recv_bytes()
            for result in program(task, marks):
                pipe.send_bytes(b"r" + result)
            pipe.send_bytes(b"d")
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
    except BaseException:
        pipe.send_bytes(b"e" + traceback.format_exc(limit=-3).encode("utf-8", "replace"))


if __name__ == "__main__":
    main()
