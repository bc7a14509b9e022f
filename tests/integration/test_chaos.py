# SPDX-License-Identifier: MIT
"""Random faults on a running load: the same seed has the same ones, all is well with every backend, and a program with a
bug in it is found, with the step and the command that shows it again."""
import re
import shlex

from drilllab import INCONCLUSIVE, UNLIMITED, Runs, complaint, drill
from echolab import BIN, OK, SANITIZERS, USAGE, VERDICT, TestCase, clean_env, covers, not_in, program, run


def written(*args):
    """The drill of a round."""
    r = run([*program("echodrill"), "chaos", *args, "--print-drill"])
    assert r.code == OK, r
    return r.out


class Schedules(TestCase):
    @covers("echodrill", "seed", "round", "faults", "print_drill")
    def test_the_same_seed_and_round_have_the_same_faults(self):
        text = written("--seed", "11", "--round", "2", "--faults", "5")
        self.assertEqual(written("--seed", "11", "--round", "2", "--faults", "5"), text)
        self.assertEqual(len(re.findall(r"(?m)^step = settled \d+$", text)), 1 + 5)
        self.assertNotEqual(written("--seed", "11", "--round", "3", "--faults", "5"), text)
        self.assertNotEqual(written("--seed", "12", "--round", "2", "--faults", "5"), text)

    def test_a_round_that_is_printed_is_a_drill(self):
        path = self.config_file(written("--seed", "11", "--round", "2"))
        r = run([*program("echodrill"), "check", str(path)])
        self.assertEqual(r.code, OK, r)
        self.assertRegex(r.err, "a good drill: [0-9]+ steps, 4 expectations")

    def test_backends_are_those_that_were_asked_for(self):
        text = written("--seed", "11", "--round", "2", "--server-backend", "fork", "--client-backend", "epoll")
        self.assertIn("options = -f /run/echod.conf --backend fork ", text)
        self.assertIn("options = --backend epoll -c ", text)

    def test_what_chaos_cannot_do_is_refused(self):
        for args, why in ((["--server", "nc -lk {port}"], "chaos runs echod and echoload, no other programs"),
                          (["-o", "markdown"], "chaos prints text, json or tap"),
                          (["--print-drill"], "--print-drill needs --round"),
                          (["--server-backend", "kqueue"], "echod has no backend 'kqueue' that runs here"),
                          (["--minutes", "10000"], "chaos of 8 faults has room for 85 minutes, divided by --jobs")):
            r = run([*program("echodrill"), "chaos", *args])
            self.assertEqual((r.code, r.out), (USAGE, ""), r)
            self.assertIn(why, r.err)


