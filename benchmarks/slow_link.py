"""A link with a delay, where the kernel has no ``netem``: a program hands each packet over later.

Each end is a TAP device, a network card whose packets a program reads and writes (two_hosts.py
gives one to each of its hosts).  As a program it hands them over until it is stopped:

    python benchmarks/slow_link.py SECONDS DESCRIPTOR DESCRIPTOR
"""

import collections
import contextlib
import os
import select
import struct
import subprocess
import sys
import time

LARGEST = 1 << 16  # bytes of a packet


def new_end(name):
    """A new TAP device of this name; the descriptor through which its packets come and go."""
    import fcntl  # not on Windows

    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    set_interface, tap, no_header = 0x400454CA, 0x0002, 0x1000  # of linux/if_tun.h
    fcntl.ioctl(descriptor, set_interface, struct.pack("16sH", name.encode(), tap | no_header))
    return descriptor


@contextlib.contextmanager
def joined(ends, seconds):
    """A block in which packets go from each of two ends to the other, so many seconds later."""
    command = [sys.executable, __file__, str(seconds), *map(str, ends)]
    with subprocess.Popen(command, pass_fds=ends) as program:
        for end in ends:
            os.close(end)
        try:
            yield
        finally:
            program.terminate()


def hand_over(seconds, ends):
    """Hand packets over for ever; those of each end in their order."""
    on_their_way = collections.deque()  # when it is due, to which end, the packet
    while True:
        wait = max(0.0, on_their_way[0][0] - time.perf_counter()) if on_their_way else None
        for end in select.select(ends, [], [], wait)[0]:
            other = ends[1 - ends.index(end)]
            packet = os.read(end, LARGEST)
            on_their_way.append((time.perf_counter() + seconds, other, packet))
        while on_their_way and on_their_way[0][0] <= time.perf_counter():
            _, end, packet = on_their_way.popleft()
            os.write(end, packet)


if __name__ == "__main__":
    hand_over(float(sys.argv[1]), list(map(int, sys.argv[2:])))
