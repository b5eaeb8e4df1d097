#!/bin/sh
# The contract of the command line: exit statuses, what messages name, and damage that `rein verify` must find.
# usage: cli.sh REIN
set -u
rein=$1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/rein-cli-XXXXXX") || exit 1
failures=0
mounted=
REIN_NUM_THREADS=1
export REIN_NUM_THREADS
unset REIN_ISA REIN_TRACE OMP_NUM_THREADS

tidy() {
    test -z "$mounted" || umount "$mounted"
    rm -rf "$tmp"
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM

# expect STATUS PATTERN COMMAND...: the exit status, and a line of the output that matches (basic regular expression);
# an empty pattern matches no output, too.
expect() {
    want=$1 pattern=$2
    shift 2
    "$@" >"$tmp/out" 2>"$tmp/err"
    got=$?
    if [ "$got" -ne "$want" ] ||
        { [ -n "$pattern" ] && ! cat "$tmp/out" "$tmp/err" | grep -q -e "$pattern"; }; then
        failures=$((failures + 1))
        printf 'FAILED: %s\n  status %s, expected %s; expected to match: %s\n' "$*" "$got" "$want" "$pattern"
        sed 's/^/  | /' "$tmp/out" "$tmp/err"
    fi
}

# What a folder holds, as one line a file.
state_of() {
    find "$1" -type f -exec cksum {} + | sort
}

# Change the lowest bit of byte OFFSET (from 0) of FILE.
flip() {
    byte=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -tu1 | tr -d ' ')
    octal=$(printf '%03o' $((byte ^ 1)))
    # shellcheck disable=SC2059
    printf "\\$octal" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

size_of() {
    wc -c <"$1" | tr -d ' '
}

# One JSON document a line (or one in all): parsed where python3 is there, else seen to begin and end as an object.
json() {
    expect 0 '^{' "$rein" "$@" --json
    if command -v python3 >/dev/null 2>&1; then
        python3 -c 'import json, sys
t = sys.stdin.read()
try: json.loads(t)
except ValueError: [json.loads(x) for x in t.splitlines()]' <"$tmp/out" 2>/dev/null && return
    else
        tail -n 1 "$tmp/out" | grep -q '}$' && return
    fi
    failures=$((failures + 1))
    printf 'FAILED: rein %s --json prints no JSON\n' "$*"
}

cd "$tmp" || exit 1

# ---- words and values ----
expect 2 "unknown command 'grop'; did you mean 'grpo'" "$rein" grop
expect 2 "unknown command 'zzzzzzzz'" "$rein" zzzzzzzz
expect 2 'usage: rein' "$rein"
expect 2 "max_step.*max_steps" "$rein" grpo --max_step 3
expect 2 "learning_rate.*fast" "$rein" sft --learning_rate fast
expect 2 "max_steps.*1\\.5" "$rein" sft --max_steps 1.5
expect 2 "num_generations.*1.*2 .*4096" "$rein" grpo --num_generations 1
expect 2 "loss_type.*dapoo" "$rein" grpo --loss_type dapoo
expect 2 "max_completion_length: 12.5 is not an integer" "$rein" grpo --model_name_or_path x --output_dir y --max_steps 1 \
    --env control --max_completion_length 12.5
expect 2 "epsilon_high: -5 is outside -1 .. 100" "$rein" grpo --epsilon_high -5
expect 2 "seed" "$rein" sft --seed 1 --seed 2
expect 2 "did you mean 'control'" "$rein" grpo --model_name_or_path x --output_dir y --max_steps 1 --env contrl
expect 2 'PATH is missing' "$rein" inspect
expect 2 'REIN_NUM_THREADS' env REIN_NUM_THREADS=many "$rein" devices
expect 0 '^rein [0-9]' "$rein" --version
expect 0 'usage: rein sft' "$rein" help sft
expect 0 'usage: rein sft' "$rein" sft --help

# ---- runs to work on ----
printf 'position=0.12, velocity=-0.34\n0.5,-0.1,0.0\n' >text.txt
expect 0 . "$rein" tokenizer train --input text.txt --vocab_size 270 --special '<|endoftext|>' --out tok.json
expect 0 . "$rein" data gen --answer plain --decimals 1 --steps 3 --train 32 --eval 4 --out data --name d
sft() {
    "$rein" sft --dataset_name data/d_train.jsonl --tokenizer tok.json --hidden_size 16 --intermediate_size 32 \
        --num_hidden_layers 1 --num_attention_heads 2 --num_key_value_heads 1 --max_position_embeddings 128 \
        --learning_rate 1e-2 "$@"
}
grpo() {
    "$rein" grpo --model_name_or_path sft/checkpoint-4 --env control:answer=plain,decimals=1,steps=3 --max_steps 3 \
        --save_steps 1 --num_generations 4 --per_device_train_batch_size 8 --max_completion_length 12 "$@"
}
expect 0 'sft/checkpoint-4  weights [0-9a-f]*' sft --max_steps 4 --save_steps 2 --output_dir sft
expect 0 'grpo/checkpoint-3  weights [0-9a-f]*' grpo --output_dir grpo
online() { # COMMAND NAME OPTIONS
    command=$1 name=$2
    shift 2
    "$rein" "$command" --model_name_or_path sft/checkpoint-4 --env control:answer=plain,decimals=1,steps=3 --max_steps 2 \
        --save_steps 1 --num_generations 2 --per_device_train_batch_size 4 --max_completion_length 8 --output_dir "$name" "$@"
}
expect 0 'rloo/checkpoint-2  weights [0-9a-f]*' online rloo rloo --curriculum radius
expect 0 'ppo/checkpoint-2  weights [0-9a-f]*' online ppo ppo --critic separate
expect 0 'ppo2/checkpoint-2  weights [0-9a-f]*' online ppo ppo2 --use_peft --lora_r 2 --mask_truncated_completions
expect 2 'critic_learning_rate is given but the critic is shared' online ppo a --critic_learning_rate 1e-3
for run in rloo ppo ppo2; do expect 0 'is equal' "$rein" verify $run; done

expect 2 'sse9' env REIN_ISA=sse9 "$rein" verify sft

# ---- files ----
expect 1 'nowhere/model' "$rein" inspect nowhere/model
expect 1 'nothing.jsonl' "$rein" sft --dataset_name nothing.jsonl --tokenizer tok.json --output_dir a
expect 1 'nowhere' "$rein" generate --model nowhere --prompt x
printf '{"prompt":"a","completion":"b"}\n{"prompt":\n' >bad.jsonl
expect 1 'bad.jsonl:2' "$rein" sft --dataset_name bad.jsonl --tokenizer tok.json --output_dir a
cp -r sft/checkpoint-4 cut
size=$(size_of cut/model.safetensors)
head -c $((size - 64)) sft/checkpoint-4/model.safetensors >cut/model.safetensors
expect 1 'cut/model.safetensors' "$rein" inspect cut
expect 1 'cut/model.safetensors' "$rein" generate --model cut --prompt x
head -c 5 sft/checkpoint-4/model.safetensors >cut/model.safetensors
expect 1 'cut/model.safetensors' "$rein" inspect cut
cp -r sft/checkpoint-4 shape
sed 's/"intermediate_size": *32/"intermediate_size": 48/' sft/checkpoint-4/config.json >shape/config.json
expect 1 'shape/model.safetensors.*mlp.gate_proj.weight.*(48, 16).*(32, 16)' "$rein" generate --model shape --prompt x

# ---- recipes ----
cat >recipe.yaml <<'END'
name: x
stages:
  - name: one
    run: sft
    options:
      max_steps: 1
      lerning_rate: 1e-3
END
expect 2 'lerning_rate.*learning_rate.*recipe.yaml:7:[0-9]' "$rein" run recipe.yaml --output_dir p
sed 's/    options:/    optoins:/' recipe.yaml >recipe2.yaml
expect 2 'recipe2.yaml:[56]:[0-9].*optoins.*options' "$rein" run recipe2.yaml --output_dir p
sed 's/lerning_rate/  learning_rate/' recipe.yaml >recipe3.yaml
expect 2 'recipe3.yaml:[67]:[0-9]' "$rein" run recipe3.yaml --output_dir p
printf 'max_steps: 1\nmax_stepps: 2\n' >options.yaml
expect 2 'max_stepps.*max_steps.*options.yaml:2:[0-9]' "$rein" sft --config options.yaml
expect 0 '' test ! -e p

# ---- sweeps ----
cat >trained.yaml <<'END'
name: trained
vars: {seed: 1, steps: 1}
stages:
  - name: sft
    run: sft
    options: {model_name_or_path: sft, dataset_name: rows.jsonl, output_dir: "{run}/sft", max_steps: "{steps}",
              per_device_train_batch_size: 2, seed: "{seed}"}
  - name: eval
    run: eval
    args: ["sft={run}/sft"]
    options: {env: "dataset:train=rows.jsonl,eval=held.jsonl,reward_funcs=numeric_match", output_dir: "{run}/eval",
              cases: 2, max_new_tokens: 3, seed: "{seed}"}
END
for i in 1 2 3 4; do printf '{"prompt":"%s+1=","completion":"%s","answer":"%s"}\n' $i $((i + 1)) $((i + 1)); done >rows.jsonl
sed 's/"prompt":"/"prompt":"1/' rows.jsonl >held.jsonl
cat >sweep.yaml <<'END'
name: rates
include: trained.yaml
seeds: [1, 2]
grid:
  sft.learning_rate: [1e-3, 1e-2]
  steps: [1, 2]
END
expect 2 'sweep2.yaml:[0-9]*:[0-9]*.*seedz.*seeds' sh -c "sed s/seeds/seedz/ sweep.yaml >sweep2.yaml; '$rein' sweep sweep2.yaml"
expect 2 "no variable 'stepz'" sh -c "sed s/steps/stepz/ sweep.yaml >sweep3.yaml; '$rein' sweep sweep3.yaml --output_dir w3"
expect 2 'point 5: the sweep has 4' "$rein" sweep sweep.yaml --point 5
expect 0 'point 4: sft.learning_rate=1e-2 steps=2' "$rein" sweep sweep.yaml --point 4 --output_dir w
sed -n '/point 4/,$p' out >point4.txt
expect 0 '^point-4$' ls w
expect 0 'point 3: sft.learning_rate=1e-2 steps=1' "$rein" sweep sweep.yaml --output_dir w
cp out all.txt
expect 0 '^4$' grep -c 'sft  *2  reward .* +- ' all.txt
sed -n '/point 4/,$p' all.txt >point4-again.txt
expect 0 '' cmp point4.txt point4-again.txt
json sweep sweep.yaml --output_dir w
cat >drawn.yaml <<'END'
name: drawn
include: trained.yaml
seeds: [1]
random: {points: 2, seed: 3, sft.learning_rate: [1e-4, 1e-2, log]}
END
expect 0 'point 2: sft.learning_rate=0.00[0-9]*$' "$rein" sweep drawn.yaml --output_dir v

# ---- JSON ----
json devices
json inspect sft/checkpoint-4
json runs list .
json runs show grpo
json verify sft
json sim di --state 0.1,0.1 --controls zero --steps 3
json lqr di
json help grpo
json help rloo
json help ppo
printf '{"text":"position=0.1"}\n' >in.jsonl
json tokenize --tokenizer tok.json --input in.jsonl
json generate --model sft --prompt position= --max_new_tokens 3

# ---- mcp ----
cat >server.sh <<'END'
while read -r line; do
    case $line in
    *server/discover*) echo '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}' ;;
    *'"initialize"'*) echo '{"jsonrpc":"2.0","id":2,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}' ;;
    *tools/list*) echo '{"jsonrpc":"2.0","id":3,"result":{"tools":[{"name":"add","description":"Adds. Really.","inputSchema":{"properties":{"a":{},"b":{}},"required":["a"]}}]}}' ;;
    *'"arguments":{"a":2}'*) echo '{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"five"}]}}' ;;
    *tools/call*) echo '{"jsonrpc":"2.0","id":3,"result":{"content":[{"type":"text","text":"no a"}],"isError":true}}' ;;
    esac
