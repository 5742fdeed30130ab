#!/bin/sh
# examples/low_resource and examples/code: their data makers on small sources in the real ones' forms, what keeps held-out text out, scores, tables, and
# the whole of `run --quick`.
. "$(dirname "$0")/lib.sh"
. "$root/examples/lib/lib.sh"
lib=$root/examples/lib low=$root/examples/low_resource
number() { json_number "$1" <"$2"; }

# --- the whole run: every row's result, and a table without a gap
sh "$low/run" --quick --out low >said 2>err || fail "low_resource/run --quick: $(tail -n 5 err)"
rows='m_a m_b composition random untrained reads_prompt lora tuned single'
for r in $rows; do
  f=low/results/$r-1.json
  [ -f "$f" ] || fail "no $f"
  [ "$(tr -d ' \n' <$f | grep -o '"outputs":\[' | wc -l)" = 9 ] || fail "$f: nine tasks are expected: $(cat $f)"
done
[ "$(grep -c '^| .* | [0-9.]* |' said)" = 9 ] && ! grep -q 'not computed' said || fail "table: $(cat said)"
grep -q '^QUICK' said || fail "the figures of --quick are not told as such"
# the page: each row in the table and beside every sample, pictures, and the samples of a README are of what was written for it
[ "$(grep -c '^<tr><th>.*</tr>' low/page.html)" -ge 9 ] && [ "$(grep -o '<svg' low/page.html | wc -l)" = 4 ] && grep -q '>learning rate<' low/page.html && [ "$(grep -c '^<h3>.*[.]calm</h3>' low/page.html)" = 9 ] || fail "page.html: $(head -c 3000 low/page.html)"
[ "$(grep -o '<th>LoRA on m_B' low/page.html | wc -l)" = $((1 + $(cd low/data && cat translation.jsonl ntrex.jsonl questions.jsonl problems.jsonl by_english.jsonl in_english.jsonl own_translation.jsonl own_questions.jsonl own_by_english.jsonl | wc -l))) ] || fail "page.html has not every row beside every sample: $(grep -o '<th>LoRA on m_B' low/page.html | wc -l)"
low/tools/page "$low/table.txt" low/results low/data --samples own_translation own_by_english >samples || fail "samples"
[ "$(grep -c '^      wanted' samples)" = 10 ] && [ "$(grep -c '^      composition' samples)" = 10 ] && grep -q 'Watoto wanacheza' samples && [ "$(grep -c '^      composition .* | ' samples)" = 5 ] || fail "samples: $(cat samples)"
head -n 3 low/data/ntrex.jsonl >short.jsonl; mkdir cut && cp low/data/*.jsonl cut && mv short.jsonl cut/ntrex.jsonl
expect 1 'has 3 rows, its result 6' low/tools/page "$low/table.txt" low/results cut --samples ntrex
# what each row is: who is composed with whom, and as many parameters of LoRA as of the composition
hash() { sed -n "s/^ *\"$1\": \"\(.*\)\",*$/\1/p" low/results/$2-1.json; }
for r in composition reads_prompt single m_a; do [ "$(hash augment $r)" = "$(hash augment composition)" ] || fail "$r has another augment than the composition"; done
[ "$(for r in composition random untrained; do hash augment $r; done | sort -u | wc -l)" = 3 ] || fail "the augments of composition, random and untrained are not three"
[ "$(for r in $rows; do hash anchor $r; done | sort -u | wc -l)" = 1 ] || fail "rows have more than one m_B"
awk -v a="$(number parameters low/results/composition-1.json)" -v b="$(number parameters low/results/lora-1.json)" 'BEGIN { exit !(a > 0.97 * b && a < 1.03 * b) }' ||
  fail "LoRA trains other than as many parameters"
# no text of the data is in a result
cut -d'"' -f8 low/data/translation.jsonl | while IFS= read -r t; do ! grep -rqF "${t# }" low/results || fail "a reference stands in a result: $t"; done

# its tokenizers are such as Hugging Face's library reads, which wants every key of a ByteLevel
for t in bytes pieces; do [ "$(grep -o '{"type":"ByteLevel","add_prefix_space":[a-z]*,"trim_offsets":[a-z]*,"use_regex":[a-z]*}' low/quick/$t.json | wc -l)" = 2 ] || fail "$t.json: $(head -c 500 low/quick/$t.json)"; done

# --- what is there is not computed again; what was cut off goes on and ends in the same result; other settings are refused
cp -r low/results before
rm low/results/single-1.json low/rows/single-1/trained low/rows/single-1/ntrex.answers
sh "$low/run" --quick --out low --row single >said 2>err || fail "a row again: $(tail -n 5 err)"
diff -r before low/results >differ || fail "gone on with, the result is another: $(cat differ)"
[ "$(grep -c '^wrote' err)" = 1 ] || fail "more than a row was computed: $(cat err)"
sh "$low/run" --quick --out low >said 2>err || fail "nothing to do: $(tail -n 5 err)"
! grep -q '^wrote\|^warning' err || fail "computed again, or not what was computed: $(cat err)"
# a result that is there is of the spec, data and budget of now, or that is said
cp low/results/single-1.json kept.json; sed -i 's/"spec": "./"spec": "x/; s/"m_a": "expert:4/"m_a": "expert:5/' low/results/single-1.json
sh "$low/run" --quick --out low --row single >said 2>err || :
[ "$(grep -c '^warning: it has not "\(spec\|m_a\)": ' err)" = 2 ] && [ "$(grep -c '^warning' err)" = 2 ] || fail "another spec and budget: $(cat err)"
mv kept.json low/results/single-1.json
# two at once: the second says so and touches nothing; data that is the same is not written again
files() { (cd low && find data rows results -type f -printf '%p %i %T@\n' | sort); }
files >before.files
echo $$ >low/.calm-example; (flock 9 && expect 1 "low: another run is at work there (process $$); wait for it" sh "$low/run" --quick --out low) 9>>low/.calm-example || exit 1
(cd "$(dirname "$CALMC")" && CALMC=./${CALMC##*/} sh "$low/run" --quick --out "$dir/low" --row single --seed 01) >said 2>err || fail "nothing to do: $(tail -n 5 err)"
files | diff before.files - || fail "files were written again"
# nor is a row computed beside those of another m_A or m_B: no table could be drawn of both
mv low/results/single-1.json kept.json; cp low/results/lora-1.json low/results/m_a-1.json .
sed -i 's/"anchor": "./"anchor": "x/' low/results/lora-1.json
expect 1 'lora-1.json: is of another m_B than single would be; remove it' sh "$low/run" --quick --out low --row single
cp lora-1.json low/results; sed -i 's/"augment": "./"augment": "x/' low/results/m_a-1.json
expect 1 'm_a-1.json: is of another m_A than single would be; remove it' sh "$low/run" --quick --out low --row single
cp m_a-1.json low/results
echo other >low/rows/single-1/of
expect 1 'single-1: was begun with other data, models or settings' sh "$low/run" --quick --out low --row single
expect 2 'expected one of m_a m_b' sh "$low/run" --row nothing
expect 2 'expected one of m_a m_b' sh "$low/run" --row 'm_a m_b'
expect 2 'a model alone, which no seed changes' sh "$low/run" --quick --out low --row m_a --seed 2
expect 2 'at most nine digits' sh "$low/run" --quick --out low --row single --seed 12345678901
expect 2 '^--rows: no such option' sh "$low/run" --rows lora
for o in $(sed -n 's/^#  *\(--[a-z]*\) .*/\1/p' "$low/run"); do expect 0 "^ *$o " sh "$low/run" --help; done
CALM_REAL=$dir; export CALM_REAL
expect 77 'skipped: no .*smollm2-135m' sh "$low/run" --out never
expect 1 '--models: no .*smollm2-135m there' sh "$low/run" --models "$dir" --out never
unset CALM_REAL
expect 2 '--quick makes models and data of its own' sh "$low/run" --quick --data "$dir" --out never
[ ! -e never ] || fail "something was made"

