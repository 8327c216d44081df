"""The texts that fields hold, with their bounds. The bounds are in the CRDs too: without them the API server could not
tell what judging a field may cost, and would refuse the rules."""

from typing import Annotated, Final

from msgspec import Meta

ADDRESS_MAX: Final = 45
"""INET6_ADDRSTRLEN - 1, RFC 4291's longest way to write an address."""
LABEL_MAX: Final = 63
"""RFC 1123: a DNS label, and a label value of Kubernetes."""
LABEL_KEY_MAX: Final = 317
"""Kubernetes: a prefix of 253, a slash, a name of 63."""
NODE_MAX: Final = 253
"""RFC 1123: a DNS subdomain."""
INTERFACE_MAX: Final = 15
"""IFNAMSIZ - 1, linux/if.h."""
GLOB_MAX: Final = 64
"""Room for a name of :data:`INTERFACE_MAX` with a set of characters at every place that matters."""
RANGE_MAX: Final = 96
"""Two addresses, a dash, and some spaces."""
DURATION_MAX: Final = 32
"""Every part once, to the nanosecond: 23h59m59s999.999999ms."""
PATH_MAX: Final = 1024
"""Of an HTTP GET; far longer than any health page's."""

Address = Annotated[str, Meta(max_length=ADDRESS_MAX)]
Label = Annotated[str, Meta(max_length=LABEL_MAX)]
NodeName = Annotated[str, Meta(max_length=NODE_MAX)]
InterfaceName = Annotated[str, Meta(max_length=INTERFACE_MAX)]
InterfaceGlob = Annotated[str, Meta(max_length=GLOB_MAX)]
Duration = Annotated[str, Meta(max_length=DURATION_MAX)]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, as Kubernetes writes it: 2026-01-31T12:00:00Z."""
