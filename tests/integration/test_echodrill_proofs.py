# SPDX-License-Identifier: MIT
"""A fault counts when it was seen to be active: each kind has a look of its own, and none believes an exit status."""
import json
import os
import shutil
import tempfile
from pathlib import Path

from echolab import BIN, OK, USAGE, TestCase, clean_env, no_namespaces, program, run

INCONCLUSIVE = 5
DRILL = """[drill]
story = one fault
[server]
options = --shutdown default
[client]
options = -c 1 -d 700ms -w 0s
[steps]
step = await state client ESTAB 1
step = fault {fault}
step = await exit client
[expect]
expect = state.before.client.ESTAB == 1
"""
# says that all is well when it is told something with these words in it, and does nothing
LIAR = """#!/bin/sh
case "$*" in
*-batch*|*-f*)
    input=$(cat)
    case "$input" in *'{lie}'*) exit 0 ;; esac
    printf '%s\\n' "$input" | {real} "$@"; exit ;;
*'{lie}'*) exit 0 ;;
esac
exec {real} "$@"
"""


class Proofs(TestCase):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())

    def verdict_of(self, fault, path=None):
        """Runs a drill with this fault: the exit code, and what its first finding about the fault says."""
        env = dict(clean_env(), **({"PATH": f"{path}:{os.environ['PATH']}"} if path else {}))
        for _ in range(3):  # what a busy machine leaves open is run again
            r = run([*program("echodrill"), "-o", "json", "run", str(self.config_file(DRILL.format(fault=fault)))], env)
            d = json.loads(r.out)
            found = [e for e in d["expectations"] if e["what"].startswith("fault")]
            self.assertEqual(len(found), 1, r)
            if found[0]["observed"] != "not reached":
                break
        return r.code, found[0]["ruling"], found[0]["observed"]

    def liar(self, tool, lie):
        """A directory with a tool that lies."""
        place = Path(tempfile.mkdtemp(prefix="echolab-"))
        self.addCleanup(shutil.rmtree, place)
        (place / tool).write_text(LIAR.format(lie=lie, real=shutil.which(tool)))
        (place / tool).chmod(0o755)
        return place

    def assertProven(self, fault, shown):
        code, ruling, observed = self.verdict_of(fault)
        self.assertEqual((code, ruling), (OK, "ok"), observed)
        self.assertRegex(observed, shown)

    def assertDoubted(self, fault, doubt, path=None):
        code, ruling, observed = self.verdict_of(fault, path)
        self.assertEqual((code, ruling), (INCONCLUSIVE, "doubtful"), observed)
        self.assertRegex(observed, doubt)

    def test_a_rule_that_catches_nothing_is_no_fault(self):
        rule = "nft add rule inet drill forward counter name fault"
        self.assertProven(rule, r"^caught \d+ packets$")
        self.assertDoubted(rule, "^no packet", self.liar("nft", "counter name fault"))
        self.assertDoubted(rule.replace("counter", "tcp dport 9 counter"), "^no packet")

    def test_a_link_an_address_or_a_route_that_did_not_change_is_no_fault(self):
        self.assertProven("ip server link set s0 down", "now: .* s0@.* state DOWN")
        self.assertDoubted("ip server link set s0 down", "^nothing has changed", self.liar("ip", "s0 down"))
        self.assertDoubted("ip server link set s0 up", "^nothing has changed")
        self.assertProven("ip router route add unreachable 10.9.9.9", "now: unreachable 10.9.9.9")
        self.assertProven("ip client addr del 10.77.1.2/24 dev c0", "gone: .* 10.77.1.2/24")

    def test_a_queue_that_nothing_goes_through_is_no_fault(self):
        queue = "tc router qdisc add dev {} root tbf rate 10mbit burst 16000 limit 200000"
        self.assertProven(queue.format("r1"), r"^caught \d+ packets$")
        self.assertDoubted(queue.format("r1"), "^nothing has changed", self.liar("tc", "qdisc add"))
        self.assertDoubted(queue.format("lo"), "^no packet")

    def test_a_sysctl_that_had_that_value_is_no_fault(self):
        self.assertProven("sysctl server net.ipv4.tcp_syncookies 0", "^was 1, is 0$")
        self.assertDoubted("sysctl server net.ipv4.tcp_syncookies 1", "^nothing has changed")

    def test_a_signal_must_do_what_it_does(self):
        self.assertProven("signal KILL server", r"^process \d+ is gone$")
        self.assertProven("signal STOP server", r"^process \d+ is stopped$")
        self.assertProven("signal USR1 server", r"^process \d+ has taken it$")
        self.assertProven("signal TERM server", r"^process \d+ is gone$")
        self.assertDoubted("signal CONT server", "was not stopped$")
        self.assertDoubted("signal WINCH server", "has not taken it$")

    def test_sockets_that_are_still_there_were_not_destroyed(self):
        self.assertProven("destroy server", "^no connection is left$")
        self.assertDoubted("destroy server", "^the sockets are still there", self.liar("ss", "-K"))

    def test_no_verdict_where_events_had_no_room(self):
        """What a program said may be among them: how often, and whether at all, is not known then."""
        config = self.config_file(DRILL.format(fault="signal KILL server"))
        for lines, wanted in ((1000, (OK, "pass", "^$")), (30000, (INCONCLUSIVE, "inconclusive", r"^the timeline had no room for \d+ events"))):
            with self.subTest(lines=lines):
                server = f"sh -c 'seq {lines}; exec {BIN}/echod --listen {{server}}:{{port}}'"
                r = run([*program("echodrill"), "-o", "json", "--server", server, "run", str(config)])
                d = json.loads(r.out)
                self.assertEqual((r.code, d["verdict"]), wanted[:2], d["reason"])
                self.assertRegex(d["reason"], wanted[2])

    def test_no_verdict_where_the_result_had_no_room(self):
        config = self.config_file(DRILL.format(fault="signal KILL server"))
        client = (f"sh -c 'trap \"yes 123456789 | head -c 600000 >/run/load.json\" EXIT; "
                  f"{BIN}/echoload -c 1 -d 700ms -w 0s {{server}}:{{port}}'")
        r = run([*program("echodrill"), "-o", "json", "--client", client, "run", str(config)])
        d = json.loads(r.out)
        self.assertEqual((r.code, d["reason"]), (INCONCLUSIVE, "the client's result: is longer than 512 KiB"), r)

    def test_every_look_and_dial_of_a_long_drill_is_kept(self):
        steps = "".join(f"step = look look-{i}\nstep = dial dial-{i}\n" for i in range(20))
        expect = "".join(f"expect = state.look-{i}.server.LISTEN > 0\nexpect = dial.dial-{i} == connected\n" for i in range(20))
        text = DRILL.format(fault="signal USR1 server").replace("step = await exit client\n", steps + "step = await exit client\n")
        self.assertIn(steps, text)
        config = self.config_file(text + expect)
        r = run([*program("echodrill"), "-o", "json", "run", str(config)])
        d = json.loads(r.out)
        self.assertEqual([e for e in d["expectations"] if e["ruling"] != "ok"], [], r.err)

    def test_what_nothing_could_prove_is_refused(self):
        for step in ("wait 1s", "type x", "start client", "heal", "look x"):
            r = run([*program("echodrill"), "check", str(self.config_file(DRILL.format(fault=step)))])
            self.assertEqual(r.code, USAGE, r)
            self.assertRegex(r.err, r":9: .*cannot be the fault: nothing shows that it is active")
