"""Documents in progress: their scope, their variables, their warnings."""

from __future__ import annotations

from dataclasses import dataclass

from mediacore.runtime import flows
from mediacore.runtime import inputs as i
from mediacore.runtime.draft import Draft
from mediacore.runtime.state import Operation, OpKind, WaitData
from support.runtime_call import Phone, settings


@dataclass(frozen=True)
class Spot:
    line: int


def test_the_scope_is_the_call_its_variables_and_the_configuration() -> None:
    phone = Phone(rules=settings(envs={"REGION": "eu"}))
    d = Draft(phone.state, phone.now)
    scope = flows.scope_for(d, d.line("L1"), {"a": 1})
    assert scope.lookup("call.from") == "+1555"
    assert scope.lookup("params.a") == 1 and scope.lookup("envs.REGION") == "eu"


def test_a_document_sees_the_line_as_it_is_now() -> None:
    phone = Phone(
        [{"play": "say:%{call.call_state}"}, {"answer": {}}, {"play": "say:%{call.call_state}"}]
    )
    phone.answered()
    phone.played()
    assert phone.said[-1] == "answered"


def test_the_main_document_of_a_line() -> None:
    phone = Phone([{"sleep": -1}])
    d = Draft(phone.state, phone.now)
    found = flows.main_flow(d, "L1")
    assert found is not None and found.purpose == flows.MAIN
    assert flows.main_flow(d, "L2") is None


def test_an_operation_knows_its_document() -> None:
    wait = WaitData()
    assert flows.owner_of(Operation("o", OpKind.SLEEP, "L1", "flow:12", wait, 0)) == 12
    assert flows.owner_of(Operation("o", OpKind.SLEEP, "L1", "session", wait, 0)) is None


def test_a_warning_is_cut_and_placed() -> None:
    phone = Phone()
    d = Draft(phone.state, phone.now)
    flows.warn(d, "L1", "relay_script_x", "y" * 900, Spot(7))
    told = d.actions[-1].params  # type: ignore[union-attr]
    assert told["line"] == 7 and len(str(told["message"])) == 500 and told["call_id"] == "L1"


def test_two_documents_of_a_call_share_its_variables() -> None:
    ask = [{"play": "say:x is %{x}"}, {"set": {"y": "2"}}]
    main = [{"answer": {}}, {"set": {"x": "1"}}, {"connect": {"to": "+1", "confirm": ask}}]
    phone = Phone([*main, {"play": "say:y is %{y}"}])
    phone.answered()
    phone.answered(phone.others[0])
    assert phone.said == ["x is 1"]
    phone.played(phone.others[0])
    phone.do(i.LineGone(phone.others[0], "hangup"))
    assert phone.said[-1] == "y is 2"
