# Sourced by run of low_resource and of code, which set
#   here root          folders                          experiment   its name
#   anchor augment     directories of the checkpoints   of_b of_a    what the specs call them (m_B is the anchor, m_A the augment)
#   shown              tests of which the README has samples
#   tasks              TEST:MOST_TOKENS[:HOW[:BEFORE:OF]] …
#                      HOW: equation, or a tool of the example's own that scores answers; one that says 77 leaves the task out
#                      BEFORE OF: two tests before it. It asks those of OF once more, of what the row itself answered to BEFORE (again.c); it has no loss
#   trained            training parts of every row          held         their development parts and tests, of which no training part may have a text
#   steps batch        steps and anchor tokens a step of every trained row
#   a_stages b_stages  PART:STEPS,… of m_A and m_B, which are made once: PART.jsonl, and PART_dev.jsonl beside it (none: the model as it is). m_A's parts need
#                      not stand in trained and held
#   precision          of every training and evaluation
#   sizes              for make_rows
#   quick_sizes        for sed: ranks and widths of the specs, as many for the models of --quick
#   needs   files of the data
# and define make_tools, make_rows DIR, quick_sources.

usage() { sed -n '2,/^set -eu/s/^# \{0,1\}//p' "$0"; }
say() { echo "$*" >&2; }
sha() {
  for sha_of; do [ -r "$sha_of" ] || { say "cannot read $sha_of"; exit 1; }; done
  cat "$@" | sha256sum | cut -c1-16
}

# plain_number FLAG VALUE: the number as JSON and file names have it, 007 as 7
plain_number() {
  need_number "$@"
  case $2 in ??????????*) say "$1 $2: expected a number of at most nine digits"; exit 2 ;; esac
  echo "$2" | sed 's/^0*\(.\)/\1/'
}

# budget: which other table than the README's first the rows are of, steps-N; a folder of results/
options() {
  row= seed= quick= out= results= cache= models= data= search= rate= budget= of_table=$steps
  while [ $# -gt 0 ]; do
    case $1 in
      --row | --out | --models | --data | --cache | --results | --search | --rate) [ -n "${2:-}" ] || { say "$1: expected a value"; exit 2; }; eval "${1#--}=\$2"; shift 2 ;;
      --seed) seed=$(plain_number --seed "${2:-}") || exit; shift 2 ;;
      --steps) steps=$(plain_number --steps "${2:-}") || exit; budget=steps-$steps; shift 2 ;;
      --quick) quick=yes; shift ;;
      --help | -h) usage; exit 0 ;;
      *) say "$1: no such option; there are these:"; usage >&2; exit 2 ;;
    esac
  done
  known=
  for r in $rows; do [ "$r" != "$row" ] || known=yes; done
  [ -z "$row" ] || [ -n "$known" ] || { say "--row $row: expected one of $rows"; exit 2; }
  ! alone "$row" || [ "${seed:-1}" = 1 ] || { say "--row $row --seed $seed: it is a model alone, which no seed changes: expected --seed 1, or none"; exit 2; }
  [ -n "$search" ] || [ -z "$rate" ] || { say "--rate is of --search; a row's is that of its spec"; exit 2; }
  [ -z "$search" ] || [ -z "$row" ] || { say "--search and --row: expected one of them"; exit 2; }
  [ -z "$search" ] || [ -z "$seed" ] || { say "--search and --seed: expected one of them; every search is of seed 1"; exit 2; }
  [ "$steps" != 0 ] || { say "--steps 0: expected 1 at least"; exit 2; }
  [ -z "$rate" ] || echo "$rate" | grep -Eqx '[0-9]+([.][0-9]+)?(e-?[0-9]+)?' || { say "--rate $rate: expected a learning rate such as 3e-4"; exit 2; }
  [ -z "$search" ] || [ -f "$search" ] || { say "--search $search: no such file; expected a spec, such as $here/compose.calm"; exit 2; }
  [ -z "$search" ] && [ "$steps" != "$of_table" ] || budget=
  [ -z "$search" ] || search=$(cd "$(dirname "$search")" && pwd)/$(basename "$search")
  [ -z "$quick" ] || [ -z "$models$data$results$cache" ] || { say "--quick makes models and data of its own in --out: it takes no --models, --data, --results, --cache"; exit 2; }
  out=${out:-$root/build/$experiment${quick:+-quick}}
  results=${results:-$here/results${budget:+/$budget}}
  cache=${cache:-$root/build/experiments-cache}
  if [ -n "$quick" ]; then results=$out/results${budget:+/$budget} cache=$out/cache precision=f32; fi
}

