# SPDX-License-Identifier: MIT
"""Clients that misbehave, and what echod must count them under (hostile.py says how a row is written).

A row makes a connection by hand, load.dial() (tcphand.py), or a socket of this kernel, load.connect(), loads it with
load.run(...), and then does what its name says. "eof" is the cause that each of its connections has, "" means that none is
counted, "reset eof" that there are two.
"""
import contextlib
from socket import MSG_OOB

import hostile
from echolab import fill, half_close, pattern, recv_to_end, rst
from tcphand import FULL, MODULO, mss

SIZE, MUCH = 64, bytes(64 << 20)
LOADS = ("closed", "pipelined", "rate", "churn", "lumps")
DEADLINE = 1.0  # within it a row has come as far as it wants
ONCE = {"closed": None, "pipelined": None, "rate": None, "lumps": None}  # a kind that never sends anything
KERNELS = {"lumps": None}  # on a socket of this kernel
ROWS, client = hostile.table(LOADS)


# --- how they leave --------------------------------------------------------------------------------------------

@client("eof")
def fin(load):
    tcp = load.dial()
    load.run(tcp)
    load.leave(tcp)


@client("reset")
def reset(load):
    tcp = load.dial()
    load.run(tcp, takes=False)
    tcp.send("RA")


@client("reset", closed=None, rate=None, churn=None, **KERNELS)
def closes_with_answers_unread(load):
    sock = load.connect()
    load.run(sock, takes=False)
    sock.close()


@client("eof")
def reset_behind_a_fin(load):
    """It was owed nothing that had not left."""
    tcp = load.dial()
    load.run(tcp)
    tcp.send("FA")
    tcp.send("RA")


@client("eof")
def fin_with_the_last_message(load):
    tcp = load.dial()
    load.run(tcp)
    data = pattern(SIZE)
    tcp.send("FPA", data)
    load.case.assertSame(tcp.rest(), data)


@client("eof")
def data_behind_a_fin(load):
    """Nobody gets it back."""
    tcp = load.dial()
    load.run(tcp)
    tcp.send("FA")
    tcp.say(pattern(SIZE))
    load.case.assertSame(tcp.rest(), b"")


@client("eof", **KERNELS)
def half_close_then_reads(load):
    sock = load.connect()
    load.run(sock)
    data = pattern(1 << 20)
    went = fill(load.server, sock, data, quiet=0.01)
    half_close(sock)
    load.case.assertEqual(recv_to_end(sock), (data[:went], "eof"))


@client("eof")
def half_close_and_silence(load):
    """Their FIN is never acknowledged."""
    tcp = load.dial()
    load.run(tcp)
    tcp.send("FA")
    tcp.until("F")


@client("reset", **KERNELS)
def half_close_then_reset_while_much_is_owed(load):
    sock = load.connect(rcvbuf=4096)
    load.run(sock)
    fill(load.server, sock, MUCH, quiet=0.05)
    half_close(sock)
    rst(sock)


@client("idle_timeout", pipelined=None, rate=None, churn=None, lumps=None, idle_timeout=DEADLINE)
def simultaneous_close(load):
    """Its FIN does not know of theirs."""
    tcp = load.dial()
    load.run(tcp)
    theirs = tcp.until("F")
    tcp.send("FA", ack=theirs.seq)
    tcp.send(seq=tcp.seq, ack=theirs.seq + 1)


@client("timeout_tcp", user_timeout=DEADLINE)
def vanishes(load):
    """What it is owed is not acknowledged: the kernel gives up."""
    tcp = load.dial()
    load.run(tcp)
    tcp.say(pattern(SIZE))


@client("timeout_tcp", user_timeout=DEADLINE)
def vanishes_behind_its_fin(load):
    """It is owed much, of which nothing is acknowledged."""
    tcp = load.dial()
    load.run(tcp)
    tcp.window = 0
    with contextlib.suppress(ConnectionResetError):  # a slow machine has not sent all when that happens
        for _ in range(10):
            tcp.say(pattern(20 * FULL))
            if tcp.acked().window < 20 * FULL:
                break
    tcp.send("FA")


@client("timeout_tcp", keepalive="3s/1s/1")
def vanishes_while_nothing_is_owed(load):
    """Keepalive asks, and has no answer."""
    tcp = load.dial()
    load.run(tcp)


# --- how they do not come ----------------------------------------------------------------------------------------

@client("", **ONCE)
def a_syn_and_no_more(load):
    load.hand().send("S")


