# SPDX-License-Identifier: MIT
"""What the scripts in bench/ that measure claims share: echobench, servers, and lines that say what holds."""

import json
import os
import re
import select
import signal
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("ECHOLAB_BIN", os.path.join(ROOT, "build/release"))
BARE = {"epoll": f"{BIN}/bench/bare_epoll", "io_uring": f"{BIN}/bench/bare_uring"}  # by backend
# reno, since bbr, a common default, paces with timers; the same for both ends of everything
CONGESTION = "reno"
missed = 0
quick = False


def claim(what, holds, figures):
    """A line: what was promised, whether it holds, and what was measured."""
    global missed
    missed += not holds
    print(f"{'ok  ' if holds else 'MISS'} {what:<46} {figures}", flush=True)


def interval(key):
    r = key["ratio"]
    return f"{r['median']:.3f} ({r['low']:.3f}-{r['high']:.3f})"


def compared(*options, blocks=8, max_blocks=60, width=0.01):
    """echobench over one cell: figures by name, each with "a" and "b", and "ratio" where they have one, and the number
    of "blocks"."""
    how = [4, 6, 30] if quick else [blocks, max_blocks, width * 100]
    # values of options are short: programs are named from where they are
    argv = ["./echobench", "run", "-o", "json", "--progress", "never", "--confidence", 95, "--limit", "1h",
            "--min-blocks", how[0], "--max-blocks", how[1], "--precision", how[2],
            *(str(o).replace(f"{BIN}/", "./").strip() for o in options)]
    done = subprocess.run([str(a) for a in argv], cwd=BIN, capture_output=True, text=True, timeout=3600)
    cell = json.loads(done.stdout)["cells"][0] if done.stdout else {"measured": False, "reason": done.stderr}
    if not cell["measured"]:
        sys.exit(f"{options}: {cell['reason']}")
    return {"blocks": cell["blocks"], "noise": cell["noise_ratio"]} | {
        key: {"a": cell["a"][key], "b": cell["b"][key], "ratio": cell.get(ratio)}
        for key, ratio in (("rate", "ratio"), ("server_cpu_ns_per_message", "cpu_ratio"), ("key", "key_ratio"),
                           ("client_cpu_ns_per_message", "client_cpu_ratio"), ("server_busy", None),
                           ("client_busy", None))}


def by_turns(c, *options, compare="cpu", client_cpu=1, **how):
    """Two servers, each with its client, whose rounds hold several messages of each of @c connections; None: the clients
    have their own number of them."""
    return compared(*(["-c", c] if c else []), "--server-cpus", 0, "--client-cpus", client_cpu, "--compare", compare, *options, **how)


def servers(server_a, server_b, c, s, p, *options, **how):
    """Two servers, with the bare client on CPU 1. It does not even copy large messages, or it would have as much to
    do as the server, which then were not busy."""
    discard = ["--discard"] if s > 4096 else []
    client = bare_client("{size}", "{pipeline}", *options, *discard)
    return by_turns(c, "-s", s, "-p", p, "--client-a", client, "--client-b", client, "--a", server_a, "--b", server_b, **how)


def clients(server, client_a, client_b, c=64, **how):
    """Two clients of the same kind of server; by their CPU time, unless `compare` says otherwise."""
    how = {"compare": "client_cpu"} | how
    return by_turns(c, "--a", server, "--b", server, "--client-a", client_a, "--client-b", client_b, **how)


def echod(backend, *options, workers=1, cpus="0"):
    return " ".join([f"{BIN}/echod --listen 127.0.0.1:0 --backend {backend} --workers {workers} --cpus {cpus} "
                     f"--congestion {CONGESTION}", *options])


def bare_server(backend, *options, size=64, cpu=0):
    return " ".join([f"{BARE[backend]} server --cpu {cpu} -s {size} --congestion {CONGESTION}", *options])


