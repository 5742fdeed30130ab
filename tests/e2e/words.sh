#!/bin/sh
# What a user reads from calmc and from programs: what is wrong, what would have been right, and what is about to happen.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
made tiny 16 24 1 2 2 512 1000 >own.calm
build spec.calm -o app
build own.calm -o own

# --- UTF-16: data, specs, configs, tokenizers
printf '{"text": "ab"}\n' | iconv -f UTF-8 -t UTF-16 >marked.jsonl
printf '{"text": "ab"}\n' | iconv -f UTF-8 -t UTF-16BE >plain.jsonl
for f in marked plain; do expect 1 "^error: $f.jsonl: it is UTF-16, expected UTF-8.*iconv" ./own eval --data $f.jsonl; done
iconv -f UTF-8 -t UTF-16LE own.calm >wide.calm
expect 1 "^error: cannot read 'wide.calm': it is UTF-16" "$CALMC" build wide.calm -o never
cp -r base wide && iconv -f UTF-8 -t UTF-16 base/config.json >wide/config.json
sed 's/"base"$/"wide"/' spec.calm >wide.calm
expect 1 'wide/config.json: it is UTF-16' "$CALMC" build wide.calm -o never
mkdir widetok && iconv -f UTF-8 -t UTF-16 chars.json >widetok/tokenizer.json
expect 1 '^error: widetok/tokenizer.json: it is UTF-16' "$CALMC" tokenize widetok
expect 1 'it is UTF-16' "$CALMC" tokenize chars.json <marked.jsonl
expect 1 '^error: marked.jsonl: it is UTF-16' ./own generate --prompt-file marked.jsonl
rm -r wide widetok marked.jsonl plain.jsonl wide.calm

# --- a file that holds no rows
row() { printf "$2\n" >bad.jsonl; expect 1 "^error: bad.jsonl:1: $1" ./own eval --data bad.jsonl; }
printf 'First Citizen:\nBefore we proceed any further, hear me speak.\n' >bad.jsonl
expect 1 "^error: bad.jsonl:1: expected a row, a JSON object on one line such as .*\"completion\".*, found 'First Citizen:'" ./own eval --data bad.jsonl
row "expected a row, .* found 'Ünïcode text that goes…'" 'Ünïcode text that goes on and on and on'
row 'expected the keys of one kind of row, .*, found "question", "answer"$' '{"question": "a", "answer": "b"}'
row '.*found "prompt", "completion", "text"$' '{"prompt": "a", "completion": "b", "text": "c"}'
row '.*found no key$' '{}'
row 'expected a row, an object such as .*, found an array' '["a", "b"]'
printf '{\n  "text": "a"\n}\n' >bad.jsonl
expect 1 '^error: bad.jsonl:1:.*; a row is a JSON object on one line' ./own eval --data bad.jsonl
keys=$(for i in $(seq 60); do printf '"a_long_key_%d": 1, ' $i; done)
row '.*"a_long_key_1", .* and [0-9]* more$' "{$keys \"z\": 0}"

