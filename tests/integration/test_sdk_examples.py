"""Every example that the SDK's wheel ships: it runs, or the exact reason why it does not."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mediacore.control import TlsFiles
from mediacore.control.selfsigned import make_self_signed
from support.example_calls import Outcome, try_all
from support.handset import Handset
from support.sdk import SDK_375, sdk_python
from support.sdk_program import PROGRAMS, SdkProgram, sdk_program
from support.service_sim import PROJECT, TOKEN, Stage

# The first test also makes the SDK's environment when there is none.
pytestmark = [pytest.mark.realtime, pytest.mark.timeout(300)]

RUNS = "runs"
NO_END = "runs: the caller has to hang up"
BEDROCK = "unsupported: 'amazon_bedrock' failed"
CLASSES = "no document: Please specify which service to use"
SERVICELESS = "no document: No service found in"
OWN_OPTIONS = "no document: unrecognized arguments"

EXAMPLES: Mapping[str, str] = {
    "advanced_datamap_demo": SERVICELESS,
    "auto_vivified_example": OWN_OPTIONS,
    "auto_vivified_example --service ivr --show-swml": NO_END,
    "auto_vivified_example --service transfer --show-swml": RUNS,
    "auto_vivified_example --service voicemail --show-swml": RUNS,
    "basic_swml_service": OWN_OPTIONS,
    "basic_swml_service --service ivr --show-swml": NO_END,
    "basic_swml_service --service record --show-swml": NO_END,  # it sleeps for a minute
    "basic_swml_service --service transfer --show-swml": RUNS,
    "basic_swml_service --service voicemail --show-swml": RUNS,
    "bedrock_agent_run": BEDROCK,
    "bedrock_agent_test": BEDROCK,
    "bedrock_server_test": BEDROCK,
    "bedrock_with_skills": BEDROCK,
    "call_flow_and_actions_demo": "runs; play: the call is not answered",
    "comprehensive_dynamic_agent": RUNS,
    "concierge_agent_example": RUNS,
    "contexts_demo": RUNS,
    "custom_path_agent": RUNS,
    "data_map_demo": RUNS,
    "datasphere_multi_instance_demo": RUNS,
    "datasphere_serverless_demo": RUNS,
    "datasphere_serverless_env_demo": "no document: DATASPHERE_DOCUMENT_ID",
    "datasphere_webhook_env_demo": "no document: DATASPHERE_DOCUMENT_ID",
    "declarative_agent": RUNS,
    "dynamic_info_gatherer_example": RUNS,
    "dynamic_swml_service": OWN_OPTIONS,
    "faq_bot_agent": RUNS,
    "gather_info_demo": RUNS,
    "gather_per_question_functions_demo": RUNS,
    "info_gatherer_example": RUNS,
    "joke_agent": RUNS,
    "joke_skill_demo": RUNS,
    "kubernetes_ready_agent": RUNS,
    "lambda_agent": "no document: Mangum not installed",
    "llm_params_demo": "no document: Unknown agent type",
    "llm_params_demo CreativeAssistant": RUNS,
    "llm_params_demo CustomerServiceAgent": RUNS,
    "llm_params_demo PreciseAssistant": RUNS,
    "mcp_agent": RUNS,
    "mcp_gateway_demo": RUNS,
    "multi_agent_server": CLASSES,
    "multi_agent_server FinanceAgent": RUNS,
    "multi_agent_server HealthcareAgent": RUNS,
    "multi_agent_server RetailAgent": RUNS,
    "multi_endpoint_agent": RUNS,
    "pgvector_search_agent": RUNS,
    "quickstart_agent": RUNS,
    "quickstart_relay": "no document: example.signalwire.com",
    "quickstart_rest": "no document: example.signalwire.com",
    "receptionist_agent_example": RUNS,
    "record_call_example": SERVICELESS,
    "relay_answer_and_welcome": "no document: SIGNALWIRE_API_TOKEN",
    "room_and_sip_example": SERVICELESS,
    "search_server_standalone": SERVICELESS,
    "search_with_custom_formatter": RUNS,
    "session_and_state_demo": RUNS,
    "sigmond_native_search": RUNS,
    "sigmond_remote_search": RUNS,
    "sigmond_simple": RUNS,
    "simple_agent": RUNS,
    "simple_dynamic_agent": RUNS,
    "simple_dynamic_enhanced": RUNS,
    "simple_static_agent": RUNS,
    "skills_demo": RUNS,
    "step_function_inheritance_demo": RUNS,
    "survey_agent_example": CLASSES,
    "survey_agent_example ProductSurveyAgent": RUNS,
    "swaig_features_agent": RUNS,
    "swml_service_example": SERVICELESS,
    "swml_service_routing_example": RUNS,
    "swmlservice_ai_sidecar": "unsupported: 'ai_sidecar' failed",
    "swmlservice_swaig_standalone": RUNS,
    "tap_example": SERVICELESS,
    "web_search_agent": RUNS,
    "web_search_multi_instance_demo": RUNS,
    "wikipedia_demo": RUNS,
}

# Parameters that are reported and do nothing here are no reason to fail (`ai_param_…`).
_REPORTED = "ai_param_"
_NO_TLS = "beep.wav: tls"  # the recorder that stands for the web speaks no TLS
_KEYS = (
    "API_NINJAS_KEY",
    "GOOGLE_SEARCH_API_KEY",
    "GOOGLE_SEARCH_ENGINE_ID",
    "WEATHER_API_KEY",
    "SIGNALWIRE_SPACE_NAME",
    "SIGNALWIRE_PROJECT_ID",
    "SIGNALWIRE_TOKEN",
)


def shipped(name: str) -> Path:
    """A file of the installed SDK's documentation."""
    where = [str(sdk_python(SDK_375)), "-c", "import signalwire; print(signalwire.__file__)"]
    package = Path(subprocess.check_output(where, text=True, timeout=60).split()[-1]).parent
    return package / "_docs" / name


