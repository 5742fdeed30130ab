#!/bin/sh
# Conversations, with two models that have each their own tokenizer and chat template: trained on, gone on with bit for bit, later turns never reach earlier
# logits; a template that rewrites makes an answer a row, and says so; ShareGPT's and Alpaca's rows are the same conversations; generation from a message is
# that from the rendered text, from a pack file too, and of a conversation on a terminal that of its turns; what is wrong with a template or a row is told.
. "$(dirname "$0")/lib.sh"
two_tokenizers
sed -i "s/^augment.*/&${reads:-}/" forth.calm
sed -i 's/"max_position_embeddings": 96/"max_position_embeddings": 512/' llama/config.json gemma/config.json
printf '%s' "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}</s>
{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}" >llama/chat_template.jinja
echo '{"bos_token": "<s>", "eos_token": "</s>", "chat_template": "{% for m in messages %}{{ m.role ~ \": \" ~ m.content | trim ~ \"\\n\" }}{% endfor %}{{ \"assistant: \" if add_generation_prompt }}"}' >gemma/tokenizer_config.json
build forth.calm --compare -o app
echo 'anchor aug = "gemma"' >alone.calm && build alone.calm -o alone
loud forth 2 >loud.calm && build loud.calm -o loud
awk 'BEGIN { for (i = 0; i < 12; i++) { printf "{\"messages\": [{\"role\": \"system\", \"content\": \"short\"}, {\"role\": \"user\", \"content\": \"the %d?\"}, {\"role\": \"assistant\", \"content\": \"a %d 漢\"}", i, i
  if (i % 2) printf ", {\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"and \"}, {\"type\": \"text\", \"text\": \"word 😀\"}]}, {\"role\": \"assistant\", \"content\": \"was %d\"}", i
  print "]}" } }' | sed 's/\[{"type": "text", "text": "and "}, {"type": "text", "text": "word 😀"}\]/"and word 😀"/' >rows.jsonl
