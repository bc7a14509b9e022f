# SPDX-License-Identifier: MIT
"""The table of tests/nth in a page, between two marks: a row for each scenario that was run whole, and their sums. A
scenario's row is replaced when it is run again; the others stay."""

BEGIN, END = "<!-- the table of tests/nth -->\n", "<!-- its end -->\n"
HEAD = ["scenario", "program", "n", "calls", "errnos", "runs", "wrong"]
COUNTED = HEAD.index("calls")  # from here on columns are numbers
ALL = "all"


def parts(text):
    """What stands before the table, the table, and what stands after it."""
    before, rest = text.split(BEGIN)
    table, after = rest.split(END)
    return before, table, after


def read(text):
    """{scenario: row}, and the row of sums; ({}, None) if there is no table yet. ValueError: it is none of this form."""
    lines = [line.strip("|\n ").split(" | ") for line in parts(text)[1].splitlines() if line.strip()]
    if not lines:
        return {}, None
    if lines[0] != HEAD or len(lines) < 4 or any(len(line) != len(HEAD) for line in lines):
        raise ValueError(f"not a table of {HEAD}: {lines}")
    rows = [line[:COUNTED] + [int(cell) for cell in line[COUNTED:]] for line in lines[2:]]
    if rows[-1][0] != ALL:
        raise ValueError(f"the last row is not that of {ALL}: {rows[-1]}")
    return {row[0]: row for row in rows[:-1]}, rows[-1]


def sums(rows):
    return [ALL, "-", "-", *map(sum, zip(*[row[COUNTED:] for row in rows]))]


def put(path, new, order):
    """Puts rows in the place of those of the same scenarios; they stand in this order."""
    text = path.read_text()
    before, _, after = parts(text)
    rows = read(text)[0] | {row[0]: row for row in new}
    rows = [rows[name] for name in order if name in rows]
    lines = [HEAD, ["---"] * COUNTED + ["--:"] * (len(HEAD) - COUNTED), *rows, sums(rows)]
    table = "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)
    path.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")
