"""What a process has cost: CPU time and memory, with its children."""

import pathlib
import time

# From the kernel's clock ids (clock_getcpuclockid(3)): the CPU time of a process, all threads, those that ended too.
# The same account as utime + stime in /proc/PID/stat, in nanoseconds instead of hundredths of a second.
_SCHEDULED = 2


def _children(pid):
    text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def _family(pid):
    """The process and its children: nginx works in one."""
    return [pid, *_children(pid)]


def cpu_seconds(pid):
    """CPU time used so far, in user and kernel mode."""
    return sum(time.clock_gettime_ns((~member << 3) | _SCHEDULED) for member in _family(pid)) / 1e9


def rss_mb(pid):
    """Resident memory now, in 10^6 bytes."""
    total = 0
    for member in _family(pid):
        for line in pathlib.Path(f"/proc/{member}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total / 1e6