train() { ./app train --data rows.jsonl --batch 4rows --seed 1 --lr 1e-2 --schedule constant --warmup 0 "$@" >said 2>&1 || fail "train $*: $(cat said)"; }
train --steps 8 --out whole
train --steps 8 --stop-after 3 --out part
train --steps 8 --out part --resume
"$STCMP" part/last/theta.safetensors whole/last/theta.safetensors --exact >said || fail "gone on with: $(cat said)"
grep -q rewrites said && fail "no template here rewrites"
grep -q '"date": 20[0-9]*' whole/last/theta.json || fail "theta.json says no date"
loss() { ./app eval --data "$1" --metric loss --json --params whole/last 2>said | tr ',' '\n' | sed -n 's/.*"loss": *//p' | head -n 1 | tr -d '}] '; }
# each model alone beside the composition: the anchor is the composition without its augments, and the augment reads with its own tokens and template
./app eval --data rows.jsonl --compare --params whole/last --out each >side 2>err || fail "eval --compare: $(cat err)"
loss_of() { awk -v name="$1" '$1 == name { print $2 }' side; }
said_loss() { "$@" 2>err | sed -n 's/.*  loss \([0-9.]*\) .*/\1/p'; }
[ -n "$(loss_of base)" ] && [ "$(loss_of base)" = "$(said_loss ./app eval --data rows.jsonl --ablate aug --params whole/last)" ] || fail "the anchor alone: $(cat side err)"
[ -n "$(loss_of aug)" ] && [ "$(loss_of aug)" = "$(said_loss ./alone eval --data rows.jsonl)" ] || fail "the augment alone: $(cat side err)"
[ -n "$(loss_of composition)" ] && [ "$(loss_of composition)" = "$(said_loss ./app eval --data rows.jsonl --params whole/last)" ] || fail "the composition: $(cat side err)"
grep -q '^ .* loss  perplexity  bits per byte' side && [ "$(grep -c '"of":"aug"' each)" = 12 ] && [ "$(wc -l <each)" = 36 ] || fail "side by side: $(cat side each)"
expect 2 'compare: ./alone has none of its models alone; build it with calmc build --compare' ./alone eval --data rows.jsonl --compare
expect 2 'reads the data once for every model, and standard input' ./app eval --data - --compare </dev/null
echo '{"input_ids": [1, 2, 3], "labels": [-100, 2, 3]}' >ids.jsonl
expect 1 'ids.jsonl:1: "input_ids" are not aug.s, which has another tokenizer than the anchor; expected text' ./app eval --data ids.jsonl --compare
! grep -q 'loss' said || fail "told after the composition was evaluated: $(cat said)"
mv gemma/tokenizer_config.json away.json                 # a model without a chat template has no figures of conversations; the table is there
expect 0 '^warning: aug alone is left out: rows.jsonl:1: a conversation needs a chat template, and model aug has none' ./app eval --data rows.jsonl --compare --params whole/last --metric loss --out some
grep -q '^  aug  *-  *-  *-$' said && grep -q '^  base  *[0-9]' said && grep -q '^  composition  *[0-9]' said || fail "the table without aug: $(cat said)"
mv away.json gemma/tokenizer_config.json
expect 2 'emit shows one' "$CALMC" build forth.calm --compare --emit=plan
# the same conversation in other words
printf '%s\n' '{"messages": [{"role": "user", "content": "the 3?\n\nword"}, {"role": "assistant", "content": "a 3"}]}' >m.jsonl
printf '%s\n' '{"conversations": [{"from": "human", "value": "the 3?\n\nword"}, {"from": "gpt", "value": "a 3"}]}' >s.jsonl
echo '{"instruction": "the 3?", "input": "word", "output": "a 3"}' >a.jsonl
m=$(loss m.jsonl)
[ -n "$m" ] && [ "$m" = "$(loss s.jsonl)" ] && [ "$m" = "$(loss a.jsonl)" ] || fail "losses $m, $(loss s.jsonl), $(loss a.jsonl): $(cat said)"
# what comes later
echo '{"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}, {"role": "assistant", "content": "1"}]}' >l1.jsonl
sed 's/"1"/"7"/' l1.jsonl >l2.jsonl
cat l1.jsonl l2.jsonl >leak.jsonl
score loud leak.st --data leak.jsonl
"$STCMP" leak.st leak.st --key 0.logits --as 1.logits --rows 40 --exact >said 2>&1 || fail "a later answer reaches the earlier: $(cat said)"
# earlier answers without their thoughts
printf '%s' "{% for m in messages %}[{{ m.role }}] {{ m.content if loop.last else m.content.split('-')[-1] }}</s>{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}" >drops.jinja
echo '{"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "hm-two"}, {"role": "user", "content": "three"}, {"role": "assistant", "content": "so-four"}]}' >t.jsonl
./app eval --data t.jsonl --metric loss --chat-template drops.jinja >said 2>&1 || fail "eval: $(cat said)"
grep -q 't.jsonl: a chat template rewrites earlier turns: 1 conversation became 2 rows, one for each answer' said || fail "nothing says that answers became rows: $(cat said)"
# a chat template of a run's own is a part of it, by content
cp llama/chat_template.jinja own.jinja
train --steps 4 --stop-after 2 --out own --chat-template own.jinja
cp own.jinja moved.jinja; train --steps 4 --stop-after 3 --out own --chat-template moved.jinja --resume
sed -i 's/\[{{ m.role/[ {{ m.role/' moved.jinja
expect 1 'moved.jinja (.*) is not what the run has been trained with: .*moved.jinja (.*go on with it: --changed-data' ./app train --data rows.jsonl --out own --resume
train --out own --resume --changed-data
grep -q '^warning: .*moved.jinja .* is not what the run has been trained with' said || fail "a changed template is not told: $(cat said)"
expect 0 'own/last.*: trained with the chat template .*moved.jinja; without --chat-template conversations are read by' ./app eval --data t.jsonl --metric loss --params own/last
expect 0 'trained with the chat template .*moved.jinja, and own.jinja holds something else' ./app eval --data t.jsonl --metric loss --params own/last --chat-template own.jinja
./app eval --data t.jsonl --metric loss --params own/last --chat-template moved.jinja >said 2>&1 || fail "eval: $(cat said)"
if grep -q 'trained with the chat template' said; then fail "the template of the training is warned of: $(cat said)"; fi
# what a template takes for today is the run's, with a pack file too, until --date says otherwise
printf '%s' "{{ strftime_now('%d %Y') }} $(cat llama/chat_template.jinja)" >day.jinja
mv llama/chat_template.jinja keep.jinja; cp day.jinja llama/chat_template.jinja
train --steps 1 --out dated --date 20240229
ids_at() { ./app score --data t.jsonl --out "$@" 2>err || fail "score $*: $(cat err)"; }
ids_at kept.st --params dated/last
ids_at told.st --params dated/last --date 20240229
ids_at other.st --params dated/last --date 20240301
./app pack --params dated/last --out dated.pack 2>err || fail "pack: $(cat err)"
ids_at packed.st --pack dated.pack
"$STCMP" kept.st told.st --key 0.input_ids --exact >said && "$STCMP" packed.st told.st --key 0.input_ids --exact >said || fail "the run's day is not taken: $(cat said)"
! "$STCMP" other.st told.st --key 0.input_ids --exact >said 2>&1 || fail "--date changes nothing"
mv keep.jinja llama/chat_template.jinja
# a template that marks what is asked as generated too would train on everything, which has to be asked for
echo '{% generation %}{% for m in messages %}{{ m.content }}{% endfor %}{% endgeneration %}' >marks.jinja
expect 1 'every token of every conversation would be trained on, what is asked too.*train_on = all' ./app train --data rows.jsonl --steps 1 --out marked --chat-template marks.jinja
train --steps 1 --out marked --chat-template marks.jinja --train-on all
# a message is its rendering, with or without a pack file
./app generate --chat --system short --prompt "the 3?" --params whole/last --max-tokens 8 >chat 2>err || fail "generate --chat: $(cat err)"
# many at a time, of two tokenizers: messages, and conversations, of which an answer that stands at the end is made anew
printf '%s\n' '{"prompt": "the 3?"}' '{"prompt": "word"}' >asks.jsonl
./app generate --data asks.jsonl --chat --system short --params whole/last --max-tokens 8 >many 2>err || fail "generate --data --chat: $(cat err)"
head -n 1 many | sed 's/.*"generated":\("[^"]*"\).*/\1/' >made
{ "$STCAT" --text <made; echo; } | cmp -s - chat || fail "of many: $(cat many), alone: $(cat chat)"
printf '%s\n' '{"messages": [{"role": "system", "content": "short"}, {"role": "user", "content": "the 3?"}]}' \
  '{"messages": [{"role": "system", "content": "short"}, {"role": "user", "content": "word"}, {"role": "assistant", "content": "old"}]}' >talks.jsonl
