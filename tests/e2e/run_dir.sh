#!/bin/sh
# The directory of a run: what is there is never touched unasked, one training holds it at a time however that ends, and --overwrite removes what
# calm made, when there is something to put in its place.
. "$(dirname "$0")/lib.sh"
cp -r "$root/tests/parity/fixture/." .
sed '/^train/,$d' spec.calm >bare.calm
build bare.calm -o app
train() { ./app train --data rows.jsonl "$@" 2>err || fail "train $*: $(cat err)"; }
cp theta0.safetensors theta_nan.safetensors      # its last number is none
printf '\000\000\300\177' | dd of=theta_nan.safetensors bs=1 seek=$(($(wc -c <theta_nan.safetensors) - 4)) conv=notrunc 2>/dev/null
sum() { (cd "$1" && find . -type f -exec sha256sum {} + | sort -k2); }

# --- an earlier run, in the default directory and in another: refused before a weight is read, and as it was
train --steps 2; train --steps 2 --out run --validate rows.jsonl
echo mine >run/last/notes; echo mine >run/mine
sum run >before; sum app.run >before.app
mv base/model.safetensors away
for flag in --resume --out --overwrite; do expect 1 "$flag" ./app train --data rows.jsonl --steps 3 --out run; done
expect 1 '^error: ./app.run holds an earlier run: last/.*log.csv' ./app train --data rows.jsonl --steps 3
mv away base/model.safetensors
sum run | cmp - before && sum app.run | cmp - before.app || fail "a refused training touched the run"
for part in last best log.csv; do
  mkdir -p only; echo x >only/$part
  expect 1 "only holds an earlier run: $part" ./app train --data rows.jsonl --steps 3 --out only
  rm -rf only
done
expect 2 'give one of them' ./app train --data rows.jsonl --steps 3 --out run --resume --overwrite

# --- nothing to go on with
expect 1 'no run to go on with in new' ./app train --data rows.jsonl --steps 3 --out new --resume
[ ! -e new ] || fail "--resume without a run made a directory"
mkdir cut; cp run/log.csv cut
expect 1 'before its first checkpoint' ./app train --data rows.jsonl --steps 3 --out cut --resume