@pytest.fixture(scope="module")
def dumps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each example gives: a document, or what it said instead."""
    out = tmp_path_factory.mktemp("dumps") / "dumps.json"
    keys = dict.fromkeys(_KEYS, "example")
    auth = {"SWML_BASIC_AUTH_USER": "user", "SWML_BASIC_AUTH_PASSWORD": "pass"}
    wanted = [name for name in EXAMPLES if name != "quickstart_relay"]
    subprocess.run(
        [str(sdk_python(SDK_375)), str(PROGRAMS / "dump_examples.py"), str(out), *wanted],
        check=True,
        timeout=200,
        stdout=subprocess.DEVNULL,
        cwd=out.parent,
        env={**os.environ, **keys, **auth, "SIGNALWIRE_LOG_MODE": "off"},
    )
    return dict(json.loads(out.read_text()))


@pytest.fixture(scope="module")
def outcomes(dumps: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """One call by each document."""
    documents = {name: dump["document"] for name, dump in dumps.items() if "document" in dump}
    return asyncio.run(try_all(tmp_path_factory.mktemp("calls"), documents))


def test_no_example_is_left_out() -> None:
    files = shipped("examples").glob("*.py")
    assert {name.split()[0] for name in EXAMPLES} == {file.stem for file in files}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "quickstart_relay"])
def test_an_example(name: str, dumps: dict[str, Any], outcomes: dict[str, Outcome]) -> None:
    expected = EXAMPLES[name]
    verdict, _, reason = expected.partition(": " if ";" not in expected else "; ")
    if verdict == "no document":
        assert "document" not in dumps[name] and reason in dumps[name]["why"]
        return
    outcome = outcomes[name]
    warnings = [text for text in outcome.warnings if not text.startswith(_REPORTED)]
    assert outcome.end == ("caller" if expected == NO_END else "document")
    assert outcome.record is not None and outcome.record.end_reason == "hangup"
    assert [error for error in outcome.errors if _NO_TLS not in error] == []
    if expected in (RUNS, NO_END):
        assert warnings == []
    else:
        assert len(warnings) == 1 and reason in warnings[0]


# ------------------------------------------------------------------- the programs that control


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_self_signed(tmp_path_factory.mktemp("tls"))


def environment(stage: Stage, tls: TlsFiles) -> dict[str, str]:
    return {
        "SIGNALWIRE_PROJECT_ID": PROJECT,
        "SIGNALWIRE_API_TOKEN": TOKEN,
        "SIGNALWIRE_SPACE": stage.address,
        "SIGNALWIRE_RELAY_CA_FILE": str(tls.cert),
        "RELAY_FROM_NUMBER": "+15550001",
        "RELAY_TO_NUMBER": "+15550009",
    }


async def connected(stage: Stage, program: SdkProgram) -> None:
    control = stage.service.control
    assert control is not None
    await stage.until(
        lambda: control.snapshot().sessions == 1 or program.process.poll() is not None
    )
    assert program.process.poll() is None, program.tail()


@pytest.mark.parametrize(
    "name", ["relay/examples/relay_answer_and_welcome.py", "examples/relay_answer_and_welcome.py"]
)
def test_the_example_that_answers(name: str, tls: TlsFiles, tmp_path: Path) -> None:
    async def main() -> None:
        stage = Stage(tmp_path, control=True, tls=tls, options={"context": "default"})
        async with stage:
            env = environment(stage, tls)
            with sdk_program(sdk_python(SDK_375), shipped(name), env=env) as program:
                await connected(stage, program)
                caller = await stage.call()
                await caller.gone()
                assert caller.sound_ms() > 300
                assert [e["state"] for e in stage.of("call.play")] == ["playing", "finished"]
                assert (await stage.record()).end_reason == "hangup"

    asyncio.run(main())


def test_the_example_that_dials(tls: TlsFiles, tmp_path: Path) -> None:
    async def listen(phone: Handset) -> None:
        await phone.gone()

    async def main() -> None:
        async with Stage(tmp_path, control=True, tls=tls) as stage:
            phones = stage.phone("+15550009", listen, ring_ms=200)
            program_file = shipped("relay/examples/relay_dial_and_play.py")
            env = environment(stage, tls)
            with sdk_program(sdk_python(SDK_375), program_file, env=env) as program:
                assert await program.ended() == 0, program.tail()
                said = "\n".join(program.log)
                assert "Call answered" in said and "Call ended" in said
                assert "Disconnected" in said
            assert phones[0].sound_ms() > 300

    asyncio.run(main())


@pytest.mark.parametrize("key", ["1", "2", "0", ""])
def test_the_example_with_a_menu(key: str, tls: TlsFiles, tmp_path: Path) -> None:
    async def agent(phone: Handset) -> None:
        await phone.whistle(1500, 800)
        phone.hang_up()

    async def main() -> None:
        stage = Stage(tmp_path, control=True, tls=tls, options={"context": "default"})
        async with stage:
            agents = stage.phone("+19184238080", agent)
            env = environment(stage, tls)
            program_file = shipped("relay/examples/relay_ivr_connect.py")
            with sdk_program(sdk_python(SDK_375), program_file, env=env) as program:
                await connected(stage, program)
                caller = await stage.call()
                await caller.until(lambda: caller.speaking)
                if key:
                    caller.press(key)
                if key == "0":
                    await caller.until(lambda: caller.tone_dbov(1500) > -30)
                    assert len(agents) == 1
                    caller.hang_up()
                await caller.gone(25)
            words = {"1": "sales representative", "2": "support team", "0": "Connecting you"}
            said = " ".join(request.text for request in stage.tts.requests)
            assert words.get(key, "valid selection") in said

    asyncio.run(main())