# --- the command line of a program: what was meant, and exit status 2
expect 2 '^error: no command: ' ./app
grep -q '^usage: ./app COMMAND' said && grep -q '^  generate ' said || fail "app alone: $(cat said)"
expect 2 "^error: no command is called 'trian'; did you mean 'train'?" ./app trian
expect 2 "^error: expected a command before '--steps'" ./app --steps 3
expect 0 '^calm [0-9.]*, program of spec.calm$' ./app --version
expect 2 '^error: train has no option --step; did you mean --steps?' ./app train --step 3
expect 2 '^error: train has no option --no-shufle; did you mean --no-shuffle?' ./app train --no-shufle
expect 2 '^error: eval has no option --top-kk' ./app eval --top-kk 3
# what other frameworks call it
expect 2 '^error: train has no option --learning-rate; did you mean --lr?' ./app train --learning-rate 1e-4
expect 2 '^error: train has no option --num_train_epochs; did you mean --steps?; an epoch is as many steps' ./app train --num_train_epochs 3
expect 2 '^error: train has no option --batch-size; did you mean --batch?; a number alone is one of tokens' ./app train --batch-size 8
expect 2 '^error: train has no option --device; calm computes on the processor' ./app train --device cuda
expect 2 '^error: train has no option -lr; did you mean --lr?' ./app train -lr 1e-4
expect 2 '^error: generate has no option --max_new_tokens; did you mean --max-tokens?' ./app generate --max_new_tokens 5
expect 2 "^error: no command is called 'fit'; did you mean 'train'?" ./app fit
expect 2 '^error: --top-k is an option of generate, not of eval' ./app eval --top-k 3
expect 2 "^error: unexpected 'rows.jsonl': data is --data FILE" ./app train rows.jsonl
expect 2 "^error: unexpected 'hello': prompt is --prompt TEXT" ./app generate hello
expect 2 '^error: expected DIR; usage: ./app export DIR \[options\]' ./app export
expect 2 '^error: --batch: .*, found "4row"' ./app train --batch 4row
expect 1 '^error: rows.jsonl is given twice' ./app train --data rows.jsonl --data rows.jsonl --out never
expect 2 '^error: --steps is given twice' ./app train --steps 3 --steps=4
expect 2 '^error: --no-shuffle is given twice' ./app train --shuffle --no-shuffle
expect 2 '^error: --data is given twice' ./app eval --data rows.jsonl --data rows.jsonl
expect 2 '^error: --model base=… is given twice' ./app info --model base=base --model base=aug
expect 2 '^error: --model hello: expected NAME=DIR' ./app info --model hello
expect 2 '^error: --model b=aug: this program has no model of that name' ./app info --model b=aug
expect 2 '^error: --metric: expected exact_match or loss, found "bleu"' ./app eval --data rows.jsonl --metric bleu
printf 'eval "news" { data = "%s/rows.jsonl" }\n' "$dir" | cat spec.calm - >titled.calm
build titled.calm -o titled
expect 2 '^error: --eval: titled.calm has no eval block "nwes"; did you mean "news"?' ./titled eval --eval nwes
expect 0 '^news: 4 rows' ./titled eval --eval news
expect 2 '^error: --hidden base.99: expected' ./app score --data rows.jsonl --out x.st --hidden base.99
expect 2 '^error: --chunk some: expected' ./app score --data rows.jsonl --out x.st --chunk some
expect 2 '^error: --model is given twice' ./app tokenize --model base --model aug
expect 2 'give one of them' ./own generate --prompt a --prompt-file own.calm
[ ! -e app.run ] || fail "a command line that was not understood began a run"
for c in '' train eval generate score verify tokenize export verify-files info; do
  ./app $c --help >help || fail "$c --help"
  ! grep -n '^usage:.*  ' help || fail "two spaces: $(cat help)"
done
# files and limits are no usage
expect 1 '^error: cannot read gone.jsonl' ./app info --data gone.jsonl
expect 1 '^error: cannot read gone.jsonl' ./app eval --data gone.jsonl

# --- options of no use say so
printf '{"prompt": "ab", "completion": "cd"}\n{"prompt": "b", "completion": "c"}\n' >pairs.jsonl
printf '{"text": "abcd"}\n' >text.jsonl
expect 0 '^warning: --top-k has no effect: at temperature 0' ./own generate --prompt ab --top-k 3 --max-tokens 2
expect 0 '^warning: --top-p has no effect' ./own generate --prompt ab --top-p 0.5 --max-tokens 2
./own generate --prompt ab --top-k 3 --top-p 0.5 --temperature 1 --max-tokens 2 >made 2>err || fail "generate: $(cat err)"
! grep 'no effect' err || fail "an option that had one"
expect 0 '^wrote each.jsonl: 2 rows' ./own eval --data pairs.jsonl --metric loss --out each.jsonl
! grep 'no effect' said && [ "$(grep -c '^{"line":[12],"tokens":[0-9]*,"labelled":[0-9]*,"loss":[0-9.]*,"bytes":[12],"bits_per_byte":[0-9.]*}$' each.jsonl)" = 2 ] ||
  fail "--out of two losses: $(cat said each.jsonl)"
