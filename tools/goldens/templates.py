#!/usr/bin/env python3
"""Write tests/golden/template/families.jsonl: conversations in the prompt formats of Llama 2, Llama 3 and Mistral.

usage: tools/goldens/templates.py      needs transformers (written with 5.23.0)

The templates beside it (llama2, llama3, mistral) were written for this test in the style of the published ones: string
methods, slices, namespaces, filters with tests, `raise_exception`, `tojson(indent=4)`, `strftime_now`. The published
ones themselves are compared by tools/check-templates, which finds them in Python and npm packages. Conversations are
those of cases.jsonl.
"""
import functools
import json
import os

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "template")
FAMILIES = ["llama2", "llama3", "mistral"]


def conversations():
    """Every conversation of cases.jsonl once, with its tools, options and variables."""
    seen, rows = set(), []
    with open(os.path.join(FOLDER, "cases.jsonl")) as f:
        for line in f:
            row = {key: value for key, value in json.loads(line).items()
                   if key in ("messages", "tools", "add_generation_prompt", "kwargs")}
            if json.dumps(row) not in seen:
                seen.add(json.dumps(row))
                rows.append(row)
    return rows


@functools.cache
def tokenizer():
    """Of nothing: apply_chat_template is a method."""
    import tokenizers
    import transformers
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizers.Tokenizer(tokenizers.models.BPE()))


def render(template, row, tokens):
    """{"text"} or {"error": true, "error_type"}."""
    try:
        text = tokenizer().apply_chat_template(row["messages"], tools=row["tools"], chat_template=template, tokenize=False,
                                               add_generation_prompt=row["add_generation_prompt"],
                                               **{**tokens, **row["kwargs"]})
    except Exception as error:  # of any kind: a template may do what it likes
        return {"error": True, "error_type": type(error).__name__}
    return {"text": text}


def main():
    with open(os.path.join(FOLDER, "tokens.json")) as f:
        tokens = json.load(f)
    with open(os.path.join(FOLDER, "families.jsonl"), "w") as out:
        for model in FAMILIES:
            with open(os.path.join(FOLDER, "templates", model + ".jinja")) as f:
                template = f.read()
            for row in conversations():
                row["kwargs"] = {**row["kwargs"], "date_string": "26 Jul 2024"}
                out.write(json.dumps({"model": model, **row, **render(template, row, tokens[model])}) + "\n")


if __name__ == "__main__":
    main()
