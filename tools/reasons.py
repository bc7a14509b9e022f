# SPDX-License-Identifier: MIT
"""A file of exceptions with reasons, for tools that find what is not always wrong. An entry is a line that says what is
let pass, exactly as the tool prints it; indented lines below one or more of them say why. A line that begins with # is a
comment. Each entry must have its reason and must be needed: what was cured is taken out.
"""
import re
from pathlib import Path


class Reasons:
    def __init__(self, path):
        self.path = path
        self.entries = {}  # what is let pass -> number of its line
        self.wrong = []  # file:line: what is wrong with the file
        self.used = set()
        without = []  # entries that have no reason yet
        for n, line in enumerate(Path(path).read_text().splitlines(), 1):
            if line.startswith("#") or not line.strip():
                continue
            if line[0].isspace():
                without.clear()
                continue
            if line in self.entries:
                self.wrong.append(f"{path}:{n}: is there twice: {line}")
            self.entries[line] = n
            without.append(line)
        self.wrong += [f"{path}:{self.entries[line]}: has no reason: {line}" for line in without]

    def lets_pass(self, finding):
        """Whether it is an exception; notes that the entry is needed."""
        self.used.add(finding)
        return finding in self.entries

    def unneeded(self, asked=lambda key: True):
        """file:line: of each entry that nothing needed, of those that were asked for."""
        return [f"{self.path}:{n}: is not needed any more: {key}" for key, n in self.entries.items()
                if key not in self.used and asked(key)]


def function_at(lines, number):
    """The name of the function that has line @number (from 1), "" outside of functions. clang-format has put the code in
    shape: a function begins with a "{" in the first column, and its name is in the lines above it."""
    if lines[number - 1].startswith("}"):
        number -= 1
    for i in range(number - 1, -1, -1):
        if lines[i].startswith("}"):
            return ""
        if not lines[i].startswith("{"):
            continue
        for j in range(i - 1, -1, -1):
            # what stands in the first column; attributes have their own parentheses
            if lines[j][:1].isalpha() or lines[j][:1] == "_":
                head = re.sub(r"__attribute__\(\(.*?\)\)\)? ", "", lines[j])
                m = re.search(r"(\w+)\(", head)
                return m.group(1) if m else ""
        return ""
    return ""
