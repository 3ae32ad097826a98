"""How long a process waited for a CPU: on a shared machine that is the machine's delay, not the server's.

Linux counts for each thread the nanoseconds it was ready to run and did not (`/proc/PID/schedstat`, second
field). A thread of ours samples the server's, so that a gap can be split into what the server took and what
the scheduler took. A server that is busy or blocked for too long stays guilty: only waiting is deducted.
"""

from __future__ import annotations

import os
import threading
import time
from bisect import bisect_left, bisect_right
from pathlib import Path

SAMPLE_S = 0.005
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_JIFFY_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_STAT = Path("/proc/stat")
_STEAL_FIELD = 8
"""Of the first line of `/proc/stat`."""


class ProcessWatch:
    """Samples one process: time spent waiting for a CPU, and resident memory."""

    def __init__(self, pid: int) -> None:
        self._schedstat = Path(f"/proc/{pid}/schedstat")
        self._statm = Path(f"/proc/{pid}/statm")
        self._times: list[int] = []
        self._waited: list[int] = []
        self.peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop sampling."""
        self._stop.set()
        self._thread.join(timeout=5.0)

    def resident_bytes(self) -> int:
        """Memory of the process now."""
        return int(self._statm.read_text().split()[1]) * _PAGE_BYTES

    def reset(self) -> None:
        """Forget what was sampled, but for the last sample."""
        del self._times[:-1], self._waited[:-1]
        self.peak_bytes = 0

    def waited_ns(self, start_ns: int, end_ns: int) -> int:
        """Nanoseconds that the process waited for a CPU between two moments of `time.time_ns`, at most."""
        times, waited = self._times, self._waited[: len(self._times)]
        if not times:
            return 0
        before = max(bisect_right(times, start_ns) - 1, 0)
        after = min(bisect_left(times, end_ns), len(times) - 1)
        return min(max(waited[after] - waited[before], 0), end_ns - start_ns)

    def worst_wait_ns(self, start_ns: int, end_ns: int, window_ns: int) -> int:
        """The longest that the process waited within any window of that length between two moments."""
        starts = [moment for moment in list(self._times) if start_ns <= moment < end_ns]
        return max((self.waited_ns(at, at + window_ns) for at in [start_ns, *starts]), default=0)

    def _run(self) -> None:
        samples = 0
        while not self._stop.wait(SAMPLE_S):
            try:
                waited = int(self._schedstat.read_text().split()[1])
                waited += int(_STAT.read_text().split(maxsplit=_STEAL_FIELD + 1)[_STEAL_FIELD]) * _JIFFY_NS
                if samples % 10 == 0:
                    self.peak_bytes = max(self.peak_bytes, self.resident_bytes())
            except (OSError, ValueError, IndexError):
                return
            samples += 1
            # The moment after the reading: a wait is never dated before it happened.
            self._waited.append(waited)
            self._times.append(time.time_ns())
