"""Of a browser, its family, its system and its network are kept, and nothing finer."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from app.addresses import network_of
from app.devices import browser_of, device_of, system_of
from app.settings import is_loopback
from db.people import BROWSERS, SYSTEMS
from db.sessions import Device

_GECKO = "Mozilla/5.0 ({}; rv:140.0) Gecko/20100101 Firefox/140.0"
_BLINK = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 {}Safari/537.36"
_WINDOWS = "Windows NT 10.0; Win64; x64"
_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) {} Mobile/15E148 Safari/604.1"
)


@pytest.mark.parametrize(
    ("agent", "browser", "system"),
    [
        (_GECKO.format("X11; Linux x86_64"), "firefox", "linux"),
        (_GECKO.format("Android 15; Mobile"), "firefox", "android"),
        (_BLINK.format(_WINDOWS, ""), "chrome", "windows"),
        (_BLINK.format(_WINDOWS, "").replace("537.36", "537.36 Edg/141.0"), "edge", "windows"),
        (_BLINK.format("Linux; Android 10; K", "Mobile "), "chrome", "android"),
        (_BLINK.format("Linux; Android 10; K", "SamsungBrowser/28 "), "other", "android"),
        (_BLINK.format("X11; CrOS x86_64 14541.0.0", ""), "chrome", "other"),
        (_BLINK.format("Macintosh; Intel Mac OS X 10_15_7", ""), "chrome", "macos"),
        (_BLINK.format(_WINDOWS, "OPR/120.0 "), "other", "windows"),
        (_IPHONE.format("Version/18.6"), "safari", "ios"),
        (_IPHONE.format("CriOS/141.0"), "chrome", "ios"),
        (_IPHONE.format("FxiOS/140.0"), "firefox", "ios"),
        (_IPHONE.format("EdgiOS/141.0"), "edge", "ios"),
        ("curl/8.9.1", "other", "other"),
        ("", "other", "other"),
    ],
)
def test_families_of_real_browsers(agent, browser, system):
    assert (browser_of(agent), system_of(agent)) == (browser, system)


@given(st.text())
def test_every_agent_is_in_the_closed_sets(agent):
    assert browser_of(agent) in BROWSERS
    assert system_of(agent) in SYSTEMS


@given(st.ip_addresses(v=4))
def test_the_last_byte_of_ipv4_is_forgotten(address):
    network = ip_network(network_of(str(address)))
    assert address in network
    assert network.prefixlen == 24


@given(st.ip_addresses(v=6).filter(lambda one: not (one.ipv4_mapped or one.sixtofour)))
def test_the_last_eighty_bits_of_ipv6_are_forgotten(address):
    network = ip_network(network_of(str(address)))
    assert address in network
    assert network.prefixlen == 48


@given(st.ip_addresses(v=4))
def test_ipv4_in_other_clothes_is_ipv4(address):
    known = network_of(str(address))
    assert network_of(f"::ffff:{address}") == known
    assert network_of(f"  [::ffff:{address}]:443") == known
    assert network_of(f"{address}:51234") == known
    sixtofour = IPv6Address((0x2002 << 112) | (int(address) << 80) | 0x1234)
    assert network_of(str(sixtofour)) == known


@given(st.ip_addresses(), st.integers(0, 65535))
def test_no_whole_address_is_ever_kept(address, port):
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    kept = network_of(f"{host}:{port}")
    assert len(kept) <= 43
    bare = ip_address(kept.partition("/")[0])
    hidden = 8 if isinstance(bare, IPv4Address) else 80
    assert int(bare) % 2**hidden == 0


def test_a_zone_is_ignored():
    assert network_of("fe80::1%eth0") == "fe80::/48"


@given(st.text())
def test_garbage_is_nothing_or_a_network(text):
    kept = network_of(text)
    assert kept is None or ip_network(kept).prefixlen in (24, 48)


@pytest.mark.parametrize(
    "text", ["", "testclient", "1.2.3", "1.2.3.4.5", "[", "[]", ":::", "1.2.3.4/8", "٣.1.1.1"]
)
def test_garbage_is_nothing(text):
    assert network_of(text) is None


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.example.org", "127.0.0.1.example.org", "0.0.0.0", "192.168.0.1", "::"]
)
def test_other_machines(host):
    assert not is_loopback(host)


def test_a_request_becomes_a_device():
    headers = [(b"user-agent", _BLINK.format(_WINDOWS, "").encode())]
    scope = {"type": "http", "headers": headers, "client": ("192.0.2.77", 50000)}
    assert device_of(HTTPConnection(scope)) == Device("192.0.2.0/24", "chrome", "windows")


def test_a_request_without_anything_is_a_device_too():
    scope = {"type": "http", "headers": [], "client": None}
    assert device_of(HTTPConnection(scope)) == Device(None, "other", "other")
