# SPDX-License-Identifier: MIT
"""TCP by hand: one end of connections, of which a test decides every segment. What no kernel would do (data behind a
FIN, a window that stays shut, a reset beside the window) is a line of a script here.

    wire = Wire(namespace)                      # the program runs in the namespace, where it is Wire.HERE
    def script(tcp, n):                         # of the n-th connection, in a thread of its own
        tcp.accept()
        tcp.send("FA", tcp.take(64))            # the answer and a FIN in one segment
        tcp.send("PA", b"more")                 # behind the FIN
    server = wire.listen(script)                # server.addr is for the program to connect to

    tcp = wire.dial(port)                       # connects to a program that listens on Wire.HERE

The far end of a veth pair has no address, so no kernel answers there: nothing is sent that the script does not send.
"""
import contextlib
import itertools
import queue
import random
import select
import socket
import struct
import threading
from collections import namedtuple

from echolab import PATIENCE, Failed, slow

ETH_P_IP, ETHERNET, IP, TCP = 0x0800, 14, 20, 20
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
FULL = 1400  # bytes of a segment, below any MTU here
MODULO = 1 << 32

Segment = namedtuple("Segment", "flags seq ack window data")


def mss(size):
    """The TCP option of a SYN."""
    return struct.pack("!BBH", 2, 4, size)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Gone(OSError):
    """The test is over while a script still waits."""


class Wire:
    """The network between a program in a namespace and what scripts say."""
    HERE, THERE = "10.9.0.1", "10.9.0.2"  # the program's address, and the one that scripts have
    MACS = "02:00:00:00:09:01", "02:00:00:00:09:02"

    def __init__(self, namespace):
        namespace.run(f"ip link add here address {self.MACS[0]} type veth peer name there address {self.MACS[1]}",
                      # segments as long as they are on a real wire: nobody cuts them behind us
                      "ip link set here gso_max_segs 1",
                      f"ip addr add {self.HERE}/24 dev here", "ip link set here up", "ip link set there up",
                      f"ip neigh replace {self.THERE} lladdr {self.MACS[1]} dev here nud permanent")
        with namespace:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind(("there", ETH_P_IP))
        self.head = bytes.fromhex("".join(self.MACS).replace(":", "")) + struct.pack("!H", ETH_P_IP)
        self.here, self.there = map(socket.inet_aton, (self.HERE, self.THERE))
        self.ports, self.listeners, self.open, self.scripts = itertools.count(20000), {}, {}, []
        self.stop, self.stopped = socket.socketpair()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            ready, _, _ = select.select([self.socket, self.stopped], [], [])
            if self.stopped in ready:
                return
            frame, (_, _, kind, *_) = self.socket.recvfrom(1 << 17)
            if kind == socket.PACKET_HOST and frame[ETHERNET + 9] == socket.IPPROTO_TCP:
                self.deliver(frame[ETHERNET:ETHERNET + struct.unpack_from("!H", frame, ETHERNET + 2)[0]])

    def deliver(self, packet):
        at = (packet[0] & 15) * 4
        theirs, ours, seq, ack, offset, bits, window = struct.unpack_from("!HHIIBBH", packet, at)
        flags = "".join(f for f, bit in FLAGS.items() if bits & bit)
        segment = Segment(flags, seq, ack, window, packet[at + (offset >> 4) * 4:])
        tcp = self.open.get((ours, theirs))
        if not tcp and segment.flags == "S" and ours in self.listeners:
            tcp = self.open[ours, theirs] = Hand(self, ours, theirs)
            self.listeners[ours].begin(tcp)
        if tcp:
            tcp.inbox.put(segment)

    def packet(self, protocol, payload):
        """To the program, in a packet of IP."""
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, IP + len(payload), 0, 0, 64, protocol, 0, self.there, self.here)
        self.socket.send(self.head + ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + payload)

    def listen(self, script):
        """Runs script(tcp, n) for each that connects."""
        server = HandServer(self, next(self.ports), script)
        self.listeners[server.addr[1]] = server
        return server

    def hand(self, port, ours=None):
        """An end that has said nothing yet, to a program that listens there."""
        tcp = Hand(self, ours or next(self.ports), port)
        self.open[tcp.ours, port] = tcp
        return tcp

    def dial(self, port, **syn):
        """One that is connected."""
        tcp = self.hand(port)
        tcp.connect(**syn)
        return tcp

    def close(self):
        """Whatever scripts wait for: they end."""
        for tcp in list(self.open.values()):
            tcp.inbox.put(None)
        for thread in self.scripts:
            thread.join(slow(PATIENCE))
        self.stop.send(b"x")
        self.reader.join(slow(PATIENCE))
        for sock in (self.socket, self.stop, self.stopped):
            sock.close()