done
END
expect 0 '^add(a, b?)  Adds$' "$rein" mcp list -- sh server.sh
expect 0 '^# s 1, protocol 2025-06-18$' "$rein" mcp list -- sh server.sh
expect 0 '"tools":\[{"name":"add".*"circuit":"closed"' "$rein" mcp list --json -- sh server.sh
expect 0 '^five$' "$rein" mcp call add '{"a":2}' -- sh server.sh
expect 0 '"text":"five".*"attempts":1' "$rein" mcp call add '{"a":2}' --json -- sh server.sh
expect 1 "tool 'add' reports an error" "$rein" mcp call add '{}' -- sh server.sh
expect 1 'gave no answer.*exit status 3; it said: oops' "$rein" mcp list --attempts 1 -- sh -c 'echo oops >&2; exit 3'
expect 1 "cannot start '/no/such/server'" "$rein" mcp list -- /no/such/server
expect 2 'arguments are a JSON object' "$rein" mcp call add '[2]' -- sh server.sh
expect 2 'arguments:1:2' "$rein" mcp call add '{' -- sh server.sh
expect 2 'no http or https URL' "$rein" mcp list http://
expect 2 "'x' behind the URL" "$rein" mcp list http://localhost/ x
expect 2 'header is for servers at a URL' "$rein" mcp list --header 'A: b' -- sh server.sh
expect 2 "unknown service 'nothing'" "$rein" mcp serve nothing

