# SPDX-License-Identifier: MIT
"""What tools/tidy learns from the symbols of the objects: whether exported functions carry their file's name, which
files of a folder need each other in a circle, and which functions are exported though only their own file uses them.
"""
import re
import subprocess
from collections import defaultdict

# A symbol that only the entry point or a table of the linker needs is not looked for in other files.
ENTRY = {"main"}


def symbols(objects):
    """For each object the functions and tables it defines for others, and the names it takes from others."""
    defined, needed = {}, defaultdict(set)
    for path in objects:
        r = subprocess.run(["nm", "-g", "--format=posix", path], capture_output=True, text=True, check=True)
        for line in r.stdout.splitlines():
            name, kind = line.split()[:2]
            if kind == "U":
                needed[path].add(name)
            elif kind in "TDBR" and name not in ENTRY and not name.startswith("_"):
                defined[name] = (path, kind)
    return defined, needed


def carries(name, source):
    """Whether a function of uring_conn.c begins with uring_ or uring_conn_; timers_next may be in timer.c. Every
    program has its opts.c: their functions begin with the program's name, with or without "echo"."""
    stem = source.rsplit("/", 1)[1][:-2]
    parts = stem.split("_")
    words = ["_".join(parts[:n]) for n in range(1, len(parts) + 1)]
    if parts[0] == "opts":
        program = source.split("/")[1]
        words += [program, program.removeprefix("echo")]
    words += [w[:-1] if w.endswith("s") else w + "s" for w in words]
    return any(re.match(rf"{w}(_|$)", name) for w in words)


def circles(edges):
    """The strongly connected components of more than one file (Tarjan's algorithm)."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(edges[v]):
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            ring = stack[stack.index(v):]
            del stack[stack.index(v):]
            if len(ring) > 1:
                found.append(sorted(ring))

    for v in sorted(edges):
        if v not in index:
            visit(v)
    return found


def check(sources, tests, say, allowed):
    """sources and tests: {object: source file}. say(path, line, what) reports, allowed(rule, what) asks the exceptions."""
    defined, needed = symbols(sources)
    edges = {source: set() for source in sources.values()}
    for path, names in needed.items():
        for name in names & set(defined):
            edges[sources[path]].add(sources[defined[name][0]])
    taken = set().union(*needed.values(), *symbols(tests)[1].values())
    for name, (path, kind) in sorted(defined.items()):
        source = sources[path]
        stem = source.rsplit("/", 1)[1][:-2]
        if kind == "T" and not carries(name, source) and not allowed("prefix", name):
            say(source, 1, f"exports {name}, which does not begin with {stem}_")
        if name not in taken and not allowed("unused", name):
            say(source, 1, f"exports {name}, which no other file uses: make it static, or take it out")
    for ring in circles(edges):
        if not allowed("circle", " ".join(ring)):
            say(ring[0], 1, f"is in a circle with {', '.join(ring[1:])}: which of them should not know the others?")