class Lumps:
    """program() stands still while a script sends, and runs while the script waits: what is sent between two waits lies
    there at once, so that nothing is left to chance but what the program makes of it."""

    def __init__(self, program):
        self.program, self.stack = program, None

    def hold(self):
        if not self.stack:
            self.stack = contextlib.ExitStack()
            with contextlib.suppress(FileNotFoundError):  # it has ended
                self.stack.enter_context(self.program().held())

    def release(self):
        if self.stack:
            self.stack.close()
            self.stack = None


class HandServer:
    """Where a program connects to. What goes wrong in its scripts is in .errors."""

    def __init__(self, wire, port, script):
        self.wire, self.addr, self.script, self.errors, self.began = wire, (wire.THERE, port), script, [], 0

    def begin(self, tcp):
        thread = threading.Thread(target=self.serve, args=(tcp, self.began), daemon=True)
        self.began += 1
        self.wire.scripts.append(thread)
        thread.start()

    def serve(self, tcp, n):
        try:
            with contextlib.suppress(Gone, ConnectionResetError):
                self.script(tcp, n)
        except Exception as e:
            self.errors.append(e)
            tcp.send("RA")  # nobody waits for what will not come

    def close(self):
        """It has what it needed; fails if a script did."""
        if self.errors:
            raise Failed(f"in a script: {self.errors[0]!r}") from self.errors[0]


