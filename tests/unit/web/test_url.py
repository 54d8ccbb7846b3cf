import pytest

from mediacore.web.url import UrlError, join, loggable, parse_url, strip_credentials


@pytest.mark.parametrize(
    ("url", "host", "port", "text"),
    [
        ("https://Example.Test", "example.test", 443, "https://example.test/"),
        ("http://example.test:80/a", "example.test", 80, "http://example.test/a"),
        ("http://example.test.:8080/a#f", "example.test", 8080, "http://example.test:8080/a"),
        ("https://h.test/a%2Fb?t=x%3D%2F+y", "h.test", 443, "https://h.test/a%2Fb?t=x%3D%2F+y"),
        ("https://h.test/a b?q=ü", "h.test", 443, "https://h.test/a%20b?q=%C3%BC"),
        ("https://bücher.test/", "xn--bcher-kva.test", 443, "https://xn--bcher-kva.test/"),
        ("http://[2600:0::1]/x", "2600::1", 80, "http://[2600::1]/x"),
        ("http://93.184.216.34/x", "93.184.216.34", 80, "http://93.184.216.34/x"),
        ("http://１２７.0.0.1/", "127.0.0.1", 80, "http://127.0.0.1/"),
    ],
)
def test_a_url_is_read_once_and_kept_verbatim(url, host, port, text):
    target = parse_url(url)
    assert (target.host, target.port, target.text) == (host, port, text)
    assert target.origin == (target.scheme, host, port)


def test_credentials_become_a_header_and_leave_the_text():
    target = parse_url("https://us%65r:p%40ss:w@h.test/x?k=v")
    assert target.authorization == "Basic dXNlcjpwQHNzOnc="
    assert target.text == "https://h.test/x?k=v"
    assert parse_url("https://h.test/").authorization == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://h.test/",
        "file:///etc/passwd",
        "gopher://h.test/",
        "javascript:alert(1)",
        "//h.test/",
        "http://",
        "http:///x",
        "http://h.test:0/",
        "http://h.test:99999/",
        "http://h.test:x/",
        "http://h.te st/",
        "http://h.test\\@127.0.0.1/",
        "http://h.test/\r\nX: y",
        "http://h%2etest/",
        "http://h..test/",
        "http://-h.test/",
        "http://[::1/",
        "http://[nonsense]/",
        "http://" + "a" * 9000,
        "http://\udcff.test/",
    ],
)
def test_a_bad_url_is_named(url):
    with pytest.raises(UrlError) as caught:
        parse_url(url)
    assert caught.value.reason == "bad_url"


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "1.2.3.4.5",
        "a.1",
        "[fe80::1%25e]",
    ],
)
def test_odd_numeric_forms_are_blocked(host):
    with pytest.raises(UrlError) as caught:
        parse_url(f"http://{host}/")
    assert caught.value.reason == "blocked_address"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://h1/", False),
        ("http://1.2.3.4/", True),
        ("http://[::1]/", True),
        ("http://a.b1/", False),
    ],
)
def test_a_numeric_host_is_known(url, expected):
    assert parse_url(url).is_address is expected


def test_credentials_are_stripped_as_written():
    assert strip_credentials("https://u:p@h.test/a@b?c=d@e") == "https://h.test/a@b?c=d@e"
    assert strip_credentials("https://u:p@q@h.test/") == "https://h.test/"
    assert strip_credentials("https://h.test/a@b") == "https://h.test/a@b"
    assert strip_credentials("https:\\\\u:secret@h.test/") == "https:\\\\h.test/"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://u:p@h.test/p?__token=abc&x=1&flag#f", "https://h.test/p?__token=*&x=*&flag"),
        ("https://h.test/p?secret", "https://h.test/p?*"),
        ("https://h.test/p", "https://h.test/p"),
        ("https://h.test/?a=b=c", "https://h.test/?a=*"),
        (" https://u:p@h.test/", " https://h.test/"),
        ("ht\ttps://u:p@h.test/\n", "https://h.test/"),
        ("//u:p@h.test/", "//h.test/"),
        ("https://h.test/" + "x" * 9000, "https://h.test/" + "x" * 497),
    ],
)
def test_a_logged_url_has_no_credentials_and_no_values(url, expected):
    assert loggable(url) == expected


def test_a_location_is_joined():
    assert join("https://h.test/a/b", "../c") == "https://h.test/c"
    with pytest.raises(UrlError):
        join("https://h.test/", "http://[::1")
