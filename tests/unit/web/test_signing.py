import base64
import hashlib
import hmac

import pytest

from mediacore.errors import ConfigError
from mediacore.web.signing import (
    WINDOW_S,
    SeenIds,
    sign_document_request,
    sign_post,
    verify_document_request,
    verify_post,
    webhook_secret,
)

URL = "https://user:pw@h.test/doc?a=1"
BODY = b'{"call": {}}'
KEY = b"k" * 32
NOW_S = 1_800_000_000


def test_a_document_request_is_signed_over_the_url_without_credentials():
    headers = sign_document_request("secret", URL, BODY)
    signed = b"https://h.test/doc?a=1" + BODY
    assert headers == {
        "x-signalwire-signature": hmac.new(b"secret", signed, hashlib.sha1).hexdigest(),
        "x-signalwire-sha256-signature": hmac.new(b"secret", signed, hashlib.sha256).hexdigest(),
    }
    assert verify_document_request("secret", "https://h.test/doc?a=1", BODY, headers)


@pytest.mark.parametrize("kept", ["x-signalwire-signature", "x-signalwire-sha256-signature"])
def test_either_header_is_enough_and_every_part_counts(kept):
    headers = {kept.title(): sign_document_request("secret", URL, BODY)[kept]}
    assert verify_document_request("secret", URL, BODY, headers)
    assert not verify_document_request("other", URL, BODY, headers)
    assert not verify_document_request("secret", URL + "2", BODY, headers)
    assert not verify_document_request("secret", URL, BODY + b" ", headers)
    assert not verify_document_request("secret", URL, BODY, {})


def test_a_wrong_sha256_is_not_saved_by_a_right_sha1():
    headers = sign_document_request("secret", URL, BODY)
    headers["x-signalwire-sha256-signature"] = "0" * 64
    assert not verify_document_request("secret", URL, BODY, headers)


def test_a_post_follows_the_standard_scheme():
    headers = sign_post(KEY, "msg_1", NOW_S, BODY)
    digest = hmac.new(KEY, b"msg_1.1800000000." + BODY, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert verify_post([KEY], headers, BODY, NOW_S)


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("place", [0, -2])
def test_one_changed_sign_in_any_part_is_refused(part, place):
    headers = sign_post(KEY, "msg_1", NOW_S, BODY)
    text = headers[part]
    changed = "2" if text[place] != "2" else "3"
    headers[part] = text[:place] + changed + text[place:][1:]
    assert not verify_post([KEY], headers, BODY, NOW_S)


def test_a_changed_body_is_refused():
    assert not verify_post([KEY], sign_post(KEY, "m", NOW_S, BODY), BODY + b" ", NOW_S)


@pytest.mark.parametrize(
    ("age_s", "good"),
    [(0, True), (WINDOW_S, True), (-WINDOW_S, True), (WINDOW_S + 1, False), (-WINDOW_S - 1, False)],
)
def test_the_window(age_s, good):
    headers = sign_post(KEY, "m", NOW_S - age_s, BODY)
    assert verify_post([KEY], headers, BODY, NOW_S) is good


@pytest.mark.parametrize("stamp", ["", "abc", "-5", "1e9", "²", "9" * 13])
def test_a_timestamp_that_is_no_number_is_refused(stamp):
    headers = sign_post(KEY, "m", NOW_S, BODY) | {"webhook-timestamp": stamp}
    assert not verify_post([KEY], headers, BODY, NOW_S)


def test_secrets_can_be_rotated_in_both_directions():
    old, new = b"o" * 32, b"n" * 32
    headers = sign_post(old, "m", NOW_S, BODY)
    assert verify_post([new, old], headers, BODY, NOW_S)
    both = (
        sign_post(new, "m", NOW_S, BODY)["webhook-signature"] + " " + headers["webhook-signature"]
    )
    assert verify_post([old], headers | {"webhook-signature": both}, BODY, NOW_S)
    assert not verify_post([new], headers, BODY, NOW_S)
    assert not verify_post([], headers, BODY, NOW_S)


def test_an_id_counts_once():
    seen = SeenIds()
    headers = sign_post(KEY, "m", NOW_S, BODY)
    assert verify_post([KEY], headers, BODY, NOW_S, seen)
    assert not verify_post([KEY], headers, BODY, NOW_S + 1, seen)


def test_a_forged_post_does_not_use_up_the_id():
    seen = SeenIds()
    headers = sign_post(KEY, "m", NOW_S, BODY)
    assert not verify_post([KEY], headers, b"forged", NOW_S, seen)
    assert verify_post([KEY], headers, BODY, NOW_S, seen)


def test_ids_are_forgotten_by_age_and_by_number():
    seen = SeenIds(limit=2)
    assert seen.first_time("a", 0)
    assert seen.first_time("b", 0)
    assert seen.first_time("c", 0)
    assert seen.first_time("a", 0)
    assert not seen.first_time("c", 2 * WINDOW_S)
    assert seen.first_time("c", 2 * WINDOW_S + 1)


def test_a_secret_has_a_length():
    assert webhook_secret("whsec_" + base64.b64encode(KEY).decode()) == KEY
    for bad in ("", "whsec_", "whsec_not base64", base64.b64encode(b"x" * 23).decode()):
        with pytest.raises(ConfigError):
            webhook_secret(bad)
