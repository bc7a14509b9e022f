# SPDX-License-Identifier: MIT
"""The pages of tools/programs: docs/programs.md, and a page of timelines for each program."""
import configparser
import hashlib
import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs/programs"
ENOUGH = 6  # faults that were measured, for a row to count

FAULTS = {  # table -> drills, in order
    "While it connects, or waits for an answer": [
        "refused", "connect-silent", "connect-unreachable", "killed-busy", "silent-busy", "silent-transfer", "hung",
        "rebooted-busy", "forgotten-busy", "drained-busy", "reload"],
    "While it is idle with a connection, or asks again after that": [
        "killed-idle", "silent-idle", "silent-request", "rebooted-idle", "drained-idle", "forgotten-idle", "unreachable"],
}
DRILLS = [fault for faults in FAULTS.values() for fault in faults]
ANSWERED = {"drained-busy", "reload"}  # that it ends with 0 may be right
SERVED = ANSWERED | {"drained-idle"}   # where the server ends no connection there is nothing to notice


class Text(str):
    """Of a program, as Markdown may show it: no markup, one line."""

    def cell(self):
        plain = "".join(c if c.isprintable() else " " for c in self)
        return re.sub(r"([\\`*_{}\[\]<>|#~&$!])", r"\\\1", plain).strip()


def read_program(name):
    """Its rows; of a key that repeats all lines, in one."""
    class Lines(dict):
        def __setitem__(self, key, value):
            if isinstance(value, list) and key in self:
                value = [*self[key], *value]
            super().__setitem__(key, value)

    c = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes=(";",), inline_comment_prefixes=(" ;",),
                                  dict_type=Lines)
    c.read(CONFIGS / f"{name}.conf")
    return c


def lines_of(c, key):
    return [line for line in c["program"].get(key, "").split("\n") if line]


def uncured(name):
    """{fault: why}"""
    found = {}
    for line in lines_of(read_program(name), "uncured"):
        faults, why = line.split(": ", 1)
        found |= dict.fromkeys(faults.split(), why)
    return found


def clients():
    for path in sorted(CONFIGS.glob("*.conf")):
        c = read_program(path.stem)
        if c["program"].get("kind", "client") != "server":
            yield path.stem
            if c.has_section("cure"):
                yield path.stem + ":cure"


def version_of(name):
    command = read_program(name)["program"].get("version")
    if not command:
        return ""
    try:
        r = subprocess.run(["sh", "-c", command], capture_output=True, text=True, errors="replace", timeout=20, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return ""
    lines = [line for line in r.stdout.splitlines() if line.strip()]
    return lines[0].strip() if lines else ""


def inputs_of(program, fault):
    """What a cell was made of: the drill and the program files, as a short number."""
    name = program.removesuffix(":cure")
    paths = [ROOT / f"configs/drills/program-{fault}.conf"]
    for one in (name, read_program(name)["program"]["server"]):
        c = read_program(one)
        paths += [CONFIGS / f"{one}.conf", *(CONFIGS / "files" / f for f in lines_of(c, "file"))]
    return hashlib.sha256(b"".join(p.read_bytes() for p in paths if p.exists())).hexdigest()[:16]


def results_of(path):
    """The lines of a file of results that are whole: a run that is broken off may leave a part of one."""
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            yield line, json.loads(line)
        except ValueError:
            continue


def load(path):
    """{(program, fault): result} of what is measured: conclusive, and of drills and programs as they are now."""
    done, known = {}, set(clients())
    for _, r in results_of(path):
        program, fault = r["client_program"], r["drill"].removeprefix("program-")
        if program not in known or r.get("inputs") not in (None, inputs_of(program, fault)):
            continue
        if not any(n["how"] == "ended" for n in r["noticed"]):
            r["client_end"] = "running"  # what ends it in the clean-up is no end of its own
        if r["verdict"] == "pass" or r["not_applicable"]:
            done[program, fault] = r
    return done


def duration(ns):
    if ns < 0:
        return "0"
    for unit, size in (("ms", 10**6), ("s", 10**9)):
        if ns < 999.5 * size or unit == "s":
            value = ns / size
            return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f} {unit}"
    return ""


def ended(r):
    return r["client_end"].removeprefix("exit code ") if r["client_end"].startswith("exit code") else None