class Hand:
    """One connection. seq: what is sent next; ack: what is awaited next; both change as segments go and come."""

    def __init__(self, wire, ours, theirs):
        self.wire, self.ours, self.theirs, self.inbox = wire, ours, theirs, queue.SimpleQueue()
        self.seq, self.ack, self.window = random.randrange(MODULO), 0, 65535
        self.data, self.fin = b"", False  # what has come and was not taken; whether a FIN has
        self.early = {}  # by seq: segments that came before those that they follow
        self.lumps = None
        self.unacked = []  # (where it ends, what sends it again) of what this side would send again: wires lose frames

    # what goes out

    def send(self, flags="A", data=b"", seq=None, ack=None, options=b"", urgent=0, broken=False):
        """One segment. With a `seq` of its own it is beside the stream: what is sent next does not change."""
        if self.lumps:
            self.lumps.hold()
        at = self.seq if seq is None else seq % MODULO
        bits = sum(FLAGS[f] for f in flags)
        ack = (self.ack if ack is None else ack % MODULO) if "A" in flags else 0

        def segment(check):
            return struct.pack("!HHIIBBHHH", self.ours, self.theirs, at, ack, (TCP + len(options)) << 2, bits,
                               self.window, check, urgent) + options + data
        whole = segment(0)
        pseudo = self.wire.there + self.wire.here + struct.pack("!HH", socket.IPPROTO_TCP, len(whole))
        self.wire.packet(socket.IPPROTO_TCP, segment(checksum(pseudo + whole) ^ broken))
        if seq is None:
            self.seq = (at + len(data) + ("S" in flags) + ("F" in flags)) % MODULO

    def sure(self, flags, data=b"", **how):
        """One segment of the stream, sent again if nothing comes."""
        at = self.seq
        self.send(flags, data, **how)
        self.unacked.append((self.seq, lambda: self.send(flags, data, seq=at, **how)))

    def say(self, data, size=FULL, flags="PA", **how):
        """Bytes of the stream, in segments of that size."""
        for at in range(0, len(data), size):
            (self.send if "seq" in how else self.sure)(flags, data[at:at + size], **how)

    def icmp(self, kind, code, seq, mtu=0):
        """An ICMP error about a segment of theirs that began there."""
        quoted = struct.pack("!BBHHHBBH4s4s", 0x45, 0, IP + 8, 0, 0, 64, socket.IPPROTO_TCP, 0, self.wire.here,
                             self.wire.there) + struct.pack("!HHI", self.theirs, self.ours, seq % MODULO)
        message = struct.pack("!BBHI", kind, code, 0, mtu) + quoted
        message = message[:2] + struct.pack("!H", checksum(message)) + message[4:]
        self.wire.packet(socket.IPPROTO_ICMP, message)

    # what comes in

    def next(self, timeout=PATIENCE):
        """The next segment, whatever it is; None: none within that time."""
        if self.lumps and self.inbox.empty():
            self.lumps.release()
        try:
            segment = self.inbox.get(timeout=slow(timeout))
        except queue.Empty:
            return None
        if segment is None:
            self.inbox.put(None)
            raise Gone
        return segment

    def come(self):
        """The next segment; None: none comes any more, though what was not acknowledged was sent again."""
        for _ in range(3 * PATIENCE):
            segment = self.next(1)
            if segment:
                if "A" in segment.flags:
                    self.unacked = [u for u in self.unacked if (u[0] - segment.ack - 1) % MODULO < MODULO // 2]
                return segment
            for _, again in self.unacked:
                again()
        return None

    def step(self, acks=True):
        """Takes in one segment, and acknowledges what it brings. ConnectionResetError: it was a reset."""
        segment = self.come()
        if not segment:
            raise Failed(f"nothing comes any more; so far {len(self.data)} bytes wait, FIN {self.fin}")
        if "R" in segment.flags:
            raise ConnectionResetError
        if "S" in segment.flags:
            return segment
        new = self.bring(segment)
        while follower := self.early.pop(self.ack, None):
            new = self.bring(follower) or new
        if acks and new:
            self.send()
        return segment

    def bring(self, segment):
        """Takes what is new of it, or keeps it until what is before it has come: frames of a program with more than one
        CPU overtake each other. Returns whether it brought something."""
        if not segment.data and "F" not in segment.flags:
            return False
        old = (self.ack - segment.seq) % MODULO  # bytes of it that came before
        if old > MODULO // 2:
            self.early[segment.seq] = segment
        if old > len(segment.data):
            return False
        new = segment.data[old:]
        self.fin = self.fin or "F" in segment.flags
        self.data += new
        self.ack = (self.ack + len(new) + ("F" in segment.flags)) % MODULO
        return bool(new or "F" in segment.flags)

    def take(self, size, acks=True):
        """That many bytes of the stream."""
        while len(self.data) < size:
            if self.fin:
                raise Failed(f"FIN behind {len(self.data)} bytes of {size}")
            self.step(acks)
        taken, self.data = self.data[:size], self.data[size:]
        return taken

    def until(self, flag):
        """The first segment with that flag, or with both of "SA"; what else comes is taken in."""
        while True:
            segment = self.come()
            if not segment:
                raise Failed(f"no {flag} comes")
            if flag in segment.flags:
                return segment
            if "R" in segment.flags:
                raise ConnectionResetError
            if segment.data:
                self.ack = (segment.seq + len(segment.data)) % MODULO
                self.send()

    def acked(self):
        """The segment by which all that was sent is acknowledged; what it brings is left alone."""
        while segment := self.come():
            if "R" in segment.flags:
                raise ConnectionResetError
            if segment.ack == self.seq:
                return segment
        raise Failed("what was sent is not acknowledged")

    def rest(self):
        """All bytes up to their FIN."""
        while not self.fin:
            self.step()
        taken, self.data = self.data, b""
        return taken

    # what most scripts begin and end with

    def syn(self):
        """Their SYN, which is in `ack` from now on."""
        segment = self.until("S")
        self.ack = (segment.seq + 1) % MODULO
        return segment

    def accept(self, options=b""):
        """Their SYN is answered as it should be."""
        self.syn()
        self.sure("SA", options=options)

    def connect(self, flags="S", options=b"", data=b""):
        """We are the client; `data` in the SYN is not remembered by a server."""
        at = self.seq
        self.send(flags, data, at, options=options)
        self.unacked.append((at + 1, lambda: self.send(flags, data, at, options=options)))
        answer = self.until("SA")
        self.seq, self.ack = answer.ack, (answer.seq + 1) % MODULO
        self.send()

    def echo(self, answer=None):
        """answer(data) or the same bytes, until their FIN, which is not acknowledged."""
        while not self.fin:
            if not self.data:
                self.step(acks=False)
            taken, self.data = self.data, b""
            if taken:
                (answer or self.say)(taken)

    def serve(self, answer=None):
        """Goes on as an echo server, until both have sent FIN."""
        self.echo(answer)
        self.send("FA")
