#!/bin/sh
# What ends and begins a text: training appends tokenizer_config.json's eos_token before config.json's and says which; generation stops at every one
# that is named; an empty prompt starts from the model's beginning of text where the tokenizer puts none, in generate and in exact match alike.
. "$(dirname "$0")/lib.sh"
two_tokenizers
rm -r gemma
printf 'anchor base = "llama"\naugment aug = "llama"\nconnect aug[1] -> base[2] with cross_attention(heads = 2)\n' >spec.calm
echo '{"prompt": "wor", "completion": "d it"}' >rows.jsonl
printf '{"prompt": "", "completion": "word"}\n{"prompt": "wor", "completion": "d it"}\n' >empty.jsonl
build spec.calm -o app
config() { echo "$1" >llama/tokenizer_config.json; }
train() { ./app train --data rows.jsonl --steps 1 --batch 1rows --out run 2>err || fail "train: $(cat err)"; rm -r run; }
appends() { train; head -1 err | grep -q "$1" || fail "no '$1' in the first line of: $(cat err)"; }
labels() { ./app score --data rows.jsonl --out rows.st 2>err || fail "score: $(cat err)"; "$STCAT" rows.st 0.labels | tail -n 1; }

appends 'end of text </s> (331), from config.json'
[ "$(labels)" = 331 ] || fail "appended $(labels), not config.json's end of text"
config '{"eos_token": "[MASK]", "bos_token": "<s>"}'
appends 'end of text \[MASK\] (332), from tokenizer_config.json'
[ "$(labels)" = 332 ] || fail "appended $(labels), not tokenizer_config.json's end of text"
config '{"eos_token": {"content": "</s>", "lstrip": false}}'
appends 'end of text </s> (331), from tokenizer_config.json'
# what is trained on is shown before the first step
grep -q '^rows.jsonl:1: .*wor«d it</s>»$' err || fail "no row is shown: $(cat err)"
grep -q '^« » is trained on: [0-9.]* % of the tokens$' err || fail "no share of the labelled: $(cat err)"
printf '{"prompt": "", "completion": "word"}\n' >nothing.jsonl
expect 1 '^error: nothing.jsonl: every prompt is empty, so that everything would be trained on' ./app train --data nothing.jsonl --steps 1 --out never
# a run goes on with the end that it began with
./app train --data rows.jsonl --steps 2 --stop-after 1 --batch 1rows --out parts 2>err || fail "train: $(cat err)"
config '{"eos_token": "[MASK]"}'
expect 1 'parts/last: this run ends completions with token 331; tokenizer_config.json now names 332' ./app train --data rows.jsonl --steps 2 --batch 1rows --out parts --resume
config '{"eos_token": "</s>"}'
./app train --data rows.jsonl --steps 2 --batch 1rows --out parts --resume 2>err || fail "train --resume: $(cat err)"
config '{"eos_token": "<|im_end|>"}'
train
grep -q 'warning: .*llama/tokenizer_config.json: the eos_token "<|im_end|>" is no token of .*llama/tokenizer.json; texts end with id 331 (config.json)' err ||
  fail "an unknown eos_token is not named: $(cat err)"
grep -q 'end of text </s> (331), from config.json' err || fail "no end of text in place of an unknown one: $(cat err)"
config '{"eos_token": 7}'
expect 1 'tokenizer_config.json: "eos_token": expected a string' ./app generate --prompt once
rm llama/tokenizer_config.json
# a directory that says nothing of either
cp -r llama bare; sed '/[be]os_token_id/d' llama/config.json >bare/config.json
sed 's/"llama"/"bare"/' spec.calm >bare.calm
build bare.calm -o bare.app
./bare.app train --data rows.jsonl --steps 1 --batch 1rows --out run2 2>err || fail "train: $(cat err)"
head -1 err | grep -q 'no end of text' || fail "nothing said of a missing end of text: $(cat err)"

# --- counts of one
CALM_THREADS=1 ./app train --data rows.jsonl --steps 1 --batch 1rows --out run 2>err || fail "train: $(cat err)"
head -1 err | grep -q ', 1 row of .* labelled), batch 1 row, 1 step an epoch, 1 step: 1 pass, 1 thread, ' || fail "counts of one: $(head -1 err)"
./app eval --data rows.jsonl --metric loss >out 2>err || fail "eval: $(cat err)"
grep -q ': 1 row ' out || fail "counts of one: $(cat out)"
# the text has its newline before the figures, wherever both go
./app generate --prompt once --max-tokens 1 --ignore-eos >both 2>&1 || fail "generate: $(cat both)"
tail -n 1 both | grep -q '^[0-9]* prompt tokens* in .*, 1 token; stopped by ' || fail "the figures stand in the text's line: $(cat both)"