# --- the rows of the data: a training pair that is a test pair is left out, tests are the same whatever the seed, borders between MSVAMP's parts
sizes='pairs=60 text=20 questions=5 gsm8k=8 expert_text=100 expert_pairs=20 direct=1 translated=3 in_english=2 questions_times=2 dev=4 looked_at=0 test=6'
mkdir one again other long
low/tools/make_data low/sources one 1 $sizes >told || fail "make_data"
low/tools/make_data low/sources again 1 $sizes >/dev/null
low/tools/make_data low/sources other 2 $sizes >/dev/null
diff -r one again >differ || fail "the same seed makes other rows"
! cmp -s one/compose.jsonl other/compose.jsonl || fail "another seed makes the same rows"
for t in translation ntrex questions problems in_english; do cmp -s one/$t.jsonl other/$t.jsonl || fail "$t.jsonl follows the seed"; done
mkdir behind_low
low/tools/make_data low/sources behind_low 1 $sizes looked_at=4 test=2 >/dev/null || fail "make_data looked_at"
for t in translation ntrex; do tail -n 2 one/$t.jsonl | cmp - behind_low/$t.jsonl || fail "rows of $t that were looked at are in the test, or others are not"; done
for t in compose expert questions; do cmp one/$t.jsonl behind_low/$t.jsonl || fail "looked_at changes $t.jsonl"; done
grep -q '^lafand: 1 training pairs dropped' told || fail "the pair that is held out: $(cat told)"
of() { grep "\"task\":\"$2\"" one/$1.jsonl | sed 's/.*"row":\([0-9]*\).*/\1/' | sort -n | uniq; }
[ "$(of problems problems | head -n 1) $(of compose_dev problems | sed -n '1p;$p' | tr '\n' ' ')" = "411 311 400 " ] || fail "MSVAMP's parts: $(of problems problems | head -n 1), $(of compose_dev problems | sed -n '1p;$p')"
[ "$(of compose questions | tail -n 1)" = 300 ] || fail "MSVAMP's training rows: $(of compose questions | tail -n 1)"
[ "$(of compose translation | wc -l)" = 60 ] || fail "pairs: $(of compose translation | wc -l)"
# m_A's pairs are questions that it reads as text, none of which is another row's or of a development part; a problem trains in three forms; the English ones are there
asked() { sed -n "s/.*\"$1: \([^\\]*\)\\\\n.*/\1/p" "one/$2.jsonl"; }
asked Swahili expert_pairs | sort -u >pairs
{ asked Swahili compose; asked Swahili compose_dev; asked Swahili expert_pairs_dev; asked Problem compose_dev; } | sort -u | comm -12 - pairs >both
sed -n 's/^{"text":"\(.*\)","task.*/\1/p' one/expert.jsonl | sort -u | comm -13 - pairs >unread
[ -s pairs ] && ! [ -s both ] && ! [ -s unread ] || fail "m_A's pairs: $(cat pairs both unread)"
# m_A learns from long questions as well, no other row does
low/tools/make_data low/sources long 1 $sizes expert_text=290 expert_pairs=100 >/dev/null || fail "make_data expert_pairs"
long=$(grep -c ' Njiani kurudi ' long/expert.jsonl)
[ "$long" -gt 0 ] && [ "$(grep -c ' Njiani kurudi .* On the way home ' long/expert_pairs.jsonl)" = "$long" ] || fail "m_A reads $long long questions, pairs of them: $(grep -c 'Njiani' long/expert_pairs.jsonl)"
! grep -q ' Njiani kurudi ' long/compose.jsonl long/*_dev.jsonl || fail "long questions: $(grep -c ' Njiani kurudi ' long/*.jsonl)"
of_300() { grep -c "\"row\":300,\"task\":\"$1\"" one/$2.jsonl; }
[ "$(of_300 questions compose) $(($(of_300 problems compose) - $(of_300 problems english))) $(asked Swahili compose | grep -c ' mifuko ')" = "3 3 10" ] || fail "MSVAMP's problem 300, or GSM8K's questions: $(grep '"row":300,' one/compose.jsonl)"
asked Problem compose | sort -u >inside; asked Problem english | sort -u | comm -23 - inside >differ
[ ! -s differ ] || fail "English problems that the composition has not: $(head -n 3 differ)"
! grep -q '"prompt"' one/expert.jsonl || fail "m_A reads other than text: $(grep '"prompt"' one/expert.jsonl | head -n 1)"
grep -q '"completion":" [0-9]* \* [0-9]* - [0-9]*"\|"completion":" ([0-9]* \* [0-9]*) - [0-9]*"' one/compose.jsonl || fail "no worked equation of GSM8K's"
grep -q 'Look , I get [0-9]*\\"' one/english.jsonl || fail "a quoted field of the CSV file: $(head -n 1 one/english.jsonl)"
expect 2 'expected a number for one of pairs' low/tools/make_data low/sources one 1 pair=3

# --- code: one row of the other experiment, where the augment is the smaller; the line that is also a training line is neither asked for nor shown
sh "$root/examples/code/run" --quick --out code --row composition >said 2>err || fail "code/run --quick: $(tail -n 5 err)"
grep -q '^| composition: [^|]*| [0-9.]* |' said && [ "$(grep -c 'not computed' said)" = 9 ] || fail "table: $(cat said)"
case "$(tr -d ' \n' <code/results/composition-1.json | grep -o '"outputs":\[' | wc -l)" in 4) ;; 3) grep -q '^skipped: MBPP' err || fail "no MBPP" ;; *) fail "four tasks are expected" ;; esac
# a spec tried by the development part alone, at another rate; what is of a search only is refused elsewhere
sh "$root/examples/code/run" --quick --out code --search "$root/examples/code/lora.calm" --rate 3e-3 --steps 2 >said 2>err || fail "code/run --search: $(tail -n 5 err)"
grep -q '^lora-3e-3, 2 steps: [0-9.]* after 1, [0-9.]* after 2$' said && grep -q 'lr = 3e-3' code/search-lora-3e-3.calm || fail "--search said: $(cat said)"
grep -q '^lora-3e-3, code_to_text: n 40, chrf [0-9.]*, bleu' said && ! grep -q mbpp said || fail "--search has no answers: $(cat said)"
# a spec of the same name that is another one is tried anew, and the same one is not
sed 's/alpha = 49/alpha = 490/' "$root/examples/code/lora.calm" >lora.calm
sh "$root/examples/code/run" --quick --out code --search lora.calm --rate 3e-3 --steps 2 >edited 2>err || fail "code/run --search: $(tail -n 5 err)"
sh "$root/examples/code/run" --quick --out code --search "$root/examples/code/lora.calm" --rate 3e-3 --steps 2 | cmp - said || fail "the same search says other than $(cat said)"
! cmp -s edited said && [ "$(ls code/search | wc -l)" = 2 ] || fail "the losses of another spec are said: $(cat edited)"
sh "$root/examples/code/run" --quick --out code --search "$root/examples/code/m_b.calm" >alone 2>err || fail "a model alone: $(tail -n 5 err)"
[ "$(cut -d: -f1 alone | tr '\n' ' ')" = "m_b, completion m_b, text_to_code m_b, code_to_text " ] || fail "a model alone: $(cat alone)"
expect 2 '--rate is of --search' sh "$root/examples/code/run" --quick --out code --rate 3e-3
# a row of another budget has a result and a table of its own
sh "$root/examples/code/run" --quick --out code --row lora --steps 2 >said 2>err || fail "code/run --steps: $(tail -n 5 err)"
[ "$(number steps code/results/steps-2/lora-1.json)" = 2 ] && [ ! -e code/results/lora-1.json ] && [ "$(grep -c 'not computed' said)" = 9 ] && [ -s code/page-steps-2.html ] || fail "--steps: $(cat said)"
[ "$(grep -c '<svg' code/page-steps-2.html)" -ge 1 ] && ! grep -q 'composition-1<' code/page-steps-2.html || fail "page-steps-2.html has curves of another budget"
sh "$root/examples/code/run" --quick --out code --row composition --steps 4 >said 2>err && [ ! -e code/results/steps-4 ] || fail "the table's own budget is another one: $(tail -n 5 err)"
cp code/results/steps-2/lora-1.json code/results
expect 1 'lora-1.json: is of another budget or other data than m_b would be' sh "$root/examples/code/run" --quick --out code --row m_b
rm code/results/lora-1.json
[ "$(code/tools/table "$root/examples/code/table.txt" code/results/steps-2 --there | grep -c '^| [^|]')" = 1 ] || fail "table --there"
expect 2 'rate e: expected a learning rate' sh "$root/examples/code/run" --quick --out code --search "$root/examples/code/lora.calm" --rate e
expect 2 'rate 1/2: expected a learning rate' sh "$root/examples/code/run" --quick --out code --search "$root/examples/code/lora.calm" --rate 1/2
expect 2 'steps 0: expected 1 at least' sh "$root/examples/code/run" --quick --out code --search "$root/examples/code/lora.calm" --steps 0
expect 2 'every search is of seed 1' sh "$root/examples/code/run" --quick --out code --search "$root/examples/code/lora.calm" --seed 2
expect 2 'never.calm: no such file; expected a spec' sh "$root/examples/code/run" --quick --out code --search never.calm
mkdir lines
code/tools/make_data code/sources lines 1 train=200 develop=40 share=20 dev=4 looked_at=0 test=100 >told || fail "make_data"
[ "$(sed -n 's/^\([a-z_]*\)[.]jsonl /\1 /p; s/^\(1\) lines.*/left out \1/p' told | tail -n 7 | tr "\n" " ")" = "left out 1 completion 55 left out 1 text_to_code 59 left out 1 code_to_text 59 mbpp 3 " ] ||
  fail "what the tests have: $(cat told)"
