import time

from mediacore.postcall.jsontext import FoundJson, find_objects


def test_objects_in_prose_and_fences() -> None:
    text = 'Sure:\n```json\n{"a": 1, "b": {"c": []}}\n```\nand {"d": "}"} done'
    found = find_objects(text)
    assert found.objects == ({"a": 1, "b": {"c": []}}, {"d": "}"})
    assert found.rest == "Sure:\n\n\n\nand  done"


def test_text_without_json_is_left() -> None:
    assert find_objects("no {json ```here") == FoundJson((), "no {json ```here")
    assert find_objects("") == FoundJson((), "")
    assert find_objects('{"a": NaN}').objects == ()
    assert find_objects("[1, 2]").objects == ()


def test_broken_then_good() -> None:
    assert find_objects('{"a": {"b": 1}').objects == ({"b": 1},)


def test_bombs_are_bounded() -> None:
    start = time.process_time()
    for text in ("{" * 500_000, '{"a":' * 100_000, '{"a":' + "[" * 100_000, '{"a":1}' * 50_000):
        assert len(find_objects(text).objects) <= 64
    deep = '{"a":' * 200 + "1" + "}" * 200
    assert find_objects(deep).objects == ()
    assert time.process_time() - start < 3