# ---- generate ----
generate() {
    "$rein" generate --model sft --prompt position= "$@"
}
cat >schema.json <<'END'
{"type":"object","properties":{"u":{"enum":[1,2]}},"required":["u"],"additionalProperties":false}
END
expect 0 '^[ab][ab][ab]$' generate --regex '[ab]{3}' --seed 1
expect 0 '^{ *"u" *: *[12] *}$' generate --json_schema schema.json --temperature 0
expect 2 'regex or --json_schema' generate --regex a --json_schema schema.json
expect 1 'nothing.json' generate --json_schema nothing.json
expect 2 'regex' generate --regex '(a'
expect 0 '^abc$' generate --regex 'abc' --stop zz
expect 0 '^a$' generate --regex 'abc' --stop '["zz","b"]'
expect 0 '^ab$' generate --regex 'abc' --stop '["zz","b"]' --include_stop_str_in_output
expect 2 'stop: expected a text or a JSON list of texts' generate --stop '[1]'
expect 0 '^[ab]$' generate --regex 'a|b|c' --bad_words '["c"]' --temperature 5 --num_samples 8
expect 0 '' test "$(sort -u "$tmp/out" | wc -l)" -eq 2
generate --temperature 0 --ignore_eos --max_new_tokens 8 --json >plain 2>/dev/null
generate --temperature 0 --ignore_eos --max_new_tokens 8 --repetition_penalty 50 --presence_penalty 9 --json >penalised 2>/dev/null
expect 1 '' cmp -s plain penalised
expect 2 'top_p' generate --top_p 1.5
expect 2 'repetition_penalty' generate --repetition_penalty 0
expect 2 'prompt.*input' generate --input in.jsonl