# wanted FILE WHAT FLAG GIVEN: skips everything where FILE is not there; where the user said where it is, that is an error
wanted() {
  [ ! -f "$1" ] || return 0
  [ -z "$4" ] || { say "$3: no $2 there"; exit 1; }
  echo "skipped: no $2; README.md says where it comes from, or give $3"
  exit 77
}
sources() {
  given=$models models=${models:-${CALM_REAL:-$HOME/.cache/calm-real}}
  for m in $anchor $augment; do wanted "$models/$m/config.json" "$models/$m" --models "$given"; done
  given=$data data=${data:-$root/../shared/data}
  for f in $needs; do wanted "$data/$f" "$data/$f" --data "$given"; done
}

# What rows are made of: tools, data, base models. Data is made every time, from the same sources into the same bytes, and a file that is the same already stays; what it
# is stands in every result.
prepare() {
  own_directory "$out"
  out=$(cd "$out" && pwd)
  mkdir -p "$out/tools" "$out/data" "$out/models" "$out/programs" "$out/rows" "$results" "$cache"
  results=$(cd "$results" && pwd) cache=$(cd "$cache" && pwd)
  for d in "$results" "$cache"; do [ -w "$d" ] || { say "$d: cannot be written"; exit 1; }; done      # before an hour of training
  case $calmc in */*) calmc=$(realpath "$calmc") ;; esac
  [ -n "$quick" ] || { models=$(cd "$models" && pwd) data=$(cd "$data" && pwd); }
  cd "$out"
  : >log
  trap 'say "stopped; the same command goes on from here"; exit 130' INT TERM
  trap 'failed=$?; [ $failed = 0 ] || [ $failed = 130 ] || [ ! -s "$out/log" ] || { say "it ended with status $failed; the last lines of $out/log:"; tail -n 5 "$out/log" >&2; }' EXIT
  lib=$root/examples/lib
  mark=$(sha "$lib"/*.[ch] "$here"/*.[ch] "$root"/runtime/work/textscore.[ch] "$root"/runtime/work/words13a.c)
  if [ "$(cat tools/.of 2>/dev/null)" != "$mark" ]; then
    tool "$lib/record.c" tools/record -ljansson
    tool "$lib/table.c" tools/table "$lib/results.c" "$lib/rows.c" -ljansson -lm
    scoring_tool "$lib/page.c" tools/page "$lib/results.c" "$lib/rows.c"
    tool "$lib/again.c" tools/again "$lib/rows.c" -ljansson
    tool "$lib/overlap.c" tools/overlap "$lib/rows.c" -ljansson
    scoring_tool "$lib/score.c" tools/score "$lib/rows.c" "$lib/equation.c"
    make_tools
    tool "$lib/tokenizer.c" tools/tokenizer -ljansson
    echo "$mark" >tools/.of
  fi
  if [ -n "$quick" ]; then quick_models; else ln -sfn "$models/$anchor" models/anchor; ln -sfn "$models/$augment" models/augment; fi
  rm -rf data.new && mkdir data.new
  make_rows data.new >data.txt
  for t in $tasks; do
    task_of "$t"
    [ -z "$before" ] || cp "data.new/$of.jsonl" "data.new/$task.jsonl"     # what the page shows it as asked
  done
  renewed data.new data
  a_trained= a_held=
  for stage in $(echo "$a_stages" | tr , " "); do a_trained="$a_trained ${stage%:*}.jsonl" a_held="$a_held ${stage%:*}_dev.jsonl"; done
  (cd data && ../tools/overlap $trained $a_trained -- $held $a_held *_dev.jsonl) || { say "held-out text stands in a training part; nothing is trained"; exit 1; }
  data_hash=$(cd data && sha $trained $held) a_hash=$(cd data && sha $a_trained $a_held)
}

# The two models of --quick, a few thousand random weights each, with two tokenizers; and their data.
quick_models() {
  mkdir -p quick sources
  tools/tokenizer quick/bytes.json
  tools/tokenizer quick/pieces.json a+n e+r t+h w+a k+u n+g m+a i+n h+a n+a y+a l+i
  cp "$here"/quick/*.calm quick
  for m in anchor augment; do
    [ -f models/$m/SHA256SUMS ] && continue
    compile quick/$m.calm programs/quick_$m
    ./programs/quick_$m export models/$m --seed 1 2>>log
  done
  data=$out/sources
  quick_sources
}

# compile SPEC PROGRAM: once, until spec or compiler change
compile() {
  mark=$(sha "$1" "$calmc")
  [ "$(cat "$2.made" 2>/dev/null)" = "$mark" ] && [ -x "$2" ] && return
  "$calmc" build --isa native "$1" -o "$2" >>log 2>&1
  echo "$mark" >"$2.made"
}
# spec_of FILE [RATE]: prints it, of --quick with ranks and widths that fit its models, and with another rate where one is given
spec_of() { sed "${quick:+$quick_sizes;}${2:+s/\(lr = \)[0-9.e-]*/\1$2/}" "$1"; }
# write_spec NAME: NAME.calm of the example. program NAME: that, as programs/NAME
write_spec() { spec_of "$here/$1.calm" >"$1.calm"; }
program() {
  write_spec "$1"
  compile "$1.calm" "programs/$1"
}

