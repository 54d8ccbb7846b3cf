import pytest

from mediacore.errors import ConfigError
from mediacore.web.address import AddressPolicy, is_public


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "2600::1%eth0",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "localhost",
        "",
    ],
)
def test_an_address_that_is_not_public_unicast_is_blocked(address):
    assert not is_public(address)
    assert not AddressPolicy().permits("example.test", 443, address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2600::1"],
)
def test_a_public_address_is_permitted(address):
    assert is_public(address)
    assert AddressPolicy().permits("example.test", 443, address)


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "expected"),
    [
        ("127.0.0.0/8", "any.test", 80, "127.0.0.9", True),
        ("127.0.0.0/8", "any.test", 80, "10.0.0.1", False),
        ("127.0.0.0/8", "any.test", 80, "::ffff:127.0.0.1", False),
        ("::1/128", "any.test", 80, "::1", True),
        ("::1", "any.test", 80, "::1", True),
        ("[::1]:8080", "any.test", 8080, "::1", True),
        ("[::1]:8080", "any.test", 80, "::1", False),
        ("10.0.0.5:8080", "any.test", 8080, "10.0.0.5", True),
        ("10.0.0.5:8080", "any.test", 8081, "10.0.0.5", False),
        ("localhost:8080", "localhost", 8080, "127.0.0.1", True),
        ("LocalHost", "localhost", 1, "127.0.0.1", True),
        ("localhost:8080", "localhost", 80, "127.0.0.1", False),
        ("localhost", "localhost.evil.test", 80, "127.0.0.1", False),
        ("127.0.0.0/8", "any.test", 80, "not an address", False),
    ],
)
def test_an_allow_entry_permits_what_it_names(entry, host, port, address, expected):
    assert AddressPolicy([entry]).permits(host, port, address) is expected


@pytest.mark.parametrize("entry", ["", "a:b:c", "10.0.0.0/64", "host:99999", "host/path"])
def test_an_unreadable_allow_entry_is_refused(entry):
    with pytest.raises(ConfigError, match="allow entry"):
        AddressPolicy([entry])
