"""GET / for each line of the input, with a session and its pool: HOST PORT [TIMEOUT]"""
import sys

import requests

host, port, timeout = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else None
with requests.Session() as session:
    for _ in sys.stdin:
        answer = session.get(f"http://{host}:{port}/", timeout=timeout)
        print(answer.status_code, answer.text.strip())