@client("", **ONCE)
def a_syn_then_reset(load):
    tcp = load.hand()
    tcp.send("S")
    tcp.until("S")
    tcp.send("R")


@client("", **ONCE, backlog=8)
def a_flood_of_syns(load):
    """More than may wait, of which none becomes a connection."""
    for _ in range(300):
        load.hand().send("S")


@client("", **ONCE)
def syn_with_fin(load):
    """Is no beginning."""
    load.hand().send("SF")


@client("", **ONCE)
def an_acknowledgement_out_of_nothing(load):
    tcp = load.hand()
    tcp.send("PA", b"hello", ack=12345)
    tcp.until("R")


@client("", **ONCE)
def acknowledges_another_syn(load):
    tcp = load.hand()
    tcp.send("S")
    theirs = tcp.until("S")
    tcp.send("A", ack=theirs.seq + 1000)
    tcp.until("R")


@client("eof")
def data_in_the_syn(load):
    """Is not taken, and comes again."""
    tcp = load.dial(data=b"early")
    load.run(tcp)
    load.leave(tcp)


@client("eof")
def data_is_the_answer_to_the_syn(load):
    """It acknowledges what an ACK would."""
    tcp = load.hand()
    tcp.send("S")
    theirs = tcp.until("S")
    tcp.ack = (theirs.seq + 1) % MODULO
    tcp.say(b"first")
    load.case.assertSame(tcp.take(5), b"first")
    load.run(tcp)
    load.leave(tcp)


@client("eof", **ONCE)
def fin_is_the_answer_to_the_syn(load):
    tcp = load.hand()
    tcp.send("S")
    theirs = tcp.until("S")
    tcp.ack = (theirs.seq + 1) % MODULO
    load.leave(tcp)


@client("reset", **ONCE)
def reset_before_it_is_accepted(load):
    with load.server.held():
        load.dial().send("RA")


@client("eof", **ONCE)
def fin_before_it_is_accepted(load):
    """With a message, whose echo it gets."""
    with load.server.held():
        tcp = load.dial()
        tcp.send("FPA", b"message")
    load.case.assertSame(tcp.rest(), b"message")


@client("reset eof")
def comes_back_from_the_same_port(load):
    """Its machine has started again, and does not know of the first one."""
    old = load.dial()
    load.run(old)
    new = load.hand(ours=old.ours)
    new.send("S", seq=old.seq + 100000)
    challenge = new.until("A")
    new.send("R", seq=challenge.ack)
    new.connect()
    load.run(new)
    load.leave(new)


# --- how they do not read ----------------------------------------------------------------------------------------

@client("idle_timeout", idle_timeout=DEADLINE)
def silence(load):
    tcp = load.dial()
    load.run(tcp)


@client("stalled", idle_timeout=DEADLINE)
def a_window_that_stays_shut(load):
    tcp = load.dial()
    load.run(tcp)
    tcp.window = 0
    tcp.say(pattern(SIZE))


@client("stalled", idle_timeout=DEADLINE)
def acknowledges_nothing(load):
    tcp = load.dial()
    load.run(tcp)
    tcp.say(pattern(SIZE))


@client("slow", slow_timeout=DEADLINE, only=("epoll", "io_uring"), **KERNELS)
def takes_too_long(load):
    sock = load.connect(rcvbuf=4096)
    load.run(sock)
    with contextlib.suppress(ConnectionError):  # it ends while we send
        fill(load.server, sock, MUCH, quiet=0.05)


@client("eof")
def a_window_that_opens_at_a_probe(load):
    tcp = load.dial()
    load.run(tcp)
    tcp.window = 0
    data = pattern(SIZE)
    tcp.say(data)
    tcp.acked()
    tcp.until("A")
    tcp.window = 65535
    tcp.send()
    load.case.assertSame(tcp.take(SIZE), data)
    load.leave(tcp)


@client("eof")
def a_window_of_one_segment(load):
    tcp = load.hand()
    tcp.window = 100
    tcp.connect(options=mss(88))
    load.run(tcp, 600)
    load.leave(tcp)


@client("eof")
def segments_of_88_bytes(load):
    tcp = load.dial(options=mss(88))
    load.run(tcp, 3000)
    load.leave(tcp)


@client("eof")
def segments_of_536_bytes(load):
    tcp = load.dial(options=mss(536))
    load.run(tcp, 3000)
    load.leave(tcp)


