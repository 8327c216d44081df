"""The wire: packet sockets per service interface. Nothing else in the agent opens one."""

from vipa_agent.wire.mux import Mux
from vipa_agent.wire.nic import Dropped, Nic, NicSocket, Sent
from vipa_agent.wire.sink import open_sink

__all__ = ["Dropped", "Mux", "Nic", "NicSocket", "Sent", "open_sink"]
