# SPDX-License-Identifier: MIT
"""systemd's units agree with what is built: options, the configuration, privileges. tests/package-check starts them."""
import os
import re
import shutil
import signal
import tempfile
import unittest
from pathlib import Path

from echolab import OK, ROOT, VARIANT, Namespace, TestCase, no_namespaces, program, recv_exactly, run
from test_install import make


def values(text):
    """Every KEY=VALUE of a unit; a key may have several values."""
    found = {}
    for key, value in re.findall(r"(?m)^(\w+)=(.*)$", text):
        found.setdefault(key, []).append(value)
    return found


class Units(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="echolab-")))
        cls.install()
        cls.conf = cls.place / "etc/echolab/echod.conf"

    @classmethod
    def install(cls):
        make(f"VARIANT={VARIANT}", f"DESTDIR={cls.place}", "PREFIX=/usr", "install")

    def unit(self, name):
        return (self.place / "usr/lib/systemd/system" / name).read_text()

    def check(self, *argv):
        return run([*program("echod"), *argv])

    def test_the_instance_is_all_that_differs(self):
        one, many = self.unit("echod.service"), self.unit("echod@.service")
        self.assertEqual(many.replace("/etc/echolab/%i.conf", "/etc/echolab/echod.conf").replace("-%i", "")
                         .replace("@NAME", "").replace("server of /etc/echolab/echod.conf", "server"), one)
        self.assertNotRegex(one, "@[A-Z]+@")

    def test_options_and_configuration_are_those_of_the_program(self):
        unit = values(self.unit("echod.service"))
        start = unit["ExecStart"][0].split()
        self.assertEqual(start[:3], ["/usr/bin/echod", "-f", "/etc/echolab/echod.conf"])
        r = self.check("-f", self.conf, *start[3:], "--check")
        self.assertEqual((r.code, r.err), (OK, "echod: the configuration is good\n"))
        r = self.check("-f", self.conf, *start[3:], "--print-config")
        self.assertRegex(r.out, rf"(?m)^takeover +=.*unix:/run/{unit['RuntimeDirectory'][0]}/takeover +; command line$")
        self.assertRegex(r.out, r"(?m)^listen += 127\.0\.0\.1:7007 +; default$")  # so a socket unit takes its place
        self.assertEqual(unit["Type"], ["notify"])  # Debian 12's systemd has no notify-reload
        self.assertEqual(unit["ExecReload"], [" ".join([*start[:3], "--check"]), "/bin/kill -HUP $MAINPID"])
        name = (self.place / "usr/lib/sysusers.d/echod.conf").read_text().splitlines()[-1].split()[1]
        self.assertEqual((unit["User"], unit["Group"]), ([name], [name]))

    def test_the_socket_is_the_default_and_has_its_name(self):
        socket = values(self.unit("echod.socket"))
        self.assertEqual((socket["ListenStream"], socket["FileDescriptorName"]), (["127.0.0.1:7007"], ["echod"]))

    def test_an_installed_configuration_stays(self):
        first = self.conf.read_text()
        self.addCleanup(self.conf.write_text, first)
        self.conf.write_text("[server]\nmax_conns = 7\n")
        self.install()
        self.assertEqual(self.conf.read_text(), "[server]\nmax_conns = 7\n")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "needs systemd")
    def test_systemd_understands_them_and_finds_little_exposed(self):
        for name in ("echod.service", "echod@.service"):
            path = self.place / "usr/lib/systemd/system" / name
            r = run(["systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", path])
            self.assertEqual(r.code, 0, r.out[-300:])  # 1.8 of 10, OK
            self.assertNotRegex(r.err, "Unknown|Failed|ignoring")

    def test_what_building_needs_is_asked_of_builders(self):
        base = re.search(r"(?m)^base='(.*)'", (ROOT / "tools/deps").read_text())[1].split()
        control = (ROOT / "debian/control").read_text()
        asked = set(re.findall(r"(?m)^ ([\w.+-]+)(?: <!nocheck>| \(.*\))?,$", control.split("\n\n")[0]))
        self.assertLessEqual({p for p in base if p.endswith("-dev") and p != "libc6-dev"}, asked)


@unittest.skipIf(no_namespaces(), no_namespaces())
class Privileges(TestCase):
    """The process that the unit starts: a user, one capability, no new privileges. setpriv stands for systemd."""

    def test_a_port_below_1024_is_served_with_the_one_capability_that_is_left(self):
        unit = values((ROOT / "configs/systemd/echod.service.in").read_text())
        self.assertEqual(unit["AmbientCapabilities"], ["CAP_NET_BIND_SERVICE"])
        self.assertEqual(unit["CapabilityBoundingSet"], ["CAP_NET_BIND_SERVICE"])
        for mode in ("on", "off"):
            with self.subTest(sandbox=mode):
                ns = Namespace()
                place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-")))
                os.chown(place, 54321, 54321)
                server = self.echod(prefix=ns.prefix + self.PREFIX, listen="127.0.0.1:80", takeover=f"unix:{place}/takeover",
                                    sandbox=mode)
                self.assertEqual(self.echo(ns), b"hello")
                server.send_signal(signal.SIGUSR2)  # as an upgrade does
                self.assertEqual(server.wait(), OK)
                self.assertEqual(self.echo(ns), b"hello")

    PREFIX = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--no-new-privs",
              "--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service",
              "--bounding-set=-all,+net_bind_service"]

    def echo(self, ns):
        with ns:
            sock = self.connect(("127.0.0.1", 80))
        sock.sendall(b"hello")
        return recv_exactly(sock, 5)
