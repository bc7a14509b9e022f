# SPDX-License-Identifier: MIT
"""Pictures of drills: every segment of the captures is an arrow, those that were lost end in a cross, states are those
that the kernels went through, and the page of many drills shows them all."""
import os
import re
import struct
import tempfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import browser
from echolab import ENVIRONMENT, OK, ROOT, USAGE, TestCase, covers, no_namespaces, program, run

SVG = "{http://www.w3.org/2000/svg}"
PORT = 7007


def segments(path):
    """The TCP segments of a capture: (to the server, ports, numbers, flags, length), with the time of each."""
    data, at = Path(path).read_bytes(), 24
    found = []
    while at < len(data):
        seconds, ns, length, _ = struct.unpack_from("<4I", data, at)
        frame, at = data[at + 16:at + 16 + length], at + 16 + length
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        ip = frame[14:]
        tcp = ip[(ip[0] & 15) * 4:]
        size = struct.unpack_from("!H", ip, 2)[0] - (ip[0] & 15) * 4 - (tcp[12] >> 4) * 4
        sport, dport, seq, ack = struct.unpack_from("!HHII", tcp)
        found.append(((dport == PORT, sport, dport, seq, ack, tcp[13], size), seconds * 10 ** 9 + ns))
    return found


class Picture:
    def __init__(self, path):
        self.root = ElementTree.parse(path).getroot()

    def of(self, tag, name):
        return [e for e in self.root.iter(SVG + tag) if name in e.get("class", "").split()]

    def texts(self, name):
        return [e.text for e in self.of("text", name)]

    def bars(self):
        """The names of the states along each lifeline, from top to bottom: client's, server's."""
        sides = {}
        for rect in self.root.iter(SVG + "rect"):
            if rect.find(SVG + "title") is not None:
                sides.setdefault(float(rect.get("x")), []).append((float(rect.get("y")), rect.find(SVG + "title").text))
        return [[name for _, name in sorted(sides[x])] for x in sorted(sides)]


