#!/usr/bin/env python3
"""The first inputs of each fuzz target, from what the repository has of the real thing.

    seeds.py DIRECTORY      makes DIRECTORY/TARGET/* for every target

rtnetlink, devlink: recorded messages. chip, session, recording: the register vectors, as accesses, as answers, as a capture. pipeline,
vrrp: frames of the scripts, advertisements of daemons. varlink, config, control: the examples of docs/, and the personalities.
"""

import json
import pathlib
import re
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = pathlib.Path(sys.argv[1])

# Captured behind keepalived 2.2.7: version 3 of both families, version 2 with a password.
ADVERTS = [
    "01005e00001200005e000133080045c0002000030000ff70d08e0a090001e00000123133c801000a11210a0900fe",
    "33330000001200005e00023386dd6c056b9d002870fffe8000000000000050c5a6fffec7a493ff020000000000000000000000000012"
    "3133c802000a3e89fe80000000000000000000000000005120010db8000900000000000000000254",
    "01005e00001200005e000134080045c0002800010000ff70d0880a090001e00000122134960101010077" "0a0900fd7365637265740000",
]


def seed(target, name, content):
    directory = OUT / target
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def read(path):
    return (ROOT / path).read_text()


def chunk(content):
    return struct.pack(">H", len(content)) + content


# --- netlink ----------------------------------------------------------------------------------------------------------


def netlink():
    for number, path in enumerate(("recorded.txt", "recorded-6.12.txt")):
        messages = []
        for line in read(f"agent/netlink/fixtures/{path}").splitlines():
            words = line.split()
            if len(words) == 2 and not line.startswith("#"):
                messages.append((words[0], bytes.fromhex(words[1])))
        for name, message in messages:
            seed("rtnetlink", f"{number}-{name}", message)
        for step in (4, 8):
            for at in range(0, len(messages), step):
                seed("rtnetlink", f"{number}-from-{at}-{step}", b"".join(m for _, m in messages[at : at + step]))
    for number, path in enumerate(("recorded-6.12.txt", "recorded-7.3.txt")):
        for at, line in enumerate(read(f"agent/devlink/tests/{path}").splitlines()):
            words = line.split()
            if len(words) == 3 and words[1] == "message":
                seed("devlink", f"{number}-{words[0]}-{at}", bytes.fromhex(words[2]))


# --- registers --------------------------------------------------------------------------------------------------------


def emad(register, payload, method, tid, response=0, status=0):
    header = bytes.fromhex("0102c90000010002c901020389320000")
    operation = struct.pack(">HHHBBQ", 1 << 11 | 4, status << 8, register, response << 7 | method, 1, tid)
    words = 1 + len(payload) // 4
    return header + operation + struct.pack(">HH", 3 << 11 | words, 0) + payload + struct.pack(">HH", 1, 0)


def registers():
    order = re.search(r"^registers! \{(.*?)\}", read("hwsim/emad/src/register.rs"), re.S | re.M)[1].lower().split()
    files = [read(f"hwsim/emad/vectors/{name}.jsonl") for name in ("registers", "layouts")]
    vectors = [json.loads(line) for file in files for line in file.splitlines()]
    by_register = {}
    for vector in vectors:
        by_register.setdefault(vector["reg"], []).append(vector)
    frames = []
    for name, found in by_register.items():
        steps = b""
        for tid, vector in enumerate(found[:4], len(frames)):
            payload = bytes.fromhex(vector["hex"])
            for kind in (2, 1):
                steps += bytes([kind, order.index(name)]) + chunk(payload)
            method = 2 if tid % 3 else 1
            request = emad(vector["id"], payload, method, tid)
            answer = emad(vector["id"], payload, method, tid, response=1)
            frames += [request, answer]
            seed("chip", f"frame-{name}", b"\2\0" + chunk(request))
            # the first transaction of the target's session
            query = emad(vector["id"], payload, 1, 7 << 32, response=1)
            seed("session", f"answer-{name}", b"\0\0\0" + b"\3" + bytes([10] * 20) + b"\6" + chunk(query))
        for personality in range(3):
            seed("chip", f"register-{name}-{personality}", bytes([personality]) + steps)
    for kind in range(28):
        entry = bytes([kind, 0x14, 0, 0, 1, 0x0F, 0xFF, 0, 0]) + bytes(24)
        for way in (10, 11):
            seed("session", f"entry-{kind}-{way}", b"\0\0\0" + (b"\0" + entry + bytes([way, 1, 0, 8, 7, 0])) * 3 + b"\4" + entry * 2)
    for order_, magic in (("<", 0xA1B2C3D4), (">", 0xA1B23C4D)):
        for at in range(0, len(frames), 32):
            file = struct.pack(order_ + "IHHIIII", magic, 2, 4, 0, 0, 65535, 1)
            for frame in frames[at : at + 32]:
                file += struct.pack(order_ + "IIII", 1, 2, len(frame), len(frame)) + frame
            seed("recording", f"{magic:x}-{at}", file)


