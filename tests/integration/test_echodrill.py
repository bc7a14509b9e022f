# SPDX-License-Identifier: MIT
"""Every drill: it passes, it does not pass with its fault left out, and no expectation of it holds turned round."""
import json

from drilllab import INCONCLUSIVE, SKIPPED, NobodyCase, Runs, complaint, conclusive, drill, names
from echolab import ENVIRONMENT, OK, SANITIZERS, VERDICT, not_in, program, run


class Passes(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_every_classic_drill_passes(self):
        self.assertAllPass(self.run_until_conclusive(wanted=names("classic")))

    @not_in("valgrind", *SANITIZERS)
    def test_every_relative_passes(self):
        self.assertAllPass(self.run_until_conclusive(wanted=names("relative")))


class Matrix(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_every_fault_is_noticed_when_its_means_say(self):
        results = self.run_until_conclusive(wanted=names("matrix"))
        self.assertAllPass(results)
        self.assertGreaterEqual(len(results), 5 * 15)
        # never is what it says: the drill watched for longer than any of the means would have taken
        silent = {d["means"]: d["knew"] for d in results.values() if d["drill"] == "grid-silent-idle"}
        self.assertEqual(silent, {"none": None, "limit": None, "user": None, "keepalive": "timeout_tcp", "icmp": None})

    @not_in("valgrind", *SANITIZERS)
    def test_the_table_is_drills_by_means(self):
        r = run([*program("echodrill"), "--timeline", "never", "-j", "5", "run", "grid-refused-connect"])
        self.assertRegex(r.out, r"(?m)^fault +none +limit +user +keepalive +icmp$")
        self.assertRegex(r.out, r"(?m)^refused-connect( +[\d.]+ m?s!?){5}$")
        self.assertRegex(r.out, r"(?m)^  keepalive +-T off --connect-timeout off --keepalive 1s/1s/2$")
        r = run([*program("echodrill"), "-o", "markdown", "-j", "5", "run", "grid-refused-connect"])
        self.assertRegex(r.out, r"\| Nobody listens when the client connects\. \|( [\d.]+ m?s!?, `ECONNREFUSED` \|){5}\n")


class Sanitized(Runs):
    def test_some_drills_of_each_kind_pass(self):
        """In every variant: the programs are slower there, the drills are the same."""
        self.assertAllPass(self.run_until_conclusive(wanted=[
            "server-killed", "server-killed-ipv6", "host-crashed-keepalive", "host-rebooted", "shutdown-drain"]))


class LeftOut(Runs):
    def assertNonePass(self, group):
        report = drill("run", "-j", "12", "--without-fault", *names(group), timeout=110)
        self.assertEqual({d["verdict"] for d in report.results.values()} - {"fail"}, {"inconclusive"},
                         complaint(report.results))
        self.assertIn(report.code, (VERDICT, INCONCLUSIVE))
        self.assertEqual({d["drill"] for d in report.results.values()}, set(names(group)))

    @not_in("valgrind", *SANITIZERS)
    def test_no_classic_drill_passes_without_its_fault(self):
        self.assertNonePass("classic")

    @not_in("valgrind", *SANITIZERS)
    def test_no_relative_passes_without_its_fault(self):
        self.assertNonePass("relative")

    @not_in("valgrind", *SANITIZERS)
    def test_nothing_is_noticed_without_the_fault(self):
        self.assertNonePass("matrix")


class Negated(Runs):
    def assertNoneHold(self, group):
        results = self.run_until_conclusive("--negate", wanted=names(group))
        self.assertEqual({d["verdict"] for d in results.values()}, {"fail"},
                         [name for name, d in results.items() if d["verdict"] != "fail"])
        for name, d in results.items():
            self.assertIn("not ", d["reason"], name)

    @not_in("valgrind", *SANITIZERS)
    def test_no_expectation_of_a_classic_drill_holds_turned_round(self):
        self.assertNoneHold("classic")

    @not_in("valgrind", *SANITIZERS)
    def test_no_expectation_of_a_relative_holds_turned_round(self):
        self.assertNoneHold("relative")

    @not_in("valgrind", *SANITIZERS)
    def test_no_time_of_the_table_holds_turned_round(self):
        self.assertNoneHold("matrix")


class Nobody(NobodyCase):
    @not_in("valgrind", *SANITIZERS)
    def test_the_classic_drills_pass_for_user_65534(self):
        self.assertAllPass(self.run_until_conclusive(wanted=names("classic"), prefix=self.prefix, exe=self.exe))

    def test_without_namespaces_drills_are_skipped_and_say_why(self):
        r = run(["unshare", "-U", "--map-root-user", "sh", "-c", "echo 0 >/proc/sys/user/max_user_namespaces && "
                 f"exec setpriv --bounding-set=-sys_admin --inh-caps=-all --no-new-privs {self.exe} run server-killed"])
        self.assertEqual(r.code, SKIPPED, r)
        self.assertRegex(r.out, r"(?m)^skipped +server-killed .*\n +this kernel gives no private namespaces "
                                r"\(user.max_user_namespaces\)")


class Everything(Runs):
    @not_in("valgrind", *SANITIZERS)
    def test_all_runs_every_pair_of_backends(self):
        r = conclusive([*program("echodrill"), "--all", "-o", "json", "-j", "2", "run", str(self.one_drill())])
        pairs = {(d["server_backend"], d["client_backend"]): d["verdict"] for d in map(json.loads, r.out.splitlines())}
        self.assertEqual(set(pairs.values()), {"pass"}, r)
        self.assertEqual(r.code, OK)
        self.assertLessEqual({("epoll", "epoll"), ("fork", "epoll")}, set(pairs))

    def test_a_program_that_runs_with_no_backend_is_no_drill_left_out(self):
        for variable, name in (("ECHOD_LISTEN", "echod"), ("ECHOLOAD_TIMEOUT", "echoload")):
            for args in (["--all", "run", self.one_drill()], ["chaos", "--round", 1, "--print-drill"]):
                r = run([*program("echodrill"), *args], env={variable: "what is none"})
                self.assertEqual((r.code, r.out), (ENVIRONMENT, ""), r)
                self.assertEqual(r.err, f"echodrill: error: {name} runs with none of its backends here\n")

    def one_drill(self):
        return self.config_file("""[drill]
story = reset
delay = 5ms
[server]
fork = on
options = --shutdown default
[client]
options = -c 2 -d 3s -w 0s
[steps]
step = await state client ESTAB 2
step = after 200ms fault destroy server
step = await exit client
[expect]
expect = outcome.reset.*.ECONNRESET.count == 2
""")
