"""VirtualIPs."""

from typing import Final

from judged.case import Body, Case

GOOD: Final[Body] = {"addresses": ["10.1.1.7"]}

# What no field that holds an address of a host may hold, and how the API server's message begins.
NO_ADDRESS: Final = (
    ("10.1.1.300", "not an IP address"),
    ("010.1.1.7", "not an IP address"),
    ("10.1.1.7/24", "not an IP address"),
    (" 10.1.1.7", "not an IP address"),
    ("erp.example.com", "not an IP address"),
    ("10.1.1", "not an IP address"),
    ("::ffff:10.1.1.7", "not an IP address"),
    ("fd00::7%eth0", "not an IP address"),
    ("10.1.1.7" + "0" * 40, "Too long"),
    ("FD00::7", "not in canonical form"),
    ("fd00:0:0::7", "not in canonical form"),
    ("fd00::0007", "not in canonical form"),
    ("127.0.0.1", "no loopback"),
    ("::1", "no loopback"),
    ("169.254.1.1", "no loopback"),
    ("fe80::7", "no loopback"),
    ("224.0.0.1", "no loopback"),
    ("ff02::1", "no loopback"),
    ("255.255.255.255", "no loopback"),
    ("0.0.0.0", "no loopback"),
    ("0.1.2.3", "no loopback"),
    ("::", "no loopback"),
)
NO_LABEL: Final = ("IBM i", "-a", "a-", "a.b", "é", "a\n")
NO_NODE: Final = ("W1", "a..b", "-a", "a_b", "w1.", "é")
NO_INTERFACE: Final = ("a b", "a/b", "a:b", "é", "a\n")
TCP: Final = {"tcp": {"port": 80}}


def http(path: str) -> Body:
    """A health check that asks for ``path``."""
    return {"http": {"port": 80, "path": path}}


def vip(spec: Body, field: str = "", says: str = "", api_field: str = "") -> Case:
    """A case of a VirtualIP."""
    return Case("VirtualIP", {"spec": spec}, field, says, api_field)


def good(field: str = "", says: str = "", api_field: str = "", **fields: object) -> Case:
    """A case of a VirtualIP with an address and ``fields``."""
    return vip({**GOOD, **fields}, field, says, api_field)


ACCEPTED: Final = (
    vip(GOOD),
    vip({"addresses": ["192.168.0.1"]}),
    vip({"addresses": ["1.2.3.4"], "paused": True}),
    vip({"addresses": ["fd00::7"]}),
    vip({"addresses": ["10.1.1.7", "fd00::7"]}),
    vip({"addresses": ["2001:db8::1", "240.0.0.1"]}),
    vip({"pool": "office"}),
    vip({"pool": "office", "addresses": []}),
    good(pool="", preferredInterfaceList=""),
    good(preferredInterfaceList="ibm-i"),
    good(preferredInterfaceList="a" * 63),
    good(nodeSelector={}),
    good(nodeSelector={"matchLabels": {"rack": "b"}}),
    good(nodeSelector={"matchExpressions": [{"key": "rack", "operator": "In", "values": ["a", "b"]}]}),
    good(nodeSelector={"matchExpressions": [{"key": "rack", "operator": "NotIn", "values": ["a"]}]}),
    good(nodeSelector={"matchExpressions": [{"key": "rack", "operator": "Exists"}]}),
    good(nodeSelector={"matchExpressions": [{"key": "rack", "operator": "DoesNotExist", "values": []}]}),
    good(interfaces=["eth0", "ens*", "br-[a-f0-9]*", "eth0.100", "@#~!"]),
    good(binding="EveryCandidate"),
    good(attachment={"type": "Host"}),
    good(attachment={"type": "Host", "bridge": ""}),
    good(attachment={"type": "VirtualEthernet", "bridge": "br0"}),
    good(failback={"policy": "Immediate"}),
    *(good(failback={"delay": delay}) for delay in ("30s", "1m30s", "500ms", "1.5s", "0s", "24h", "23h59m59.9s")),
    good(partition="Single"),
    good(partition="Single", voters=["w1", "w2", "w3"]),
    good(partition="Single", voters=["w1.example.com", "b", "c", "d", "e"]),
    good(voters=[]),
    *(good(timing=timing) for timing in ("Fast", "Default", "Calm")),
    good(healthChecks=[{"tcp": {"port": 443}}, {"http": {"port": 80, "path": "/healthz", "scheme": "HTTPS"}}]),
    good(healthChecks=[{**TCP, "at": "Loopback", "interval": "100ms", "timeout": "10ms", "rise": 1, "fall": 10}]),
    good(healthChecks=[{**TCP, "at": "Interface", "interval": "1h", "timeout": "60s", "rise": 10, "fall": 1}]),
    good(healthChecks=[http("/"), http("/ready?full=1&x=%20~"), http("/" + "a" * 1023)]),
    good(probeTargets=["10.1.1.1", "10.1.1.2", "fd00::1"]),
)

