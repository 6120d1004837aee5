"""Runs one program and lets nothing of it outlive the process that asked for it, however that process ends.

Started as `python keeper.py <folder> <program> <arguments…>` with a pipe as standard input. When that pipe closes
(the asker stopped, or was killed with -9: the kernel closes it) the program is killed, then whatever it started and
left behind, and <folder> is removed. Linux only, no imports of ours.

Why so: LocalStack puts Java and Node in sessions of their own, so killing a process group does not reach them; and
PR_SET_PDEATHSIG fires when the *thread* that started a child ends, which a pipe does not.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main(folder: str, command: list[str]) -> int:
    """Run `command` to its end and answer its exit code (128 + signal when it was killed)."""
    libc = ctypes.CDLL(None, use_errno=True)
    # From now on, what the program's death leaves without a parent becomes ours.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        # Should the keeper itself be killed with -9, the program at least ends with it. (Safe: one thread so far.)
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0),  # noqa: PLW1509 - see above
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: program.kill())
    threading.Thread(target=_stop_when_asker_is_gone, args=(program,), daemon=True).start()
    code = program.wait()
    _kill_orphans()
    shutil.rmtree(folder, ignore_errors=True)
    return code if code >= 0 else 128 - code


def _stop_when_asker_is_gone(program: subprocess.Popen[bytes]) -> None:
    """LocalStack keeps everything in memory, so its orderly shutdown (4 s) would save nothing: it is killed at once."""
    while os.read(0, 1024):
        pass
    program.kill()


def _kill_orphans() -> None:
    """Killing one may hand us its children, hence the loop: it ends when there is nobody left to wait for."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while True:
        for pid in children.read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
