#!/bin/sh
# Rules of layout: file length, direction of includes, who may see LLVM, a README per folder, no op by name where traits are asked, no model
# family's name in the C sources.
set -eu
cd "$(dirname "$0")/../.."
bad=0
say() { echo "$*"; bad=1; }
# breaks FOUND RULE: what a search found, if anything, and the rule that it breaks. A search takes all files at once: the lint is run often.
breaks() { [ -z "$1" ] || say "$1
    $2"; }
sources=$(find compiler dsl runtime examples tests bench -name '*.[chly]' -o -name '*.def' | sort)

breaks "$(wc -l $sources | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines" }')" "a file has at most 800"
breaks "$(grep -Hn 'include *<llvm-c/' $sources | grep -v '^compiler/llvm/')" "only compiler/llvm includes llvm-c"

# Rooms: a folder, and the folders that its files may include (its own always). An arrow that is not here is not to be.
rooms() {
  cat <<'END'
dsl/base
dsl               dsl/base runtime/abi dsl_gen
runtime/abi
runtime/core
runtime/files     runtime/core runtime/abi
runtime/text      runtime/core runtime/abi runtime/files
runtime/machine   runtime/core runtime/abi
runtime/engine    runtime/core runtime/abi runtime/files runtime/machine
runtime/rows      runtime/core runtime/abi runtime/files runtime/text runtime/engine
runtime/work      runtime/core runtime/abi runtime/files runtime/text runtime/machine runtime/engine runtime/rows
runtime/commands  runtime/core runtime/abi runtime/files runtime/text runtime/machine runtime/engine runtime/rows runtime/work
runtime/app       runtime/abi runtime/commands
compiler/model    dsl/base runtime/abi runtime/core runtime/files runtime/text
compiler/graph    dsl/base runtime/abi
compiler/autodiff dsl/base runtime/abi compiler/graph
compiler/passes   dsl/base runtime/abi compiler/graph
compiler/plan     dsl/base runtime/abi compiler/graph
compiler/build    dsl/base dsl runtime/abi runtime/core runtime/files runtime/text compiler/model compiler/graph compiler/autodiff compiler/passes
compiler/llvm     dsl/base runtime/abi compiler/graph compiler/plan
compiler          dsl/base dsl runtime/abi runtime/core runtime/files runtime/text compiler/model compiler/graph compiler/autodiff compiler/passes compiler/build compiler/plan compiler/llvm
END
}
for d in $(rooms | sed 's/ .*//'); do [ -d "$d" ] || say "lint: no folder $d"; done
wrong=$(rooms | awk '
  FNR == NR { may[$1] = " " $0 " "; next }
  !/^#include "/ { next }
  {
    folder = FILENAME; sub("/[^/]*$", "", folder)
    split($0, part, "\"")
    to = part[2]                # "graph/graph.h" is of compiler/graph, "driver.h" of the compiler itself
    if (to !~ "/") to = to == "parser.h" ? "dsl_gen" : "compiler"
    else { sub("/[^/]*$", "", to); if (to !~ "^(runtime|dsl)(/|$)") to = "compiler/" to }
    if (!index(may[folder], " " to " ")) print FILENAME " includes " part[2] "; " folder " may include:" substr(may[folder], length(folder) + 2)
    # a room of the runtime is entered by its door, the header of its name, or a table
    if (to ~ "^runtime/" && to != folder && part[2] !~ "[.]def$") {
      door = to; sub("^runtime/", "", door); door = to "/" door ".h"
      if (part[2] != door) print FILENAME " includes " part[2] "; the door of " to " is " door
    }
  }' - $(find $(rooms | sed 's/ .*//') -maxdepth 1 -name '*.[chly]'))
[ -z "$wrong" ] || say "$wrong"
# No circles: the files of a room (X.h and X.c are one) include each other in an order. Rooms that still have one are left out.
pairs() {                      # FOLDER: who includes whom
  awk -v own="${1#compiler/}/" '
    FNR == 1 { unit = FILENAME; gsub("^.*/|[.][ch]$", "", unit); print unit, unit }
    /^#include "/ { split($0, part, "\""); to = part[2]; if (index(to, own) == 1) to = substr(to, length(own) + 1)
                    if (to ~ "^[a-z0-9_]*[.]h$") { sub("[.]h$", "", to); print unit, to } }' $(find "$1" -maxdepth 1 -name '*.[ch]')
}
for d in $(rooms | sed 's/ .*//' | grep -vx -e dsl -e compiler/build); do
  circle=$(pairs "$d" | tsort 2>&1 >/dev/null) || say "$d: a circle of includes:$(echo "$circle" | sed -n 's/^tsort: \([a-z0-9_]*\)$/ \1/p' | tr -d '\n')"
done
# no loose sources, and no folder that is no room
for f in runtime/*.[ch]; do [ ! -f "$f" ] || say "$f stands in no room"; done
for d in runtime/*/ compiler/*/; do rooms | grep -q "^${d%/}\( \|\$\)" || say "$d is no room of tests/lint/lint.sh"; done

for d in $(rooms | sed 's/ .*//' | grep -v '^runtime/') runtime examples examples/lib examples/kv_arithmetic examples/real_pair tests bench; do
  [ -f "$d/README.md" ] || say "$d has no README.md"
done

# one prefix for errors, of calmc and of programs
breaks "$(grep -HnE '(calmc|%s): (error|warning):' $sources | grep -v ":%d: \|/real_pair/chrf")" "errors begin with error:, or with a place in a file and that"

# passes, plan and code generation ask what an op is, never which (graph/ops.def has a column for it)
breaks "$(grep -HnE '([!=]= *|case )OP_[a-z]|OP_[a-z_]* *[!=]=' compiler/passes/*.c compiler/plan/*.c compiler/llvm/*.c)" "asks for an op by name; ask for a trait of graph/ops.def"

# a file that a comment names is there (of its folder the comment may say as much as it likes)
cited=$(find compiler dsl runtime examples tests bench scripts -type f | awk '
  FNR == NR { sub(".*/", ""); here[$0] = 1; next }
  {
    at = index($0, "// ")
    if (!at) next
    rest = substr($0, at)
    while (match(rest, "[A-Za-z0-9_]+[.](c|h|def|sh|py|y|l|md)([^A-Za-z0-9_]|$)")) {
      name = substr(rest, RSTART, RLENGTH)
      sub("[^A-Za-z0-9_]$", "", name)
      if (!(name in here)) print FILENAME ":" FNR ": " name
      rest = substr(rest, RSTART + RLENGTH)
    }
  }' - $sources | grep -vE ': (parser[.]h|cblas[.]h|b[.]c)$' || true)      # bison's, OpenBLAS's, and what is no file
breaks "$cited" "a comment names a file that is not there"

# names of families, and every arch and architecture of the library
families='llama|gemma|qwen|gpt[-_ ]?[0-9j]|gpt[-_]?neo|phi[-_]?[0-9]|mistral|mixtral|smollm|falcon|olmo|deepseek'
for name in $(sed -n 's/^arch \([A-Za-z0-9_]*\) for \(.*\){$/\1 \2/p' dsl/std/*.calm | tr -d '",'); do families="$families|$name"; done
breaks "$(grep -HniE "$families" $sources)" "names a model family; the compiler knows tensor operations"
[ $bad = 0 ] && echo "lint: nothing to say"
exit $bad