mkdir behind
code/tools/make_data code/sources behind 1 train=200 develop=40 share=20 dev=4 looked_at=40 test=100 >told || fail "make_data"
tail -n 19 lines/text_to_code.jsonl | cmp - behind/text_to_code.jsonl || fail "rows that were looked at are in a test, or others are not"
[ "$(grep -c '"row":300,' lines/completion.jsonl lines/text_to_code.jsonl | cut -d: -f2 | tr '\n' ' ')" = "0 0 " ] || fail "a line of the training part is asked for"
sed -n 's/.*"task":"mbpp","row":\([0-9]*\)}$/\1/p' lines/expert.jsonl | sort -n | sed -n '1p;$p' | tr '\n' ' ' | grep -q '^601 619 $' || fail "MBPP's part"
# m_A reads every line of the training part three times, twice with its pseudo-code, and no line of the other parts; what the composition is asked are lines of it
grep '"task":"co' lines/expert.jsonl | sed 's/^{"text":"\(.*\)","task.*/\1/; s/\\n/\n/g' | sed '/^$/d' | sort >read
for f in code anno; do sed 's/^ *//' code/sources/code/django/all.$f | head -n 200 >of.$f; done
{ sed p of.code; sed 's/^/# /' of.anno; paste of.code of.anno | sed 's/\t/  # /'; } | sort | diff read - >differ || fail "m_A reads other lines: $(head -n 5 differ)"
sed -n 's/.*"completion":"\(.*\)","row":.*"text_to_code".*/\1/p' lines/compose.jsonl | sort | comm -23 - read >differ
[ ! -s differ ] || fail "the composition has lines that m_A has not: $(head -n 3 differ)"
grep '"task":"co' lines/expert_dev.jsonl | sed 's/^{"text":"\(.*\)","task.*/\1/; s/\\n/\n/g' | sed '/^$/d' | sort | comm -12 - read >differ
[ ! -s differ ] || fail "m_A's development part has lines it trains on: $(head -n 3 differ)"

