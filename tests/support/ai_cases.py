"""One `ai` document for the tests of this folder, and short ways to use it."""

from __future__ import annotations

from typing import Any

from mediacore.assistant import AiSession, begin, read_config

SECRET = "S3CR3T-4711"


def document(**changes: Any) -> dict[str, Any]:
    """A document with two contexts, tools of two applications and hidden data."""
    tool = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    return {
        "prompt": {
            "text": "You are Ada. ${global_data.pin}Caller ${caller_id_number}.",
            "contexts": {
                "default": {
                    "text": "Context text.",
                    "valid_contexts": ["billing", "nowhere"],
                    "exit_fillers": {"en": ["Bye ${global_data.pin}."]},
                    "steps": [
                        {
                            "name": "hello",
                            "text": "Greet ${pin}.",
                            "step_criteria": "Greeted.",
                            "functions": ["look", "check_time"],
                        },
                        {"name": "ask", "text": "Ask.", "valid_steps": ["done", "hello", "gone"]},
                        {"name": "done", "text": "Finish.", "functions": [], "end": True},
                    ],
                },
                "billing": {
                    "system_prompt": "You are Bill.",
                    "isolated": True,
                    "user_prompt": "I have a bill.",
                    "post_prompt": "Sum up the bill.",
                    "enter_fillers": [{"en": ["Hi."]}],
                    "valid_steps": ["next"],
                    "steps": [
                        {
                            "name": "collect",
                            "text": "Collected.",
                            "functions": "none",
                            "gather_info": {
                                "output_key": "profile",
                                "prompt": "Collect the data.",
                                "completion_action": "next_step",
                                "questions": [
                                    {"key": "name", "question": "Your name?", "confirm": True},
                                    {
                                        "key": "age",
                                        "question": "Your age?",
                                        "type": "integer",
                                        "functions": ["look"],
                                        "isolated": True,
                                    },
                                ],
                            },
                        },
                        {"name": "pay", "text": "Pay.", "functions": ["look"], "history": "hide"},
                    ],
                },
            },
        },
        "post_prompt": "Sum up.",
        "global_data": {"pin": SECRET},
        "params": {"local_tz": "Europe/Berlin"},
        "SWAIG": {
            "defaults": {"web_hook_url": "http://app/swaig?__token=x"},
            "native_functions": ["check_time", "wait_seconds"],
            "functions": [
                {
                    "function": "look",
                    "description": "Looks up ${global_data.pin}.",
                    "parameters": tool,
                    "meta_data": {"key": SECRET},
                },
                {"function": "order", "description": "Orders.", "active": 1},
                {"function": "foreign", "web_hook_url": "http://other/"},
                {"function": "hangup_hook"},
            ],
        },
        **changes,
    }


def plain(**changes: Any) -> dict[str, Any]:
    """The same without contexts."""
    return document(prompt="You are Ada.", **changes)


def start(raw: dict[str, Any] | None = None, **more: Any) -> AiSession:
    """The state at the start of a run of `raw`, or of `document()`."""
    return begin(read_config(raw or document()), visible={"caller_id_number": "123"}, **more)


def trail(session: AiSession) -> list[str]:
    """The kinds of the trail entries so far."""
    return [entry.kind for entry in session.trail]