# --- frames -----------------------------------------------------------------------------------------------------------


def built(*words):
    frames = ROOT / "selftests/lib/frames.py"
    text = subprocess.run([sys.executable, frames, "build", *words], check=True, capture_output=True, text=True).stdout
    return bytes.fromhex(text)


def wires():
    router, virtual = "02:00:00:00:10:01", "00:00:5e:00:01:05"
    host = ["mac=02:aa:00:00:00:01"]
    frames = {name: built(*words.split(), *host) for name, words in {
        "advert4": "advert4 vrid=5",
        "advert6": "advert6 vrid=5",
        "echo4": f"echo4 dst_mac={router} src=10.0.1.2 dst=10.0.1.1",
        "echo6": f"echo6 dst_mac={router} src=2001:db8:1::2 dst=2001:db8:1::1",
        "routed": f"udp4 dst_mac={virtual} src=10.0.1.2 dst=10.0.3.9",
        "bridged": "udp4 dst_mac=02:00:00:00:77:01 src=10.0.1.2 dst=10.0.2.1",
        "udp6": f"udp6 dst_mac={router} src=2001:db8:1::2 dst=2001:db8:2::2",
        "arp": "arp src=10.0.1.2 dst=10.0.1.1",
        "lldp": "lldp",
    }.items()}
    igmp = bytes.fromhex("01005e0101010200000077010800460000200000000001020000" "0a000102e101010194040000" "1600e9fbe1010101")
    frames["igmp"] = igmp
    for name, frame in frames.items():
        seed("pipeline", name, b"".join(bytes([port]) + chunk(frame) for port in (1, 3, 5)))
        for vid in (10, 20):
            tagged = frame[:12] + struct.pack(">HH", 0x8100, vid) + frame[12:]
            seed("pipeline", f"{name}-{vid}", b"".join(bytes([port | 8]) + chunk(tagged) for port in (3, 4, 6)))
    adverts = [bytes.fromhex(advert) for advert in ADVERTS] + [frames["advert4"], frames["advert6"], igmp]
    for number, advert in enumerate(adverts):
        seed("vrrp", f"{number}", b"\0" + chunk(advert) + b"\2" + chunk(advert))
    carp = bytearray(adverts[0][:34] + b"\x21\x05\x64\x07\0\1\0\0" + bytes(28))
    carp[16:18] = struct.pack(">H", len(carp) - 14)
    seed("vrrp", "carp", b"\0" + chunk(bytes(carp)))
    seed("vrrp", "all", b"".join(bytes([4 * n + 1]) + chunk(advert) for n, advert in enumerate(adverts)))


# --- text -------------------------------------------------------------------------------------------------------------


def blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", read(path), re.S | re.M)


def calls():
    own = "org.firsthop.Agent."
    for number, (method, parameters) in enumerate([
        (own + "ListRif", {"dev": "swp1"}),
        (own + "ListVmac", {"lower": "swp1", "vrid": 5}),
        (own + "ListTrap", {}),
        (own + "MonitorTrap", {"trap": "ipv4_vrrp", "policer": 1}),
        (own + "Explain", {"dev": "vrrp5"}),
        (own + "Wait", {"object": "vmac", "dev": "vrrp5", "state": "offload", "timeout_ms": 5000}),
        (own + "Diff", {"recorded": {}}),
        (own + "Monitor", {}),
        ("org.varlink.service.GetInfo", {}),
        ("org.varlink.service.GetInterfaceDescription", {"interface": "org.firsthop.Agent"}),
    ]):
        call = {"method": method, "parameters": parameters, "more": number % 2 == 1}
        seed("varlink", f"call-{number}", json.dumps(call) + "\0")
    members = ["rifs", "vmacs", "ports", "devices", "resources", "status", "differences", "explanation", "checks", "change", "event"]
    for number, block in enumerate(blocks("docs/json.md", "json")):
        try:
            example = json.loads(block)
        except ValueError:
            continue
        for member in members:
            seed("varlink", f"reply-{number}-{member}", json.dumps({"parameters": {member: example}}) + "\0")
        if isinstance(example, dict):
            for inner in example.values():
                if isinstance(inner, dict):
                    key = {"trap": "traps", "trap_group": "groups", "trap_policer": "policers"}.get(next(iter(example)), "")
                    rows = next(iter(inner.values()), [])
                    device = {"handle": "hwsim/0", "traps": [], "groups": [], "policers": [], key or "x": rows}
                    seed("varlink", f"reply-{number}-nested", json.dumps({"parameters": {"devices": [device], "resources": rows}}) + "\0")
    for error in ("NoSuchDevice", "TimedOut", "NoChip", "ChipFailed"):
        seed("varlink", f"error-{error}", json.dumps({"error": own + error, "parameters": {"dev": "x", "standing": "y"}}) + "\0")


