#!/usr/bin/env python3
"""Write tests/golden/tokenizer/sets.jsonl: the files of tokenizers_sets.py with texts, ids and decoded text.

    tools/goldens/tokenizer.py > tests/golden/tokenizer/sets.jsonl

A line with "base" holds a vocabulary and merges; the line of a set names its base and all other members of the file.
"""
import json
import os
import random
import sys

os.environ["TOKENIZERS_PARALLELISM"] = "false"
sys.dont_write_bytecode = True
import tokenizers  # noqa: E402
import tokenizers_sets as sets  # noqa: E402

r = random.Random(5)
ATOMS = ["the", "The cat's", " ", "  ", "\n", "\t", "hello", "at", " at ", "<e>", "<x>", "<s>", "</s>", "<|im_start|>", "123",
         "4", "x=y", "...", "!?", "é", "e\u0301", "Å", "ﬁ", "½", "İ", "ß", "日本", "한국", "नम", "🙂", "\u00a0", "\u3000", "\u2581",
         "<0x41>", "\u2126", "'s", "a b", "and more", "\r\n", "~", "Ġ"]


def texts(hf, n=14):
    while n:
        text = "".join(r.choice(ATOMS) for _ in range(r.randint(1, 14)))
        try:
            yield text, hf.encode(text, add_special_tokens=False).ids, hf.encode(text).ids
        except BaseException:  # tokenizers panics on some texts
            continue
        n -= 1


def put(row):
    sys.stdout.write(json.dumps(row, separators=(",", ":")) + "\n")


def main():
    bases = {}
    for name, text in sets.all_sets():
        d, hf = json.loads(text), tokenizers.Tokenizer.from_str(text)
        tables = dict(vocab=d["model"].pop("vocab"), merges=d["model"].pop("merges"))
        key = json.dumps(tables)
        if key not in bases:
            bases[key] = len(bases)
            put(dict(base=bases[key], made_by="tokenizers " + tokenizers.__version__, **tables))
        cases = []
        all_ids = sorted(hf.get_vocab().values())
        for text, ids, with_special in texts(hf):
            case = dict(text=text, ids=ids, decoded=hf.decode(ids, skip_special_tokens=False))
            if with_special != ids:
                case["ids_with_special"] = with_special
            cases.append(case)
        decodes = []
        for k in range(10):
            ids = [r.choice(all_ids[:262] if k % 2 else all_ids) for _ in range(r.randint(1, 8))]
            try:
                decodes.append(dict(ids=ids, decoded=hf.decode(ids, skip_special_tokens=False)))
            except BaseException:
                pass
        put(dict(set=name, of=bases[key], file=d, cases=cases, decodes=decodes))


main()
