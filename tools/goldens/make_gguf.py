#!/usr/bin/env python3
"""Golden GGUF files by independent programs: gguf (writer, quantiser), tokenizers, transformers (merges of scores).

usage: make_gguf.py OUT_DIR        needs gguf 0.19, tokenizers 0.23, safetensors 0.8, transformers 5.23, numpy
"""
import json
import sys

import gguf
import numpy as np
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import generate_merges

OUT = sys.argv[1]
Q = gguf.GGMLQuantizationType
TEXTS = ["the cat sat on the mat 123 times", "state x=1.25, v=-0.5; u=3", "the mat, the cat & the 42 hats"]
C, H, K, D, F, L = 32, 4, 2, 8, 64, 1


def permute(w, heads):
    """llama.cpp's LlamaModel.permute"""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def unpermute(w, heads):
    return w.reshape(heads, w.shape[0] // heads // 2, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def write_model(path, vocab_size, add_tokenizer, types):
    rng = np.random.default_rng(7)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("golden")
    writer.add_context_length(128)
    writer.add_embedding_length(C)
    writer.add_block_count(L)
    writer.add_feed_forward_length(F)
    writer.add_head_count(H)
    writer.add_head_count_kv(K)
    writer.add_rope_freq_base(50000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(D)
    writer.add_vocab_size(vocab_size)
    add_tokenizer(writer)
    expected = {}

    def add(name, hf, shape, kind, heads=0):
        w = rng.standard_normal(shape).astype(np.float32)
        data = quantize(permute(w, heads) if heads else w, kind)
        back = dequantize(data, kind).astype(np.float32).reshape(shape)
        writer.add_tensor(name, data, raw_dtype=kind)
        expected[hf] = unpermute(back, heads) if heads else back

    add("token_embd.weight", "model.embed_tokens.weight", (vocab_size, C), types[0])
    add("output_norm.weight", "model.norm.weight", (C,), Q.F32)
    hf = "model.layers.0."
    add("blk.0.attn_norm.weight", hf + "input_layernorm.weight", (C,), Q.F32)
    add("blk.0.attn_q.weight", hf + "self_attn.q_proj.weight", (H * D, C), types[1], H)
    add("blk.0.attn_k.weight", hf + "self_attn.k_proj.weight", (K * D, C), types[2], K)
    add("blk.0.attn_v.weight", hf + "self_attn.v_proj.weight", (K * D, C), types[3])
    add("blk.0.attn_output.weight", hf + "self_attn.o_proj.weight", (C, H * D), types[4])
    add("blk.0.ffn_norm.weight", hf + "post_attention_layernorm.weight", (C,), Q.F32)
    add("blk.0.ffn_gate.weight", hf + "mlp.gate_proj.weight", (F, C), types[5])
    add("blk.0.ffn_up.weight", hf + "mlp.up_proj.weight", (F, C), types[6])
    add("blk.0.ffn_down.weight", hf + "mlp.down_proj.weight", (C, F), types[7])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return expected


def byte_level():
    """A tokenizer trained by tokenizers, with SmolLM's pre-tokenizer; its tables as the converter writes them."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tok.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tok.train_from_iterator(TEXTS, trainers.BpeTrainer(
        vocab_size=285, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    spec = json.loads(tok.to_str())
    vocab = sorted(spec["model"]["vocab"].items(), key=lambda item: item[1])
    n = len(vocab) + 2  # two rows without a token

    def add(writer):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list([t for t, _ in vocab] + [f"[PAD{i}]" for i in range(len(vocab), n)])
        writer.add_token_types([3 if t in special else 1 for t, _ in vocab] + [5, 5])
        writer.add_token_merges([" ".join(m) for m in spec["model"]["merges"]])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_pad_token_id(2)
        writer.add_unk_token_id(0)
        writer.add_add_bos_token(False)
        writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")

    kinds = [Q.Q8_0, Q.Q4_0, Q.Q4_1, Q.F16, Q.Q5_0, Q.Q5_1, Q.BF16, Q.F32]
    save_file(write_model(f"{OUT}/bpe.gguf", n, add, kinds), f"{OUT}/bpe.safetensors")
    with open(f"{OUT}/bpe.jsonl", "w", encoding="ascii") as out:
        for text in [*TEXTS, "<|im_start|>the 2024<|im_end|>", "é ü 日本", "   \n\t x", ""]:
            out.write(json.dumps({"text": text, "ids": tok.encode(text, add_special_tokens=False).ids}) + "\n")


def sentence_piece():
    """Pieces with scores, as a SentencePiece BPE model has them; merges of them by transformers."""
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    scores = [0.0] * 259
    words = ["\u2581t", "he", "\u2581the", "at", "\u2581c", "\u2581cat", "cat", "\u2581\u2581", "th", "t" + "he", "ca",
             "\u2581m", "\u2581mat", "mat", "\u00e9t"]
    letters = sorted({c for w in words for c in w})
    for i, word in enumerate(words):
        pieces.append(word)
        kinds.append(1)
        scores.append(-float(i // 2))  # ties
    for i, letter in enumerate(letters):
        pieces.append(letter)
        kinds.append(1)
        scores.append(-float(len(words) + i))

    def add(writer):
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(pieces)
        writer.add_token_scores(scores)
        writer.add_token_types(kinds)
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)

    write_model(f"{OUT}/spm.gguf", len(pieces), add, [Q.Q4_0] * 8)
    vocab = {p: i for i, p in enumerate(pieces)}
    merges = generate_merges(vocab, list(zip(pieces, scores)))
    with open(f"{OUT}/spm.json", "w", encoding="ascii") as out:
        json.dump({"merges": merges, "vocab": vocab}, out)


byte_level()
sentence_piece()