# ---- tokenize, template, chat ----
printf '%s' '{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|endoftext|>","type_id":0}},{"Sequence":{"id":"A",' \
    '"type_id":0}}],"pair":[],"special_tokens":{"<|endoftext|>":{"id":"<|endoftext|>","ids":[0],"tokens":["<|endoftext|>"]}}}' >post
awk -v post="$(cat post)" '{ i = index($0, "\"post_processor\":null")
    if (i) $0 = substr($0, 1, i + 16) post substr($0, i + 21)
    print }' tok.json >begin.json
expect 0 '^{"ids":\[0,267' "$rein" tokenize --tokenizer begin.json --input in.jsonl --add_special_tokens
expect 0 '^{"ids":\[267' "$rein" tokenize --tokenizer begin.json --input in.jsonl
expect 2 'model.*tokenizer' "$rein" tokenize --input in.jsonl

cp -r sft/checkpoint-4 talker
printf '%s' '{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}{% endfor %}{% if add_generation_prompt %}={% endif %}' \
    >talker/chat_template.jinja
printf '%s\n' '{"messages":[{"role":"user","content":" Hi "}],"add_generation_prompt":true}' \
    '{"template":"{{ 1 // 0 }}","context":{}}' '{"template":"{{ a[1] }}","context":{"a":[1,"x"]}}' >talk.jsonl
expect 0 '^{"text":"<user>Hi="}$' "$rein" template --model talker --input talk.jsonl
expect 0 '^{"error":".*line\|^{"error":".*template:1' "$rein" template --model talker --input talk.jsonl
expect 0 '^{"text":"x"}$' "$rein" template --model talker --input talk.jsonl
expect 0 '^{"text":"<user>Hi="}$' "$rein" template --template talker/chat_template.jinja --input talk.jsonl
expect 2 'line 1 has messages' "$rein" template --input talk.jsonl
expect 2 'model or --template' "$rein" template --model talker --template tok.json --input talk.jsonl

