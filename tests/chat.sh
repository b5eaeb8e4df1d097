#!/bin/sh
# rein chat and rein template, as a script uses them.   usage: chat.sh REIN   (from tests/)
set -eu
rein=$1
golden=$(pwd)/golden
tmp=$(mktemp -d "${TMPDIR:-/tmp}/rein-chat-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"
OMP_NUM_THREADS=1
export OMP_NUM_THREADS
failed=0

# same WHAT FILE FILE; has WHAT PATTERN FILE
same() { cmp -s "$2" "$3" || { echo "$1: $2 and $3 differ"; head -c 600 "$2" "$3"; failed=1; }; }
has() { grep -q -e "$2" "$3" || { echo "$1: no '$2' in"; cat "$3"; failed=1; }; }

mkdir model
cp "$golden"/models/llama-tied/config.json "$golden"/models/llama-tied/model.safetensors model
printf 'hello world\nhow are you\n' >text.txt
"$rein" tokenizer train --input text.txt --vocab_size 300 --special '<|im_start|>,<|pad|>,<|im_end|>' --out model/tokenizer.json >log
cp "$golden/template/templates/smollm2.jinja" model/chat_template.jinja
printf '{"eos_token":"<|im_end|>"}' >model/tokenizer_config.json
chat() { "$rein" chat --model model --max_new_tokens 5 --system S "$@"; }

# Two turns; the second prompt begins with the first one and its answer, id by id.
printf 'hi\n/save saved.json\nagain\n' | chat --json >two.jsonl
printf 'hi\nagain\n' | chat >two.txt
[ "$(wc -l <two.jsonl)" -eq 2 ] || { echo 'not two answers'; failed=1; }
first=$(sed -n '1s/{"prompt_ids":\[\(.*\)\],"completion_ids":\[\(.*\)\],"text".*/\1,\2,/p' two.jsonl)
has 'history is kept as ids' "^{\"prompt_ids\":\\[$first" two.jsonl
has 'save' '"role":"assistant"' saved.json

# A saved conversation goes on with the same words; a reset one begins anew.
printf '/load saved.json\n/save again.json\n' | chat
same 'load and save' saved.json again.json
printf 'hi\n/reset\nhi\n' | chat --json --temperature 0 | sed 's/"logprobs.*//' >reset.jsonl
sed -n 1p reset.jsonl >one
sed -n 2p reset.jsonl >two
same 'reset' one two
printf '/exit\nhi\n' | chat >none
[ ! -s none ] || { echo '/exit does not leave'; failed=1; }

# Mistakes end a script.
if printf '/nope\n' | chat 2>log; then echo '/nope was taken'; failed=1; fi
has 'unknown command' "unknown command '/nope'" log
if printf '/load missing.json\n' | chat 2>log; then echo 'a missing file was loaded'; failed=1; fi
has 'missing file' 'missing.json' log
rm model/chat_template.jinja
if printf 'hi\n' | chat 2>log; then echo 'a model without template was taken'; failed=1; fi
has 'no template' 'neither chat_template.jinja nor' log

# rein template: rows of both kinds, errors as rows.
cat >rows.jsonl <<'EOF'
{"messages":[{"role":"user","content":"q"}],"add_generation_prompt":true}
{"messages":[]}
{"template":"{{ a.b }}","context":{"a":{"b":[1,"x"]}}}
{"template":"{{ a.b.c.d }}","context":{"a":{"b":1}}}
EOF
"$rein" template --template "$golden/template/templates/qwen3.jinja" --input rows.jsonl >rows.out
cat >rows.want <<'EOF'
{"text":"<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n"}
{"error":"messages must be a list with at least one message"}
{"text":"[1, 'x']"}
{"error":"template:1: 'int object' has no attribute 'c', in 'a.b.c.d'"}
EOF
same 'template' rows.out rows.want
exit $failed