# --- an empty prompt
./app generate --prompt "" --max-tokens 6 --ignore-eos >empty 2>err || fail "an empty prompt: $(cat err)"
grep -q '^1 prompt token ' err || fail "an empty prompt does not start from one token: $(cat err)"
./app generate --prompt "<s>" --max-tokens 6 --ignore-eos >begun 2>err || fail "generate: $(cat err)"
cmp -s empty begun || fail "an empty prompt gives $(cat empty), the beginning of text $(cat begun)"
./app eval --data empty.jsonl --out dump --max-tokens 6 >out 2>err || fail "eval: $(cat err)"
grep -q '(. of 2)' out || fail "a row with an empty prompt does not count: $(cat out)"
[ "$(wc -l <dump)" = 2 ] || fail "dump: $(cat dump)"
sed -n '/"line":1,/s/.*"generated":\("[^"]*"\).*/\1/p' dump >made
./app generate --prompt "" --max-tokens 6 >alone 2>err || fail "generate: $(cat err)"
{ "$STCAT" --text <made; echo; } | cmp -s - alone || fail "eval generates $(cat made) from an empty prompt, generate '$(cat alone)'"
# exact match is reached, too: what it generates anyway is the completion
printf '{"prompt": "", "completion": %s}\n' "$(cat made)" >right.jsonl
./app eval --data right.jsonl --max-tokens 6 >out 2>err || fail "eval: $(cat err)"
grep -q '(1 of 1)' out || fail "an exact match from an empty prompt: $(cat out)"
# a NUL is a character like others
printf '{"prompt": "wor", "completion": "d\\u0000 it"}\n' >nul.jsonl
./app eval --data nul.jsonl --metric exact_match --out dump >out 2>err || fail "eval: $(cat err)"
grep -q '"completion":"d\\u0000 it"' dump || fail "a NUL cuts a completion: $(cat dump)"
# bits per byte: what the labelled tokens say, in UTF-8, and an end of text nothing
printf '%s\n' '{"prompt": "wor", "completion": "d kité 😀"}' '{"text": "wor 漢字"}' '{"input_ids": [331, 332, 331], "labels": [-100, 332, 331]}' >bytes.jsonl
./app eval --data bytes.jsonl --max-tokens 6 --json >out 2>err || fail "eval: $(cat err)"
figure() { tr ',' '\n' <"$2" | sed -n "s/.*\"$1\": *//p" | head -n 1 | tr -d '}] '; }
[ "$(figure bytes out)" = 21 ] || fail "$(figure bytes out) bytes are said, not 12, and 9 behind a first token w: $(cat out)"
awk -v loss="$(figure loss out)" -v n="$(figure labelled out)" -v is="$(figure bits_per_byte out)" 'BEGIN { want = loss * n / log(2) / 21; exit !(is > 0 && (is - want) ^ 2 < 1e-16 * want * want) }' ||
  fail "bits per byte: $(cat out)"
for key in bleu chrf edit_similarity; do grep -q "\"$key\"" out || fail "eval says no $key: $(cat out)"; done
# the same of every row, in the order of the file, whichever text is finished first; windows of a text are one row
{ cat bytes.jsonl; awk 'BEGIN { for (i = 0; i < 60; i++) s = s "word "; print "{\"text\": \"" s "\"}"; for (i = 1; i < 5; i++) { s = s "w"; print "{\"prompt\": \"wor" i "\", \"completion\": \"is " substr("aaaaaaaaaaaa", 3 * i) " " i "\"}" } }'; } >many.jsonl
./app eval --data many.jsonl --slots 3 --out each --json >out 2>err || fail "eval --out: $(cat err)"
grep -q '^wrote each: 8 rows$' err && [ "$(sed 's/^{"line":\([0-9]*\),.*/\1/' each | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 " ] || fail "--out: $(cat each err)"
sed 's/^[^"]*"line":[0-9]*,"tokens":\([0-9]*\),"labelled":\([0-9]*\),"loss":\([^,]*\),"bytes":\([0-9]*\).*/\1 \2 \3 \4/' each |
  awk -v t="$(figure tokens out)" -v n="$(figure labelled out)" -v loss="$(figure loss out)" -v b="$(figure bytes out)" '
    { tokens += $1; labelled += $2; nll += $2 * $3; bytes += $4 }
    END { d = nll / labelled - loss; exit !(NR == 8 && tokens == t && labelled == n && bytes == b && d * d < 1e-18 * loss * loss) }' || fail "rows do not add up: $(cat each out)"
[ "$(grep -c '"generated":".*"exact":false,"bleu":[0-9.]*,"chrf":[0-9.]*,"edit_similarity":[0-9.]*' each)" = 5 ] &&
  [ "$(grep -c '"completion":"is .*"last_number":false}$' each)" = 4 ] || fail "texts of --out: $(cat each)"
./app eval --data many.jsonl --slots 1 --out one 2>err >said || fail "eval --out: $(cat err)"
cmp -s one each || fail "--out depends on --slots: $(diff one each)"
sed -n 3p bytes.jsonl >silent.jsonl
expect 0 '^silent.jsonl: 1 row  loss [0-9.]*  perplexity [0-9.]*$' ./app eval --data silent.jsonl
# nothing to start from
expect 1 'an empty prompt has nothing to start from.*bos_token_id' ./bare.app generate --prompt ""
./bare.app eval --data empty.jsonl >out 2>err || fail "eval: $(cat err)"
grep -q '(. of 1)' out && grep -q 'warning: empty.jsonl: 1 row with an empty prompt cannot be generated' err || fail "eval without a beginning of text: $(cat out err)"
echo '{"bos_token": "<s>"}' >bare/tokenizer_config.json
./bare.app generate --prompt "" --max-tokens 6 --ignore-eos >other 2>err || fail "generate: $(cat err)"
cmp -s empty other || fail "tokenizer_config.json's bos_token gives $(cat other), config.json's id $(cat empty)"
echo "texts begin and end as the model's files say"