cp each.jsonl mine.jsonl
expect 1 'nothing to score: exact match takes rows' ./own eval --data text.jsonl --metric exact_match --out each.jsonl
cmp each.jsonl mine.jsonl || fail "an evaluation of nothing replaced a file"
expect 0 '^pairs.jsonl: 2 rows .*exact match' ./own eval --data pairs.jsonl --out each.jsonl
! grep 'no effect' said && [ "$(wc -l <each.jsonl)" = 2 ] || fail "--out of two rows: $(cat said each.jsonl)"
expect 0 '^warning: --eval has no effect: --data says' ./own eval --data text.jsonl --eval news
idle() { want=$1; shift; expect 0 "^warning: $want" ./app train --data rows.jsonl --out run --overwrite "$@"; }
idle '--stop-after has no effect: that is not before the last step' --steps 2 --stop-after 3
idle '--eval-every has no effect: there is no held-out data' --steps 2 --eval-every 1
idle '--floor has no effect: the schedule is constant' --steps 2 --floor 0.5
idle '--force has no effect: there is neither --params nor --resume' --steps 2 --force
./app train --data rows.jsonl --out run --overwrite --steps 2 --stop-after 1 --validate rows.jsonl --eval-every 1 --schedule cosine --floor 0.5 >said 2>&1 || fail "train: $(cat said)"
! grep 'no effect' said || fail "options that have one: $(cat said)"
expect 0 '^warning: --params has no effect: --resume goes on' ./app train --data rows.jsonl --out run --resume --params theta0.safetensors
rm -r run
expect 0 '^warning: --force has no effect: there is no --params' ./own eval --data text.jsonl --force
expect 1 '^error: text.jsonl: nothing to score: exact match takes rows with "prompt" and "completion", and none of its 1 row has both' \
  ./own eval --data text.jsonl --metric exact_match
echo '{"input_ids": [1, 2, 3], "labels": [-100, -100, -100]}' >unlabelled.jsonl
expect 1 '^error: unlabelled.jsonl: nothing to score: none of its 1 row has a labelled token' ./own eval --data unlabelled.jsonl
expect 1 'unlabelled.jsonl: no row has a labelled token' ./own train --data unlabelled.jsonl --steps 1
echo '{"input_ids": [1, 2, 3], "labels": [1, 2, 3]}' >labelled.jsonl
expect 0 '^labelled.jsonl: every token of every row is labelled: trained on as {"text"} rows are (the labels of a prompt would be -100)$' ./own train --data labelled.jsonl --steps 1 --out labelled

# --- the summary of verify-files stands behind its list, and the error behind both, wherever all go
./own export listed --seed 1 2>err || fail "export: $(cat err)"
printf x >>listed/config.json
./own verify-files listed >said 2>&1 && fail "a changed file was not found"
sed 's/:.*//' said | tr '\n' ' ' | grep -q '^listed/config.json listed error ' || fail "out of order: $(cat said)"

# --- how much is generated
expect 0 '; stopped by the default of 256 tokens (more: --max-tokens)$' ./own generate --prompt ab --ignore-eos
grep -q ', 256 tokens at ' said || fail "not 256 tokens: $(cat said)"
expect 0 '; stopped by --max-tokens$' ./own generate --prompt ab --ignore-eos --max-tokens 300
expect 0 '; stopped by the end of the context$' ./own generate --prompt ab --ignore-eos --max-tokens 3000
expect 0 ' 1 token; stopped by --max-tokens$' ./own generate --prompt ab --ignore-eos --max-tokens 1
expect 0 ' 0 tokens; stopped by --max-tokens$' ./own generate --prompt ab --max-tokens 0
./own export model --seed 1 2>err || fail "export: $(cat err)"
echo 'anchor m = "model"' >alone.calm
build alone.calm -o alone
generation() { sed -i "s/^{/{ $1, /" model/generation_config.json; }
cp model/generation_config.json before.json
generation '"max_new_tokens": 5'
expect 0 ', 5 tokens at .*; stopped by max_new_tokens of generation_config.json (more: --max-tokens)$' ./alone generate --prompt ab --ignore-eos
cp before.json model/generation_config.json; generation '"max_length": 7'
expect 0 '^2 prompt tokens in .*, 5 tokens at .*; stopped by max_length of generation_config.json, prompt and answer (more: --max-tokens)$' ./alone generate --prompt ab --ignore-eos
expect 0 ' 0 tokens; stopped by max_length of ' ./alone generate --prompt abababababab --ignore-eos
expect 0 ', 7 tokens at .*; stopped by --max-tokens$' ./alone generate --prompt ab --ignore-eos --max-tokens 7
for n in 0 -3 4294967299 2.5 '"many"'; do
  cp before.json model/generation_config.json; generation "\"max_new_tokens\": $n"
  expect 1 '^error: .*model/generation_config.json: "max_new_tokens": expected \(a whole number from 1 to 2147483647, found\|an integer, found\)' ./alone generate --prompt ab