./app generate --data talks.jsonl --params whole/last --max-tokens 8 >talked 2>err || fail "generate --data of conversations: $(cat err)"
sed 's/.*"generated"/"generated"/' many >a; sed 's/.*"generated"/"generated"/' talked >b
cmp -s a b || fail "conversations are answered otherwise: $(cat talked), messages: $(cat many)"
printf '%s\n' '{"instruction": "the 3?"}' '{"instruction": "the 3?", "input": null, "output": null}' '{"instruction": "the 3?", "output": "old"}' >asked.jsonl
./app generate --data asked.jsonl --system short --params whole/last --max-tokens 8 >asked 2>err || fail "generate --data of instructions: $(cat err)"
for i in 1 2 3; do sed -n "$i"p asked | sed 's/.*"generated"/"generated"/' >b; head -n 1 a | cmp -s - b || fail "an instruction is answered otherwise: $(cat asked many)"; done
expect 1 'asked.jsonl:1: "output": expected a string, found nothing' ./app eval --data asked.jsonl
./app pack --params whole/last >/dev/null 2>err || fail "pack: $(cat err)"
./app generate --pack app.pack --chat --system short --prompt "the 3?" --max-tokens 8 >packed 2>err || fail "generate --pack --chat: $(cat err)"
cmp -s chat packed || fail "a pack file changes the answer: $(cat chat), $(cat packed)"
# A conversation on a terminal, which `script` is: what is typed comes through a pipe. talk OUT PROGRAM ARGS… begins one, whose answers go to OUT; talk is what
# the program says beside them. signs N: it has shown its sign N times, so it waits. over STATUS: it ends so.
talk() {
  out=$1 prog=$2; shift 2
  rm -f typed talk pid ended; mkfifo typed; : >talk
  printf 'echo $$ >pid\nexec ./%s generate --chat %s 2>talk >%s\n' "$prog" "$*" "$out" >begin
  { got=0; script -qec "sh ./begin" /dev/null <typed >/dev/null 2>script.err || got=$?; echo "$got" >ended; } & script=$!
  exec 8>typed
  signs 1
}
signs() { until_that $script talk shown "$1"; }
shown() { [ "$(grep -o '> ' talk | wc -l)" -ge "$1" ]; }
ends_a_line() { [ "$(tail -c 1 "$1" | wc -l)" = 1 ]; }
types() { printf "$1" >&8; signs "$2"; }
over() { wait $script; exec 8>&-; [ "$(cat ended)" = "$1" ] || fail "the conversation ended with $(cat ended), not $1: $(cat talk script.err)"; }
# turns are answered as a file of the conversations so far, where earlier turns are known and where (two tokenizers) they are computed again; what is no
# message is not sent
generated() { ./$p generate --data - --max-tokens 8 $params 2>err | sed 's/.*"generated":\("[^"]*"\).*/\1/'; }
said='{"role": "system", "content": "short"}, {"role": "user", "content": "the 3?"}'
for p in alone app; do
  params=; [ $p = alone ] || params='--params whole/last'
  talk answers $p $params --system short --max-tokens 8
  types 'the 3?\n' 2; types '/word\n' 3; types 'and word\n' 4; types '/reset\n' 5; types ' /word\n' 6
  types "$(printf %03000d 0)\n" 7; types "$(printf %05000d 0)\n" 8; printf '\004' >&8
  over 0
  grep -q '^> error: with this message the conversation is longer than a context; it was not sent: /reset' talk || fail "a message beyond the context: $(cat talk)"
  grep -q '^> error: a terminal keeps 4095 bytes of a line' talk || fail "a line that the terminal cut: $(cat talk)"
  grep -q '^> error: /word: no such command.*put a space before it' talk || fail "a line that is no command: $(cat talk)"
  first=$(echo "{\"messages\": [$said]}" | generated)
  printf '%s\n' "{\"messages\": [$said]}" "{\"messages\": [$said, {\"role\": \"assistant\", \"content\": $first}, {\"role\": \"user\", \"content\": \"and word\"}]}" \
    '{"messages": [{"role": "system", "content": "short"}, {"role": "user", "content": "/word"}]}' | generated >made
  while read -r line; do printf '%s\n' "$line" | "$STCAT" --text; echo; done <made >want
  [ "$(grep -c . made)" = 3 ] && cmp -s want answers || fail "$p: a conversation: $(cat answers), a file of it: $(cat want) ($(cat talk))"
  [ "$(grep -c 'prompt tokens, [0-9]* of them known' talk)" = $([ $p = alone ] && echo 2 || echo 0) ] || fail "what is known of earlier turns: $(cat talk)"
