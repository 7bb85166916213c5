"""What the operating system knows of a TCP connection, and is to do with it. Linux tells most; others less."""

import enum
import fcntl
import socket
import struct
import termios

_CLOSED = 7  # TCP_CLOSE of the kernel's states
_PROBES = 3


class Delivery(enum.Enum):
    """What became of the bytes that were sent."""

    ARRIVED = enum.auto()
    PENDING = enum.auto()
    LOST = enum.auto()


def prepare(connected: socket.socket, seconds: int) -> None:
    """Send answers at once; keep a silent line open for ever (A22), but not to a peer that vanished (A21)."""
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Half of the time silent, the rest for the probes.
    interval = max(seconds // (2 * _PROBES), 1)
    for name, value in (
        ("TCP_KEEPIDLE", max(seconds - _PROBES * interval, 1)),
        ("TCP_KEEPINTVL", interval),
        ("TCP_KEEPCNT", _PROBES),
        ("TCP_USER_TIMEOUT", seconds * 1000),
    ):
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def delivery(connected: socket.socket) -> Delivery:
    """Whether the other machine has taken everything; LOST when it says that nobody is there any more."""
    try:
        if connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSED:
            return Delivery.LOST
        (waiting,) = struct.unpack("i", fcntl.ioctl(connected.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
    except (AttributeError, OSError):
        return Delivery.ARRIVED
    return Delivery.PENDING if waiting else Delivery.ARRIVED
