"""Options of `mediacore serve` from its configuration file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mediacore.app_serve import ServeOptions, micros
from mediacore.policy.budget import Budget, parse_budget
from mediacore.serving.config import read_config
from mediacore.serving.sections import ServiceSection


def options_of(path: Path) -> ServeOptions:
    """Read the file. Raises ConfigError with file, line and key."""
    file = read_config(path)
    service, control = file.service, file.control
    options = ServeOptions(
        document=_document(service, path),
        llm=service.llm,
        stt=service.stt,
        tts=service.tts,
        allow=service.allow,
        records=service.records,
        sounds=service.sounds,
        phones=service.phones,
        strict=service.strict,
        budget=_budget(service, path),
        prices=service.prices,
        campaign=service.campaign,
        day_cap_micros=micros(service.day_cap, f"{path}: service.day_cap")
        if service.day_cap
        else 0,
        spend=service.spend or None,
        queue=service.queue,
        document_secret=service.document_secret,
        log=service.log,
        log_content=service.log_content,
        language=service.language,
        voice=service.voice,
        hold_music=service.hold_music,
        records_url=service.records_url,
        max_calls=service.max_calls,
        drain_s=service.drain_s,
        gateways=file.gateways,
    )
    if control is None:
        return options
    return replace(
        options,
        control=(control.host, control.port),
        project=control.project,
        context=control.context,
        tls=control.tls,
        token=control.token,
        jwt_secret=control.jwt_secret,
        plain_network=control.plain_network,
        origins=control.origins,
    )


def _budget(service: ServiceSection, path: Path) -> Budget:
    return parse_budget(dict(service.budget), f"{path}: service.budget")


def _document(service: ServiceSection, path: Path) -> str | None:
    """Files count from the folder of the configuration."""
    document = service.document
    if document is None or document.startswith(("http://", "https://")):
        return document
    return str(path.parent / Path(document).expanduser())
