# SPDX-License-Identifier: MIT
"""docs/claims.txt, which says what makes the figures of README.md and docs/, and the blocks of those pages that have
figures. The form of the table stands at its head.
"""
import re

from bounded import seconds_of

HOLDS, FAILS, UNKNOWN, NEVER, NOT_RUN = VERDICTS = "holds", "FAILS", "unknown", "never", "not run"
TABLE = "docs/claims.txt"
NUMBER = r"((?<![\d.,])-?(?<![\d.,])[\d,]*\.?\d+)(?!\d)"
BOUND = re.compile(r"([\d.]*?)\.\.([\d.]*) (.+)")
MANY = 3  # cells of a table, decimal fractions of an output: these are measured
RATIO = re.compile(r"\d\.\d+ \(\d\.\d+(?:-| to )\d\.\d+\)")
CELL = re.compile(r"[\d.,]+\b|.*\d\.\d")
DECIMAL = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")
PROGRAM = re.compile(r"\b(?:bench|tools|tests)/[\w./-]*\w")
TARGET = re.compile(r"\bmake ([a-z][\w-]*)(?=\s|$)")


class TableError(Exception):
    pass


def one_line(text):
    return " ".join(text.split())


class Test:
    """What the output of a command, or its exit code, must be: a line below a claim."""

    def __init__(self, text):
        self.text, self.low, self.high, self.code, self.words = text, None, None, None, None
        kind, _, rest = text.partition(" ")
        if m := BOUND.fullmatch(text):
            self.low, self.high, self.words = float(m[1] or "-inf"), float(m[2] or "inf"), m[3]
        elif kind == "says" and rest:
            self.words = rest
        elif kind == "exit" and rest.isdigit():
            self.code = int(rest)
        if (self.code is None and not self.words) or (self.low is not None and self.words.count("#") != 1):
            raise ValueError(f"neither 'LOW..HIGH WORDS' with one # in them, nor 'says WORDS', nor 'exit N': {text}")

    def pattern(self):
        made = re.escape(one_line(self.words)).replace(r"\.\.\.", ".*?").replace(r"\ ", r"\s+")
        return made if self.low is None else made.replace(r"\#", NUMBER)

    def judge(self, ended, output, answers=(0, 1)):
        """The verdict, what was measured, and why it is not HOLDS. `answers`: exit codes that are any."""
        without = FAILS if ended in answers else UNKNOWN
        if self.code is not None:
            return HOLDS if ended == self.code else without, "", f"ended with {ended}, not {self.code}"
        found = [m for line in output.splitlines() if (m := re.search(self.pattern(), line))]
        if not found:
            return without, "", f"ended with {ended}, and nothing in its output is: {self.words}"
        if self.low is None:
            return HOLDS if ended in answers else UNKNOWN, "", f"ended with {ended}"
        values = [float(m[1].replace(",", "")) for m in found]
        measured = f"{min(values):g}" + (f"..{max(values):g}" if min(values) < max(values) else "")
        if not all(self.low <= v <= self.high for v in values):
            return FAILS, measured, f"{measured} is not within {self.text}"
        return HOLDS if ended in answers else UNKNOWN, measured, f"ended with {ended}"


class Claim:
    def __init__(self, n, page, words, command):
        self.n, self.page, self.words, self.command, self.tests = n, page, one_line(words), command, []

    def judge(self, ended, output):
        """The worst of what its tests say."""
        # other codes say that there is no answer, unless they are what is asked for: usage, environment, too noisy, killed
        answers = {0, 1, *(t.code for t in self.tests if t.code is not None)}
        said = [t.judge(ended, output, answers) for t in self.tests]
        worst = min(said, key=lambda s: [FAILS, UNKNOWN, HOLDS].index(s[0]))
        return worst[0], " ".join(s[1] for s in said if s[1]), worst[2]


class Command:
    def __init__(self, limit, text):
        self.never = limit == NEVER
        self.limit_s = 0 if self.never else seconds_of(limit)
        self.text, self.claims = text, []