model_hash() { (cd "$1" && sha config.json model.safetensors tokenizer.json); }

# fit PROGRAM DIR DATA VALIDATE STEPS OPTION…: trains into DIR/run, goes on with what was cut off, and is done when DIR/trained is there
fit() {
  fit_program=$1 fit_dir=$2 fit_data=$3 fit_held=$4 fit_steps=$5; shift 5
  [ ! -e "$fit_dir/trained" ] || return 0
  go=--overwrite; [ ! -e "$fit_dir/run/last/theta.json" ] || go=--resume
  set -- --data "data/$fit_data" --validate "data/$fit_held" --steps "$fit_steps" --batch "${batch}tokens" --eval-every $(((fit_steps + 3) / 4)) --precision "$precision" "$@"
  if [ ! -s "$fit_dir/dry" ]; then
    "./programs/$fit_program" train --dry-run "$@" >dry 2>>log
    mv dry "$fit_dir/dry"
  fi
  "./programs/$fit_program" train "$@" --out "$fit_dir/run" $go 2>"$fit_dir/train.log" || { tail -n 5 "$fit_dir/train.log" >&2; exit 1; }
  : >"$fit_dir/trained"
}

# further m_a|m_b NAME PART STEPS: the model in $made (NAME in the spec) trained further by make_m_a.calm or make_m_b.calm on that part, made once for its base, data,
# spec and budget; its directory in $made
further() {
  key=$(echo "$(model_hash "$made") $(sha make_$1.calm data/$3.jsonl data/$3_dev.jsonl) $4 $batch $precision" | sha256sum | cut -c1-16)
  kept=$cache/$experiment-$1-$key base=$made made=$cache/$experiment-$1-$key/model
  [ ! -f "$made/SHA256SUMS" ] || return 0
  mkdir -p "$kept"
  exec 7>>"$kept/.lock"
  flock -n 7 || { say "$kept: another run makes it; waiting"; flock 7; }
  if [ ! -f "$made/SHA256SUMS" ]; then
    say "training $1 ($4 steps of $batch tokens of $3.jsonl), once: $kept"
    fit make_$1 "$kept" $3.jsonl $3_dev.jsonl $4 --seed 1 --model "$2=$base"
    ./programs/make_$1 export "$made" --params "$kept/run/best" --model "$2=$base" --data data/$3_dev.jsonl --overwrite >"$kept/exported" 2>>log
    rm -rf "$kept/run"                                     # parameters and moments, several times what was made of them
  fi
  exec 7>&-
}
# made m_a|m_b: that model, its stages one after the other; its directory in $made
made() {
  case $1 in m_a) made=models/augment name=$of_a stages=$a_stages ;; m_b) made=models/anchor name=$of_b stages=$b_stages ;; esac
  [ -z "$stages" ] || program make_$1
  for stage in $(echo "$stages" | tr , " "); do further $1 $name "${stage%:*}" "${stage#*:}"; done
}
# random_model: the augment's config.json with weights that were never trained; its directory in $made
random_model() {
  made=$out/models/random-$1
  [ ! -f "$made/SHA256SUMS" ] || return 0
  if [ -n "$quick" ]; then ./programs/quick_augment export "$made" --seed $(($1 + 1000)) 2>>log
  else program random; ./programs/random export "$made" --dtype bf16 --seed $(($1 + 1000)) --overwrite 2>>log; fi
}

