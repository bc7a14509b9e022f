# SPDX-License-Identifier: MIT
"""configs/hosts/kubernetes.yaml: no cluster runs here. The Job is held against the model of batch/v1 that Kubernetes' own
Python client is made of, which comes from the API's description, and the commands of its pods are run."""
import json
import re
import time

import yaml
from kubernetes.client import models

from echolab import OK, ROOT
from echolab.process import Process
from echolab.environment import BIN
from hostlab import HostsCase

MANIFEST = ROOT / "configs/hosts/kubernetes.yaml"
PLAIN = {"str": str, "int": int, "bool": bool, "float": float, "object": object}


def faults(value, kind, at):
    """What is wrong with a value that should be of this kind, such as list[V1Container]."""
    of = re.fullmatch(r"list\[(.*)]|dict\(str, (.*)\)", kind)
    if of:
        if not isinstance(value, list if of[1] else dict):
            return [f"{at} is no {kind}"]
        items = enumerate(value) if of[1] else value.items()
        return [f for key, item in items for f in faults(item, of[1] or of[2], f"{at}.{key}")]
    if kind in PLAIN:
        fits = isinstance(value, PLAIN[kind]) and (kind != "int" or not isinstance(value, bool))
        return [] if fits else [f"{at} is {value!r}, no {kind}"]
    return model_faults(value, getattr(models, kind), at)


def model_faults(value, model, at):
    if not isinstance(value, dict):
        return [f"{at} is no {model.__name__}"]
    names = {key: name for name, key in model.attribute_map.items()}
    found = [f"{at}.{key} is unknown" for key in value if key not in names]
    known = {names[key]: v for key, v in value.items() if key in names}
    for name, v in known.items():
        found += faults(v, model.openapi_types[name], f"{at}.{model.attribute_map[name]}")
    try:
        model(**known)  # looks for what is required
    except ValueError as e:
        found.append(f"{at}: {e}")
    return found


class Kubernetes(HostsCase):
    def job(self):
        return yaml.safe_load(MANIFEST.read_text())

    def test_the_job_is_one_of_batch_v1(self):
        job = self.job()
        self.assertEqual((job["apiVersion"], job["kind"]), ("batch/v1", "Job"))
        self.assertEqual(model_faults(job, models.V1Job, "job"), [])

    def test_what_is_none_is_found(self):
        for path, value in (("spec.completion", 8), ("spec.parallelism", "8"), ("spec.template.spec.containers", None),
                            ("spec.template.spec.containers.0.image", 3), ("spec.template.spec.volumes.0.name", None)):
            job = self.job()
            *way, last = path.split(".")
            at = job
            for key in way:
                at = at[int(key)] if key.isdigit() else at[key]
            if value is None:
                del at[last]
            else:
                at[last] = value
            with self.subTest(path):
                self.assertEqual(len(model_faults(job, models.V1Job, "job")), 1)

    def pod(self, index, start, more=None):
        """The command of the pod with this index, as its container would run it, with a smaller load."""
        container, = self.job()["spec"]["template"]["spec"]["containers"]
        smaller = {"START": start, "/results": self.dir, "100k": "80", "2M": "8k", "=30s": "=1s",
                   "server:7007": "10.78.0.100:7007"}
        argv = container["command"] + container["args"]
        for old, new in smaller.items():
            argv = [word.replace(old, str(new)) for word in argv]
        return self.keep(Process([*self.hosts[1].prefix, *argv], {"JOB_COMPLETION_INDEX": index,
                                                                  "PATH": f"{BIN}:/usr/bin:/bin"}))

    def test_its_pods_are_one_load_and_a_replaced_one_does_no_harm(self):
        spec = self.job()["spec"]
        self.assertEqual((spec["completionMode"], spec["parallelism"]), ("Indexed", spec["completions"]))
        self.dir.mkdir()
        start = int(time.time()) + 4
        pods = [self.pod(i, start) for i in range(spec["completions"])]
        for pod in pods:
            self.assertEqual(pod.wait(60), OK, pod.said())
        files = {f: f.read_text() for f in self.dir.iterdir()}
        again = self.pod(3, start)
        self.assertEqual(again.wait(), OK, again.said())
        self.assertIn("start_at", again.err.text.replace("-", "_"))
        self.assertIn("this time has passed", again.err.text)
        self.assertIn("exit code 2", again.out.text)
        self.assertEqual({f: f.read_text() for f in self.dir.iterdir()}, files)
        r = self.run_echoload("merge", "-o", "json", *sorted(files))
        parts = json.loads(r.out)["parts"]
        self.assertEqual((parts["count"], parts["present"], parts["missing"]), (8, 8, []), r)
