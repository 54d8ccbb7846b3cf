from __future__ import annotations

from mediacore.providers.local import bpe


def encode(text: str) -> str:
    char_of = {byte: char for char, byte in bpe.BYTE_OF.items()}
    return "".join(char_of[byte] for byte in text.encode())


def test_the_table_is_a_bijection_with_gpt2s_well_known_entries() -> None:
    assert len(bpe.BYTE_OF) == 256
    assert sorted(bpe.BYTE_OF.values()) == list(range(256))
    assert bpe.BYTE_OF["Ġ"] == 0x20
    assert bpe.BYTE_OF["Ċ"] == 0x0A
    assert bpe.BYTE_OF["ł"] == 0xA0
    assert bpe.BYTE_OF["A"] == 0x41


def test_decode_joins_characters_split_over_tokens() -> None:
    coded = encode(" naïve café, £5 – 日本")
    assert bpe.decode(list(coded)) == "naïve café, £5 – 日本"


def test_decode_leaves_special_tokens_out_and_replaces_broken_bytes() -> None:
    assert bpe.decode(["<|0.00|>", "ĠHi", "<|2.00|>", "<|endoftext|>"]) == "Hi"
    assert bpe.decode(["Ã"]) == "�"
    assert not bpe.is_special("<")
