"""The two hosts that benchmarks/two_hosts.py makes of one machine, and the link between them."""

import subprocess
import sys

import pytest
from programs import EXAMPLES, load

two_hosts = load(EXAMPLES.parent / "benchmarks" / "two_hosts.py")

RECEIVES = """
import socket, sys
server = socket.create_server((sys.argv[1], 5000))
print("ready", flush=True)
connection, _ = server.accept()
came = 0
while came < 10**6:
    came += len(connection.recv(10**6))
connection.sendall(b"all of it")
"""
SENDS = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 5000))
began = time.perf_counter()
connection.sendall(bytes(10**6))
print(connection.recv(100).decode(), time.perf_counter() - began)
"""


@pytest.mark.long
def test_what_goes_through_a_link_with_a_delay_takes_as_long_at_least():
    delay = 0.05
    if reason := two_hosts.problem(delay):
        pytest.skip(reason)
    python, address = (sys.executable, "-c"), two_hosts.ADDRESSES[1]
    with (
        two_hosts.two_hosts("1gbit", delay) as hosts,
        subprocess.Popen(
            hosts.on(1, *python, RECEIVES, address), stdout=subprocess.PIPE
        ) as receiver,
    ):
        assert receiver.stdout.readline() == b"ready\n"
        sender = hosts.on(0, *python, SENDS, address)
        done = subprocess.run(sender, capture_output=True, text=True, timeout=60, check=False)
    *words, seconds = done.stdout.split()
    assert words == ["all", "of", "it"] and float(seconds) > 2 * delay, done.stderr
