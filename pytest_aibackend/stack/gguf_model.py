"""A language model of half a megabyte with random weights: what the embedded llama.cpp servers serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

__all__ = ["MODEL_FILE", "ensure_model", "write_model"]

MODEL_FILE = "tiny-llama-1.gguf"  # count up when the recipe changes, so that a cached file is renewed

WIDTH = 64
LAYERS = 2
HEADS = 4
FEED_FORWARD = 128
CONTEXT = 2048  # tokens
SPECIAL_TOKENS = ("<unk>", "<s>", "</s>")
WORDS = tuple(
    word
    for line in (
        "the gateway answers all is well model tiny hello world",
        "and of a to in it so we test ok",
        "yes no port cache route node key log up",
    )
    for word in line.split()
)
CHAT_TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


def ensure_model(folder: Path) -> Path:
    """Return the model file in `folder`, written first if it is not there; raises OSError."""
    path = folder / MODEL_FILE
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            write_model(unfinished)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path


def write_model(path: Path) -> None:
    """Write the model to `path`, the same weights every time; raises OSError."""
    import gguf

    writer = gguf.GGUFWriter(path, "llama")
    try:
        _add_shape(writer)
        _add_vocabulary(writer)
        _add_weights(writer)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()


def _add_shape(writer: Any) -> None:
    writer.add_name("tiny random llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(_vocabulary_size())


def _add_vocabulary(writer: Any) -> None:
    from gguf import TokenType

    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL]
    kinds += [TokenType.BYTE] * len(byte_tokens) + [TokenType.NORMAL] * len(WORDS)
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*SPECIAL_TOKENS, *byte_tokens, *(f"▁{word}" for word in WORDS)])
    writer.add_token_types([int(kind) for kind in kinds])
    # llama.cpp reads the scores as floats and refuses integers.
    writer.add_token_scores([0.0] * _first_word() + [-float(rank) for rank in range(1, len(WORDS) + 1)])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template(CHAT_TEMPLATE)


def _add_weights(writer: Any) -> None:
    import numpy as np

    source = np.random.default_rng(0)

    def random(*shape: int) -> Any:
        return (source.standard_normal(shape) * 0.05).astype(np.float32)

    output = random(_vocabulary_size(), WIDTH)
    output[_first_word() :] *= 20  # words are far likelier than bytes: noise that a person can read
    ones = np.ones(WIDTH, np.float32)
    writer.add_tensor("token_embd.weight", random(_vocabulary_size(), WIDTH))
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", random(WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_gate.weight", random(FEED_FORWARD, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", random(FEED_FORWARD, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", random(WIDTH, FEED_FORWARD))
        writer.add_tensor(f"blk.{layer}.attn_norm.weight", ones)
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", ones)


def _first_word() -> int:
    return len(SPECIAL_TOKENS) + 256


def _vocabulary_size() -> int:
    return _first_word() + len(WORDS)