def read(path):
    """The commands of the table, each with its claims. TableError names the line that cannot be read."""
    commands, above = [], []  # the claims that the next test is of
    for n, line in enumerate([*path.read_text().splitlines(), "$ never the end"], 1):
        try:
            if not line.strip() or line.startswith("#"):
                continue
            if line[0].isspace():
                if not above:
                    raise ValueError(f"a test of no claim: {line.strip()}")
                for claim in above:
                    claim.tests.append(Test(line.strip()))
                continue
            if line.startswith("$ ") or (above and above[0].tests):
                if above and not above[0].tests and not commands[-1].never:
                    raise ValueError(f"has no test: {above[0].words}")
                above = []
            if line.startswith("$ "):
                commands.append(Command(*(line[2:].split(" ", 1) + [""])[:2]))
                continue
            page, colon, words = line.partition(": ")
            if not colon or not commands:
                raise ValueError(f"neither a command nor 'PAGE: WORDS' below one: {line}")
            above.append(Claim(n, page, words, commands[-1]))
            commands[-1].claims.append(above[-1])
        except ValueError as e:
            raise TableError(f"{TABLE}:{n}: {e}") from e
    return commands[:-1]


class Block:
    """A table, an output or a paragraph of a page."""

    def __init__(self, line, kind):
        self.line, self.kind, self.lines = line, kind, []

    def line_of(self, words):
        inside = (self.line + i for i, text in enumerate(self.lines) if words in one_line(text))
        return next(inside, self.line) if words in one_line(" ".join(self.lines)) else None

    def has_figures(self):
        text = "\n".join(self.lines)
        if self.kind == "table":
            cells = [c.strip() for row in self.lines[2:] for c in row.strip("| ").split(" | ")[1:]]
            return sum(1 for c in cells if CELL.match(c)) >= MANY
        return len(DECIMAL.findall(text)) >= MANY if self.kind == "output" else bool(RATIO.search(text))


def blocks(path):
    found, before = [], None
    for n, line in enumerate(path.read_text().splitlines(), 1):
        kind = "table" if line.startswith("|") else "output" if line.startswith("    ") else "text" if line else None
        if kind and (kind != before or not found):
            found.append(Block(n, kind))
        if found and (kind or before == "output"):  # an output may have empty lines
            found[-1].lines.append(line)
        before = kind or (before if before == "output" else None)
    return found


def places(root, claim):
    """page:line of the words of a claim, and what is wrong with it, if anything."""
    found, wrong = [], []
    pages = sorted(root.glob(claim.page))
    for page in pages:
        name = page.relative_to(root)
        lines = [line for b in blocks(page) if (line := b.line_of(claim.words))]
        found += [f"{name}:{line}" for line in lines]
        if len(lines) != 1:
            wrong.append(f"{TABLE}:{claim.n}: {name} has this {len(lines)} times: {claim.words}")
    return found, wrong if pages else [f"{TABLE}:{claim.n}: there is no {claim.page}"]


def missing(root, command):
    """What a command takes from the tree and is not there, a program or a target of the Makefile, in words."""
    said = [f"there is no {name}" for name in PROGRAM.findall(command) if not (root / name).exists()]
    targets = TARGET.findall(command)
    makefile = (root / "Makefile").read_text() if targets else ""
    return said + [f"the Makefile makes no {t}" for t in targets
                   if not re.search(rf"^(?:\S+ )*{re.escape(t)}(?: \S+)*:(?!=)", makefile, re.M)]


def check(root, commands):
    """What is wrong with table and pages, as lines: words that stand nowhere, figures without a command, and commands of
    which nothing is there."""
    wrong, known = [], set()
    for command in commands:
        for claim in command.claims:
            found, bad = places(root, claim)
            wrong += bad
            known |= set(found)
            if claim.words.startswith("Made by"):  # all of that page
                known |= {place.split(":")[0] for place in found}
        wrong += [f"{TABLE}: {what}: {command.text}" for what in ([] if command.never else missing(root, command.text))]
    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        name = str(page.relative_to(root))
        for b in blocks(page) if page.exists() and name not in known else []:
            if b.has_figures() and not any(f"{name}:{n}" in known for n in range(b.line, b.line + len(b.lines))):
                wrong.append(f"{name}:{b.line}: this {b.kind} has figures, and {TABLE} does not say what makes them")
    return wrong