def how(r):
    """What it did first, and how it ended."""
    end = r["client_end"]
    words = {"closed": "closes", "shut": "shuts", "said": "prints", "dialed": "connects anew", "ended": ""}
    first = words[r["noticed"][0]["how"]]
    end = f"exit {ended(r)}" if ended(r) is not None else end.replace("killed by ", "") if end != "running" else ""
    return ", ".join(x for x in (first, end) if x)


def serves_on(r, fault):
    """Whether the server never ended the connection: no FIN, no reset since the fault."""
    if fault not in SERVED:
        return False
    since = next((e["t_ns"] for e in r["timeline"] if e.get("what", "").startswith("FAULT")), 0)
    until = next((e["t_ns"] for e in r["timeline"] if e.get("what", "").startswith("end; what follows")), float("inf"))
    return not any(e["who"] == "wire" and since < e["t_ns"] < until and re.match("<-- .*(FIN|RST)", e.get("what", ""))
                   for e in r["timeline"])


def cell(r, program, fault):
    if r is None:
        return ""
    if r["not_applicable"]:
        return "n/a"
    link = f"programs/{program.replace(':', '-')}.md#{fault}"
    if not r["noticed"]:
        return f"[goes on]({link})" if serves_on(r, fault) else f"[**never**]({link})"
    mark = " ⚠" if ended(r) == "0" and fault not in ANSWERED else ""
    return f"[{duration(r['noticed'][0]['after_ns'])}, {how(r)}{mark}]({link})".replace(", ]", "]").replace(", ⚠", " ⚠")


def tcp_words(r):
    return {"unknown": "", "never": "never", "at_once": "at once"}.get(r["tcp_tells"], duration(r["tcp_tells_ns"] or 0))


def table(title, faults, rows, done):
    yield f"\n## {title}\n"
    yield "| client | " + " | ".join(faults) + " |"
    yield "|---|" + "---|" * len(faults)
    tells = []
    for fault in faults:
        any_of = next((r for (_, f), r in done.items() if f == fault), None)
        tells.append(tcp_words(any_of) if any_of else "")
    yield "| *TCP alone tells* | " + " | ".join(tells) + " |"
    for program in rows:
        cells = [cell(done.get((program, fault)), program, fault) for fault in faults]
        if any(c not in ("", "n/a") for c in cells):
            yield f"| {program.replace(':cure', ', cured')} | " + " | ".join(cells) + " |"


