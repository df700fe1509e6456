"""Find the client's address: the address that connects, or the one that a trusted proxy reports for it.

https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For#selecting_an_ip_address
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
ANYBODY = "*"
HOME_BITS = 64  # the size of the network that one customer gets: https://www.rfc-editor.org/rfc/rfc6177


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies whose `X-Forwarded-For` is trusted. With `anybody`, every peer is: only a proxy can connect then."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    anybody: bool = False

    def client(self, peer: str, forwarded: Iterable[bytes]) -> str:
        """The client's address: `peer`, or the last entry of `X-Forwarded-For` (`forwarded` has its lines) that is not
        a trusted proxy. Entries before that one may be forged."""
        if not (self.networks or self.anybody):
            return peer
        address = _address(peer)
        if address is None or not (self.anybody or self._trusted(address)):
            return peer
        for entry in reversed(b",".join(forwarded).decode("latin-1").split(",")):
            before = _address(entry.strip())
            if before is None:
                break
            address = before
            if not self._trusted(address):
                break
        return str(address)

    def _trusted(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def parse_proxies(text: str) -> Proxies:
    """Parse addresses and networks that are separated by commas; `*` trusts every peer. Raises ValueError."""
    words = [word for word in text.replace(",", " ").split() if word != ANYBODY]
    return Proxies(tuple(map(_network, words)), anybody=ANYBODY in text)


def client_key(client: str) -> str:
    """The key for limits per client: an IPv4 address, or the /64 network of an IPv6 address, since an IPv6 client can
    use every address of its network."""
    return str(ip_network((client, HOME_BITS), strict=False)) if ":" in client else client


def _network(word: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(word)
    except ValueError:
        raise ValueError(f"{word!r} is not an address or a network such as 10.0.0.0/8") from None


def _address(text: str) -> Address | None:
    """The address in `10.0.0.1`, `10.0.0.1:80`, `::1` or `[::1]:80`."""
    host = text[1:].partition("]")[0] if text.startswith("[") else text
    if host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
