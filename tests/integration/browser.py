# SPDX-License-Identifier: MIT
"""A browser without a screen for tests of pages: Debian's chromium, told what to do by its DevTools protocol.

    browser = Browser()                      # one for a whole class: it takes a second to start
    page = browser.open(path)                # a new tab, when its script has said that it is ready
    page.value("document.title")             # what an expression is, promises awaited
    page.drag((100, 50), (300, 50))          # events as from a mouse and a keyboard
    page.errors, page.requests               # what the console said; all that was asked for besides the page

Messages go through a pipe, so that no port is open and nobody else can connect.
"""
import base64
import contextlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from echolab import PATIENCE, Failed, slow

PACKAGE = "chromium-headless-shell"
DRAWING = 4 * PATIENCE  # a page of several hours takes seconds where nothing else runs
FLAGS = ["--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
         "--force-color-profile=srgb", "--js-flags=--max-old-space-size=512"]


def program():
    """None: it is not installed."""
    return shutil.which(PACKAGE) or shutil.which("chromium")


class Browser:
    def __init__(self):
        self.home = tempfile.mkdtemp(prefix="browser.")
        to_child, self.to = os.pipe()
        self.of, from_child = os.pipe()
        os.set_blocking(self.of, False)

        def descriptors():  # the protocol's: 3 is read, 4 is written
            a, b = os.dup(to_child), os.dup(from_child)
            os.dup2(a, 3)
            os.dup2(b, 4)

        # a session of its own: what it starts ends with it
        self.process = subprocess.Popen([program(), *FLAGS, "--headless", f"--user-data-dir={self.home}/data"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(f"{self.home}/stderr", "wb"), pass_fds=(3, 4),
                                        preexec_fn=descriptors, start_new_session=True,
                                        env={**os.environ, "HOME": self.home})
        os.close(to_child)
        os.close(from_child)
        self.buffer, self.number, self.answers = b"", 0, {}
        self.pages = {}
        self.call("Target.createTarget", url="about:blank")  # it would end with its last page

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to)
        os.close(self.of)
        shutil.rmtree(self.home, ignore_errors=True)

    def read(self, until):
        """Takes what has come, or waits for more."""
        if not select.select([self.of], [], [], max(0, until - time.monotonic()))[0]:
            raise Failed("the browser does not answer: " + Path(self.home, "stderr").read_text(errors="replace")[-2000:])
        data = os.read(self.of, 1 << 20)
        if not data:
            raise Failed("the browser has ended: " + Path(self.home, "stderr").read_text(errors="replace")[-2000:])
        *whole, self.buffer = (self.buffer + data).split(b"\0")
        for text in whole:
            message = json.loads(text)
            if "id" in message:
                self.answers[message["id"]] = message
            elif message.get("sessionId") in self.pages:
                self.pages[message["sessionId"]].event(message["method"], message["params"])

    def call(self, method, session=None, **params):
        self.number += 1
        number, until = self.number, time.monotonic() + slow(DRAWING)
        message = {"id": number, "method": method, "params": params} | ({"sessionId": session} if session else {})
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while number not in self.answers:
            self.read(until)
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Failed(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, path, dark=False, size=(1280, 900)):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return Page(self, target, session, Path(path), dark, size)


# dygraphs 2.2 warns so when a gap in the data is at the edge of what a zoom shows: it lays the next points out as well,
# and clips them
BEYOND_A_ZOOM = re.compile(r"\d+ points out of X bounds:")


class Page:
    def __init__(self, browser, target, session, path, dark, size):
        self.browser, self.target, self.session = browser, target, session
        self.errors, self.requests = [], []
        browser.pages[session] = self
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        self.dark(dark)
        self.url = path.resolve().as_uri()
        self.call("Page.navigate", url=self.url)
        self.wait("document.documentElement && document.documentElement.dataset.ready !== undefined")

    def call(self, method, **params):
        return self.browser.call(method, self.session, **params)

    def event(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled":
            said = [a.get("value") for a in params["args"]]
            if not (len(said) == 1 and BEYOND_A_ZOOM.match(str(said[0]))):
                self.errors.append(said)
        elif method == "Log.entryAdded":
            self.errors.append(params["entry"])
        elif method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if url != self.url and not url.startswith("data:"):  # that is a part of the page
                self.requests.append(url)

    def value(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            raise Failed(f"{expression}: {r['exceptionDetails'].get('exception', r['exceptionDetails'])}")
        return r["result"].get("value")

    def wait(self, expression):
        """Until it is true: looked at in every frame that the browser draws."""
        until = time.monotonic() + slow(DRAWING)
        while not self.value(f"new Promise(r => requestAnimationFrame(() => r(Boolean({expression}))))"):
            if time.monotonic() > until:
                raise Failed(f"never true: {expression}; the console said {self.errors}")

    def dark(self, on):
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if on else "light"}])

    def mouse(self, kind, at, **more):
        self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], **more)

    def drag(self, a, b):
        held = {"button": "left", "buttons": 1}
        self.mouse("mouseMoved", a)
        self.mouse("mousePressed", a, clickCount=1, **held)
        for i in range(1, 5):
            self.mouse("mouseMoved", (a[0] + (b[0] - a[0]) * i / 4, a[1] + (b[1] - a[1]) * i / 4), **held)
        self.mouse("mouseReleased", b, button="left", clickCount=1)

    def click(self, selector):
        x, y, w, h = self.box(selector)
        at = (x + w / 2, y + h / 2)
        self.mouse("mouseMoved", at)
        self.mouse("mousePressed", at, button="left", buttons=1, clickCount=1)
        self.mouse("mouseReleased", at, button="left", clickCount=1)

    def key(self, name, text=None, shift=False):
        params = {"key": name, "modifiers": 8 if shift else 0} | ({"text": text} if text else {})
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
        if name in codes:
            params["windowsVirtualKeyCode"] = codes[name]
        self.call("Input.dispatchKeyEvent", type="keyDown", **params)
        self.call("Input.dispatchKeyEvent", type="keyUp", **params)

    def box(self, selector):
        """Where it is, scrolled into sight."""
        return self.value(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); "
                          "e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); "
                          "return [r.x, r.y, r.width, r.height]; })()")

    def tree(self):
        """(role, name) of all that those who hear the page are told of."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [(n["role"]["value"], n.get("name", {}).get("value", "")) for n in nodes if not n["ignored"] and "role" in n]

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)["data"]
        Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self.target)
        del self.browser.pages[self.session]
