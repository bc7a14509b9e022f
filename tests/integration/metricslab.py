# SPDX-License-Identifier: MIT
"""What tests of metrics share: scrapes, samples, promtool."""
import collections
import http.client
import re
import socket
import subprocess

from echolab import PATIENCE, TestCase, slow

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)",?')


class Samples(dict):
    """{(name, ((label, value), ...)): number} of a text; s("name", worker=0) is one, s.sum("name") all of a name."""

    def __init__(self, text):
        super().__init__()
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                key = name, tuple(sorted(LABEL.findall(labels or "")))
                assert key not in self, line
                self[key] = float(value)

    def __call__(self, name, **labels):
        return self[name, tuple(sorted((k, str(v)) for k, v in labels.items()))]

    def all(self, name):
        return {key[1]: value for key, value in self.items() if key[0] == name}

    def sum(self, name, **labels):
        wanted = {(k, str(v)) for k, v in labels.items()}
        found = [value for key, value in self.all(name).items() if wanted <= set(key)]
        assert found, name
        return sum(found)


Answer = collections.namedtuple("Answer", "status headers body")


def promtool(*argv, text=None, cwd=None):
    """(code, all that it said)."""
    done = subprocess.run(["promtool", *argv], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd,
                          timeout=slow(PATIENCE), check=False)
    return done.returncode, done.stdout


class MetricsCase(TestCase):
    def metrics_of(self, process):
        """Where it says that it shows them: (host, port)."""
        match = process.err.wait_for(r"metrics at http://(\S+):(\d+)/metrics\n")
        self.assertTrue(match, process.said())
        return match[1].strip("[]"), int(match[2])

    def http(self, at, method="GET", path="/metrics", **how):
        """A request on a connection of its own."""
        c = http.client.HTTPConnection(*(at if isinstance(at, tuple) else ["localhost"]), timeout=slow(PATIENCE))
        if not isinstance(at, tuple):  # a path
            c.sock = socket.socket(socket.AF_UNIX)
            c.sock.settimeout(slow(PATIENCE))
            c.sock.connect(str(at))
        try:
            c.request(method, path, **how)
            r = c.getresponse()
            return Answer(r.status, r.headers, r.read().decode())
        finally:
            c.close()

    def scrape(self, at):
        answer = self.http(at)
        self.assertEqual(answer.status, 200, answer)
        return Samples(answer.body)

    def wait_samples(self, at, predicate, what):
        last = {}

        def look():
            nonlocal last
            last = self.scrape(at)
            return predicate(last)
        try:
            self.wait_until(look, what)
        except self.failureException as e:
            raise self.failureException(f"{e}\n{last}") from None
        return last

    def assertClean(self, text):
        """promtool has nothing to say of it."""
        self.assertEqual(promtool("check", "metrics", text=text), (0, ""), text)