# what a script says on standard input; every line is a turn
talk() {
    printf "$1" | "$rein" chat --model talker --max_new_tokens 4 --temperature 0 --json
}
expect 0 '^{"prompt_ids":\[' talk '\n/reset\n0.1\n'
expect 0 '' test "$(wc -l <"$tmp/out")" -eq 1
expect 0 'completion_ids' talk '0.1\n-0.2\n/exit\n0.3\n'
expect 0 '' test "$(wc -l <"$tmp/out")" -eq 2
expect 1 "unknown command '/nonsense'" talk '/nonsense\n'
expect 0 '' talk '0.1\n/save kept.json\n'
expect 0 'completion_ids' talk '/load kept.json\n0.2\n'
expect 1 'sft.*chat_template' "$rein" chat --model sft </dev/null
expect 2 'model' "$rein" chat </dev/null

# ---- convert, inspect ----
tensors() {
    "$rein" inspect "$1" --json | tr '\n' ' ' | tr '{' '\n' | grep '"xxh3"' | sed 's/ *\]*}[], ]*$//' | sort
}
expect 0 'GGUF' "$rein" convert sft/checkpoint-4 model.gguf
expect 0 'gguf' "$rein" inspect model.gguf
expect 0 'Hugging Face directory' "$rein" convert model.gguf back
tensors sft/checkpoint-4 >before
tensors back >after
expect 0 '' test "$(wc -l <before)" -ge 11
expect 0 '' cmp before after
printf '{"ids":[267,257,264,78,29,16,14,17]}\n' >ids.jsonl
"$rein" logprobs --model sft/checkpoint-4 --input ids.jsonl >before
"$rein" logprobs --model model.gguf --input ids.jsonl >after
expect 0 'logprobs' cat after
expect 0 '' cmp before after
expect 0 . "$rein" convert sft shards --max_shard_size 10KB
expect 0 '' test "$(find shards -name 'model-0*.safetensors' | wc -l)" -ge 2
"$rein" logprobs --model shards --input ids.jsonl >after
expect 0 '' cmp before after
expect 0 . "$rein" convert sft bf16 --dtype bf16
expect 0 'BF16  *270 x 16' "$rein" inspect bf16
expect 0 '' test "$(size_of bf16/model.safetensors)" -lt "$(size_of sft/checkpoint-4/model.safetensors)"
expect 2 'q8_0.*gguf' "$rein" convert sft x --dtype q8_0
expect 2 "max_shard_size 'big'" "$rein" convert sft x --max_shard_size big
expect 2 'max_shard_size.*hf' "$rein" convert sft x.gguf --max_shard_size 1GB
expect 1 'bf16.*exists' "$rein" convert sft bf16
expect 1 'nowhere' "$rein" convert nowhere x
expect 0 '' test ! -e x
json inspect model.gguf

# ---- adapters, datasets with rewards ----
expect 0 . "$rein" data gen --env arithmetic --terms 2 --max_value 9 --train 16 --eval 4 --out sums --name s
expect 0 '16.*rows to train on' "$rein" data audit sums
expect 0 . "$rein" data gen --env arithmetic --style completion --kind expression --train 16 --eval 0 --out sums --name c
head -n 2 sums/s_train.jsonl >>sums/s_eval.jsonl
expect 3 '2 faults in the data set\|faults' "$rein" data audit sums/s_train.jsonl sums/s_eval.jsonl
expect 2 'operations' "$rein" data gen --env arithmetic --operations / --out sums --name d
expect 0 'checkpoint-3' "$rein" sft --model_name_or_path sft --dataset_name sums/c_train.jsonl --use_peft --lora_r 2 \
    --use_dora --learning_rate 1e-2 --max_steps 3 --output_dir lora
