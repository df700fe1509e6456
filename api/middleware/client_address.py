"""Who sends a request: the address that connects, or the one that a trusted proxy names for it.

https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For#selecting_an_ip_address
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
ANYBODY = "*"
HOME_BITS = 64  # what one customer of a network gets: https://www.rfc-editor.org/rfc/rfc6177


@dataclass(frozen=True, slots=True)
class Proxies:
    """Whose `X-Forwarded-For` is believed; `anybody`: that of whoever connects, since nobody else can."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    anybody: bool = False

    def client(self, peer: str, forwarded: Iterable[bytes]) -> str:
        """The client's address: `peer`, or the last entry of `X-Forwarded-For` (its lines in `forwarded`) that no
        trusted proxy is at. What stands before that entry, anybody may have written."""
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
    """Addresses and networks with commas between, `*` for whoever connects, or nothing. Raises ValueError."""
    words = [word for word in text.replace(",", " ").split() if word != ANYBODY]
    return Proxies(tuple(map(_network, words)), anybody=ANYBODY in text)


def household(client: str) -> str:
    """What a limit per client counts: an IPv6 client has as many addresses as it likes, in one network of its own."""
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