@client("eof")
def segments_of_no_bytes(load):
    """The kernel takes 48 for 0."""
    tcp = load.dial(options=mss(0))
    load.run(tcp, 3000)
    load.leave(tcp)


@client("reset", **KERNELS)
def floods_and_never_reads(load):
    sock = load.connect(rcvbuf=4096)
    load.run(sock)
    fill(load.server, sock, MUCH, quiet=0.05)
    rst(sock)


@client("reset", **KERNELS)
def floods_and_closes(load):
    """Unread answers make a reset of it."""
    sock = load.connect(rcvbuf=4096)
    load.run(sock)
    fill(load.server, sock, MUCH, quiet=0.05)
    sock.close()


# --- what they send ------------------------------------------------------------------------------------------------

@client("eof")
def a_byte_in_each_segment(load):
    tcp = load.dial()
    load.run(tcp, say=lambda data: tcp.say(data, 1))
    load.leave(tcp)


@client("eof", **KERNELS)
def urgent_bytes(load):
    sock = load.connect()
    load.run(sock, say=lambda data: [sock.send(data[at:at + 10], MSG_OOB) for at in range(0, len(data), 10)])
    half_close(sock)
    load.case.assertEqual(recv_to_end(sock), (b"", "eof"))


@client("eof")
def urgent_pointers_to_nowhere(load):
    tcp = load.dial()
    load.run(tcp, say=lambda data: tcp.say(data, 10, "UPA", urgent=60000))
    load.leave(tcp)


# --- segments beside the stream --------------------------------------------------------------------------------------

@client("eof")
def segments_twice_and_out_of_order(load):
    """And again with other bytes, which come too late."""
    def say(data):
        at, half = tcp.seq, len(data) // 2
        tcp.send("PA", data[half:], seq=at + half)
        tcp.send("PA", data[:half], seq=at)
        tcp.send("PA", bytes(len(data)), seq=at)
        tcp.seq = (at + len(data)) % MODULO
        tcp.send("PA", b"x", seq=tcp.seq - 1)
    tcp = load.dial()
    load.run(tcp, say=say)
    load.leave(tcp)


def beside(stray):
    """A row: stray(tcp, syn) goes before each message, and is no part of the stream."""
    def play(load):
        tcp = load.dial()

        def say(data):
            stray(tcp)
            tcp.say(data)
        load.run(tcp, say=say)
        stray(tcp)
        load.leave(tcp)
    play.__name__, play.__doc__ = stray.__name__, stray.__doc__
    return play


@client("eof")
@beside
def wrong_checksums(tcp):
    tcp.send("PA", bytes(SIZE), seq=tcp.seq, broken=True)
    tcp.send("RA", seq=tcp.seq, broken=True)


@client("eof")
@beside
def a_reset_beside_the_window(tcp):
    """Somebody guesses: neither behind the window nor within it does it end anything."""
    tcp.send("R", seq=tcp.seq - 5)
    tcp.send("R", seq=tcp.seq + 5)
    tcp.send("R", seq=tcp.seq + (1 << 30))


@client("eof")
@beside
def a_syn_in_the_middle(tcp):
    tcp.send("S", seq=tcp.seq)


@client("eof")
@beside
def acknowledges_what_was_never_sent(tcp):
    tcp.send("A", ack=tcp.ack + 100000)


@client("eof")
@beside
def icmp_about_a_connection_that_works(tcp):
    """Unreachable, it says, while messages come."""
    for code in (0, 1, 3, 13):
        tcp.icmp(3, code, tcp.ack)


@client("eof")
@beside
def icmp_of_a_path_for_68_bytes(tcp):
    """Fragmentation is needed, it says: the kernel believes 552 and no less."""
    tcp.icmp(3, 4, tcp.ack, mtu=68)


@client("host_unreachable", user_timeout=DEADLINE)
def vanishes_and_icmp_says_why(load):
    tcp = load.dial()
    load.run(tcp)
    tcp.say(pattern(SIZE))
    tcp.until("P")  # the echo, which is not taken
    tcp.icmp(3, 1, tcp.ack)


@client("eof")
def options_of_nonsense(load):
    """Unknown ones, one that is longer than the segment, one without a length."""
    tcp = load.dial(options=bytes([254, 4, 1, 2]) + mss(1400) + bytes([3, 3, 255, 0]))
    load.run(tcp, say=lambda data: tcp.say(data, options=bytes([5, 40, 1, 1, 8, 0, 1, 1])))
    load.leave(tcp)