def timeline(r, most=40):
    lines = [f"{e['t_ns'] / 1e9:9.3f} {e['who']:<7} {e.get('what', '')}"[:150] for e in r["timeline"]
             if e["who"] != "states"]
    if len(lines) > most:
        lines = lines[:most // 2] + [f"          ... {len(lines) - most} lines ..."] + lines[-most // 2:]
    return "\n".join("    " + re.sub(r"[^\x20-\x7e]", "?", line) for line in lines)


def versions_in(done, name):
    """(client, server), as they were when the last of its cells was measured."""
    of = [r for (p, _), r in sorted(done.items()) if p.removesuffix(":cure") == name and "client_version" in r]
    last = max(of, key=lambda r: r["measured"], default=None)
    server = read_program(name)["program"]["server"]
    return (last["client_version"], last["server_version"]) if last else (version_of(name), version_of(server))


def page(program, done, versions):
    name = program.removesuffix(":cure")
    c = read_program(name)
    cells = [(fault, done[program, fault]) for fault in DRILLS if (program, fault) in done and not done[program, fault]["not_applicable"]]
    where = sorted({f"on {r['measured'][:10]} on {r['system']}" for _, r in cells if "measured" in r})
    yield f"# {program.replace(':cure', ', cured')}\n\nMade by `make programs`{' ' + Text('; '.join(where)).cell() if where else ''}. {Text(c['program'].get('about', '')).cell()}.\n"
    yield f"- client: {Text(versions[name][0]).cell()}; server: {c['program']['server']}, {Text(versions[name][1]).cell()}"
    if program != name:
        yield f"- what cures it: {Text(c['cure']['what']).cell()}"
    for fault, r in cells:
        yield f"\n## {fault}\n"
        tells = tcp_words(r)
        nothing = "nothing, and there is nothing to notice: the server serves on" if serves_on(r, fault) else "**never** within 60 s"
        yield "Noticed: " + (", ".join(f"after {duration(n['after_ns'])} {Text(n['what']).cell()}" for n in r["noticed"]) or
                             nothing) + f". At the end: {Text(r['client_end']).cell()}." + (f" TCP alone tells it: {tells}." if tells else "")
        yield f"Again, with its capture: `echodrill --programs {program} --pcap . run program-{fault}`\n"
        for command in r["commands"]:
            if command.startswith(("on client: sh", "on server: sh", "on client: exec", "on server: exec")):
                yield "    " + re.sub(r"[^\x20-\x7e]", "?", command)[:300]
        yield "\n" + timeline(r)


def head(rows, done, measured):
    dates = sorted({r["measured"][:10] for r in done.values() if "measured" in r})
    systems = sorted({r["system"] for r in done.values() if "system" in r})
    when = f" on {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, on {Text('; '.join(systems)).cell()}" if dates else ""
    count = sum(1 for p in rows if ":" not in p and measured[p] >= ENOUGH)
    return f"""# What other people's clients notice when the other end dies, and when

Made by `make programs`{when}: every cell is a drill that ran ([docs/drills.md](drills.md#other-peoples-programs)).
It says how long after the fault, or after its first SYN where it is started into the fault, the client did anything that
shows that it noticed: it closed or shut its socket, ended, printed a line that is new, or connected anew (under
*drained-busy* and *reload* the line may be the answer). **never** is: not within 60 s; *goes on*: the server serves on,
so there is nothing to notice; ⚠: it ended with exit code 0, as if all were well; n/a: it keeps no connection, or has no
long transfer. Many drills run at a time, so what takes less than a second or so is the time of a busy machine. What
TCP alone tells a client that sets nothing is computed by `echodrill explain`. A cell leads to its timeline.

{count} programs with at least {ENOUGH} measured faults; rows *cured* are the same programs with the settings that are named
below. Where a program has none, its host's are set, or it runs under `timeout`."""


def uncured_lines(rows):
    yield "\n## What no setting cures\n"
    for name in sorted({p.removesuffix(":cure") for p in rows}):
        for line in lines_of(read_program(name), "uncured"):
            faults, why = line.split(": ", 1)
            yield f"- **{name}**, {', '.join(faults.split())}: {Text(why).cell()}"


def render(out, docs, programs):
    done = load(out / "results.jsonl")
    rows = [p for p in programs if any(key[0] == p for key in done)]
    names = sorted({p.removesuffix(":cure") for p in rows})
    versions = {name: versions_in(done, name) for name in names}
    measured = {p: sum(1 for f in DRILLS if (p, f) in done and not done[p, f]["not_applicable"]) for p in rows}
    lines = [head(rows, done, measured)]
    for title, faults in FAULTS.items():
        lines += table(title, faults, rows, done)
    lines += uncured_lines(rows)
    lines += ["\n## Commands, versions, and what cures them\n",
              "| client | command | version | server | cured by | faults measured |", "|---|---|---|---|---|---|"]
    for name in names:
        c = read_program(name)
        cure = Text(c["cure"]["what"]).cell() if c.has_section("cure") else ""
        client, server = (Text(v).cell() for v in versions[name])
        command = Text(c["client"]["start"].removeprefix("exec ")).cell()
        lines.append(f"| {name} | {command} | {client} | {c['program']['server']}: {server} | {cure} | {measured.get(name, 0)} |")
    lines += ["\n## The faults\n"]
    for fault in DRILLS:
        text = (ROOT / f"configs/drills/program-{fault}.conf").read_text()
        story = re.search(r"^story = (.*)$", text, re.M)[1]
        sooner = re.search(r"^sooner = (.*)$", text, re.M)
        lines.append(f"- **{fault}**: {story}" + (f" To see it sooner: {sooner[1]}." if sooner else ""))
    (docs / "programs").mkdir(parents=True, exist_ok=True)
    (docs / "programs.md").write_text("\n".join(lines) + "\n")
    for program in rows:
        (docs / "programs" / f"{program.replace(':', '-')}.md").write_text("\n".join(page(program, done, versions)) + "\n")
