"""GET / for each line of the input, over a connection that is kept: HOST PORT [TIMEOUT]"""
import http.client
import sys

host, port, timeout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else None
connection = http.client.HTTPConnection(host, port, timeout=timeout)
for _ in sys.stdin:
    connection.request("GET", "/")
    answer = connection.getresponse()
    print(answer.status, answer.read().decode().strip())