# --- --overwrite: a start that fails costs nothing; then what calm made is replaced, and nothing else
echo '{"input_ids": [1, 2' >bad.jsonl
expect 1 'bad.jsonl:1' ./app train --data bad.jsonl --steps 3 --out run --overwrite
expect 1 'finite' ./app train --data rows.jsonl --steps 3 --out run --overwrite --params theta_nan.safetensors
sum run | cmp - before && [ -d run/best ] || fail "a training that could not start touched the run it was to replace"
train --steps 4 --seed 5 --out run --overwrite
train --steps 4 --seed 5 --out fresh
cmp run/last/theta.safetensors fresh/last/theta.safetensors || fail "--overwrite trained something else"
[ ! -e run/best ] || fail "the best/ of the run before stayed"
[ "$(wc -l <run/log.csv)" = 5 ] || fail "the log of a run that replaced one: $(cat run/log.csv)"
[ "$(cat run/last/notes run/mine)" = "mine
mine" ] || fail "--overwrite took the user's files"
for part in last best; do
  rm -rf theirs; mkdir -p theirs/$part; echo x >theirs/$part/thesis
  expect 1 "theirs/$part is no checkpoint of calm" ./app train --data rows.jsonl --steps 3 --out theirs --overwrite
  [ -s theirs/$part/thesis ] || fail "--overwrite took theirs/$part"
done
rm -rf theirs; mkdir theirs; echo 'step,time' >theirs/log.csv
expect 1 'theirs/log.csv is no log of calm' ./app train --data rows.jsonl --steps 3 --out theirs --overwrite
[ "$(ls -A theirs)" = log.csv ] || fail "left behind: $(ls -A theirs)"

# --- a training that fails before its first step leaves nothing that stands in the way of the next
expect 1 'finite' ./app train --data rows.jsonl --steps 3 --out failed --params theta_nan.safetensors
[ ! -e failed ] || fail "a failed start left $(ls -A failed)"

# --- two at once: one trains, the other says who does; readers need no leave
./app train --data rows.jsonl --steps 100000 --save-every 5 --out busy 2>first & pid=$!
until_that $pid first [ -s busy/last/theta.json ]
for flag in --resume --overwrite --no-shuffle; do
  expect 1 "^error: busy: another training is at work here: process $pid, since 20.* UTC" ./app train --data rows.jsonl --steps 3 --out busy $flag
done
for i in 1 2 3 4 5; do ./app eval --data rows.jsonl --params busy/last --json >/dev/null 2>err || fail "eval beside a training: $(cat err)"; done
# one that was killed does not
kill -KILL $pid; wait $pid || true
[ -e busy/.calm.lock ] || fail "no lock file"
train --steps 1 --out busy --overwrite
[ ! -e busy/.calm.lock ] || fail "the lock file stayed"
# several start at once: exactly one wins
for i in 1 2 3 4; do ( rc=0; ./app train --data rows.jsonl --steps 40 --out race >race.$i 2>&1 || rc=$?; echo $rc >race.$i.rc ) & done; wait
[ "$(cat race.*.rc | sort | tr -d '\n')" = 0111 ] || fail "four at once: $(cat race.?)"
[ "$(wc -l <race/log.csv)" = 41 ] || fail "four at once: a log of $(wc -l <race/log.csv) lines"
# a link or another file in place of the lock is left alone
mkdir linked; echo precious >precious; ln -s ../precious linked/.calm.lock
expect 1 'symbolic link' ./app train --data rows.jsonl --steps 1 --out linked
rm linked/.calm.lock; cp precious linked/.calm.lock
expect 1 'expected a lock' ./app train --data rows.jsonl --steps 1 --out linked
[ "$(cat precious linked/.calm.lock)" = "precious
precious" ] || fail "a lock was written over a file"

# --- what a killed training left half written is removed; the old checkpoint that stands aside alone is found
ours=tmp.0123456789abcdef
mkdir fresh/last.$ours fresh/best.$ours fresh/last.tmp.mine; echo x >fresh/last.$ours/theta.safetensors; echo x >fresh/log.csv.$ours
echo mine >fresh/best.$ours/notes; echo mine >fresh/last.$ours/taken
mv fresh/last fresh/last.old.$ours; mkdir fresh/last.old; cp fresh/last.old.$ours/* fresh/last.old; ln -s ../run/last fresh/best.old
(cd fresh/last.old && sha256sum *) >copy; sum run >before
expect 1 'fresh holds an earlier run: last/' ./app train --data rows.jsonl --steps 4 --out fresh
train --steps 4 --seed 5 --out fresh --resume
[ "$(ls fresh | grep 'tmp\|old')" = "best.old
best.$ours
last.old
last.tmp.mine" ] && [ "$(ls fresh/best.$ours)" = notes ] || fail "left behind: $(ls fresh fresh/best.$ours)"
[ "$(cat fresh/last/taken)" = mine ] || fail "what was the user's in a leftover was not taken along"
(cd fresh/last.old && sha256sum *) | cmp - copy && sum run | cmp - before || fail "a user's copy of a checkpoint was taken for a leftover"
rm -r fresh/best.$ours fresh/best.old
cmp run/last/theta.safetensors fresh/last/theta.safetensors || fail "not the checkpoint that stood aside"
# its data and settings are theta.json's where no flag says another
./app train --steps 5 --out fresh --resume 2>err || fail "go on without --data: $(cat err)"
echo "runs are kept, held and replaced"

# --- TensorBoard's events: one file, with each step that log.csv has; kept on by the run, removed with it, and nothing else is
events() { ls -A "$1" | grep tfevents | tr '\n' ' '; }
train --steps 2 --out tb --tensorboard --validate rows.jsonl
case "$(events tb)" in 'events.out.tfevents.'[0-9]*'.calm ') ;; *) fail "events: $(ls -A tb)" ;; esac
mv tb/events.out.tfevents.*.calm tb/events.out.tfevents.1.calm      # as of another second
: >tb/events.out.tfevents.2.host; : >tb/events.out.tfevents.3.calm.$ours
train --steps 4 --out tb --resume
case "$(events tb)" in 'events.out.tfevents.'[0-9]*'.calm events.out.tfevents.2.host ') ;; *) fail "events, gone on with: $(ls -A tb)" ;; esac
[ ! -e tb/events.out.tfevents.1.calm ] && [ "$(grep -ao grad_norm tb/events.out.tfevents.*.calm | wc -l)" = 4 ] && [ "$(tail -n +2 tb/log.csv | wc -l)" = 4 ] || fail "steps in events"
# --- events or a report that stand alone are an earlier run's; a user's file of that name is left
mkdir ev page1 mine
cp tb/events.out.tfevents.*.calm ev; cp tb/report.html page1; echo hi >mine/events.out.tfevents.1.calm
for flags in '' --tensorboard; do
  expect 1 'ev holds an earlier run: events.out.tfevents.[0-9]*.calm' ./app train --data rows.jsonl --steps 1 --out ev $flags
  expect 1 'page1 holds an earlier run: report.html' ./app train --data rows.jsonl --steps 1 --out page1 $flags
  for over in '' --overwrite; do
    expect 1 'mine/events.out.tfevents.1.calm is no file of calm.s, and is left as it is' ./app train --data rows.jsonl --steps 1 --out mine $flags $over
  done
done
[ "$(cat mine/events.out.tfevents.1.calm)" = hi ] && cmp -s ev/events.out.tfevents.*.calm tb/events.out.tfevents.*.calm && cmp -s page1/report.html tb/report.html || fail "a file of before was touched"
train --steps 1 --out ev --overwrite
[ -z "$(events ev)" ] || fail "events after --overwrite: $(ls -A ev)"
train --steps 1 --out tb --overwrite
[ "$(events tb)" = 'events.out.tfevents.2.host ' ] || fail "events after --overwrite: $(ls -A tb)"

# --- the report: whole after the first call and the second, what is the user's escaped, nothing fetched; replaced with the run, and no other file is
cp rows.jsonl '<script>&".jsonl'
train --steps 3 --out page --validate rows.jsonl --validate '<script>&".jsonl' --eval-every 1
page() {
  head -2 page/report.html | grep -q 'calm: report of a training' && [ "$(tail -1 page/report.html)" = '</body></html>' ] || fail "the report is not whole"
  ! grep -qi '<script\|<link\|<img\|src=\|@import\|http' <<END || fail "the report has a script, or fetches something"
$(sed 's/http:..www.w3.org.2000.svg//' page/report.html)
END
  for what in "$@"; do grep -qF "$what" page/report.html || fail "the report says nothing of $what"; done
}
sha=$(sha256sum base/model.safetensors | cut -d' ' -f1)
page "$sha" 'aug.1-&gt;base.2' cross_attention 'held_out_loss &lt;script&gt;&amp;&quot;.jsonl' '<tr><td>save_every</td>' '<h3>Learning rate</h3>' 'after step 3,' "<td>$(sed -n 4p page/log.csv | cut -d, -f2)</td>"
"$CALMC" draw bare.calm -o drawn.svg 2>err || fail "draw: $(cat err)"
sed -n 's/^<div class="drawn">//; /^<svg xmlns/,/^<\/svg>/p' page/report.html | cmp - drawn.svg || fail "another picture than calmc draw's"
# losses, of held-out data their mean and each, the rate and the speed, of 3 points (the first twice)
[ "$(grep -c '^<polyline[^>]*points="\([0-9.]*,[0-9.]* \)\{4\}"' page/report.html)" = 6 ] || fail "curves: $(grep polyline page/report.html)"
train --steps 5000 --out page --resume --stop-after 2500 --eval-every 0
page 'after step 2500,' '<td>5000</td>'
points=$(grep '^<polyline' page/report.html | head -1 | tr ' ' '\n' | grep -c ,)
[ "$points" -gt 500 ] && [ "$points" -lt 1010 ] || fail "a curve of 2500 steps has $points points"
train --steps 1 --out page --overwrite
page 'after step 1,' '<h2>Last steps</h2>'
! grep -q 'script' page/report.html || fail "the report is of the run that was replaced"
echo mine >page/report.html
for flag in --resume --overwrite; do expect 1 'page/report.html is no report of calm' ./app train --data rows.jsonl --steps 3 --out page $flag; done
[ "$(cat page/report.html)" = mine ] || fail "a user's report.html was written over"

# --- a directory that is moved away under a training: another may begin at its path, and the first saves nothing over it
expect 1 'that is a checkpoint' ./app train --data rows.jsonl --steps 3 --out run/last
[ ! -e run/last/last ] || fail "a run inside a checkpoint"
(exec ./app train --data rows.jsonl --steps 100000 --save-every 1 --out mv) 2>first.err & first=$!
until_that $first first.err [ -s mv/last/theta.json ]
mv mv moved
train --steps 2 --out mv
sum mv >before
status=0; wait $first || status=$?
[ $status = 1 ] && grep -q 'mv was moved, removed or replaced' first.err || fail "a training whose directory was moved: $status, $(tail -n 1 first.err)"
sum mv | cmp - before || fail "a training saved into the directory of another"
[ ! -e mv/.calm.lock ] || fail "a lock is left"
