"""Rules that stand at many fields: addresses, names of objects, nodes and interfaces."""

from typing import Final

from vipa.crd.rule import Rule, fullmatch
from vipa.resources.names import DNS_LABEL, DNS_SUBDOMAIN, INTERFACE, LABEL_REMEDY, NODE_REMEDY

# As vipa.resources.addresses judges. isIP() takes neither scopes nor IPv4 addresses in IPv6 clothes. A rule about what
# an address is must hold of a text that is none: the first rule refuses that, and with a better message.
IS_ADDRESS: Final = Rule(
    "isIP(self)",
    "not an IP address; write one such as 10.1.1.7, without prefix length, leading zeros or scope",
)
CANONICAL: Final = Rule(
    "!isIP(self) || ip.isCanonical(self)",
    "not in canonical form; write lower case, no leading zeros, and the longest run of zeros as ::, such as fd00::7",
)
# isGlobalUnicast() is false of unspecified, loopback, multicast and link-local addresses and of the broadcast address;
# it is true of private ones. 0.0.0.0/8: RFC 1122 section 3.2.1.3.
OF_A_HOST: Final = Rule(
    "!isIP(self) || (ip(self).isGlobalUnicast() && !self.startsWith('0.'))",
    "no loopback, link-local, multicast, broadcast or unspecified address can belong to a host of the LAN; "
    "write a unicast address of the LAN",
)
ADDRESS: Final = (IS_ADDRESS, CANONICAL, OF_A_HOST)

# One rule instead of three where a list may be long: each costs, for every entry.
ASSIGNED_ADDRESS: Final = Rule(
    "isIP(self) && ip.isCanonical(self) && ip(self).isGlobalUnicast() && !self.startsWith('0.')",
    "not a unicast address in canonical form, such as 10.1.1.7",
)

LABEL: Final = Rule(fullmatch(DNS_LABEL.pattern), f"no valid name; {LABEL_REMEDY}")
OBJECT_NAME: Final = Rule(
    fullmatch(DNS_LABEL.pattern, of="self.metadata.name"), f"no valid name; {LABEL_REMEDY}", ".metadata.name"
)
NODE: Final = Rule(fullmatch(DNS_SUBDOMAIN.pattern), f"no node name; {NODE_REMEDY}")
INTERFACE_GLOB: Final = Rule(fullmatch(INTERFACE.pattern), "no interface name; write one such as ens* or eth1")
ONE_INTERFACE: Final = Rule(
    f"{fullmatch(INTERFACE.pattern)} && !self.matches('[*?[]')", "not the name of one interface; write one such as br0"
)
