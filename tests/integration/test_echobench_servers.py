# SPDX-License-Identifier: MIT
"""echobench knows other people's servers by name: what it says of those in configs/servers, and how it takes a name, a
wrong one, and one whose program is not here."""
import json
import os
import re
import tempfile
from pathlib import Path

from echolab import BIN, ENVIRONMENT, OK, ROOT, USAGE, TestCase, covers, not_in, program, run

SHIPPED = sorted((ROOT / "configs/servers").glob("*.conf"))
KEYS = ("story", "url", "package", "program", "build", "start", "leaves_out")


class Known(TestCase):
    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="echolab-")))

    def server(self, name, **keys):
        """A server file of our own; a key of None is left out."""
        values = {"story": "a server", "url": "https://example.org", "program": "socat", "build": "true",
                  "start": "exec {program} TCP-LISTEN:{port},fork,reuseaddr,bind={host} EXEC:cat",
                  "leaves_out": "most"} | keys
        text = "[server]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None)
        (self.folder / f"{name}.conf").write_text(text)

    def bench(self, *argv, env=None, own=True):
        more = ["--servers-dir", self.folder] if own else []
        return run([*program("echobench"), *argv, *more], env=env, timeout=180)

    def test_list_names_all_that_came_with_it_and_says_which_are_here(self):
        r = self.bench("list", own=False)
        self.assertEqual((r.code, r.err), (OK, ""))
        lines = r.out.splitlines()
        self.assertEqual([line.split()[1] for line in lines], [p.stem for p in SHIPPED])
        self.assertEqual([line for line in lines if len(line) > 80], [])
        ours = {"libev": "libev_echo", "libuv": "libuv_echo", "asio": "asio_echo"}
        for line in lines:
            state, name, rest = line.split(None, 2)
            if name in ours:
                self.assertEqual(state, "here" if (BIN / "bench" / ours[name]).exists() else "missing", line)
            if state == "missing":
                self.assertRegex(rest, rf"^[\w-]+ \(echobench show {name}\)$")

    def test_every_file_that_came_with_it_says_all_to_those_who_ask(self):
        for path in SHIPPED:
            with self.subTest(path.stem):
                said = dict(re.findall(r"^(\w+) *= (.*)$", path.read_text(), re.M))
                self.assertEqual(set(said), set(KEYS))
                r = self.bench("show", path.stem, own=False)
                self.assertEqual((r.code, r.err), (OK, ""))
                shown = " ".join(r.out.split())
                for key in KEYS:
                    self.assertIn(" ".join(said[key].split()), shown)

    @covers("echobench", "servers_dir")
    @not_in("asan", "ubsan", "tsan", "valgrind")
    def test_a_name_is_a_side(self):
        self.server("socat-cat")
        r = self.bench("run", "--a", "socat-cat", "--b", "socat-cat", "--rounds", "3", "--warmup", "10ms", "-c", "1",
                       "--precision", "100", "--confidence", "80", "--max-blocks", "3", "-o", "json")
        self.assertTrue(r.out, r)
        cell, = json.loads(r.out)["cells"]
        self.assertTrue(cell["measured"], cell["reason"])
        for side in ("a", "b"):
            self.assertEqual(cell[side]["name"], "socat-cat")
            self.assertEqual(cell[side]["command"],
                             "exec socat TCP-LISTEN:{port},fork,reuseaddr,bind={host} EXEC:cat")

    def test_a_name_that_is_not_known_suggests_the_nearest(self):
        self.server("libev")
        self.server("socat-cat")
        for words, told in ((("run", "--a", "libeev"), r"--a: 'libeev' .*; did you mean the server 'libev'\?$"),
                            (("run", "--server", "socat-cart"), r"--server: 'socat-cart' is no server that echobench "
                             r"list names, and no program; did you mean the server 'socat-cat'\?$"),
                            (("show", "libeev"), r"'libeev' is no server .*; did you mean the server 'libev'\?$"),
                            (("show", "../libev"), r"'\.\./libev' is no server that echobench list names$"),
                            (("run", "--b", "nothing-like-it"), r"'nothing-like-it' is no server that echobench list "
                             r"names, and no program$")):
            with self.subTest(words=words):
                r = self.bench(*words)
                self.assertEqual((r.code, r.out), (USAGE, ""))
                self.assertRegex(r.err.strip(), told)
                self.assertEqual(len(r.err.splitlines()), 1)

    def test_one_whose_program_is_missing_says_what_to_do(self):
        self.server("far", program="no-such-program")
        r = self.bench("run", "--b", "far")
        self.assertEqual((r.code, r.out), (ENVIRONMENT, ""))
        self.assertRegex(r.err, "--b: 'far': no-such-program is not here; .*: echobench show far$")
        r = self.bench("list")
        self.assertEqual((r.code, r.err), (OK, ""))
        self.assertRegex(r.out, r"^missing +far +no-such-program \(echobench show far\)$")
        r = self.bench("show", "far")
        self.assertEqual((r.code, r.err), (OK, ""))
        self.assertRegex(r.out, "(?m)^  build +true$")
        self.assertRegex(r.out, "(?m)^  missing +no-such-program, neither in .*/bench nor in PATH$")

    def test_a_program_in_path_is_found(self):
        self.server("far", program="my-own-server")
        own = self.folder / "my-own-server"
        own.write_text("#!/bin/sh\n")
        own.chmod(0o755)
        r = self.bench("show", "far", env={"PATH": f"{self.folder}:{os.environ['PATH']}"})
        self.assertRegex(r.out, "(?m)^  here +my-own-server$")

    def test_a_mistake_in_a_file_has_its_place(self):
        self.server("wrong", start="exec {program}")
        path = self.folder / "wrong.conf"
        for words in (("list",), ("show", "wrong"), ("run", "--a", "wrong")):
            with self.subTest(words=words):
                r = self.bench(*words)
                self.assertEqual((r.code, r.out), (USAGE, ""))
                self.assertRegex(r.err, rf"{path}:6: .*start.* has no {{port}} or {{addr}}$")

    def test_what_is_asked_for_is_said(self):
        r = self.bench("show")
        self.assertEqual(r.code, USAGE)
        self.assertIn("echobench list names them", r.err)
        r = run([*program("echobench"), "list", "--servers-dir", self.folder / "none"])
        self.assertEqual((r.code, r.out), (USAGE, ""))
        self.assertIn("cannot read", r.err)