# The rows: which program, and which models it is of.
#   alone ROW: whether it is a model of which nothing is trained here
alone() { case $1 in m_a | m_b) ;; *) return 1 ;; esac; }
#   has_m_a ROW: whether the row's figures are of m_A as it is trained further here
has_m_a() { case $1 in m_a | composition | connections | reads_prompt | single) ;; *) return 1 ;; esac; }
#   spec_for ROW: sets spec
spec_for() { case $1 in random | untrained | composition) spec=compose ;; *) spec=$1 ;; esac; }
#   row_of ROW SEED: sets spec, a (directory of the augment or ""), b (of the anchor)
row_of() {
  a= b= made=
  spec_for "$1"
  if has_m_a "$1"; then made m_a; a=$made; fi
  case $1 in
    random) random_model $2; a=$made ;;
    untrained) a=models/augment ;;
  esac
  case $1 in m_a) ;; *) made m_b; b=$made ;; esac
}

# has FILE MEMBER: whether a result has that member, "KEY": VALUE
has() { grep -q "$2,*\$" "$1"; }
# beside ROW MEMBER WHAT [TEXT]: ends where there is a result (with TEXT) that has not that member, which this row would have: no table could be drawn of both
beside() {
  for other in "$results"/*.json; do
    [ -e "$other" ] && grep -qF "${4:-}" "$other" || continue
    has "$other" "$2" || { say "$other: is of $3 than $1 would be; remove it, or say --results DIR"; exit 1; }
  done
}
# there FILE ROW SEED: tells of a result that is not computed again, and where it is of another spec, data or budget than the row has now
there() {
  say "$2, seed $3: $1 is there"
  spec_for "$2"
  write_spec "$spec"
  m_a= ; ! has_m_a "$2" || m_a=yes
  for part in "\"spec\": \"$(sha "$spec.calm")\"" "\"data\": \"$data_hash\"" "\"steps\": $steps" "\"m_b\": \"$b_stages\"" \
    ${m_a:+"\"m_a\": \"$a_stages\"" "\"m_a_data\": \"$a_hash\""}; do
    has "$1" "$part" || say "warning: it has not $part, which the row has now; remove it, and it is computed anew"
  done
}

# task_of TEST:MOST_TOKENS[:HOW[:BEFORE:OF]]: sets task, most, how, before, of
task_of() {
  oldIFS=$IFS; IFS=:; set -f
  set -- $1
  IFS=$oldIFS; set +f
  task=$1 most=$2 how=${3:-} before=${4:-} of=${5:-}
}
# answered PROGRAM DATA PLACE OPTION…: greedy answers to the task that is set, of rows in DATA, and their scores, in PLACE/TASK.answers and .score; 77: they cannot be
# scored here
answered() {
  of_program=$1 of_rows=$2/$task.jsonl of_place=$3 of_data=$2; shift 3
  if [ -n "$before" ]; then
    of_rows=$of_place/$task.asked
    tools/again "$of_place/$before.answers" "$of_data/$of.jsonl" >"$of_rows" || exit
  fi
  [ -f "$of_place/$task.answers" ] || "./programs/$of_program" generate --data "$of_rows" --out "$of_place/$task.answers" --max-tokens "$most" --temperature 0 \
    --precision "$precision" "$@" 2>>log || exit
  case $how in
    '' | equation) tools/score "$of_place/$task.answers" ${how:+--$how} >"$of_place/$task.score" || exit ;;
    *) tools/$how "$of_place/$task.answers" >"$of_place/$task.score" || return ;;
  esac
}

# one ROW SEED: its JSON in $results
one() {
  file=$results/$1-$2.json
  [ ! -f "$file" ] || { there "$file" "$@"; return 0; }
  beside "$1" "\"steps\": $steps" 'another budget or other data'
  beside "$1" "\"data\": \"$data_hash\"" 'another budget or other data'
  row_of "$1" "$2"
  augment_hash=${a:+$(model_hash "$a")} anchor_hash=${b:+$(model_hash "$b")}
  [ -z "$b" ] || beside "$1" "\"anchor\": \"$anchor_hash\"" 'another m_B' '"anchor": '
  ! has_m_a "$1" || beside "$1" "\"augment\": \"$augment_hash\"" 'another m_A' '"m_a": '
  program "$spec"
  place=rows/$1-$2${budget:+-$budget}
  mkdir -p "$place"
  # what a row that was cut off is gone on with must be the same row
  mine="$(sha "$spec.calm") $data_hash $augment_hash $anchor_hash $steps $batch $precision $tasks"
  [ "$(cat "$place/of" 2>/dev/null || echo "$mine")" = "$mine" ] || { say "$out/$place: was begun with other data, models or settings; remove it to begin anew"; exit 1; }
  echo "$mine" >"$place/of"
  set -- "$1" "$2" ${a:+--model "$of_a=$a"} ${b:+--model "$of_b=$b"}
  row=$1 s=$2; shift 2
  say "$row, seed $s"
  params= facts=
  if ! alone "$row"; then
    fit "$spec" "$place" compose.jsonl compose_dev.jsonl "$steps" --seed "$s" "$@"
    params="--params $place/run/best"
    facts="training.parameters:=$(./programs/$spec info "$@" 2>>log | sed -n 's/^trained: \([0-9]*\) parameters.*/\1/p')
      training.tokens@=$place/run/last/theta.json#tokens training.seconds@=$place/run/last/theta.json#seconds
      training.tflop:=$(sed -n 's/^TFLOP *\([0-9.e+-]*\).*/\1/p' "$place/dry") training.best_step@=$place/run/last/theta.json#best_step
      training.held_out_loss@=$place/run/last/theta.json#best hashes.theta=$(sha "$place/run/best/theta.safetensors")"
  fi
  for t in $tasks; do
    status=0
    task_of "$t"
    answered "$spec" data "$place" $params "$@" || status=$?
    case $status in 0) ;; 77) continue ;; *) exit $status ;; esac
    facts="$facts tasks.$task@=$place/$task.score"
    [ -z "$before" ] || continue
    ./programs/$spec eval --data "data/$task.jsonl" --metric loss --json --precision "$precision" $params "$@" >"$place/$task.loss" 2>>log
    facts="$facts losses.$task.loss@=$place/$task.loss#loss losses.$task.tokens@=$place/$task.loss#labelled losses.$task.characters@=$place/$task.score#characters"
  done
  tools/record "$file" experiment="$experiment" row="$row" seed:="$s" common.quick:=$([ -n "$quick" ] && echo true || echo false) common.steps:="$steps" common.batch_tokens:="$batch" \
    common.m_b="$b_stages" common.precision="$precision" common.data="$data_hash" hashes.spec="$(sha "$spec.calm")" \
    $(! has_m_a "$row" || echo made.m_a="$a_stages" made.m_a_data="$a_hash") ${a:+hashes.augment="$augment_hash"} ${b:+hashes.anchor="$anchor_hash"} calm="$("$calmc" --version | head -n 1)" $facts
  say "wrote $file"
}