done
# Ctrl-C ends an answer, of which what was said stays, and not the program. The answer is longer than the pipe has room for, so it is under way until it is read.
tiny | sed 's/hidden_size = 8 }/hidden_size = 8 max_position_embeddings = 100000 }/; s/config { V/config { C = max_position_embeddings  V/' >tiny.calm && build tiny.calm -o tiny
printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}' >bare.jinja
mkfifo answer; exec 9<>answer
talk answer tiny --chat-template bare.jinja --temperature 1 --ignore-eos --max-tokens 80000
printf 'abc\n' >&8
dd bs=1 count=1 <&9 >first 2>/dev/null & until_that $script talk [ -s first ]
kill -INT "$(cat pid)"
cat <&9 >rest & reader=$!
signs 2
until_that $reader talk ends_a_line rest
n=$(wc -c <rest)                                 # with the newline, and without the byte that was read before
types 'abc\n' 3
grep -q '^> 3 prompt tokens in .* stopped by Ctrl-C$' talk && grep -q "^> $((n + 6)) prompt tokens, .* stopped by" talk || fail "a stopped answer of $n bytes: $(cat talk)"
types '\003' 4; printf '\003' >&8
over 0
grep -q '^Ctrl-C again, or Ctrl-D, ends' talk || fail "Ctrl-C at the prompt: $(cat talk)"
talk answer tiny --chat-template bare.jinja
kill -TERM "$(cat pid)"
over 143
kill $reader; exec 9>&-
expect 2 'standard input is none: give --prompt TEXT, or --data FILE' ./tiny generate --chat </dev/null
expect 1 'a conversation needs a chat template.*give one: --chat-template' script -qec './tiny generate --chat' /dev/null </dev/null
./app generate --chat --prompt x --date 20240229 --params whole/last --max-tokens 1 >/dev/null 2>err || fail "--date: $(cat err)"
expect 1 '20230229: expected a day' ./app generate --chat --prompt x --date 20230229
printf '{{ messages }}\n{{ x | nothing }}' >bad.jinja
expect 1 "bad.jinja:2: there is no filter 'nothing'" ./app generate --chat --prompt x --chat-template bad.jinja
printf '{{ messages[0].role }}{%% for m in messages %%}{{ m.content }}.{%% endfor %%}' >first.jinja
echo '{"messages": [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]}' >first.jsonl
expect 1 'error: first.jsonl:1: the conversation begins with an answer, and its chat template renders none that is empty (first.jinja:1: ' ./app eval --data first.jsonl --metric loss --chat-template first.jinja
# a template for tools besides is not that of other conversations
cp llama/chat_template.jinja keep.jinja; rm llama/chat_template.jinja
mv llama/tokenizer_config.json keep.json 2>/dev/null || :
printf '%s' '{"chat_template": [{"name": "default", "template": "{% for m in messages %}{{ m.content }}{% endfor %}"}, {"name": "tool_use", "template": "{{ tools }}"}]}' >llama/tokenizer_config.json
./app eval --data m.jsonl --metric loss >said 2>&1 || fail "a list of templates: $(cat said)"
sed 's/}$/, "tools": [{"name": "f"}]}/' m.jsonl >tools.jsonl
expect 1 'tools.jsonl:1: .*llama/tokenizer_config.json: chat_template has a template of its own for conversations with tools' ./app eval --data tools.jsonl
./app eval --data tools.jsonl --metric loss --chat-template keep.jinja >said 2>&1 || fail "the one that is given: $(cat said)"
rm llama/tokenizer_config.json; mv keep.json llama/tokenizer_config.json 2>/dev/null || :
mv keep.jinja llama/chat_template.jinja
# one that writes nothing is told, by row and in generation
for empty in '' '{% for m in messages %}{% endfor %}'; do
  printf '%s' "$empty" >empty.jinja
  expect 1 'm.jsonl:1: the chat template of base writes nothing of the conversation' ./app eval --data m.jsonl --chat-template empty.jinja
  expect 1 'the chat template of base writes nothing of the conversation' ./app generate --chat --prompt x --chat-template empty.jinja