def documents():
    for path in (ROOT / "docs").glob("*.md"):
        for number, block in enumerate(blocks(path.relative_to(ROOT), "toml")):
            seed("config", f"{path.stem}-{number}", block)
    for path in (ROOT / "hwsim/personalities").glob("*.toml"):
        seed("config", path.stem, path.read_text())
    text = read("docs/hwsim-protocol.md")
    requests, answers = re.findall(r"^> (.*)$", text, re.M), re.findall(r"^< (.*)$", text, re.M)
    for number, request in enumerate(requests):
        seed("control", f"request-{number}", request)
    seed("control", "all", "\n".join(requests))
    for number, answer in enumerate(answers):
        seed("control", f"answer-{number}", answer)
    half = len(answers[1]) // 2
    parts = [json.dumps({"part": n + 1, "parts": 2, "text": t}) for n, t in enumerate((answers[1][:half], answers[1][half:]))]
    seed("control", "parts", "\n".join(parts))
    sizes = {name: {"size": 4} for name in ("rifs", "virtual_routers", "mac_profiles", "rif_mac_profiles", "fdb", "fids", "lags")}
    greeting = [answers[0], json.dumps({"ok": True, "resources": sizes}), answers[1]]
    seed("session", "greeting", b"".join(b"\1" + chunk(answer.encode()) for answer in greeting) + bytes(40))
    seed("session", "greeting-in-parts", b"".join(b"\1" + chunk(a.encode()) for a in greeting[:2]) + b"\2" + b"".join(chunk(p.encode()) for p in parts))


def states():
    header = '{"chip":"0","generation":7}\n'
    entries = [
        {"lpm_tree": {"family": "ipv4"}},
        {"fid": {"fid": 5120}},
        {"fid_rif": {"fid": 5120, "rif": 0}},
        {"port_pvid": {"port": 1, "vid": 4095}},
        {"policer": {"id": 1, "rate": 256, "burst": 128}},
        {"trap": {"id": 89, "action": "trap", "group": 5}},
        {"port_vid_fid": {"port": 1, "vid": 4095, "fid": 5120, "rif": 0}},
        {"route": {"vr": 0, "prefix": "10.0.0.0/8", "action": "ip2me"}},
        {"lag": {"lag": 0}},
    ]
    everything = header
    for number, entry in enumerate(entries, 1):
        write = json.dumps({"write": {"ticket": number, "entry": entry}}) + "\n"
        remove = json.dumps({"remove": {"ticket": number + 100, "entry": entry}}) + "\n"
        seed("state", f"log-{number}", b"\0" + (header + write + f'{{"done":[{number}]}}\n' + remove).encode())
        everything += write
    seed("state", "log", b"\0" + (everything + '{"done":[1,2]}\n{"undone":[3]}\n').encode())
    facts = {"local": [{"bridge": 7, "name": "br0", "vlan": 10, "mac": "00:00:5e:00:01:05"}],
             "former": [{"ifindex": 3, "name": "swp1", "mac": "02:00:00:00:00:01"}]}
    seed("state", "facts", b"\1" + json.dumps(facts).encode())
    seed("state", "claims", b"\2" + json.dumps({"ports": [{"ifindex": 3, "name": "swp1", "clsact": True}]}).encode())
    seed("state", "devices", b"\3" + json.dumps({"netdevsim/netdevsim1": {"binding": ["vrrp", 1], "sizes": {"1": [256, 128]}, "ours": None, "reloads": 0}}).encode())


netlink()
registers()
wires()
calls()
documents()
states()
