# SPDX-License-Identifier: MIT
"""tools/tune reads a machine, here one of files, and says what stops it at N connections."""
import tempfile
from pathlib import Path

from echolab import ROOT, USAGE, TestCase, run


class Tune(TestCase):
    BIG = {"limits": "2000000", "proc/sys/fs/nr_open": "2000000", "proc/sys/fs/file-nr": "1000\t0\t9000000",
           "proc/meminfo": "MemAvailable:   16000000 kB\n", "proc/cpuinfo": "processor : 0\nprocessor : 1\n",
           "proc/sys/net/core/somaxconn": "4096", "proc/sys/net/ipv4/ip_local_port_range": "1024\t65535",
           "proc/sys/net/ipv4/tcp_max_syn_backlog": "4096"}

    def tune(self, *argv, **changed):
        """Exit code and text for a machine that is as big as BIG but for what has changed."""
        folder = tempfile.TemporaryDirectory(prefix="echolab-")
        self.addCleanup(folder.cleanup)
        for path, text in {**self.BIG, **changed}.items():
            file = Path(folder.name) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        r = run(["/usr/bin/python3", ROOT / "tools/tune", "--root", folder.name, *argv])
        self.assertEqual(r.err, "", r)
        return r.code, r.out

    def test_a_big_machine_is_big_enough(self):
        code, text = self.tune("--check", "1M")
        self.assertEqual(code, 0, text)
        self.assertNotIn("STOPS", text)

    def test_each_limit_stops_it_where_it_is(self):
        for path, value, name, at in (("limits", "1024", "ulimit -Hn", "924"),
                                      ("proc/sys/fs/nr_open", "500000", "fs.nr_open", "499,900"),
                                      ("proc/sys/fs/file-nr", "1000 0 300000", "fs.file-max", "298,900"),
                                      ("proc/meminfo", "MemAvailable: 4770 kB\n", "memory", "1,024"),
                                      ("proc/sys/net/netfilter/nf_conntrack_max", "262144", "nf_conntrack", "262,144")):
            code, text = self.tune("--check", "1M", **{path: value})
            self.assertEqual(code, 1, text)
            self.assertRegex(text, rf"(?m)^{name}.* STOPS at {at}$")
            self.assertRegex(text, rf"The first to stop it is {name}[^\n]*, at {at}\n")

    def test_of_several_the_first_to_stop_it_is_named(self):
        code, text = self.tune("--check", "1M", limits="5000", **{"proc/sys/fs/nr_open": "4000"})
        self.assertEqual((code, "is fs.nr_open, at 3,900" in text), (1, True), text)

    def test_a_client_has_ports(self):
        code, text = self.tune("--check", "100k", "--client")
        self.assertEqual(code, 1, text)
        self.assertRegex(text, r"(?m)^ip_local_port_range, one address +64512 +STOPS at 64,512\n.*--source with 2 addresses")
        self.assertEqual(self.tune("--check", "60k", "--client")[0], 0)

    def test_one_queue_of_a_card_is_a_note(self):
        code, text = self.tune("--check", "1k", **{"sys/class/net/eth0/device/x": "",
                                                   "sys/class/net/eth0/queues/rx-0/rps_cpus": "0",
                                                   "sys/class/net/eth0/queues/tx-0/xps_cpus": "0"})
        self.assertEqual(code, 0, text)
        self.assertRegex(text, r"eth0: receive queues, RPS CPUs +1, 0 +note: 1 of 2 CPUs take its interrupts")

    def test_what_is_no_number_is_usage(self):
        for argv in (["--check", "many"], ["--check", "0"], []):
            self.assertEqual(run(["/usr/bin/python3", ROOT / "tools/tune", *argv]).code, USAGE)