done
expect 1 '^error: -: rows are read from files here' ./app train --data - </dev/null
printf "\n{{ raise_exception('only in pairs') }}" >refuses.jinja
expect 1 'm.jsonl:1: refuses.jinja:2: only in pairs' ./app eval --data m.jsonl --chat-template refuses.jinja
rm llama/chat_template.jinja
expect 1 'm.jsonl:1: a conversation needs a chat template, and model base has none' ./app eval --data m.jsonl
expect 1 'give one: --chat-template' ./app eval --data m.jsonl
echo '{"messages": [{"role": "user"}]}' >w.jsonl
expect 1 'w.jsonl:1: "messages": message 1: expected a string, or an array of parts, as "content", found nothing' ./app eval --data w.jsonl --chat-template drops.jinja
expect 2 'for --chat' ./app generate --system x --prompt y
# what stands in the files of conversations is read with the first conversation
echo '{"eos_token": "</s>", "chat_template": 5}' >gemma/tokenizer_config.json
echo '{"text": "the 3?"}' >x.jsonl
./app eval --data x.jsonl --metric loss >said 2>&1 || fail "text needs no chat template: $(cat said)"
expect 1 'm.jsonl:1: .*gemma/tokenizer_config.json: "chat_template": expected a string, or a list' ./app eval --data m.jsonl --chat-template drops.jinja
# --- texts that an augment has of its own: whole from the first token on, beside rows without one, in a training gone on with, in what is kept of rows, in generation
rm gemma/tokenizer_config.json
# without a template it reads contents as it reads any text, behind what its tokenizer puts before one
score app contents.st --data m.jsonl --chat-template drops.jinja
[ "$("$STCAT" contents.st 0.input_ids.aug | head -n 1)" = 1 ] || fail "contents begin otherwise than a text: $("$STCAT" contents.st 0.input_ids.aug | tr '\n' ' ')"
printf '%s\n' '{"prompt": "the 3?", "completion": " a 3", "augment": {"aug": "word 7 and a word"}}' '{"prompt": "the 3?", "completion": " a 3"}' \
  '{"prompt": "the 3?", "completion": " a 4", "augment": {"aug": "word 7 and a word"}}' '{"text": "the 3? a 3", "augment": {"aug": "one"}}' >own.jsonl