done

# --- ids that no 32 bits hold are refused, not cut
cp before.json model/generation_config.json
sed -i 's/"eos_token_id": *1\b/"eos_token_id": 4294967298/' model/generation_config.json
expect 1 '^error: .*model/generation_config.json: "eos_token_id": expected a whole number from 0 to [0-9]*, found 4294967298' ./alone generate --prompt ab
sed 's/eos_token_id = 1/eos_token_id = 4294967298/' own.calm >wide.calm
build wide.calm -o wide
expect 1 '"eos_token_id": expected a whole number from 0 to [0-9]*, found 4294967298' ./wide info
echo '{"input_ids": [1, 4294967298], "labels": [1, 2]}' >bad.jsonl
expect 1 'bad.jsonl:1: "input_ids": the token id 4294967298 is not below' ./own eval --data bad.jsonl

# --- a text that a context cuts: whose limit, how many rows, what was lost
{ printf '{"prompt": "'; head -c 600 /dev/zero | tr '\0' a; printf '", "completion": "b"}\n'; } >long.jsonl
expect 1 "^error: long.jsonl:1: the row of 602 tokens is longer than tiny's context of 512 tokens; too_long = skip leaves such rows out, truncate cuts their prompts from the left (as a flag: --too-long)\$" ./own eval --data long.jsonl
expect 1 "^long.jsonl: 1 row is longer than tiny's context of 512 tokens and left out (too_long = skip)\$" ./own eval --data long.jsonl --too-long skip
grep -q '^error: long.jsonl: nothing to score' said || fail "nothing is scored, and nothing says so: $(cat said)"
cat pairs.jsonl long.jsonl long.jsonl >some.jsonl
{ printf '{"prompt": "a", "completion": "'; head -c 600 /dev/zero | tr '\0' a; printf '"}\n'; } >much.jsonl
cat some.jsonl much.jsonl >more.jsonl
expect 0 "^more.jsonl: 3 rows are longer than tiny's context of 512 tokens and left out (too_long = skip)\$" ./own eval --data more.jsonl --metric loss --too-long skip
skipped=$(grep loss said | sed 's/^[^:]*//'); ./own eval --data pairs.jsonl --metric loss 2>/dev/null | grep -qF -- "$skipped" || fail "rows that are left out count: $skipped"
expect 0 "^some.jsonl: 2 rows are longer than tiny's context of 512 tokens: their prompts were cut from the left (too_long = truncate)\$" ./own eval --data some.jsonl --metric loss --too-long truncate
expect 1 "^error: more.jsonl:5: the row of 602 tokens is longer than .*, and so is what is left without its prompt" ./own eval --data more.jsonl --metric loss --too-long truncate
expect 1 "^error: more.jsonl:3: the row of" ./own train --data more.jsonl --steps 1 --out longer
expect 0 "^more.jsonl: 3 rows are longer" ./own train --data more.jsonl --steps 1 --out longer --too-long skip
grep -q '"too_long": "skip"' longer/last/theta.json || fail "a run does not keep too_long"
expect 0 "left out" ./own train --data more.jsonl --steps 2 --out longer --resume
expect 1 "the prompt of 600 tokens is longer than tiny's context of 512" ./own generate --data long.jsonl --max-tokens 3
expect 0 '2 prompts are longer than a context and not answered' ./own generate --data some.jsonl --max-tokens 3 --too-long skip
{ printf '{"text": "'; head -c 1200 /dev/zero | tr '\0' a; printf '"}\n'; } >book.jsonl
expect 0 "^book.jsonl: 1 row cut into 3 windows of at most 512 tokens (tiny's context is 512)\$" ./own eval --data book.jsonl
expect 0 '^book.jsonl: 1 row cut' ./own info --data book.jsonl
[ "$(grep -c '^book.jsonl: 1 row cut' said)" = 1 ] || fail "told more than once: $(cat said)"