# --- MBPP's tests, where there is what they need: an answer that is right, wrong, no Python, leaves early, writes a file, makes a process, leaves as what could not be
# started does, changes a file's rights or its attributes, asks for a socket or a pair of them or for memory that is not counted, kills its group (which is nobody else), prints much and
# a 0; what is not indented is not taken
problem='"prompt": "def f(x):\n", "completion": "  return x + 1", "test": "def check(g):\n  assert g(1) == 2\n", "entry_point": "f"'
i=0
for made in '  return 1 + x\nprint(1 / 0)' '  return x' '  return ((' '  import os\n  os._exit(0)' "  open('$dir/written', 'w').write('x')" '  import os\n  os.fork()\n  return 2' '  print(\"passed\")\n  raise SystemExit' \
  '  import os\n  os._exit(126)' "  import os\n  os.chmod('$dir/answers.jsonl', 0)\n  return x + 1" '  import socket\n  socket.socket(socket.AF_UNIX)\n  return x + 1' \
  '  import os\n  os.kill(0, 9)\n  return x + 1' '  import socket\n  socket.socketpair()\n  return x + 1' '  import fcntl\n  fcntl.ioctl(0, 0x5451)\n  return x + 1' \
  '  import ctypes\n  if ctypes.CDLL(None).shmget(0, 4096, 512) < 0: return x\n  return x + 1' '  print(\"\\u0000\" * 100000)\n  return x + 1'; do
  i=$((i + 1)); printf '%s\n' "{$problem, \"generated\": \"$made\", \"row\": $i}"
