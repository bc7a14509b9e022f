# SPDX-License-Identifier: MIT
"""Servers that misbehave, and what echoload must say of them (hostile.py says how a row is written).

The words are "CAUSE PHASE LOST", as in docs/results.md, several with / between where the server leaves it open; "served"
means that nothing went wrong. `tcp` is a connection by hand (tcphand.py); with kernel=True it is a socket of this kernel.
load.owed is how many bytes come before echoload waits for an answer, load.ended an event. Under the load `lumps` (not
of the kernel's sockets) echoload stands still until the script waits for something.
"""
from socket import MSG_OOB

import hostile
from echolab import PATIENCE, half_close, pattern, recv_exactly, slow
from loadlab import readable
from tcphand import MODULO, mss

SIZE = 64  # of a message, unless the row says another
SHORT = f"{slow(300):.0f}ms"
LOADS = {"closed": {}, "pipelined": {"pipeline": 8}, "rate": {"rate": 500, "duration": "10m"}, "churn": {"churn": 5},
         "lumps": {}}
ROWS, server = hostile.table(LOADS)


# --- how they leave --------------------------------------------------------------------------------------------

@server("eof_early awaiting acked")
def fin_instead_of_an_answer(tcp, load):
    tcp.accept()
    tcp.take(load.owed)
    tcp.send("FA")


@server("reset awaiting acked")
def reset_instead_of_an_answer(tcp, load):
    tcp.accept()
    tcp.take(load.owed)
    tcp.send("RA")


@server("reset awaiting unacked")
def reset_that_answers_the_request(tcp, load):
    """Nothing of it was acknowledged before."""
    tcp.accept()
    tcp.take(load.owed, acks=False)
    tcp.send("RA")


@server("reset awaiting unacked")
def reset_behind_an_acknowledgement_of_a_part(tcp, load):
    tcp.accept()
    tcp.take(load.owed, acks=False)
    tcp.send("A", ack=tcp.ack - load.owed + 1)
    tcp.send("RA")


@server("reset awaiting acked", kernel=True)
def closes_with_the_request_unread(sock, load):
    readable(sock)


@server("eof_early awaiting acked")
def reset_behind_a_fin(tcp, load):
    tcp.accept()
    tcp.take(load.owed)
    tcp.send("FA")
    tcp.send("RA")