class Pictures(TestCase):
    def setUp(self):
        if no_namespaces():
            self.skipTest(no_namespaces())
        folder = tempfile.TemporaryDirectory(prefix="echolab-")
        self.addCleanup(folder.cleanup)
        self.place = Path(folder.name)

    def echodrill(self, *argv):
        return run([*program("echodrill"), *map(str, argv)], timeout=120)

    def drawn(self, drill):
        """A drill's picture, and both captures."""
        r = self.echodrill("run", "--timeline", "never", "--svg", self.place / "a.svg", "--pcap", self.place, drill)
        self.assertIn(r.code, (OK, 5), r)  # a busy machine leaves it open, and the picture is the same
        return Picture(self.place / "a.svg"), *(segments(self.place / f"{drill}.{side}.pcap") for side in ("client", "server"))

    def test_traffic_that_goes_on_and_on_is_folded_and_counted(self):
        picture, client, server = self.drawn("hung-server")
        folded = [int(t.split()[0]) for t in picture.texts("soft") if t and t.endswith("more segments like these")]
        self.assertTrue(folded)
        sent = len([s for s, _ in client if s[0]]) + len([s for s, _ in server if not s[0]])
        self.assertEqual(len(picture.of("line", "seg")) + sum(folded), sent)

    def check_arrows(self, picture, client, server):
        """Against the captures, as this test reads them: how many arrows, how many of them were lost, and that time runs
        down."""
        to_server = [s for s, _ in client if s[0]], [s for s, _ in server if s[0]]
        to_client = [s for s, _ in server if not s[0]], [s for s, _ in client if not s[0]]
        lost = sum(sum((Counter(sent) - Counter(came)).values()) for sent, came in (to_server, to_client))
        arrows = picture.of("line", "seg")
        self.assertEqual(len(arrows), len(to_server[0]) + len(to_client[0]))
        self.assertEqual(len(picture.of("path", "cross")), lost)
        self.assertEqual(sum("marker-end" not in a.attrib for a in arrows), lost)
        times = sorted([t for s, t in client if s[0]] + [t for s, t in server if not s[0]])
        begins = sorted(float(a.get("y1")) for a in arrows)
        self.assertEqual(len(set(begins)), len(times), "no two begin at the same place")
        for a in arrows:
            self.assertGreater(float(a.get("y2")), float(a.get("y1")), "nothing arrives before it was sent")
        return lost, times, begins

    @covers("echodrill", "svg")
    def test_the_killed_server_is_drawn_as_the_textbook_does(self):
        picture, client, server = self.drawn("server-killed")
        lost, *_ = self.check_arrows(picture, client, server)
        self.assertEqual(lost, 0)
        self.assertEqual(picture.root.find(SVG + "title").text, "server-killed")
        self.assertEqual(picture.bars(), [["SYN-SENT", "ESTAB", "CLOSE-WAIT"],
                                          ["SYN-RECV", "ESTAB", "FIN-WAIT-1", "FIN-WAIT-2"]])
        self.assertEqual(picture.texts("faultt"), ["signal KILL child"])
        self.assertEqual(len(picture.of("line", "fault")), 1)
        said = " ".join(picture.texts("l"))
        self.assertIn("read: 0, end of input: the server is gone", said)
        self.assertIn("EPIPE", said)
        ruled = Counter(picture.texts("ok") + picture.texts("late") + picture.texts("no"))
        self.assertGreater(ruled["ok"], 20, "the expectations with their verdicts")

    def test_retransmissions_that_are_lost_are_crosses_with_growing_gaps(self):
        picture, client, server = self.drawn("host-crashed")
        lost, times, begins = self.check_arrows(picture, client, server)
        self.assertGreaterEqual(lost, 3)
        again = [t for t in picture.texts("againt") if t.startswith("14 bytes")]
        self.assertEqual(again, [f"14 bytes, again ({n})" for n in range(1, len(again) + 1)])
        self.assertGreaterEqual(len(again), 2)
        heights = {t: y for t, y in zip(times, begins)}
        sent = [heights[t] for s, t in client if s[0] and s[6] == 14]
        gaps = [b - a for a, b in zip(sent, sent[1:])]
        self.assertGreater(gaps[-1], gaps[0], "they back off")

    @covers("echodrill", "html")
    def test_a_page_shows_all_drills_and_when_clients_knew(self):
        r = self.echodrill("run", "-j", "2", "--html", self.place, "server-killed", "grid-killed-flight")
        self.assertIn(r.code, (OK, 5), r)
        page = (self.place / "index.html").read_text()
        pictures = re.findall(r'<img loading="lazy" src="([^"]+)"', page)
        self.assertEqual(sorted(pictures), sorted(p.name for p in self.place.glob("*.svg")))
        self.assertEqual(len(pictures), 1 + page.count("grid-killed-flight/") // 3)
        for name in pictures:
            Picture(self.place / name)
        self.assertIn("by the means it has", page)
        if not browser.program():
            self.skipTest(f"{browser.PACKAGE} is not installed")
        chromium = browser.Browser()
        self.addCleanup(chromium.close)
        (self.place / "index.html").write_text(page.replace("<html", "<html data-ready"))
        opened = chromium.open(self.place / "index.html")
        opened.wait("document.images.length && document.images[0].complete && document.images[0].naturalWidth > 0")
        self.assertEqual(opened.errors, [])
        self.assertEqual(opened.value("document.querySelectorAll('svg path').length"), 5 + len(pictures) - 1)

    def test_each_run_of_a_drill_has_a_picture_of_its_own(self):
        r = self.echodrill("run", "--timeline", "never", "--html", self.place, "--pcap", self.place, "connect-refused", "connect-refused")
        self.assertIn(r.code, (OK, 5), r)
        pictures = re.findall(r'<img loading="lazy" src="([^"]+)"', (self.place / "index.html").read_text())
        self.assertEqual(len(set(pictures)), 2, pictures)
        self.assertEqual(sorted(pictures), sorted(p.name for p in self.place.glob("*.svg")))
        self.assertEqual(len(list(self.place.glob("*.client.pcap"))), 2)

    def test_a_picture_takes_the_place_of_a_file_whole_and_of_nothing_else(self):
        before = self.place / "a.svg"
        before.write_text("as it was")
        r = self.echodrill("run", "--timeline", "never", "--svg", before, "connect-refused")
        self.assertIn(r.code, (OK, 5), r)
        Picture(before)
        self.assertEqual([p.name for p in self.place.iterdir()], ["a.svg"])
        pipe = self.place / "pipe"
        os.mkfifo(pipe)
        fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, fd)
        r = self.echodrill("run", "--timeline", "never", "--svg", pipe, "connect-refused")
        self.assertIn(r.code, (OK, 5), r)
        self.assertTrue(os.read(fd, 65536).startswith(b"<svg"))
        self.assertTrue(pipe.is_fifo())

    def test_text_of_a_drill_is_never_markup(self):
        text = (ROOT / "configs/drills/shutdown-drain.conf").read_text()
        drill = self.place / "a<b>&.conf"
        drill.write_text(re.sub(r"(?m)^story *=.*", "story = <script>alert(1)</script> & \"more\"", text, count=1))
        r = self.echodrill("run", "--timeline", "never", "--svg", self.place / "x.svg", "--html", self.place, drill)
        self.assertIn(r.code, (OK, 5), r)
        picture = Picture(self.place / "x.svg")
        self.assertEqual(picture.root.find(SVG + "title").text, "a<b>&")
        self.assertIn("<script>alert(1)</script>", picture.root.find(SVG + "desc").text)
        self.assertNotIn("<script", (self.place / "index.html").read_text())

    def test_a_drill_that_did_not_run_says_why_rather_than_never(self):
        r = self.echodrill("--server", "no-such-program {port}", "run", "--timeline", "never", "--svg", self.place / "x.svg",
                           "--html", self.place, "connect-refused")
        self.assertTrue(r.out.startswith("skipped"), r)
        titles = [e.text for e in Picture(self.place / "x.svg").root.iter(SVG + "text") if (e.text or "").startswith("skipped")]
        self.assertEqual(len(titles), 1)
        self.assertIn("no-such-program", titles[0])
        self.assertNotIn("never knew", (self.place / "x.svg").read_text())
        self.assertIn(">skipped</td><td>-</td>", (self.place / "index.html").read_text())

    def test_what_cannot_be_drawn_is_said_before_anything_is_run(self):
        for argv, code, said in ((["--svg", self.place / "a.svg", "run", "server-killed", "host-crashed"], USAGE, "--html DIR"),
                                 (["--svg", self.place / "no" / "a.svg", "run", "server-killed"], ENVIRONMENT, "cannot write"),
                                 (["--html", self.place / "no", "run", "server-killed"], ENVIRONMENT, "cannot write")):
            r = self.echodrill(*argv)
            self.assertEqual((r.code, r.out), (code, ""), r)
            self.assertIn(said, r.err)
        self.assertEqual(list(self.place.iterdir()), [])
