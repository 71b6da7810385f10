"""Questions to a Prometheus on 127.0.0.1:9090.

    prometheus.py ready            exit code 0: it answers
    prometheus.py query PROMQL     a line `INSTANCE VALUE` for each sample, sorted
"""

import json
import sys
import urllib.parse
import urllib.request

HERE = "http://127.0.0.1:9090"


def ask(path):
    with urllib.request.urlopen(HERE + path, timeout=10) as answer:
        return answer.read()


def main():
    verb, *rest = sys.argv[1:]
    try:
        if verb == "ready":
            ask("/-/ready")
            return
        found = json.loads(ask("/api/v1/query?" + urllib.parse.urlencode({"query": rest[0]})))
    except OSError as error:
        sys.exit(str(error))
    samples = found["data"]["result"]
    for line in sorted(f"{sample['metric'].get('instance')} {sample['value'][1]}" for sample in samples):
        print(line)


main()