REFUSED_ADDRESSES: Final = (
    vip({}, "spec.addresses", "missing; write the address"),
    vip({"addresses": []}, "spec.addresses", "missing; write the address"),
    vip({"pool": ""}, "spec.addresses", "missing; write the address"),
    vip({**GOOD, "pool": "office"}, "spec.pool", "give either addresses or pool"),
    vip({"addresses": "10.1.1.7"}, "spec.addresses", "must be of type array"),
    vip({"addresses": [7]}, "spec.addresses[0]", "must be of type string"),
    vip({"addresses": ["10.1.1.7", "10.1.1.8"]}, "spec.addresses[1]", "two addresses of one family"),
    vip({"addresses": ["fd00::7", "fd00::8"]}, "spec.addresses[1]", "two addresses of one family"),
    vip({"addresses": ["10.1.1.7", "10.1.1.7"]}, "spec.addresses[1]", "two addresses of one family"),
    vip({"addresses": ["10.1.1.7", "10.1.1.8", "fd00::7"]}, "spec.addresses", "Too many"),
    *(vip({"addresses": [text]}, "spec.addresses[0]", says) for text, says in NO_ADDRESS),
    *(vip({"pool": text}, "spec.pool", "no valid name") for text in NO_LABEL),
    vip({"pool": "a" * 64}, "spec.pool", "Too long"),
)

