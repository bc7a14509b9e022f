# SPDX-License-Identifier: MIT
"""What the tests of hostile peers share: tables of their kinds (hostileservers.py, hostileclients.py), each of which is a
test for each backend, and the wire that peers by hand are on (tcphand.py).

A row is a function, which plays the peer, under its decorator, which says what our program must say of its end:

    @server("eof_early awaiting acked", rate="eof idle", timeout="300ms")
    def fin_with_the_answer(tcp, load):
        ...

A keyword that is the name of a load says what differs under it, None that the kind makes no sense there; `only` names the
backends that can do it; every other one is an option of the program. A new row needs nothing else. A time within which the
peer has to act is a float, in seconds: a machine that is too slow for it is given four times as much, and 16 times.
"""
from echolab import Namespace, no_namespaces, slow
from loadlab import LoadCase
from tcphand import Wire


class Row:
    """One kind of peer: play(...) is what it does, says[load] what is to be said of it, options: of our program."""

    def __init__(self, play, says, loads, how):
        self.play, self.name = play, play.__name__
        self.says = {load: how.pop(load, says) for load in loads}
        self.says = {load: text for load, text in self.says.items() if text is not None}
        self.only, self.options = how.pop("only", None), how

    def deadline(self, factor=1):
        """The least of its times, in seconds; None: it has none."""
        return min((slow(v) * factor for v in self.options.values() if isinstance(v, float)), default=None)

    def timed(self, factor=1):
        """Its options as the program takes them."""
        return {k: f"{slow(1000 * v) * factor:.0f}ms" if isinstance(v, float) else v for k, v in self.options.items()}


def table(loads):
    """(rows, row): @row(...) makes a row of a function."""
    rows = []

    def row(says, **how):
        return lambda play: rows.append(Row(play, says, loads, how)) or play
    return rows, row


def tests(rows):
    """A class decorator: a test of each row, self.meets(row)."""
    def fill(cls):
        for row in rows:
            def test(self, row=row):
                self.meets(row)
            test.__doc__ = row.play.__doc__
            if row.only:
                test.only = row.only
            setattr(cls, f"test_{row.name}", test)
        return cls
    return fill


class HostileCase(LoadCase):
    """All tests of a class have one wire; None: it takes network namespaces, and there are none."""
    namespace = wire = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not no_namespaces():
            cls.namespace = Namespace()
            cls.addClassCleanup(cls.namespace.holder.end)
            cls.shared = (cls.namespace.holder.pid,)
            cls.wire = Wire(cls.namespace)
            cls.addClassCleanup(cls.wire.close)
