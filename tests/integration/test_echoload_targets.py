# SPDX-License-Identifier: MIT
"""Many targets: who got how many, who was slow, who died; one of ten does not hide in the sum."""
import threading
import time

from echolab import OK, PATIENCE, USAGE, VERDICT, covers, slow
from loadlab import LONG, LoadCase, parse, target_text
from schemas import problems


class Targets(LoadCase):
    def file(self, *lines):
        path = self.folder() / "targets"
        path.write_text("\n".join(lines) + "\n")
        return path

    @covers("echoload", "targets")
    def test_a_file_names_them(self):
        servers = [target_text(self.echod()) for _ in range(3)]
        path = self.file("# three", "", f"  {servers[1]}   # the second", servers[2])
        r = self.run_load(servers[0], connections=7, messages=700, targets=path, **LONG)
        self.assertEqual([t["target"] for t in r["targets"]], servers)
        self.assertEqual([t["connections"]["requested"] for t in r["targets"]], [3, 2, 2])
        self.assertEqual(sum(t["latency_ns"]["count"] for t in r["targets"]), 700)
        self.assertEqual(problems("echoload-1", r.json), [])
        r = self.run_echoload("-n7", "-c2", "--targets", str(path))
        self.assertEqual(r.code, OK, r)

    def test_a_line_that_is_no_target_is_named_with_its_place(self):
        for lines, said in ((["127.0.0.1:7", "nonsense"], ":2: target 'nonsense': "), (["", "\033[2J:9"], ":2: target "),
                            ([f"127.0.0.1:{port}" for port in range(1, 1030)], ":1025: '127.0.0.1:1025': more than 1024")):
            path = self.file(*lines)
            r = self.run_echoload("--targets", str(path))
            self.assertEqual((r.code, r.out), (USAGE, ""), r)
            self.assertIn(f"{path}{said}", r.err)
            self.assertNotIn("\033", r.err)
        for argv, said in ((["--targets", "/nowhere"], "No such file"), (["--targets", str(self.file("#"))], "no target")):
            r = self.run_echoload(*argv)
            self.assertEqual((r.code, said in r.err), (USAGE, True), r)

    def test_a_dead_one_of_ten_does_not_hide(self):
        dead, servers = target_text(self.closed_port()), [target_text(self.echod()) for _ in range(9)]
        for options, code in (({}, VERDICT), ({"ignore_errors": True}, None)):
            r = self.run_load(servers[0], *servers[1:], dead, connections=20, duration="500ms", warmup="0s", code=code,
                              **options, **LONG)
            self.assertIn(f"1 of 10 targets gave no echo: {dead}", r["exit"]["reason"])
            self.assertEqual([t["state"] for t in r["targets"] if t["target"] == dead], ["silent"])
            rows = r.out[r.out.index("\ntarget  "):].splitlines()
            self.assertRegex(rows[2], rf"^{dead} +2 +0 .* silent$")  # the worst stands first

    def test_one_that_dies_and_one_that_is_slow_are_told(self):
        def slow_echo(sock, _):
            while data := sock.recv(1 << 16):
                time.sleep(0.05)  # its latency, no wait for an event
                sock.sendall(data)
        slow, dies, good = self.peer(slow_echo), self.echod(), [self.echod() for _ in range(3)]
        load = self.load(good[0], *map(target_text, [good[1], good[2], slow, dies]), connections=10, duration="3s",
                         warmup="0s", stall="500ms", **LONG)
        self.wait_counters(dies, lambda c: c.open == 2, "it has its connections")
        self.kill(dies)
        r = load.done()
        states = {t["target"]: t["state"] for t in r["targets"]}
        self.assertEqual(states[target_text(dies)], "died", r)
        self.assertEqual(states[target_text(slow)], "slow", r)
        self.assertIn(f"1 of 5 targets died: {target_text(dies)}", r["exit"]["reason"])

    def test_a_sum_of_parts_has_them_too(self):
        together = threading.Barrier(4)  # the parts go on when each has begun: they are of one time

        def echo(sock, _):
            together.wait(slow(3 * PATIENCE))
            while data := sock.recv(1 << 16):
                sock.sendall(data)
        servers, folder = [target_text(self.peer(echo)) for _ in range(2)], self.folder()
        loads = [self.load(*servers, part=f"{k}/2", connections=4, messages=400, jsonl=folder / "{part}.jsonl", **LONG)
                 for k in (1, 2)]
        each = [load.done() for load in loads]
        r = self.run_echoload("merge", "-o", "json", *map(str, sorted(folder.iterdir())))
        self.assertEqual(r.code, OK, r)
        j = parse(r.out)
        self.assertEqual(problems("echoload-1", j), [])
        for i in range(2):
            self.assertEqual(j["targets"][i]["latency_ns"]["count"], sum(e["targets"][i]["latency_ns"]["count"]
                                                                         for e in each))
            self.assertEqual(j["targets"][i]["connections"]["requested"], 2)