expect 0 'adapter' "$rein" inspect lora/checkpoint-3
json inspect lora/checkpoint-3
expect 0 'is equal' "$rein" verify lora
expect 0 . generate --adapter lora/checkpoint-3
expect 0 . "$rein" merge sft lora/checkpoint-3 merged
expect 2 'merged.*is there already' "$rein" merge sft lora/checkpoint-3 merged
expect 1 'nowhere' "$rein" merge sft nowhere other
"$rein" generate --model merged --prompt position= --temperature 0 --regex '[0-9]{4}' >before 2>/dev/null
generate --adapter lora/checkpoint-3 --temperature 0 --regex '[0-9]{4}' >after 2>/dev/null
expect 0 '^[0-9][0-9][0-9][0-9]$' cat before
expect 0 '' cmp before after
rewarded() {
    "$rein" grpo --model_name_or_path sft --dataset_name sums/s_train.jsonl --max_steps 2 --num_generations 4 \
        --per_device_train_batch_size 8 --max_completion_length 6 --learning_rate 1e-3 "$@"
}
expect 0 'checkpoint-2' rewarded --output_dir sums-run --use_peft --lora_r 2 \
    --reward_funcs 'numeric_match,soft_overlong(max_completion_len=6,soft_punish_cache=4)' --reward_weights 1,0.2
expect 0 'rewards/numeric_match/mean.*rewards/soft_overlong_punishment_reward/mean' head -n 1 sums-run/metrics.jsonl
expect 0 'is equal' "$rein" verify sums-run
expect 2 'numeric_mtch.*numeric_match' rewarded --output_dir a --reward_funcs numeric_mtch
expect 2 'reward_weights\|weights' rewarded --output_dir a --reward_funcs numeric_match --reward_weights 1,2
expect 2 'reward_funcs' rewarded --output_dir a
expect 2 'lora_r' "$rein" sft --model_name_or_path sft --dataset_name sums/c_train.jsonl --lora_r 2 --output_dir a
expect 0 '' test ! -e a

# ---- a run is never overwritten ----
state_of grpo >before
expect 2 'grpo.*exists' grpo --output_dir grpo
state_of grpo >after
expect 0 '' cmp before after

# ---- verify ----
expect 0 'step [0-9]* is equal' "$rein" verify sft
for step in 1 2 3; do expect 0 "step $step is equal" "$rein" verify grpo --step $step; done
expect 2 'no committed step 9' "$rein" verify grpo --step 9
expect 2 'nowhere' "$rein" verify nowhere

flip_middle() {
    flip "$1" $(($(size_of "$1") / 2))
}
halve() {
    head -c $(($(size_of "$1") / 2)) "$1" >half
    cp half "$1"
}

# damaged STATUS HOW FILE: verify must find what HOW does to a file of a copy of the run, and name the file.
damaged() {
    rm -rf copy
    cp -r grpo copy
    "$2" "copy/$3"
    expect "$1" "$(basename "$3")" "$rein" verify copy
}
cp -r grpo copy
expect 0 'is equal' "$rein" verify copy
for file in model optimizer_m optimizer_v; do
    damaged 3 flip_middle checkpoint-2/$file.safetensors
    damaged 3 halve checkpoint-3/$file.safetensors
done
damaged 3 flip_middle checkpoint-1/trainer_state.json
damaged 3 flip_middle checkpoint-1/tokenizer.json
damaged 3 rm checkpoint-1/config.json
damaged 1 rm checkpoint-1/manifest.json
for step in 1 2 3; do damaged 3 flip_middle journal/step-00000$step.bin; done
damaged 1 halve journal/step-000002.bin
damaged 3 rm journal/step-000002.bin
damaged 3 flip_middle config.yaml

# A resumed run refuses a damaged checkpoint, and says which file.
rm -rf copy
cp -r grpo copy
flip_middle copy/checkpoint-3/model.safetensors
expect 3 'checkpoint-3.*model.safetensors' grpo --output_dir copy --resume_from_checkpoint

expect 2 'was begun with .*learning_rate.*now it is' grpo --output_dir grpo --resume_from_checkpoint --learning_rate 0.007

# ---- a full disk ----
mkdir disk
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=2m tmpfs disk 2>/dev/null; then
    mounted=$tmp/disk
    expect 1 'No space left\|disk' sft --max_steps 400 --save_steps 1 --output_dir disk/run
    last=$(find disk/run -name 'checkpoint-*[0-9]' ! -name '*.tmp*' | sed 's/.*-//' | sort -n | tail -n 1)
    expect 0 '' test "${last:-0}" -ge 1
    cp -r disk/run rescued
    expect 0 'is equal' "$rein" verify rescued
    umount disk
    mounted=
else
    echo 'skipped: a full disk (needs root and mount)'
fi

if [ "$failures" -gt 0 ]; then
    echo "$failures checks of the command line failed"
    exit 1
fi
echo 'the command line keeps its contract'
