# SPDX-License-Identifier: MIT
"""configs/hosts/clush.sh: ClusterShell runs a part on each of four hosts, by an agent that enters a namespace as ssh
would log in."""
import os
import signal

from echolab import OK, ROOT, USAGE, run, slow
from echolab.environment import BIN
from echolab.process import Process
from hostlab import HOSTS, HostsCase
from loadlab import INCONCLUSIVE


class Clush(HostsCase):
    def clush(self, limit, *argv):
        """With a configuration in which one host would wait for another."""
        (self.at / "clush.conf").write_text("[Main]\nfanout: 1\n")
        return self.keep(Process([*self.hosts[1].prefix, "sh", "-c", 'cd "$0" && exec "$@"', self.at,
                                  ROOT / "configs/hosts/clush.sh", f"h[1-{HOSTS}]", limit, *argv, "10.78.0.100:7007"],
                                 env={"AGENT": self.agent(), "ECHOLOAD": BIN / "echoload", "START": int(slow(6)),
                                      "CLUSTERSHELL_CFGDIR": self.at}))

    def begun(self):
        self.dir, = self.wait_until(lambda: list(self.at.glob("echoload.*")), "it begins")
        super().begun()

    def test_hosts_are_one_load_and_one_report(self):
        load = self.clush(int(slow(60)), "-c", 1000, "-n", 20000, "-T", "1m", "--connect-timeout", "1m",
                          "--reconnect", "backoff 1ms..50ms")
        self.assertEqual(load.wait(120), OK, load.said())
        self.assertRegex(load.out.text, r"(?m)^parts +4 of 4; they began within ")
        self.assertRegex(load.out.text, r"(?m)^messages +20,000 sent, all echoed and verified$")
        self.dir, = self.at.glob("echoload.*")
        j = self.merged(OK)
        self.assertEqual(sorted((m["part"]["number"], m["part"]["from"]) for m in j["context"]["merged"]),
                         [(k, "PMI_RANK") for k in range(1, HOSTS + 1)])
        self.assertEqual({m["part"]["run"] for m in j["context"]["merged"]}, {self.dir.name})

    def test_a_part_that_is_killed_is_named(self):
        load = self.clush(int(slow(60)), "-c", 40, "-d", "5s", "-w", "0", "--interval", "200ms")
        self.begun()
        os.kill(self.part(3), signal.SIGKILL)
        self.assertEqual(load.wait(120), INCONCLUSIVE, load.said())
        self.assertRegex(load.out.text, r"(?m)^parts +3 of 4; missing: 3, with 10 of 40 connections")

    def test_a_host_that_hangs_is_given_up(self):
        load = self.clush(int(slow(16)), "-c", 40, "-d", "3s", "-w", "0", "--interval", "200ms")
        self.begun()
        os.kill(self.part(2), signal.SIGSTOP)
        self.assertEqual(load.wait(120), INCONCLUSIVE, load.said())
        self.assertRegex(load.out.text, r"(?m)^parts +3 of 4; missing: 2, with 10 of 40 connections")

    def test_what_is_no_limit_is_said(self):
        r = run([ROOT / "configs/hosts/clush.sh", "h1", "-c", "40", "h:1"])
        self.assertEqual((r.code, r.err), (USAGE, "clush.sh: error: '-c' is not a number of seconds that the load may "
                                                  "take in all\n"))