class Rounds(Runs):
    def setUp(self):
        if not UNLIMITED:
            self.skipTest("needs root: locked memory for rings (ulimit -l)")

    def round(self, *args, env=None, times=5):
        """A round that is not inconclusive, if a busy machine lets it: (exit code, its result)."""
        for _ in range(times):
            report = drill("chaos", *args, env=env)
            self.assertEqual(len(report.results), 1, report.err)
            if report.code != INCONCLUSIVE:
                break
        return report.code, *report.results.values()

    def all_is_well(self, seed, server, client):
        code, d = self.round("--seed", seed, "--round", "1", "--faults", "2", "--server-backend", server,
                             "--client-backend", client)
        self.assertEqual((code, d["verdict"]), (OK, "pass"), d["reason"])
        self.assertEqual((d["drill"], d["step"]), (f"chaos-{seed}-1", None))
        self.assertEqual(d["load"]["context"]["backend"], client)
        self.assertEqual([e["ruling"] for e in d["expectations"] if e["what"] == "mismatch.wire"], ["ok"])

    @not_in("valgrind", *SANITIZERS)
    def test_all_is_well_with_epoll(self):
        self.all_is_well("21", "epoll", "io_uring")

    @not_in("valgrind", *SANITIZERS)
    def test_all_is_well_with_io_uring(self):
        self.all_is_well("22", "io_uring", "epoll")

    @not_in("valgrind", *SANITIZERS)
    def test_all_is_well_with_fork(self):
        self.all_is_well("23", "fork", "io_uring")

    @covers("echodrill", "minutes")
    @not_in("valgrind", *SANITIZERS)
    def test_rounds_begin_until_the_minutes_are_over(self):
        r = run([*program("echodrill"), "--progress", "always", "-o", "tap", "chaos", "--seed", "31", "--faults", "1",
                 "--minutes", "0", "-j", "2"], timeout=200)
        self.assertIn(r.code, (OK, INCONCLUSIVE), r)
        self.assertRegex(r.err, "0 done, 2 running, 0 failed, about 1 s left")
        lines = r.out.splitlines()
        self.assertEqual((lines[0], lines[-1]), ("TAP version 13", "1..2"))
        self.assertEqual(set(re.findall(r"(?m)ok [12] - chaos-31-([0-9]+)", r.out)), {"1", "2"})

    def flawed(self, flaw, *args):
        env = clean_env() | {"LD_PRELOAD": str(BIN / "preload/flawed.so"), "ECHOLAB_FLAW": flaw}
        code, d = self.round("--seed", "3", "--round", "1", "--faults", "2", "--server-backend", "epoll",
                             "--client-backend", "epoll", *args, env=env)
        self.assertEqual((code, d["verdict"]), (VERDICT, "fail"), d["reason"])
        return d

    @not_in("valgrind", *SANITIZERS)
    def test_a_server_that_loses_a_byte_is_found(self):
        d = self.flawed("byte")
        self.assertRegex(d["reason"], "calm|corrupt|settled")

    @not_in("valgrind", *SANITIZERS)
    def test_a_server_that_leaks_descriptors_is_found_and_the_command_finds_it_again(self):
        d = self.flawed("descriptor")
        self.assertRegex(d["reason"], "^settled [0-9]+ within 30.0 s: server: [0-9]+ descriptors, at first [0-9]+$")
        steps = [line for line in written("--seed", "3", "--round", "1", "--faults", "2").splitlines()
                 if line.startswith("step = ")]
        self.assertRegex(steps[d["step"] - 1], "^step = settled ")
        again = shlex.split(d["again"])
        self.assertEqual(again[:2], ["echodrill", "chaos"])
        env = clean_env() | {"LD_PRELOAD": str(BIN / "preload/flawed.so"), "ECHOLAB_FLAW": "descriptor"}
        code, same = self.round(*again[2:], env=env)
        self.assertEqual((code, same["step"]), (VERDICT, d["step"]), same["reason"])
        faults = [[e["what"] for e in r["timeline"] if e["who"] == "drill"] for r in (d, same)]
        self.assertEqual(faults[0], faults[1])

    @not_in("valgrind", *SANITIZERS)
    def test_a_server_whose_memory_grows_is_found(self):
        d = self.flawed("memory")
        self.assertRegex(d["reason"], "^settled [0-9]+ .*: server: [0-9]+ KiB of memory, at first [0-9]+ KiB$")

    @not_in("valgrind", *SANITIZERS)
    def test_a_client_that_names_its_ends_wrong_is_found(self):
        d = self.flawed("eof")
        # of the resets less is certain where the machine was late: some may have come after the client's own limit
        self.assertRegex(d["reason"], "^mismatch.wire == 0: .*eof: [0-9]+ in the result, 0 on the wire")
        self.assertIsNone(d["step"])
        self.assertEqual(complaint({"it": d})[:4], "fail")

    @not_in("valgrind", *SANITIZERS)
    def test_people_are_told_where_and_how_to_see_it_again(self):
        env = clean_env() | {"LD_PRELOAD": str(BIN / "preload/flawed.so"), "ECHOLAB_FLAW": "descriptor"}
        command = [*program("echodrill"), "--timeline", "never", "chaos", "--seed", "3", "--round", "1", "--faults", "2",
                   "--server-backend", "epoll", "--client-backend", "epoll"]
        for _ in range(5):
            r = run(command, env, timeout=200)
            if r.code != INCONCLUSIVE:
                break
        self.assertEqual(r.code, VERDICT, r)
        said = re.sub(r"\s+", " ", r.out)
        self.assertRegex(said, r"at step [0-9]+ of [0-9]+; the last fault, step [0-9]+: ")
        self.assertIn("again: echodrill chaos --seed 3 --round 1 --faults 2 --server-backend epoll --client-backend epoll",
                      said)


class Settles(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_not_while_a_connection_waits_for_a_retransmission(self):
        """Of half the connections nothing passes for 1.7 s. They send again 1.4 s and 3 s after they have sent, and give
        up after 2.5 s: until then the others answer."""
        path = self.config_file("""[drill]
story = Half of the connections lose all they send.
timeless = on
[client]
options = -c 16 -R 320 -s 64 -d 1h -w 0s -T 2500ms --reconnect immediate
[steps]
step = start server
step = start client
step = settled 16
step = fault nft add rule inet drill forward iifname r0 tcp sport & 2 == 2 counter name fault drop
step = after 1700ms heal
step = settled 16
step = calm 3s
step = signal TERM client
step = await exit client within 20s
[expect]
expect = load.messages.corrupt == 0
""")
        for _ in range(5):
            report = drill("run", str(path))
            if report.code != INCONCLUSIVE:
                break
        self.assertEqual(report.code, OK, report.err)


class Verbs(TestCase):
    def test_mistakes_in_settled_and_calm_have_their_place(self):
        for step, why in (("settled", "needs a number"), ("settled 0", "needs the number of connections of the client"),
                          ("settled 3 for 1s", "goes on with something else than 'within TIME'"),
                          ("calm", "needs a time, such as 3s"), ("fault calm 1s", "cannot be the fault")):
            path = self.config_file(f"[drill]\nstory = s\n[steps]\nstep = {step}\n")
            r = run([*program("echodrill"), "check", str(path)])
            self.assertEqual(r.code, USAGE, r)
            self.assertIn(f"{path}:4: ", r.err)
            self.assertIn(why, r.err)
