"""Asks for a key for each line of the input, over a connection that is kept: HOST PORT [TIMEOUT]"""
import sys

from pymemcache.client.base import Client

timeout = float(sys.argv[3]) if len(sys.argv) > 3 else None
client = Client((sys.argv[1], int(sys.argv[2])), connect_timeout=timeout, timeout=timeout)
for _ in sys.stdin:
    print(client.get("hello"))
