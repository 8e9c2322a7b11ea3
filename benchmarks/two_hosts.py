"""Two hosts on one machine: network namespaces of Linux, joined by a link of a given rate.

Each has a name and a network of its own; the disk is the same.  So MPI takes them for two
machines, and what their processes tell one another goes by TCP through the link.  To make them
takes root, and the programs ``ip`` and ``tc`` of iproute2.

    with two_hosts("1gbit") as hosts:
        command = ["mpiexec", "-host", ",".join(hosts.names), "-n", "2", "python", "train.py"]
        subprocess.run(hosts.on(0, *command), env=os.environ | hosts.environment)

The link has no more delay than the kernel takes to hand a packet over, or a given one, for which
packets are handed over by a program (slow_link.py): ``two_hosts("1gbit", delay=0.001)``.
"""

import contextlib
import os
import shlex
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import slow_link

ADDRESSES = ("10.77.0.1", "10.77.0.2")
END = "eth0"  # of the link, in each host

# In place of the real one, for mpiexec and for ``on``: options, the host, the command it is to run.
SSH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do shift; done
host=$1; shift
exec ip netns exec "$host" unshare --uts sh -c "echo $host > /proc/sys/kernel/hostname; $*"
"""


class Hosts(NamedTuple):
    """Two hosts that are there."""

    names: list
    folder: Path  # of the program ``ssh``

    @property
    def environment(self):
        """Variables for a command on a host: it finds ``ssh``, and MPICH talks by TCP alone."""
        path = os.pathsep.join([str(self.folder), os.environ["PATH"]])
        return {"PATH": path, "HYDRA_IFACE": END, "UCX_TLS": "tcp", "UCX_NET_DEVICES": END}

    def on(self, n, *command):
        """A command as host ``n`` runs it."""
        return [str(self.folder / "ssh"), self.names[n], shlex.join(map(str, command))]

    def sent(self):
        """Bytes that each host has sent through the link."""
        return [int(_of_end(name, "statistics/tx_bytes")) for name in self.names]


def problem(delay=None):
    """Why there can be no such hosts here; None if there can."""
    try:
        with two_hosts("1gbit", delay) as hosts:
            _run(*hosts.on(0, "true"))
    except OSError as error:
        return f"two hosts take Linux, root and iproute2: {error}"
    return None


@contextlib.contextmanager
def two_hosts(rate=None, delay=None):
    """Two hosts, as ``Hosts``, until the block ends.

    ``rate`` is that of the link, as ``tc`` reads it ("1gbit"); as fast as it can if not given.
    ``delay`` is the seconds that a packet takes; as few as it can if not given.
    """
    names = [f"host{os.getpid()}-{n}" for n in (1, 2)]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as made:
        for name in names:
            _run("ip", "netns", "add", name)
            made.callback(_run, "ip", "netns", "del", name)
        if delay is None:
            _run(*f"ip -n {names[0]} link add {END} type veth peer {END} netns {names[1]}".split())
        else:
            ends = [_tap(name) for name in names]
            made.enter_context(slow_link.joined(ends, delay))
        for name, address in zip(names, ADDRESSES, strict=True):
            _run(*f"ip -n {name} addr add {address}/24 dev {END}".split())
            for device in ("lo", END):
                _run(*f"ip -n {name} link set {device} up".split())
            if rate is not None:
                shape = f"tbf rate {rate} burst 64kb latency 50ms"
                _run(*f"tc -n {name} qdisc add dev {END} root {shape}".split())
        while any(_of_end(name, "operstate") not in ("up", "unknown") for name in names):
            time.sleep(0.01)  # the kernel takes a moment; MPI would not find the link
        ssh = Path(folder, "ssh")
        ssh.write_text(SSH, encoding="utf-8")
        ssh.chmod(0o700)
        yield Hosts(names, Path(folder))


def _tap(name):
    """A TAP device as a host's end of the link; what its packets are read from."""
    end = slow_link.new_end(name[:15])
    _run("ip", "link", "set", name[:15], "netns", name)
    _run(*f"ip -n {name} link set {name[:15]} name {END} mtu 60000".split())
    return end


def _of_end(name, what):
    """What the kernel of a host says of its end of the link."""
    return _run("ip", "netns", "exec", name, "cat", f"/sys/class/net/{END}/{what}").stdout.strip()


def _run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done