done >answers.jsonl
status=0
setsid -w code/tools/mbpp answers.jsonl >scored 2>err || status=$?
case $status in
  0) [ "$(number n scored) $(number python scored) $(number passed scored)" = "15 93.3333 20.0" ] && [ ! -e written ] && [ "$(stat -c %a answers.jsonl)" != 0 ] || fail "MBPP's tests: $(cat scored)" ;;
  77) cat err ;;
  *) fail "mbpp: $(cat err)" ;;
esac

# --- held-out text in a training file is found, whoever wrote it
overlap=low/tools/overlap
$overlap one/compose.jsonl one/expert.jsonl one/english.jsonl -- one/translation.jsonl one/ntrex.jsonl one/problems.jsonl one/questions.jsonl one/in_english.jsonl one/*_dev.jsonl || fail "held-out text in training"
head -n 1 one/problems.jsonl | sed 's/"prompt":"Problem: \([^\\]*\).*/"text":"\U\1"}/' >>one/expert.jsonl
expect 1 'expert.jsonl:[0-9]*: is held out: .*' $overlap one/compose.jsonl one/expert.jsonl -- one/translation.jsonl one/problems.jsonl

# --- scores: an equation by its value, the first line alone, the commonest operation
cat >answers.jsonl <<'END'
{"prompt": "", "completion": " 3 * (4 + 2)", "generated": " \n\n (2 + 4) * 3\nProblem: more", "row": 7, "guess": "3 + 4"}
{"prompt": "", "completion": " 10 / 4", "generated": " 2.5 = 10 / 4", "row": 8, "guess": "10 / 4"}
{"prompt": "", "completion": " 7 - 9", "generated": " 9 - 7", "row": 9, "guess": "9 - 7"}
{"prompt": "", "completion": " 1 + 1", "generated": " 1 + ", "row": 10, "guess": "0x2"}
{"prompt": "", "completion": " 8 - 2 - 1", "generated": " 8 - (2 - 1)", "row": 11, "guess": ""}
{"prompt": "", "completion": " 5 + 5", "generated": " 5 + 5", "row": 12, "guess": "1 / 0"}
{"prompt": "", "completion": " 610769 + 590796", "generated": " 610769 + 22 + 590796", "row": 13, "guess": "590,796 + 610,769"}
{"prompt": "", "completion": " 0.1 + 0.2", "generated": " 0.3", "row": 14, "guess": "610,76 + 1"}
END
low/tools/score answers.jsonl --equation >scored || fail "score"
[ "$(number right scored) $(number commonest scored) $(number exact_match scored) $(number n scored)" = "50.0 25.0 12.5 8" ] || fail "scores: $(cat scored)"
grep -q '"rows":\[7,8,9,10,11,12,13,14\],"outputs":\["(2 + 4) \* 3",' scored || fail "rows and outputs: $(cat scored)"
# asked again of what was answered, which the output keeps; rows must be the same
cat >first.answers <<'END'
{"prompt": "Swahili: Ana 3.\nEnglish:", "completion": " He has 3.", "generated": "\n He had 4. \nmore", "row": 7}
{"prompt": "Swahili: Ana 5.\nEnglish:", "completion": " He has 5.", "generated": " ", "row": 8}
END
cat >asked.jsonl <<'END'
{"prompt": "Problem: Ana 3.\nEquation:", "completion": " 1 + 2", "row": 7, "guess": "1 + 1"}
{"prompt": "Problem: Ana 5.\nEquation:", "completion": " 2 + 3", "row": 8}
END
low/tools/again first.answers asked.jsonl >asked || fail "again"
[ "$(sed -n 's/.*"prompt":"\([^"]*\)".*/\1/p' asked | tr '\n' ';')" = 'Problem: He had 4.\nEquation:;Problem: \nEquation:;' ] && grep -q '"guess":"1 + 1"' asked || fail "asked again: $(cat asked)"
sed 's/}$/, "generated": " 5 - 2"}/' asked >answers.jsonl
low/tools/score answers.jsonl --equation >scored || fail "score"
[ "$(number right scored)" = 50.0 ] && grep -q '"outputs":\["He had 4.\\n5 - 2","\\n5 - 2"\]' scored || fail "scores of what was asked again: $(cat scored)"
sed 's/"row": 8/"row": 9/' asked.jsonl >other.jsonl
expect 1 'first.answers:2: is of another row than line 2 of other.jsonl' low/tools/again first.answers other.jsonl
head -n 1 asked.jsonl >other.jsonl
expect 1 'has 2 rows, other.jsonl has 1: expected as many' low/tools/again first.answers other.jsonl
echo '{"completion": "a"}' >broken.jsonl
expect 1 'broken.jsonl:1: "generated"' low/tools/score broken.jsonl

# --- the table: mean and spread, gaps said, unlike settings refused; a result is whole or not there
mkdir results
for s in 1 2 3; do low/tools/record results/x-$s.json row=x seed:=$s common.steps:=5 t.loss:=$s.5 t.n:=4 t.m:=2 || fail "record"; done
printf 'row x it\nrow y another\ncolumn t.loss 2 loss\ncolumn t.loss/t.n*t.m 3 each\ncolumn t.other 1 other\n' >layout
low/tools/table layout results >table || fail "table"
printf '| | loss | each | other |\n|---|---|---|---|\n| it | 2.50 ± 1.00 (3) | 1.250 ± 0.500 (3) | |\n| another | not computed yet | — | — |\n' | diff - table || fail "table"
y() { rm -f results/y-1.json; low/tools/record results/y-1.json row=y seed:=1 "$@" || fail "record"; }
y common.steps:=6; expect 1 '"common" differs' low/tools/table layout results
y common.steps:=5 made.m_a=x:7; low/tools/table layout results >table || fail "a row of m_A beside rows without"
low/tools/record results/z-1.json row=z seed:=1 common.steps:=5 made.m_a=x:8 hashes.augment=a hashes.anchor=b hashes.spec=c
expect 1 '"made" differs' low/tools/table layout results
y made.m_a=x:8 hashes.augment=d; expect 1 '"augment" differs; rows of one table have one m_A' low/tools/table layout results
y hashes.anchor=d; expect 1 '"anchor" differs; rows of one table have one m_B' low/tools/table layout results
y hashes.augment=d hashes.anchor=b hashes.spec=d; low/tools/table layout results >table || fail "a row of another augment and spec, of no m_A"
low/tools/record results/z-2.json row=z seed:=2 hashes.spec=d
expect 1 '"spec" differs; seeds of one row' low/tools/table layout results
rm results/z-2.json; cp results/x-1.json results/x-4.json
expect 1 'x-4.json: by its "row" and "seed" it should be called x-1.json' low/tools/table layout results
rm results/x-4.json
expect 1 'is not there in the file' low/tools/record never.json a@=results/y-1.json#common.batch
[ ! -e never.json ] || fail "a part of a result was left"
# the table that the README shows is that of the results beside it
for e in low_resource code; do
  sed -n '/^<!-- table -->$/,/^<!-- end -->$/p' "$root/examples/$e/README.md" | sed '1d;$d' >shown
  low/tools/table "$root/examples/$e/table.txt" "$root/examples/$e/results" | diff shown - || fail "examples/$e/README.md shows another table than its results make (run without arguments writes it)"
  for other in "$root/examples/$e"/results/*/; do
    [ -d "$other" ] || continue
    other=${other%/}
    sed -n "/^<!-- ${other##*/} -->\$/,/^<!-- end -->\$/p" "$root/examples/$e/README.md" | sed '1d;$d' >shown
    low/tools/table "$root/examples/$e/table.txt" "$other" --there | diff shown - || fail "examples/$e/README.md shows another table than $other makes"
  done
  for mark in $(sed -n 's/^<!-- \([a-z0-9-]*\) -->$/\1/p' "$root/examples/$e/README.md"); do
    case $mark in table | samples | end) ;; *) [ -d "$root/examples/$e/results/$mark" ] || fail "examples/$e/README.md shows results/$mark, which is not there" ;; esac
  done
done
echo "rows, scores, tables"