# searched SPEC [RATE]: trains it as a row is trained, of m_A and m_B, and prints the losses on the development part and what answers to it score; a spec that trains
# nothing is a model alone. Answers are to TEST_dev.jsonl where there is one, else to the development part's rows of that test. No test is looked at
searched() {
  tried=$(basename "$1" .calm)
  [ -z "$2" ] || tried=$tried-$2
  spec_of "$1" "$2" >"search-$tried.calm"
  compile "search-$tried.calm" "programs/search-$tried"
  a= b=
  ! grep -q "^\(anchor\|augment\)  *$of_a " "search-$tried.calm" || { made m_a; a=$made; }
  ! grep -q "^\(anchor\|augment\)  *$of_b " "search-$tried.calm" || { made m_b; b=$made; }
  # a spec that was edited, or another m_A, is another search, whatever it is called
  mine="$(sha "search-$tried.calm") $data_hash $(cd data && sha *_dev.jsonl) ${a:+$(model_hash "$a")} ${b:+$(model_hash "$b")} $batch $precision"
  place=search/$tried-$steps-$(echo "$mine" | sha256sum | cut -c1-8)
  mkdir -p "$place"
  set -- ${a:+--model "$of_a=$a"} ${b:+--model "$of_b=$b"}
  if grep -q '^\(connect\|adapt\|tune\) ' "search-$tried.calm"; then
    fit "search-$tried" "$place" compose.jsonl compose_dev.jsonl "$steps" --seed 1 "$@"
    echo "$tried, $steps steps: $(sed -n 's/.*step \([0-9]*\)\/.*held-out loss \([0-9.]*\)$/\2 after \1/p' "$place/train.log" | paste -sd , - | sed 's/,/, /g')"
    set -- --params "$place/run/best" "$@"
  fi
  for t in $tasks; do
    task_of "$t"
    case $how in '' | equation) ;; *) continue ;; esac            # a tool of the example's own wants more than an answer
    if [ -n "$before" ]; then [ -s "$place/$of.jsonl" ] || continue
    elif [ -f "data/${task}_dev.jsonl" ]; then ln -sf "$PWD/data/${task}_dev.jsonl" "$place/$task.jsonl"
    else grep "\"task\":\"$task\"" data/compose_dev.jsonl >"$place/$task.jsonl" || continue
    fi
    answered "search-$tried" "$place" "$place" "$@" || exit
    echo "$tried, $task: $(for k in n chrf bleu sentence_bleu exact_match right; do echo "$k $(json_number $k <"$place/$task.score")"; done | sed '/ $/d' | paste -sd , - | sed 's/,/, /g')"
  done
}