# --- the first line of a training: batch, steps an epoch, passes
cat pairs.jsonl pairs.jsonl pairs.jsonl >six.jsonl               # 6 rows, 24 tokens
first() { ./own train --out run --overwrite "$@" >said 2>&1 || fail "train $*: $(cat said)"; grep 'labelled), ' said >first; }
course() { want=$1; shift; first "$@"; grep -qF " labelled), $want, " first || fail "train $*: not '$want' in $(cat said)"; }
course 'batch all 6 rows, 1 step an epoch, 3 steps: 3 passes' --data six.jsonl --steps 3
! grep warning: said || fail "a warning of a batch that nobody set: $(cat said)"
[ "$(cut -d, -f2 run/log.csv | tr '\n' ' ')" = 'tokens 24 48 72 ' ] || fail "a step is more than a pass: $(cat run/log.csv)"
./own train --data six.jsonl --steps 5 --out run --resume 2>said || fail "resume: $(cat said)"
grep -qF 'batch all 6 rows, 1 step an epoch, 5 steps: 5 passes, ' said || fail "a batch that nobody set, gone on with: $(cat said)"
course 'batch 4 rows, 1.5 steps an epoch, 10 steps: 6.7 passes' --data six.jsonl --steps 10 --batch 4rows
course 'batch 2 x 1 row, 3 steps an epoch, 0 steps: 0 passes' --data six.jsonl --steps 0 --batch 1rows --accumulate 2
course 'batch 9 tokens, 3 steps an epoch, 3 steps: 1 pass' --data six.jsonl --steps 3 --batch 9tokens --no-shuffle
course 'batch 72 tokens, 0.33 steps an epoch, 2 steps: 6 passes' --data six.jsonl --steps 2 --batch 72
grep -q "^warning: a step of 72 tokens reads the data's 6 rows (24 tokens) 3 times; --batch 6rows is one pass\$" said || fail "no warning of a batch of three passes: $(cat said)"
[ "$(cut -d, -f2 run/log.csv | tr '\n' ' ')" = 'tokens 72 144 ' ] || fail "a batch that was set does not stay: $(cat run/log.csv)"
first --data six.jsonl --steps 1 --batch 8rows
grep -q '^warning: a step of 8 rows reads .* 1.3 times' said || fail "no warning of a batch of more than a pass: $(cat said)"
first --data six.jsonl --steps 1 --batch 2
grep -q '^warning: a step of 2 tokens is less than a row of the data, 4 tokens on average: it takes one; --batch 2rows is one of rows$' said || fail "no warning of a batch of less than a row: $(cat said)"
first --data six.jsonl --steps 1000000 --batch 6rows --stop-after 1
grep -q 'steps: about 1000000 passes, ' first || fail "an estimate is not marked: $(cat said)"

