# Sourced by run, in the output directory: evaluates the five programs, prints the table, writes results.json, loss.svg and page.html.

# exact PROGRAM TASK OPERANDS: exact match in per cent, greedy decoding, and the number of rows
exact() {
  ./"$1" eval --data "data/eval-$2-$3.jsonl" --params "$1.run/last" --metric exact_match --out "$1-$2-$3.jsonl" --json 2>/dev/null |
    awk -F: '/"exact_rows"/ { n = $2 + 0 } /"exact_match"/ { printf "%.2f %d\n", 100 * $2, n; exit }'
}
rows=0
for model in kv math compose random single; do
  for task in subs num kv; do
    for operands in 2 3; do
      e=$(exact $model $task $operands)
      [ -n "$e" ] || { echo "no exact match from $model on $task" >&2; exit 1; }
      echo "$model $task $operands $e"
    done
  done
  echo "evaluated $model" >&2
done >exact.txt

# What each training took (the sum of its steps) and what all cores could do around it: the share of that rate which all reached together.
for model in kv math compose random single; do
  awk -F, 'NR > 1 { s += ($2 - before) / $6; before = $2 } END { print s }' $model.run/log.csv
done | paste - - - - - >took.txt
paste - - <peaks.txt | awk '{ print ($1 + $2) / 2 }' | paste - - - - - >around.txt

# operations: 6 per parameter and token trained whole; composed, 2 per frozen parameter of m_A, 4 of m_B, 6 per trained one
tokens() { tail -n 1 "$1.run/log.csv" | cut -d, -f2; }
params() { ./"$1" info 2>/dev/null | sed -n 's/^trained: \([0-9]*\) parameters.*/\1/p'; }
awk -v seed="$seed" -v precision="$precision" -v rate="${peaks%%_*}" -v quick="$quick" -v start="$start" -v now="$(date +%s.%N)" -v tk="$(tokens kv)" -v tm="$(tokens math)" -v tc="$(tokens compose)" \
    -v tr="$(tokens random)" -v ts="$(tokens single)" -v pk="$(params kv)" -v pm="$(params math)" -v pc="$(params compose)" -v ps="$(params single)" '
  FILENAME == "took.txt" { for (i = 1; i <= 5; i++) took[i] = $i; next }
  FILENAME == "around.txt" { for (i = 1; i <= 5; i++) around[i] = $i; next }
  { e[$1, $2, $3] = $4; n[$1, $2, $3] = $5 }
  function mean(m, t) { return (e[m, t, 2] + e[m, t, 3]) / 2 }
  function line(label, t, paper) {
    printf "%-10s", label
    for (i = 1; i <= 5; i++) printf " %6.1f (%5.1f %5.1f)", mean(model[i], t), e[model[i], t, 2], e[model[i], t, 3]
    printf "   paper: %s\n", paper
  }
  END {
    split("kv math compose random single", model, " ")
    tflop = (6 * (pk * tk + pm * tm) + (2 * pk + 4 * pm + 6 * pc) * (tc + tr) + (2 * pk + 4 * pm + 6 * ps) * ts) / 1e12
    if (quick) printf "\nQUICK: a tenth of the training steps. This shows that everything runs; the figures say nothing.\n"
    printf "\nexact match in %%, greedy decoding, keys the composition never saw; products in %s; mean (2 operands, 3 operands)\n", precision
    printf "%-10s %21s %21s %21s %21s %21s\n", "", "m_A", "m_B", "composition", "random m_A", "1 connection"
    line("KV-SUBS", "subs", "m_A 98.1, m_B 0.0, CALM 92.9")
    line("NUM-MATH", "num", "m_A 4.2, m_B 73.7, CALM 72.0")
    line("KV-MATH", "kv", "m_A 0.7, m_B 0.0, CALM 84.3")
    for (i = 1; i <= 5; i++) { seconds += took[i]; could += took[i] * around[i] / 1e12 }
    if (quick) printf "QUICK: not the experiment. "
    printf "%.0f s in all; %.1f TFLOP of training in %.1f s, %.1f %% of the %s rate measured on all cores (%.0f of %.0f GFLOP/s)\n", now - start, tflop,
      seconds, 100 * tflop / could, rate, 1000 * tflop / seconds, 1000 * could / seconds
    file = "results.json"
    printf "{\"seed\": %d, \"precision\": \"%s\", \"quick\": %s, \"seconds\": %.1f, \"tflop\": %.2f, \"training_seconds\": %.2f, \"peak_gflops\": %.1f, \"share_of_peak\": %.4f,\n\"rows\": [",
      seed, precision, quick ? "true" : "false", now - start, tflop, seconds, 1000 * could / seconds, tflop / could >file
    name["kv"] = "m_A"; name["math"] = "m_B"; name["compose"] = "composition"; name["random"] = "random m_A"; name["single"] = "1 connection"
    task["subs"] = "KV-SUBS"; task["num"] = "NUM-MATH"; task["kv"] = "KV-MATH"
    split("subs num kv", order, " ")
    for (i = 1; i <= 5; i++) for (t = 1; t <= 3; t++) for (o = 2; o <= 3; o++)
      printf "%s\n  {\"model\": \"%s\", \"task\": \"%s\", \"operands\": %d, \"n\": %d, \"exact\": %s}", ((i + t + o > 4) ? "," : ""), name[model[i]], task[order[t]], o, n[model[i], order[t], o], e[model[i], order[t], o] >file
    printf "\n]}\n" >file
  }' took.txt around.txt exact.txt >table.txt
cat table.txt

curves loss.svg log every=5 label=kv kv.run/log.csv label=math math.run/log.csv label=compose compose.run/log.csv label=random random.run/log.csv \
  label=single single.run/log.csv

# answers TASK: what all five wrote to it, with three operands
answers() { ./side m_A="kv-$1-3.jsonl" m_B="math-$1-3.jsonl" composition="compose-$1-3.jsonl" random\ m_A="random-$1-3.jsonl" 1\ connection="single-$1-3.jsonl" >"$1.txt"; }
for task in subs num kv; do answers $task; done
"$calmc" draw compose.calm -o compose.svg 2>/dev/null
plain_page page.html "calm: key-value arithmetic${quick:+, QUICK: the figures say nothing}" table.txt "The composition=compose.svg" "Loss=loss.svg" \
  KV-SUBS=subs.txt NUM-MATH=num.txt KV-MATH=kv.txt "Settings and hashes of the composition=compose.run/last/theta.json"
echo "results in $out/results.json, curves in $out/loss.svg, all of it in $out/page.html"
