"""Small tokenizer.json files that together use every component that rein reads: (name, text) pairs of all_sets().

The vocabularies are trained here by Hugging Face tokenizers on the text below; nothing is downloaded.
"""
import copy
import json

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CORPUS = [
    "The cat sat on the mat; the dog didn't. It's 3.14 or 2024, isn't it? They'll see we've 100 hats.",
    "def main(x, y):\n    return x + y  # sum\n\n\nif x == 1:\n\tprint('hello world')\n",
    "Größe, Straße, café, naïve, Ångström, İstanbul; e\u0301te\u0301. 日本語のテキスト、中文文本。한국어 문장. नमस्ते दुनिया",
    "<x> is a tag, [INST] too; <0x41> is none. ½ ① ² ﬁ ﬂ ... !!! ??? --> == != <= >= 👍 🙂",
    "hello  world   and    more     spaces\n\n  lines\r\n\ttabs",
] * 3


def byte_level_base():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False))
    return json.loads(t.to_str())


def pieces_base(fallback):
    """As converted from sentencepiece: <unk>, <s>, </s>, the 256 bytes, then pieces with U+2581 for spaces."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=fallback))
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"] + ([f"<0x{b:02X}>" for b in range(256)] if fallback else [])
    lines = [line.replace("नमस्ते", "").replace("한국어", "") for line in CORPUS]
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=len(special) + 260, special_tokens=special,
                                                     show_progress=False))
    d = json.loads(t.to_str())
    d["added_tokens"] = [a for a in d["added_tokens"] if a["id"] < 3]
    return d


def added(i, content, **flags):
    token = dict(id=i, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    token.update(flags)
    return token


def template(*parts):
    """Token names with ids, and "$" for the text."""
    single = [{"Sequence": {"id": "A", "type_id": 0}} if p == "$" else {"SpecialToken": {"id": p[0], "type_id": 0}}
              for p in parts]
    known = {p[0]: {"id": p[0], "ids": [p[1]], "tokens": [p[0]]} for p in parts if p != "$"}
    pair = single + [{"Sequence": {"id": "B", "type_id": 1}}]
    return dict(type="TemplateProcessing", single=single, pair=pair, special_tokens=known)


def seq(kind, *steps):
    return {"type": "Sequence", kind: list(steps)}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return dict(type="Split", pattern={kind: pattern}, behavior=behavior, invert=invert)


def replace(pattern, content, kind="String"):
    return dict(type="Replace", pattern={kind: pattern}, content=content)


BYTES = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=False)
GPT2 = dict(BYTES, use_regex=True)
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
         r"\s+(?!\S)|\s+")


def metaspace(scheme="always", split_=True, **more):
    return dict(type="Metaspace", replacement="\u2581", prepend_scheme=scheme, split=split_, **more)


def strip(start, stop, content=" "):
    return dict(type="Strip", content=content, start=start, stop=stop)


FALLBACK, FUSE = {"type": "ByteFallback"}, {"type": "Fuse"}
LLAMA2_NORMAL = seq("normalizers", dict(type="Prepend", prepend="\u2581"), replace(" ", "\u2581"))
LLAMA2_DECODER = seq("decoders", replace("\u2581", " "), FALLBACK, FUSE, strip(1, 0))


def form(name):
    return {"type": name}


def byte_level_sets():
    vocab = byte_level_base()["model"]["vocab"]
    n = len(vocab)
    e = [added(n, "<e>")]
    flags = [added(n, "<e>", rstrip=True), added(n + 1, "<x>", lstrip=True, normalized=True, special=False),
             added(vocab["at"], "at", single_word=True, special=False), added(n + 2, "<|im_start|>"),
             added(n + 3, "\u2126", normalized=True, special=False), added(n + 4, "  ", normalized=True, special=False)]
    frame = seq("processors", BYTES, template(("<e>", n), "$"))
    pre = lambda *steps: seq("pretokenizers", *steps)  # noqa: E731
    yield "gpt2", dict(pre_tokenizer=GPT2, added_tokens=e)
    yield "gpt2-prefix", dict(pre_tokenizer=dict(GPT2, add_prefix_space=True), added_tokens=flags)
    yield "llama3", dict(pre_tokenizer=pre(split(LLAMA3), BYTES), added_tokens=e, post_processor=frame,
                         ignore_merges=True)
    yield "qwen2", dict(normalizer=form("NFC"), pre_tokenizer=pre(split(QWEN2), BYTES), added_tokens=flags,
                        post_processor=BYTES)
    yield "smollm", dict(pre_tokenizer=pre(dict(type="Digits", individual_digits=True), GPT2), added_tokens=e)
    yield "falcon", dict(pre_tokenizer=pre(dict(type="Punctuation", behavior="Contiguous"), GPT2,
                                           dict(type="Digits", individual_digits=False), split("[0-9][0-9][0-9]")),
                         added_tokens=flags)
    yield "deepseek", dict(normalizer=seq("normalizers"), added_tokens=e, pre_tokenizer=pre(
        split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split(r"[一-龥ࠀ-一가-퟿]+"),
        dict(type="Digits", individual_digits=True), BYTES))
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield "split-" + behavior.lower(), dict(pre_tokenizer=pre(split(r"\s+|[.,!?]", behavior), BYTES))
        yield "invert-" + behavior.lower(), dict(pre_tokenizer=pre(split(r"\w+", behavior, True), BYTES))
    yield "split-string", dict(pre_tokenizer=pre(split(".", "MergedWithPrevious", kind="String"),
                                                 split("a b", "Removed", kind="String"), BYTES))
    yield "whitespace", dict(pre_tokenizer=pre(form("Whitespace"), BYTES), added_tokens=flags)
    yield "whitespace-split", dict(pre_tokenizer=pre(form("WhitespaceSplit"),
                                                     dict(type="Punctuation", behavior="Isolated"), BYTES))
    for behavior in ("Removed", "MergedWithPrevious", "MergedWithNext"):
        yield "punctuation-" + behavior.lower(), dict(
            pre_tokenizer=pre(dict(type="Punctuation", behavior=behavior), pre(BYTES)))
    for name in ("NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"):
        yield name.lower(), dict(normalizer=form(name), pre_tokenizer=GPT2, added_tokens=flags)
    yield "normal-sequence", dict(
        # steps after Strip or Replace make tokenizers 0.23 panic or grow without bound on some texts
        normalizer=seq("normalizers", form("NFKD"), form("StripAccents"), form("Lowercase"),
                       seq("normalizers", replace(r"\s+", " ", "Regex"))),
        pre_tokenizer=GPT2, added_tokens=flags, post_processor=template("$", ("<e>", n)))
    yield "strip-left", dict(normalizer=dict(type="Strip", strip_left=True, strip_right=False), pre_tokenizer=GPT2)
    yield "byte-level-normalizer", dict(normalizer=form("ByteLevel"), pre_tokenizer=None, added_tokens=e)
    yield "anchors", dict(pre_tokenizer=pre(split(r"^\s+|\s+$|\bx|\B'|\A.|.\z", "Isolated"), BYTES))
    yield "nested", dict(pre_tokenizer=pre(pre(split(r"\d+"), pre(dict(type="Digits", individual_digits=True))), GPT2))
    yield "roberta", dict(pre_tokenizer=GPT2, added_tokens=flags, post_processor=dict(
        type="RobertaProcessing", sep=["<e>", n], cls=["<x>", n + 1], trim_offsets=True, add_prefix_space=False))


def pieces_sets():
    rstrip = [added(0, "<unk>"), added(1, "<s>"), added(2, "</s>", rstrip=True)]
    old = [added(i, t, normalized=True) for i, t in ((0, "<unk>"), (1, "<s>"), (2, "</s>"))]
    bos = template(("<s>", 1), "$")
    both = template(("<s>", 1), "$", ("</s>", 2))
    yield "llama2", True, dict(normalizer=LLAMA2_NORMAL, pre_tokenizer=None, decoder=LLAMA2_DECODER, post_processor=bos)
    yield "llama2-old", True, dict(normalizer=LLAMA2_NORMAL, pre_tokenizer=None, decoder=LLAMA2_DECODER,
                                   added_tokens=old)
    yield "phi3", True, dict(normalizer=LLAMA2_NORMAL, pre_tokenizer=None, decoder=LLAMA2_DECODER, added_tokens=rstrip,
                             post_processor=both)
    yield "mistral", True, dict(pre_tokenizer=metaspace("first", False), decoder=LLAMA2_DECODER, added_tokens=rstrip)
    yield "gemma", True, dict(normalizer=replace(" ", "\u2581"),
                              pre_tokenizer=split(" ", "MergedWithPrevious", kind="String"),
                              decoder=seq("decoders", replace("\u2581", " "), FALLBACK, FUSE), post_processor=bos)
    yield "pieces-whole", True, dict(pre_tokenizer=metaspace("never", False), decoder=metaspace("never"), fuse_unk=False)
    yield "no-fallback", False, dict(pre_tokenizer=metaspace(), decoder=metaspace())
    yield "no-fallback-unfused", False, dict(pre_tokenizer=metaspace("first"), decoder=metaspace("first"),
                                             fuse_unk=False, added_tokens=rstrip)
    yield "metaspace-never", True, dict(pre_tokenizer=metaspace("never"), decoder=metaspace("never"))
    yield "metaspace-old", True, dict(decoder=metaspace(add_prefix_space=True), pre_tokenizer=dict(
        type="Metaspace", replacement="\u2581", add_prefix_space=True))
    yield "metaspace-nfkc", True, dict(normalizer=form("NFKC"), pre_tokenizer=metaspace("first"),
                                       decoder=seq("decoders", FALLBACK, metaspace("first")))
    yield "no-decoder", True, dict(pre_tokenizer=metaspace(), decoder=None)
    yield "strip-both", True, dict(pre_tokenizer=metaspace(), decoder=seq(
        "decoders", replace("\u2581", " "), FALLBACK, FUSE, strip(2, 0), replace("the", "THE"), strip(1, 0, "a")))
    yield "strip-tokens", True, dict(pre_tokenizer=metaspace(), decoder=seq(
        "decoders", replace(r"[aeiou]", "*", "Regex"), FALLBACK, strip(1, 0, "\u2581"), replace("\ufffd", "?")))
    yield "fallback-bytes", True, dict(pre_tokenizer=GPT2, decoder=FUSE)
    yield "ignore-merges", True, dict(pre_tokenizer=metaspace(), decoder=metaspace(), ignore_merges=True)


MODEL_KEYS = ("ignore_merges", "fuse_unk")


def build(base, parts):
    d = copy.deepcopy(base)
    for key, value in parts.items():
        (d["model"] if key in MODEL_KEYS else d)[key] = value
    return json.dumps(d, ensure_ascii=False, indent=None, separators=(",", ":"))


def all_sets():
    base = byte_level_base()
    for name, parts in byte_level_sets():
        yield name, build(base, parts)
    bases = {fallback: pieces_base(fallback) for fallback in (False, True)}
    for name, fallback, parts in pieces_sets():
        yield name, build(bases[fallback], parts)