REFUSED_OTHERS: Final = (
    *(good("spec.preferredInterfaceList", "no valid name", preferredInterfaceList=text) for text in NO_LABEL),
    good("spec.preferredInterfaceList", "Too long", preferredInterfaceList="a" * 64),
    good(
        "spec.nodeSelector.matchExpressions[0].values",
        "missing; operators In and NotIn",
        nodeSelector={"matchExpressions": [{"key": "a", "operator": "In"}]},
    ),
    good(
        "spec.nodeSelector.matchExpressions[0].values",
        "missing; operators In and NotIn",
        nodeSelector={"matchExpressions": [{"key": "a", "operator": "NotIn", "values": []}]},
    ),
    good(
        "spec.nodeSelector.matchExpressions[1].values",
        "operators Exists and DoesNotExist take no values",
        nodeSelector={
            "matchExpressions": [
                {"key": "a", "operator": "Exists"},
                {"key": "a", "operator": "Exists", "values": ["b"]},
            ]
        },
    ),
    good(
        "spec.nodeSelector.matchExpressions[0].key",
        "Required value",
        nodeSelector={"matchExpressions": [{"operator": "Exists"}]},
    ),
    good("spec.nodeSelector.matchLabels", "Too many", nodeSelector={"matchLabels": {f"l{i}": "" for i in range(33)}}),
    good("spec.interfaces[1]", "Duplicate value", interfaces=["eth0", "eth0"]),
    *(good("spec.interfaces[0]", "no interface name", interfaces=[text]) for text in (*NO_INTERFACE, "")),
    good("spec.interfaces[0]", "Too long", interfaces=["a" * 65]),
    good("spec.binding", "Unsupported value", binding="holder"),
    good("spec.attachment.bridge", "only used with type VirtualEthernet", attachment={"bridge": "br0"}),
    good("spec.attachment.bridge", "missing; type VirtualEthernet", attachment={"type": "VirtualEthernet"}),
    good(
        "spec.attachment.bridge", "missing; type VirtualEthernet", attachment={"type": "VirtualEthernet", "bridge": ""}
    ),
    *(
        good("spec.attachment.bridge", "not the name of one", attachment={"type": "VirtualEthernet", "bridge": text})
        for text in (*NO_INTERFACE, "br*", "br?", "br[0]")
    ),
    good("spec.attachment.bridge", "Too long", attachment={"type": "VirtualEthernet", "bridge": "b" * 16}),
    good("spec.failback.policy", "Unsupported value", failback={"policy": "Later"}),
    *(
        good("spec.failback.delay", "no duration", failback={"delay": delay})
        for delay in ("", "30", "s", "-1s", "1 s", "1d", "1us", "30s ", "1s2", "9999999999s", "٣s", "30s\n")
    ),
    good("spec.failback.delay", "must be of type string", failback={"delay": 30}),
    good("spec.failback.delay", "longer than a day", failback={"delay": "25h"}),
    good("spec.failback.delay", "longer than a day", failback={"delay": "24h1ms"}),
    good("spec.failback.delay", "Too long", failback={"delay": "0s" * 17}),
    good("spec.voters", "only used with partition: Single", voters=["w1", "w2", "w3"]),
    good("spec.voters", "only used with partition: Single", partition="Available", voters=["w1", "w2", "w3"]),
    *(
        good("spec.voters", "Single needs 3 or 5", partition="Single", voters=[f"w{i}" for i in range(count)])
        for count in (1, 2, 4)
    ),
    good("spec.voters", "Too many", partition="Single", voters=[f"w{i}" for i in range(7)]),
    good("spec.voters[2]", "Duplicate value", partition="Single", voters=["w1", "w2", "w1"]),
    *(good("spec.voters[2]", "no node name", partition="Single", voters=["w1", "w2", text]) for text in (*NO_NODE, "")),
    good("spec.timing", "Unsupported value", timing="fast"),
    good("spec.partition", "Unsupported value", partition="Any"),
    good("spec.healthChecks[1]", "must have exactly one of", healthChecks=[TCP, {}]),
    good("spec.healthChecks[0]", "must have exactly one of", healthChecks=[{**TCP, "http": {"port": 80}}]),
    good("spec.healthChecks[0].tcp.port", "should be greater than or equal to 1", healthChecks=[{"tcp": {"port": 0}}]),
    good("spec.healthChecks[0].tcp.port", "should be less than or equal", healthChecks=[{"tcp": {"port": 65536}}]),
    good("spec.healthChecks[0].tcp.port", "Required value", healthChecks=[{"tcp": {}}]),
    good("spec.healthChecks[0].http.path", "must start with /", healthChecks=[{"http": {"port": 80, "path": "x"}}]),
    good("spec.healthChecks[0].http.path", "must start with /", healthChecks=[{"http": {"port": 80, "path": ""}}]),
    *(
        good("spec.healthChecks[0].http.path", "has a character that no path has", healthChecks=[http(path)])
        for path in ("/a b", "/a\r\nHost: b", "/ä", "/\x7f")
    ),
    good("spec.healthChecks[0].http.path", "Too long", healthChecks=[http("/" + "a" * 1024)]),
    good("spec.healthChecks[0].at", "Unsupported value", healthChecks=[{**TCP, "at": "10.1.1.4"}]),
    *(
        good("spec.healthChecks[0].interval", says, healthChecks=[{**TCP, "interval": text}])
        for text, says in (
            ("2", "no duration"),
            ("99ms", "must be from 0.1s"),
            ("61m", "must be from"),
            ("25h", "longer"),
        )
    ),
    *(
        good("spec.healthChecks[0].timeout", says, healthChecks=[{**TCP, "timeout": text}])
        for text, says in (
            ("", "no duration"),
            ("9ms", "must be from 0.01s"),
            ("25h", "longer"),
            ("61s", "must be from 0.01s to 60s"),
        )
    ),
    *(
        good(f"spec.healthChecks[0].{field}", says, healthChecks=[{**TCP, field: turns}])
        for field in ("rise", "fall")
        for turns, says in ((0, "should be greater than or equal to 1"), (11, "should be less than or equal"))
    ),
    good("spec.healthChecks", "Too many", healthChecks=[TCP] * 17),
    *(good("spec.probeTargets[0]", says, probeTargets=[text]) for text, says in NO_ADDRESS),
    good("spec.probeTargets[0]", "names the virtual IP itself", probeTargets=["10.1.1.7"]),
    good("spec.probeTargets[1]", "Duplicate value", probeTargets=["10.1.1.1", "10.1.1.1"]),
    good("spec.paused", "must be of type boolean", paused="yes"),
)

NAMES: Final = tuple(
    Case("VirtualIP", {"spec": GOOD}, "metadata.name", "no valid name", name=name) for name in ("erp.example", "a.b.c")
)

CASES: Final = (*ACCEPTED, *REFUSED_ADDRESSES, *REFUSED_OTHERS, *NAMES)