# drawn PICTURE COLUMN WHAT: that column of the log.csv of every row of this table, where there is one; adds it to $pictures
drawn() {
  drawn_as=$1 drawn_column=$2 drawn_what=$3
  set --
  for log in rows/*${budget:+-$budget}/run/log.csv; do
    run=${log#rows/} run=${run%%/*}
    case $budget:$run in :*-steps-*) continue ;; esac
    [ ! -e "$log" ] || set -- "$@" label="$run" column="$drawn_column" "$log"
  done
  [ $# = 0 ] || { curves "$drawn_as" linear what="$drawn_what" "$@"; pictures="$pictures $drawn_as"; }
}
# page: page.html beside the programs, of all results there are: the table, the composition drawn, curves, samples, settings and specs
page() {
  specs=
  for r in ${a_stages:+make_m_a} ${b_stages:+make_m_b} $rows; do
    spec_for $r
    write_spec $spec
    case " $specs " in *" $spec.calm "*) ;; *) specs="$specs $spec.calm" ;; esac
  done
  "$calmc" draw compose.calm -o compose.svg 2>>log
  pictures=compose.svg
  drawn losses.svg 3 'loss (nats per labelled token)'
  drawn curves.svg 7 'held-out loss (nats per labelled token)'
  drawn rates.svg 4 'learning rate'
  tools/page "$here/table.txt" "$results" data "calm: $experiment${budget:+, $steps steps}" $pictures $specs >page.new
  mv page.new "page${budget:+-$budget}.html"
  say "drew $out/page${budget:+-$budget}.html"
}

# show: puts the table, the samples, and the rows there are of other tables into the README, where they stand between marks
show() {
  rm -f part-*.md
  tools/table "$here/table.txt" "$here/results" >part-table.md
  tools/page "$here/table.txt" "$here/results" data --samples $shown >part-samples.md
  for other in "$here"/results/*/; do
    [ -d "$other" ] || continue
    other=$(basename "$other")
    tools/table "$here/table.txt" "$here/results/$other" --there >"part-$other.md"
    grep -q "^<!-- $other -->\$" "$here/README.md" || say "warning: $here/README.md does not show results/$other; lines <!-- $other --> and <!-- end --> say where"
  done
  awk 'FILENAME != ARGV[ARGC - 1] { part[FILENAME] = part[FILENAME] $0 "\n"; next } /^<!-- end -->$/ { skip = 0 } !skip { print }
    /^<!-- [a-z0-9-]+ -->$/ && $2 != "end" { printf "%s", part["part-" $2 ".md"]; skip = 1 }' part-*.md "$here/README.md" >README.new
  cmp -s README.new "$here/README.md" || cat README.new >"$here/README.md"
}

# What is missing of the table, and the table.
experiment() {
  options "$@"
  [ -n "$quick" ] || sources
  build_calm
  prepare
  if [ -n "$search" ]; then searched "$search" "$rate"; return; fi
  for r in ${row:-$rows}; do
    case " $three " in *" $r "*) seeds='1 2 3' ;; *) seeds=1 ;; esac
    [ -z "$quick" ] || seeds=1
    [ -z "$seed" ] || seeds=$seed
    ! alone "$r" || seeds=1
    for s in $seeds; do one "$r" "$s"; done
  done
  [ -z "$quick" ] || echo "QUICK: models and data of a minute. This shows that everything runs; the figures say nothing."
  tools/table "$here/table.txt" "$results"
  page
  [ "$results" != "$here/results${budget:+/$budget}" ] || show
}