# --- calmc's command line
usage() { expect 2 "^error: $1" "$CALMC" $2; [ "$(wc -l <said)" = 1 ] || fail "calmc $2: $(cat said)"; }
usage 'no command: expected build, pack, draw, tokenize, verify, doctor, doc or families' ''
usage 'train is a command of the built program: calmc build own.calm, then ./own train' 'train own.calm'
usage 'train is a command of the built program: calmc build SPEC.calm -o app, then ./app train' 'train --data rows.jsonl'
usage "'own.calm' is no command; did you mean 'calmc build own.calm'?" own.calm
usage "the commands are .*; found 'biuld'; did you mean 'build'?" 'biuld own.calm'
usage "there is no option '--ouptut'; did you mean '--output'?" 'build own.calm --ouptut=x'
usage "there is no option '-q'" 'build own.calm -q'
usage "--isa takes avx512, avx2 or native; found 'avx521'; did you mean 'avx512'?" 'build own.calm --isa avx521'
usage "--emit takes .*; found 'grpah'; did you mean 'graph'?" 'build own.calm --emit=grpah'
usage "there is no pass 'cs'; did you mean 'cse'?" 'build own.calm --dump cs'
usage '--output is given twice' 'build own.calm -o x --output=y'
usage '--decode is an option of tokenize, not of build' 'build own.calm --decode'
usage '--output is an option of build, not of verify' 'verify model -o x --ref x'
usage 'verify needs --ref' 'verify model'
usage 'calmc build: expected SPEC.calm' build
usage "one at a time; found 'b' after 'a'" 'build a b'
expect 0 '^calmc [0-9.]*$' "$CALMC" --version

# --- a build that takes long says what it is at: here the linker does
mkdir bin && printf '#!/bin/sh\nsleep 3\nPATH="%s"\nexec cc "$@"\n' "$PATH" >bin/cc && chmod +x bin/cc         # a cc that looks for another (ccache's) finds not this one
PATH="$dir/bin:$PATH" "$CALMC" build own.calm -o slow >said 2>&1 || fail "build: $(cat said)"
grep -q '^own.calm: linking$' said && tail -n 1 said | grep -q '^wrote slow' || fail "a slow build in silence: $(cat said)"
if command -v script >/dev/null; then
  PATH="$dir/bin:$PATH" script -qec "$CALMC build own.calm -o slow" /dev/null >said 2>&1 </dev/null || fail "build: $(cat said)"
  grep -q 'own.calm: linking, [0-9]* s' said && tail -n 1 said | grep -q "$(printf '\033')\\[Kwrote slow" || fail "a slow build on a terminal: $(cat -v said)"
fi

# --- another model where the program looks for its own
expect 1 '^error: model base: aug/config.json: another width: "hidden_size" is 40, and the program was compiled for 48 (10 other keys differ) (another place for it: --model NAME=DIR)$' \
  ./app eval --data rows.jsonl --model base=aug
cp -r aug deeper && sed -i 's/"num_hidden_layers": 4/"num_hidden_layers": 3/' deeper/config.json
expect 1 '^error: model aug: deeper/config.json: "num_hidden_layers" is 3, and the program was compiled for 4 (' ./app info --model aug=deeper
cp -r aug other && sed -i 's/"rms_norm_eps": 0.2/"rms_norm_eps": 0.3/; s/"dtype": "float32"/"dtype": "bfloat16"/; s/"eos_token_id": 2/"eos_token_id": 3/' other/config.json
expect 0 '^warning: model aug: other/config.json: "rms_norm_eps" is 0.3, and the program was compiled for 0.2: it computes as it was compiled$' \
  ./app eval --data rows.jsonl --model aug=other
rm other/config.json
expect 0 '^rows.jsonl: .*loss' ./app eval --data rows.jsonl --model aug=other
! grep 'config.json' said || fail "a directory of weights alone: $(cat said)"

# --- shipped: the program, theta alone and the models, somewhere else, as the README says
./app train --steps 2 --out ship 2>err || fail "train: $(cat err)"
./app eval --data rows.jsonl --params ship/last >here 2>err || fail "eval: $(cat err)"
mkdir -p away/srv && cp app rows.jsonl ship/last/theta.safetensors away && mv base away/srv/anchor && mv aug away/srv/helper
expect 1 '^error: model base: .*base' ./away/app eval --data rows.jsonl --params away/theta.safetensors
grep -q 'another place for it: --model NAME=DIR' said || fail "no way out: $(cat said)"
(cd away && ./app eval --data rows.jsonl --params theta.safetensors --model base=srv/anchor --model aug=srv/helper) >there 2>err || fail "shipped: $(cat err)"
cmp -s here there || fail "shipped, it computes otherwise: $(cat here there)"
echo "what is wrong, what would be right, and what is about to happen"
