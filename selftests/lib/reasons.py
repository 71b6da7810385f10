"""Does everything that is not in the chip say why, and what to do? Asked of a running daemon, of all that it shows.

    reasons.py SOCKET CLIENT REASONS SEEN    REASONS is docs/reasons.md; exit 1 with what is wrong

Each object that is not offloaded has a documented reason, in the state that the documentation has it in. The first object with each
pair of kind and reason is explained, by the daemon and by the client's text, which ends with what to do: SEEN, a file, remembers
which were, so that a script with many tests asks once for each. Of routes and neighbours only the first pages are read.
"""

import re
import subprocess
import sys

sys.path.insert(0, __file__.rsplit("/", 1)[0])
from agent import Agent, Refused

PAGES = 3
# What may follow the fix: facts, not advice.
FACTS = ("chip", "device", "rule", "hazard", "sent", "heard", "flag")


def documented(path):
    """Reason: (state, fix)."""
    reasons, state, code = {}, None, None
    for line in open(path):
        if line.startswith("## State `"):
            state = line.split("`")[1]
        elif line.startswith("### `"):
            code = line.split("`")[1]
        elif line.startswith("* fix: "):
            reasons[code] = (state, line[len("* fix: ") :].strip())
    return reasons


def rows(agent):
    for kind, method in (("rif", "ListRif"), ("vmac", "ListVmac")):
        for row in agent.call(method)[kind + "s"]:
            yield kind, row["ifname"], row
    for kind, method in (("route", "ListRoute"), ("neigh", "ListNeighbour")):
        pages = Agent(agent.socket.getpeername())
        pages.ask(method, more=True)
        for _ in range(PAGES):
            page = pages.answer()
            for row in page["routes" if kind == "route" else "neighbours"]:
                yield kind, row["dst"], row
            if not pages.continues:
                break
        pages.close()


def wrong_with(row, reasons):
    """What is wrong with the reason of a row; None: nothing."""
    reason = row.get("reason")
    if reason is None:
        return None if row["state"] == "offload" else f"is {row['state']}, and nothing says why"
    if reason not in reasons:
        return f"has the reason {reason}, which is not documented"
    if reasons[reason][0] not in (row["state"], "offload"):
        return f"is {row['state']} by {reason}, which stands for {reasons[reason][0]}"
    return None


def explained(agent, socket, client, kind, name, row, reasons):
    """What is wrong with the explanation; None: nothing, or it is another one by now."""
    if kind == "neigh":
        return None
    words = [name]
    try:
        if kind == "route":
            if row.get("vrf"):
                words += ["vrf", row["vrf"]]
            else:
                words += ["table", str(row["table"])]
            prefix = name if "/" in name else {"default": "0.0.0.0/0" if row["family"] == "ipv4" else "::/0"}.get(name, name)
            if "/" not in prefix:
                prefix += "/32" if row["family"] == "ipv4" else "/128"
            words = ["route", prefix, *words[1:]]
            told = agent.call("ExplainRoute", prefix=prefix, table=row["table"])["explanation"]
            advice = [a for a in told["reasons"] if a["reason"] == row["reason"]]
        else:
            told = agent.call("Explain", dev=name)["explanation"]
            advice = [told] if told.get("reason") == row["reason"] else []
    except Refused:
        return None
    if not advice:
        return None
    told = advice[0]
    for part in ("sentence", "effect", "fix"):
        if len(told.get(part) or "") < 8:
            return f"is explained without {part}"
    said = reasons[row["reason"]][1]
    pattern = re.escape(said).replace("DEV", r"\S+")
    if not re.fullmatch(pattern, told["fix"]):
        return f"has the fix {told['fix']!r}, and {said!r} is documented"
    text = subprocess.run([client, "--socket", socket, "explain", *words], capture_output=True, text=True)
    if text.returncode not in (0, 3):
        return f"can't be explained by the client: {text.stderr.strip()}"
    parts = re.findall(r"^  (\w+) *: ?(.*)$", text.stdout, re.M)
    names = [name for name, _ in parts]
    if row["reason"] not in text.stdout:
        return None
    if "fix" not in names or len(dict(parts)["fix"]) < 4:
        return f"has no fix in the client's text:\n{text.stdout}"
    last = len(names) - 1 - names[::-1].index("fix")
    if any(name not in FACTS for name in names[last + 1 :]):
        return f"has something behind its fix in the client's text:\n{text.stdout}"
    return None


def main(socket, client, path, seen_path):
    reasons = documented(path)
    agent = Agent(socket, limit=5)
    with open(seen_path, "a+") as file:
        file.seek(0)
        seen = set(file.read().split())
        for attempt in range(2):
            bad = []
            for kind, name, row in rows(agent):
                wrong = wrong_with(row, reasons)
                pair = f"{kind}:{row.get('reason')}"
                if wrong is None and row.get("reason") and row["state"] != "offload" and pair not in seen:
                    wrong = explained(agent, socket, client, kind, name, row, reasons)
                    if wrong is None:
                        seen.add(pair)
                        file.write(pair + "\n")
                if wrong:
                    bad.append(f"{kind} {name} {wrong}")
            if not bad:
                return 0
            if attempt == 0:
                # It may have been on its way.
                try:
                    agent.call("Wait", object="synced", timeout_ms=2000)
                except Refused:
                    pass
        print("\n".join(bad[:10]))
        return 1


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (ConnectionError, TimeoutError):
        # It ended, or does not answer: not what this asks.
        sys.exit(0)
