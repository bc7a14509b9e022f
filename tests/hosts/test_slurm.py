# SPDX-License-Identifier: MIT
"""configs/hosts/slurm.sbatch in a cluster of Slurm: a controller, a daemon on each of four hosts, and munge with a key of
its own. Nothing of it is that of this machine: files in a folder of the test, networks in its namespaces."""
import os
import re
import signal

from echolab import OK, ROOT, run, slow
from echolab.environment import BIN
from echolab.process import Process
from hostlab import HOSTS, HostsCase
from loadlab import INCONCLUSIVE

CONF = """
ClusterName=echolab
SlurmctldHost=h0(10.79.0.100)
AuthType=auth/munge
AuthInfo=socket={at}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.%n.pid
SlurmdSpoolDir={at}/spool.%n
StateSaveLocation={at}/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/linear
ReturnToService=2
SlurmdParameters=config_overrides
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm(HostsCase):
    def setUp(self):
        super().setUp()
        self.at.chmod(0o755)  # munged looks at who may write beside its socket
        self.env = {"SLURM_CONF": self.at / "slurm.conf", "ECHOLOAD": BIN / "echoload", "START": int(slow(8))}
        key = self.at / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        nodes = "\n".join(f"NodeName=h{i} NodeAddr=10.79.0.{i} CPUs=1 State=UNKNOWN" for i in range(1, HOSTS + 1))
        (self.at / "slurm.conf").write_text(CONF.format(at=self.at, nodes=nodes))
        self.daemon(0, "munged", "--foreground", f"--key-file={key}", f"--socket={self.at}/munge.socket",
                    f"--pid-file={self.at}/munged.pid", f"--seed-file={self.at}/munged.seed")
        self.wait_until((self.at / "munge.socket").exists, "munged listens")
        self.daemons = [self.daemon(0, "slurmctld", "-D", "-i")]
        self.daemons += [self.daemon(i, "slurmd", "-D") for i in range(1, HOSTS + 1)]
        self.wait_until(self.idle, "all nodes are idle", 60)

    def daemon(self, host, name, *argv):
        return self.keep(Process([*self.hosts[host].prefix, f"/usr/sbin/{name}", *argv], self.env))

    def idle(self):
        """Whether all nodes are; a controller that does not listen yet says no."""
        return run([*self.hosts[0].prefix, "sinfo", "-h", "-t", "idle", "-o", "%D"], self.env).out.strip() == str(HOSTS)

    def slurm(self, *argv):
        r = run([*self.hosts[0].prefix, *argv], self.env)
        self.assertEqual(r.code, OK, f"{r}\n" + "\n".join(d.said() for d in self.daemons))
        return r.out

    def submit(self, limit, *argv):
        """The number of the job that sbatch on h0 has made."""
        number = self.slurm("sbatch", "--parsable", "-N", HOSTS, "-D", self.at, ROOT / "configs/hosts/slurm.sbatch", limit,
                            *argv, "10.78.0.100:7007").strip()
        self.dir = self.at / f"echoload.{number}"
        return number

    def over(self, number):
        """Its exit code, when it has ended: a node that is cut off may still be awaited."""
        pattern = re.compile(r"JobState=(?:COMPLETED|COMPLETING|FAILED)\b.*ExitCode=(\d+):", re.S)
        return int(self.wait_until(lambda: pattern.search(self.slurm("scontrol", "show", "job", number)), "it is over",
                                   120)[1])

    def report(self, number):
        return (self.at / f"echoload.{number}.txt").read_text()

    def test_a_job_is_one_load_and_one_report(self):
        number = self.submit(int(slow(60)), "-c", 1000, "-n", 20000, "-T", "1m", "--connect-timeout", "1m")
        self.assertEqual(self.over(number), OK, self.report(number))
        text = self.report(number)
        self.assertRegex(text, r"(?m)^parts +4 of 4; they began within ")
        self.assertRegex(text, r"(?m)^connections +1,000 requested, 1,000 established")
        self.assertRegex(text, r"(?m)^messages +20,000 sent, all echoed and verified$")
        j = self.merged(OK)
        self.assertEqual(sorted((m["part"]["number"], m["part"]["from"], m["part"]["run"]) for m in j["context"]["merged"]),
                         [(k, "SLURM_PROCID", f"{number}.0") for k in range(1, HOSTS + 1)])

    def test_a_part_that_is_killed_is_named_and_the_job_fails(self):
        number = self.submit(int(slow(60)), "-c", 40, "-d", "5s", "-w", "0", "--interval", "200ms")
        self.begun()
        os.kill(self.part(3), signal.SIGKILL)
        self.assertEqual(self.over(number), INCONCLUSIVE, self.report(number))
        self.assertRegex(self.report(number), r"(?m)^parts +3 of 4; missing: \d, with 10 of 40 connections")

    def test_a_node_that_is_cut_off_holds_nobody_up(self):
        number = self.submit(int(slow(20)), "-c", 40, "-d", "4s", "-w", "0", "--interval", "200ms")
        self.begun()
        self.cut_off(4)
        self.assertEqual(self.over(number), INCONCLUSIVE, self.report(number))
        self.assertRegex(self.report(number), r"(?m)^parts +[34] of 4")
        self.assertRegex(self.report(number), r"(?m)^slurm.sbatch: not over after \d+ s: given up$|exit 5 ")

    def test_a_job_that_is_cancelled_has_a_report(self):
        number = self.submit(int(slow(60)), "-c", 40, "-d", "60s", "-w", "0", "--interval", "200ms")
        self.begun()
        self.slurm("scancel", number)
        self.wait_until(lambda: "exit 143" in self.report(number), "there is a report", 60)
        self.assertRegex(self.report(number), r"(?m)^parts +4 of 4")