def bare_client(s, p, *options, backend="io_uring", cpu=1):
    """Behind a gate."""
    return " ".join([f"{BARE[backend]} client {{addr}} --gate {{gate}} --cpu {cpu} -c {{connections}} -s {s} -p {p} "
                     f"--congestion {CONGESTION}", *options])


def echoload(backend, *options, cpu=1):
    """Behind a gate."""
    return " ".join([f"{BIN}/echoload {{addr}} --gate {{gate}} --cpus {cpu} --backend {backend} -T 20s "
                     f"--connect-timeout 20s --congestion {CONGESTION} -o quiet --progress never", *options])


def against_floor(c, server, cpu=0):
    """A server against the floor, which is one thread: the client shares its CPU."""
    return by_turns(c, "--client-a", f"{BIN}/bench/floor --gate {{gate}} --cpu 0 -c {{connections}} --congestion {CONGESTION}",
                "--b", server, "--client-b", bare_client(64, 1, cpu=cpu), client_cpu=cpu, max_blocks=24)


class Server:
    """A server of our own, ended by end()."""

    def __init__(self, command):
        self.process = subprocess.Popen(command.split(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        ends = [self.process.stdout, self.process.stderr]
        while True:  # a bare server says it on stdout, echod on stderr
            ready = select.select(ends, [], [], 10)[0]
            line = ready[0].readline().decode() if ready else ""
            found = re.search(r"127\.0\.0\.1:\d+", line)
            if found:
                break
            if not line:
                sys.exit(f"no server: {command}")
        self.address, self.pid = found[0], self.process.pid

    def counters(self):
        """Of echod: what SIGUSR1 makes it print."""
        self.process.send_signal(signal.SIGUSR1)
        text = b""
        while not text.endswith(b"# EOF\n"):
            if not select.select([self.process.stdout], [], [], 10)[0]:
                sys.exit("no counters")
            text += os.read(self.process.stdout.fileno(), 65536)
        return text.decode()

    def open_per_worker(self):
        return [int(n) for n in re.findall(r"connections_open{[^}]*} (\d+)", self.counters())]

    def status(self, key):
        """A number of /proc/PID/status, kB in bytes."""
        with open(f"/proc/{self.pid}/status", encoding="utf-8") as f:
            number, unit = re.search(rf"^{key}:\s+(\d+)( kB)?", f.read(), re.M).groups()
        return int(number) * (1024 if unit else 1)

    def tasks(self, name):
        """The texts of a file of each of its threads."""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/{name}", encoding="utf-8") as f:
                yield f.read()

    def cpu_ns(self):
        return sum(int(text.split()[0]) for text in self.tasks("schedstat"))

    def end(self):
        self.process.kill()
        self.process.communicate()


def memory_with(backend, idle):
    """What echod holds for @idle connections at max_conns of as many: anonymous memory, and all of it."""
    server = Server(echod(backend, f"--max-conns {idle}"))
    load = subprocess.Popen([f"{BIN}/echoload", "-c", "1", "-R", "1", "--idle", str(idle - 1), "-w", "0s", "-d", "60s",
                             "-T", "60s", "--connect-timeout", "10s", "--source", "127.0.0.0/28", server.address],
                            stdout=subprocess.DEVNULL)
    while sum(server.open_per_worker()) < idle:
        select.select([], [], [], 0.1)
    held = server.status("VmRSS"), server.status("RssAnon")
    load.kill()
    load.wait()
    server.end()
    return held


def main(parts, doc, default=None):
    """Runs the parts named on the command line, all or the default ones if none is; exit code 1 when a claim was
    missed."""
    global quick
    names = [n for n in sys.argv[1:] if n != "--quick"]
    quick = "--quick" in sys.argv[1:]
    if "--help" in names:
        print(doc)
        return 0
    for name in names:
        if name not in parts:
            sys.exit(f"{os.path.basename(sys.argv[0])}: '{name}' is none of {', '.join(parts)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what runs is killed on the way out
    try:
        for name in names or default or parts:
            parts[name]()
    except KeyboardInterrupt:
        return 130
    return 1 if missed else 0