@server("eof_early awaiting acked")
def half_an_answer_then_fin(tcp, load):
    tcp.accept()
    tcp.send("FPA", tcp.take(load.owed)[:SIZE // 2])


@server("reset awaiting acked")
def half_an_answer_then_reset(tcp, load):
    tcp.accept()
    tcp.say(tcp.take(load.owed)[:SIZE // 2])
    tcp.send("RA")


@server("eof_early awaiting/sending", rate="eof idle")
def fin_with_the_answer(tcp, load):
    """In one segment: what is sent then meets a FIN."""
    tcp.accept()
    tcp.send("FPA", tcp.take(load.owed))


@server("eof_early awaiting acked")
def data_behind_a_fin(tcp, load):
    """The right answer, too late: a FIN is the end."""
    tcp.accept()
    data = tcp.take(load.owed)
    tcp.send("FA")
    tcp.say(data)


@server("eof_early awaiting acked")
def half_close_and_silence(tcp, load):
    """It goes on to read."""
    tcp.accept()
    tcp.take(load.owed)
    tcp.send("FA")
    tcp.rest()


@server("eof_early awaiting acked", kernel=True)
def fin_at_once_and_reads_on(sock, load):
    recv_exactly(sock, 1)
    half_close(sock)
    while sock.recv(1 << 16):
        pass


@server("eof_early awaiting/sending", rate="eof/eof_early idle/awaiting/sending")
def accepts_and_closes_at_once(tcp, load):
    tcp.accept()
    tcp.send("FA")
    tcp.send("RA", seq=tcp.seq, ack=tcp.step().ack)


@server("reset connecting/idle/awaiting/sending")
def accepts_and_resets_at_once(tcp, load):
    """How far the program was when it came is nobody's to say."""
    tcp.accept()
    tcp.send("RA")


@server("served")
def fin_in_pieces(tcp, load):
    """At the end it acknowledges their FIN, and sends its own twice."""
    tcp.accept()
    tcp.serve()
    tcp.send("FA", seq=tcp.seq - 1)


@server("served")
def simultaneous_close(tcp, load):
    """Its FIN does not know of theirs."""
    tcp.accept()
    tcp.echo()
    tcp.send("FA", ack=tcp.ack - 1)
    tcp.until("A")
    tcp.send()


@server("served")
def reset_as_the_answer_to_a_fin(tcp, load):
    tcp.accept()
    tcp.echo()
    tcp.send("RA")


@server("served")
def never_answers_the_last_fin(tcp, load):
    tcp.accept()
    tcp.echo()


# --- how they do not come ----------------------------------------------------------------------------------------

@server("refused connecting")
def reset_as_the_answer_to_a_syn(tcp, load):
    tcp.syn()
    tcp.send("RA")


@server("timeout_connect connecting", connect_timeout=SHORT)
def ignores_the_syn(tcp, load):
    tcp.syn()


@server("timeout_connect connecting", connect_timeout=SHORT)
def acknowledges_another_syn(tcp, load):
    """What is answered by a reset, and is no connection."""
    tcp.syn()
    tcp.send("SA", ack=tcp.ack + 1000)


@server("timeout_connect connecting", connect_timeout=SHORT)
def resets_another_syn(tcp, load):
    tcp.syn()
    tcp.send("RA", ack=tcp.ack + 1000)


@server("refused connecting")
def no_such_port(tcp, load):
    """ICMP says so."""
    tcp.icmp(3, 3, tcp.syn().seq)


@server("host_unreachable connecting")
def a_firewall(tcp, load):
    """ICMP says that it is prohibited."""
    tcp.icmp(3, 13, tcp.syn().seq)


@server("served")
def simultaneous_open(tcp, load):
    tcp.syn()
    tcp.send("S")
    tcp.until("A")
    tcp.send()
    tcp.serve()


@server("served")
def answers_the_syn_twice(tcp, load):
    tcp.accept()
    tcp.send("SA", seq=tcp.seq - 1)
    tcp.serve()


# --- how they do not read ----------------------------------------------------------------------------------------

@server("timeout_answer awaiting acked/unacked", timeout=SHORT)
def silence(tcp, load):
    tcp.accept()
    tcp.rest()


@server("timeout_answer awaiting unacked", timeout=SHORT)
def acknowledges_nothing(tcp, load):
    tcp.accept()
    tcp.take(load.owed, acks=False)


@server("timeout_tcp awaiting unacked", user_timeout=0.5)
def vanishes(tcp, load):
    """The kernel gives up."""
    tcp.accept()
    tcp.take(load.owed, acks=False)


@server("timeout_answer awaiting unacked", timeout=SHORT)
def a_window_that_stays_shut(tcp, load):
    tcp.window = 0
    tcp.accept()


@server("served")
def acknowledges_a_byte_less(tcp, load):
    """Of what it answers."""
    tcp.accept()
    tcp.serve(lambda data: tcp.say(data, ack=tcp.ack - 1))


@server("served")
def a_window_that_opens_at_a_probe(tcp, load):
    tcp.window = 0
    tcp.accept()
    tcp.until("A")
    tcp.until("A")
    tcp.window = 65535
    tcp.send()
    tcp.serve()


@server("served", size=40, messages=1, pipelined=None, churn=None)
def a_window_of_a_few_bytes(tcp, load):
    """Each probe takes as many along."""
    tcp.window = 20
    tcp.accept()
    tcp.serve()


@server("served", size=600, messages=10)
def a_window_of_one_segment(tcp, load):
    tcp.window = 100
    tcp.accept(options=mss(88))
    tcp.serve()


@server("served", size=3000, messages=10)
def segments_of_88_bytes(tcp, load):
    tcp.accept(options=mss(88))
    tcp.serve()


@server("served", size=3000, messages=10)
def segments_of_536_bytes(tcp, load):
    tcp.accept(options=mss(536))
    tcp.serve()


@server("served", size=3000, messages=10)
def segments_of_no_bytes(tcp, load):
    """The kernel takes 48 for 0."""
    tcp.accept(options=mss(0))
    tcp.serve()


@server("timeout_answer sending partial/unsent", kernel=True, timeout=SHORT, size=8 << 20, churn=None)
def accepts_and_never_reads(sock, load):
    load.ended.wait(slow(3 * PATIENCE))


# --- what they answer ----------------------------------------------------------------------------------------------

@server("corrupt idle/awaiting/sending")
def answers_before_the_question(tcp, load):
    tcp.accept()
    tcp.say(b"220 at your service\r\n")
    tcp.rest()


@server("corrupt idle", pipelined="corrupt awaiting acked")
def answers_twice(tcp, load):
    tcp.accept()
    data = tcp.take(load.owed)
    tcp.say(b"".join(2 * data[at:at + SIZE] for at in range(0, len(data), SIZE)))
    tcp.rest()


@server("corrupt awaiting acked")
def a_wrong_byte(tcp, load):
    tcp.accept()
    tcp.say(tcp.take(load.owed - 1) + b"?")
    tcp.rest()


@server("corrupt awaiting acked")
def answers_in_another_order(tcp, load):
    tcp.accept()
    data = tcp.take(load.owed)
    tcp.say(data[load.owed // 2:] + data[:load.owed // 2])
    tcp.rest()


@server("timeout_answer awaiting acked/unacked", timeout=SHORT)
def the_last_byte_does_not_come(tcp, load):
    tcp.accept()
    tcp.say(tcp.take(load.owed)[:-1])
    tcp.rest()


@server("corrupt awaiting acked", closed=None, rate=None, churn=None, lumps=None)
def a_byte_of_an_answer_is_missing(tcp, load):
    """The next answer is in its place."""
    tcp.accept()
    data = tcp.take(load.owed)
    tcp.say(data[:SIZE - 1] + data[SIZE:])
    tcp.rest()


@server("corrupt idle/awaiting/sending", kernel=True)
def floods_and_never_reads(sock, load):
    sock.sendall(pattern(1 << 20))
    load.ended.wait(slow(3 * PATIENCE))


@server("timeout_answer awaiting acked/unacked", timeout=SHORT)
def a_byte_now_and_then(tcp, load):
    """The time is that of a message, not of its bytes."""
    tcp.accept()
    for byte in tcp.take(load.owed):
        tcp.send("PA", bytes([byte]))
        if load.ended.wait(0.04):  # what is measured is time
            break


@server("served", messages=10)
def a_byte_in_each_segment(tcp, load):
    tcp.accept()
    tcp.serve(lambda data: tcp.say(data, 1))


@server("served", kernel=True)
def urgent_bytes(sock, load):
    while data := sock.recv(1 << 16):
        for at in range(0, len(data), 10):
            sock.send(data[at:at + 10], MSG_OOB)


@server("served")
def urgent_pointers_to_nowhere(tcp, load):
    tcp.accept()
    tcp.serve(lambda data: tcp.say(data, 10, "UPA", urgent=60000))


# --- segments beside the stream --------------------------------------------------------------------------------------

@server("served")
def segments_twice_and_out_of_order(tcp, load):
    """And again with other bytes, which come too late."""
    def answer(data):
        at, half = tcp.seq, len(data) // 2
        tcp.send("PA", data[half:], seq=at + half)
        tcp.send("PA", data[:half], seq=at)
        tcp.send("PA", bytes(len(data)), seq=at)
        tcp.seq = (at + len(data)) % MODULO
        tcp.send("PA", b"x", seq=tcp.seq - 1)
    tcp.accept()
    tcp.serve(answer)


def beside(stray):
    """A row: stray(tcp, data) goes before each answer, and is no part of the stream."""
    def play(tcp, load):
        def answer(data):
            stray(tcp, data)
            tcp.say(data)
        tcp.accept()
        tcp.serve(answer)
    play.__name__, play.__doc__ = stray.__name__, stray.__doc__
    return play


@server("served")
@beside
def wrong_checksums(tcp, data):
    tcp.send("PA", bytes(len(data)), seq=tcp.seq, broken=True)
    tcp.send("RA", seq=tcp.seq, broken=True)


@server("served")
@beside
def a_reset_beside_the_window(tcp, data):
    """Somebody guesses: neither behind the window nor within it does it end anything."""
    tcp.send("R", seq=tcp.seq - 5)
    tcp.send("R", seq=tcp.seq + 5)
    tcp.send("R", seq=tcp.seq + (1 << 30))


@server("served")
@beside
def a_syn_in_the_middle(tcp, data):
    tcp.send("S", seq=tcp.seq)


@server("served")
@beside
def acknowledges_what_was_never_sent(tcp, data):
    tcp.send("A", ack=tcp.ack + 100000)


@server("served")
@beside
def icmp_about_a_connection_that_works(tcp, data):
    """Unreachable, it says, while answers come."""
    for code in (0, 1, 3, 13):
        tcp.icmp(3, code, tcp.ack)


@server("served", size=3000, messages=10)
@beside
def icmp_of_a_path_for_68_bytes(tcp, data):
    """Fragmentation is needed, it says: the kernel believes 552 and no less."""
    tcp.icmp(3, 4, tcp.ack, mtu=68)


@server("host_unreachable awaiting unacked", user_timeout=0.5)
def vanishes_and_icmp_says_why(tcp, load):
    """The kernel gives up; what it heard meanwhile names the end."""
    tcp.accept()
    tcp.take(load.owed, acks=False)
    tcp.icmp(3, 1, tcp.ack - load.owed)


@server("host_unreachable awaiting acked", icmp_errors=True)
def icmp_that_is_to_count(tcp, load):
    """A host that cannot be reached."""
    tcp.accept()
    tcp.take(load.owed)
    tcp.icmp(3, 1, tcp.ack)


@server("refused awaiting acked", icmp_errors=True)
def icmp_of_a_port_that_is_to_count(tcp, load):
    tcp.accept()
    tcp.take(load.owed)
    tcp.icmp(3, 3, tcp.ack)


@server("served")
def options_of_nonsense(tcp, load):
    """Unknown ones, one that is longer than the segment, one without a length."""
    tcp.accept(options=bytes([254, 4, 1, 2]) + mss(1400) + bytes([3, 3, 255, 0]))
    tcp.serve(lambda data: tcp.say(data, options=bytes([5, 40, 1, 1, 8, 0, 1, 1])))


@server("served")
def bytes_with_the_answer_to_the_syn(tcp, load):
    """Nobody asked for them there."""
    tcp.syn()
    tcp.send("SPA", b"220 at your service", seq=tcp.seq)
    tcp.seq += 1
    tcp.serve()