sed -n 2p own.jsonl >plain.jsonl
cp -r gemma same; cp llama/tokenizer.json same/tokenizer.json                  # an augment with the anchor's tokenizer, which has a stream of its own then
for of in gemma same; do
  score loud plain.st --data plain.jsonl --model aug=$of
  score loud own.st --data own.jsonl --model aug=$of
  [ "$("$STCAT" own.st 0.visible.aug | sort -u | wc -l)" = 1 ] && [ "$("$STCAT" own.st 0.visible.aug | head -n 1)" = "$("$STCAT" own.st 0.input_ids.aug | wc -l)" ] ||
    fail "$of: its text is not seen whole: $("$STCAT" own.st 0.visible.aug | tr '\n' ' ')"
  [ "$("$STCAT" own.st 0.input_ids.aug)" = "$("$STCAT" own.st 2.input_ids.aug)" ] || fail "$of: what it reads of its own depends on the row"
  "$STCMP" own.st plain.st --key 1.logits --as 0.logits --exact >said 2>&1 || fail "$of: a row without a text of its own is another one beside rows with: $(cat said)"
  "$STCMP" own.st own.st --key 0.logits --as 1.logits --differ 1e-3 >said 2>&1 || fail "$of: its own text changes nothing: $(cat said)"
  "$STCMP" own.st own.st --key 0.logits --as 2.logits --rows 5 --exact >said 2>&1 || fail "$of: a completion reaches back: $(cat said)"
  ./loud score --seed 1 --data own.jsonl --model aug=$of --chunk 1,3,2 --out chunks.st 2>err || fail "--chunk: $(cat err)"
  "$STCMP" chunks.st own.st --key '*.logits' --exact >said 2>&1 || fail "$of: by cached stepping: $(cat said)"
done
for run in whole off; do ./loud train --data own.jsonl --batch 2rows --seed 1 --lr 1e-2 --steps 6 --cache $([ $run = off ] && echo off || echo memory) --overwrite --out own.$run 2>err || fail "train: $(cat err)"; done
./loud train --data own.jsonl --batch 2rows --seed 1 --lr 1e-2 --steps 6 --stop-after 3 --out own.part 2>err && ./loud train --data own.jsonl --out own.part --resume 2>err || fail "train: $(cat err)"
for run in off part; do "$STCMP" own.$run/last/theta.safetensors own.whole/last/theta.safetensors --exact >said 2>&1 || fail "own texts, $run: $(cat said)"; done
grep -q warning err && fail "no text of an augment holds a completion: $(cat err)"
echo '{"prompt": "the 3?", "completion": " a 3 ", "augment": {"aug": "it is a 3."}}' >given.jsonl
expect 0 '^warning: given.jsonl: of 1 row with texts of augments. own, 1 holds what is to be completed' ./loud eval --data given.jsonl
# an answer in every form that rows have, and a text that is all there; not what was asked
printf '%s\n' '{"text": "a 3", "augment": {"aug": "it is a 3."}}' '{"messages": [{"role": "user", "content": "3?"}, {"role": "assistant", "content": [{"type": "text", "text": "a 3"}]}], "augment": {"aug": "it is a 3."}}' \
  '{"conversations": [{"from": "human", "value": "3?"}, {"from": "gpt", "value": "a 3"}], "augment": {"aug": "it is a 3."}}' '{"instruction": "3?", "output": "a 3", "augment": {"aug": "it is a 3."}}' \
  '{"conversations": [{"from": "human", "value": "a 3"}, {"from": "gpt", "value": "four"}], "augment": {"aug": "it is a 3."}}' >given.jsonl
