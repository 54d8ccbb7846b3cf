"""From the settings of an agent to those of its parts."""

from __future__ import annotations

import ssl

from mediacore.errors import ConfigError
from mediacore.transports.sip.settings import Rel100, SipConfig
from mediacore.wire.sip.machines import Times
from mediacore.wire.sip.session_timer import TimerConfig
from mediacore.wire.sip.stack import UaConfig
from mediacore.wire.sip.transaction_config import TransactionConfig


def ua_config(config: SipConfig) -> UaConfig:
    """Of the user agent and its transactions."""
    times = Times(t1=config.t1_ms, t2=8 * config.t1_ms, t4=10 * config.t1_ms)
    transactions = TransactionConfig(
        times=times, retry_after_s=config.retry_after_s, admission=config.admission
    )
    return UaConfig(
        user=config.user,
        rel100=config.rel100 is Rel100.SUPPORTED,
        timer=TimerConfig(config.session_expires_s, config.min_se_s),
        refer_ms=config.refer_ms,
        retry_after_s=config.retry_after_s,
        transactions=transactions,
    )


def tls_contexts(config: SipConfig) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """For connections taken and made. Raises ConfigError."""
    if config.certificate is None or config.key is None:
        return None, None
    try:
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain(config.certificate, config.key)
        client = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"SIP certificates cannot be used: {error}") from None
    return server, client