expect 0 '^warning: given.jsonl: of 5 rows with texts of augments. own, 4 hold what is to be completed' ./loud train --check --data given.jsonl --chat-template own.jinja
# where a template ends with the content, the end that is appended leaves nothing to chance of what is seen of the last token (whatever memory holds)
printf '%s' "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}" >open.jinja
echo '{"messages": [{"role": "user", "content": "the 3?"}, {"role": "assistant", "content": "a 3 and a word 7"}]}' >open.jsonl
for fill in 1 255; do MALLOC_PERTURB_=$fill ./loud score --seed 1 --data open.jsonl --chat-template open.jinja --out open.$fill.st 2>err || fail "score: $(cat err)"; done
[ "$("$STCAT" open.1.st 0.visible.aug | tail -n 1)" = "$("$STCAT" open.255.st 0.visible.aug | tail -n 1)" ] && "$STCMP" open.1.st open.255.st --key '*' --exact >said 2>&1 ||
  fail "the last token sees otherwise: $("$STCAT" open.1.st 0.visible.aug | tr '\n' ' '), $("$STCAT" open.255.st 0.visible.aug | tr '\n' ' ')"
# one that its augment has no room for is named, or its row left out, whatever kind it is of; it takes no room from what is generated
words() { i=0; while [ $i -lt "$1" ]; do printf 'word 7 '; i=$((i + 1)); done; }
printf '%s\n' "{\"text\": \"a 3\", \"augment\": {\"aug\": \"$(words 400)\"}}" "{\"prompt\": \"a\", \"completion\": \" 3\", \"augment\": {\"aug\": \"$(words 400)\"}}" '{"text": "a 3"}' >full.jsonl
expect 1 "^error: full.jsonl:1: \"augment\": aug's own text of [0-9]* tokens is longer than aug's context of 512 tokens, and is never cut; too_long = skip" ./loud eval --data full.jsonl --too-long truncate
expect 0 "^full.jsonl: 2 rows are longer than aug's context of 512 tokens and left out (too_long = skip)" ./loud eval --metric loss --data full.jsonl --too-long skip
tail -n 2 full.jsonl >rest.jsonl
expect 1 "^error: rest.jsonl:1: \"augment\": aug's own text of " ./loud eval --data rest.jsonl
n=50; until printf '"%s"\n' "$(words $n)" | ./loud tokenize --model aug | grep -o '\[[0-9]*, [0-9]*\]' | awk 'END { exit NR < 300 }'; do n=$((n + 10)); done
expect 0 'stopped by' ./loud generate --prompt "$(words 400)" --augment aug="$(words $n)" --too-long truncate --max-tokens 256 --ignore-eos --seed 1
ask() { ./loud generate --params own.whole/last --max-tokens 6 --ignore-eos "$@" 2>err || fail "generate $*: $(cat err)"; }
ask --prompt "the 3?" --augment "aug=word 7 and a word" >flag
printf 'word 7 and a word' >own.txt
ask --prompt "the 3?" --augment aug=@own.txt >file
sed 's/, "completion": "[^"]*"//' own.jsonl | head -n 2 >asks.jsonl
ask --data asks.jsonl >rows; ask --prompt "the 3?" >none; ask --data asks.jsonl --augment aug=one >over
cmp -s flag file || fail "a text from a file is another: $(cat flag file)"
made() { sed -n "$1p" "$2" | sed 's/.*"generated":\("\([^"\\]\|\\.\)*"\).*/\1/' >line; { "$STCAT" --text <line; echo; }; }
made 1 rows | cmp -s - flag && made 2 rows | cmp -s - none && made 1 over | cmp -s - flag || fail "rows with texts of their own: $(cat rows over), as flags: $(cat flag none)"
echo '{"text": "x", "augment": {"agu": "y"}}' >w.jsonl
expect 1 '^error: w.jsonl:1: "augment": no augment is called "agu"; this program has aug$' ./loud eval --data w.jsonl
echo '{"text": "x", "augment": "y"}' >w.jsonl
expect 1 '^error: w.jsonl:1: "augment": expected an object, .*found a string' ./loud eval --data w.jsonl
# a row without one is written as null, too, in any depth
printf '%s\n' '{"prompt": "the 3?", "augment": null}' '{"prompt": "the 3?", "augment": {"aug": null}}' '{"prompt": "the 3?", "augment": {}}' >nulls.jsonl
ask --data nulls.jsonl >nulls; ask --data nulls.jsonl --augment aug=one >nulls.one
made 2 over >over.2
for i in 1 2 3; do made $i nulls | cmp -s - none && made $i nulls.one | cmp -s - over.2 || fail "a null in place of an augment's text: $(cat nulls nulls.one)"; done
sed 's/"the 3?"/"the 3?", "completion": " a 3"/' nulls.jsonl >nulled.jsonl
sed -n 2p own.jsonl >bare.jsonl; cat bare.jsonl bare.jsonl bare.jsonl >plain3.jsonl
loss3() { ./loud eval --data "$1" --metric loss --json 2>err | sed -n 's/^  "loss": //p'; }
[ -n "$(loss3 plain3.jsonl)" ] && [ "$(loss3 nulled.jsonl)" = "$(loss3 plain3.jsonl)" ] || fail "null texts of augments' own: $(cat err)"
expect 1 '"augment": no augment is called "base"; this program has aug' ./loud generate --prompt x --augment base=y
expect 2 '\-\-augment aug: expected NAME=TEXT, or NAME=@FILE' ./loud generate --prompt x --augment aug
# --- a model with the anchor's tokenizer reads conversations by its own template: the anchor's own tokens where both are the same, byte for byte; and texts as ever
printf '%s' "{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}</s>
{% endfor %}{% if add_generation_prompt %}[assistant] {% endif %}" >llama/chat_template.jinja
[ -f llama/tokenizer_config.json ] && cp llama/tokenizer_config.json same
cp llama/chat_template.jinja same
echo '{"messages": [{"role": "user", "content": "the 3?"}, {"role": "assistant", "content": "a 3 and"}]}' >talk.jsonl
score loud shared.st --data talk.jsonl --model aug=same
"$STCAT" shared.st 0.visible.aug >/dev/null 2>&1 && fail "one template, and two renderings"
printf '%s' "{% for m in messages %}<{{ m.role[0] }}>{{ m.content }}|{% endfor %}{% if add_generation_prompt %}<a>{% endif %}" >same/chat_template.jinja
score loud other.st --data talk.jsonl --model aug=same
"$STCMP" other.st shared.st --key 0.logits --differ 1e-3 >said 2>&1 || fail "another template changes nothing: $(cat said)"
rm same/chat_template.jinja
score loud joined.st --data talk.jsonl --model aug=same
printf '%s\n' '{"text": "the 3?\na 3 and"}' >joined.jsonl
score loud text.st --data joined.jsonl --model aug=same
"$STCAT" joined.st 0.input_ids.aug >a; "$STCAT" text.st 0.input_ids >b
[ -s a ] && head -n "$(wc -l <a)" b | cmp -s - a || fail "without a template the contents are read, joined by newlines: $(tr '\n' ' ' <a), $(tr '\n' ' ' <b)"
./loud score --seed 1 --data talk.jsonl --model aug=same --chunk 1,2 --out chunks.st 2>err || fail "--chunk: $(cat err)"
"$STCMP" chunks.st joined.st --key '*.logits' --exact >said 2>&1 || fail "by cached stepping: $(cat said)"
score loud later.st --data leak.jsonl --model aug=same
"$STCMP" later.st later.st --key 0.logits --as 1.logits --rows 40 --exact >said 2>&1 || fail "what comes later reaches back: $(cat said)"
