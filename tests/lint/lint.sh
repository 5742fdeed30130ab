#!/bin/sh
# Rules of layout: file length, direction of includes, who may see LLVM, a README per folder, no op by name where traits are asked, no model
# family's name in the C sources.
set -eu
cd "$(dirname "$0")/../.."
bad=0
say() { echo "$*"; bad=1; }
sources=$(find compiler dsl runtime examples tests bench -name '*.[chly]' -o -name '*.def' | sort)

for f in $sources; do
  n=$(wc -l <"$f")
  [ "$n" -le 800 ] || say "$f: $n lines, at most 800"
  case $f in compiler/llvm/*) ;; *) ! grep -Hn 'include *<llvm-c/' "$f" || say "$f: only compiler/llvm includes llvm-c" ;; esac
done

# Rooms: a folder, and the folders that its files may include (its own always). An arrow that is not here is not to be.
rooms() {
  cat <<'END'
dsl/base
dsl               dsl/base runtime/abi dsl_gen
runtime/abi
runtime/core
runtime/files     runtime/core runtime/abi
runtime/text      runtime/core runtime/files
runtime/machine   runtime/core runtime/abi
runtime/engine    runtime/core runtime/abi runtime/files runtime/machine
runtime/rows      runtime/core runtime/abi runtime/files runtime/text runtime/engine
runtime/work      runtime/core runtime/abi runtime/files runtime/text runtime/machine runtime/engine runtime/rows
runtime/commands  runtime/core runtime/abi runtime/files runtime/text runtime/machine runtime/engine runtime/rows runtime/work
runtime/app       runtime/abi runtime/commands
compiler/model    dsl/base runtime/core runtime/files runtime/text
compiler/graph    dsl/base runtime/abi
compiler/autodiff dsl/base runtime/abi compiler/graph
compiler/passes   dsl/base runtime/abi compiler/graph
compiler/plan     dsl/base runtime/abi compiler/graph
compiler/build    dsl/base dsl runtime/abi runtime/core runtime/files runtime/text compiler/model compiler/graph compiler/autodiff compiler/passes
compiler/llvm     dsl/base runtime/abi compiler/graph compiler/plan
compiler          dsl/base dsl runtime/abi runtime/core runtime/files runtime/text compiler/model compiler/graph compiler/autodiff compiler/passes compiler/build compiler/plan compiler/llvm
END
}
# The folder of an include: "graph/graph.h" is compiler/graph's, "driver.h" the compiler's own.
folder_of() {
  case $1 in
    runtime/* | dsl/*) echo "${1%/*}" ;;
    */*) echo "compiler/${1%/*}" ;;
    parser.h) echo dsl_gen ;;
    *) echo compiler ;;
  esac
}
rooms | {
  bad=0
  while read -r folder may; do
    [ -d "$folder" ] || { echo "lint: no folder $folder"; bad=1; }
    for f in "$folder"/*.[chly]; do
      [ -f "$f" ] || continue
      for inc in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$f"); do
        to=$(folder_of "$inc") ok=no
        for a in "$folder" $may; do [ "$to" = "$a" ] && ok=yes; done
        [ $ok = yes ] || { echo "$f includes $inc; $folder may include: $may"; bad=1; }
        case $to/$inc in                # a room of the runtime is entered by its door, the header of its name, or a table
          "$folder"/* | */*.def) ;;
          runtime/*) [ "$inc" = "$to/${to#runtime/}.h" ] || { echo "$f includes $inc; the door of $to is $to/${to#runtime/}.h"; bad=1; } ;;
        esac
      done
    done
  done
  exit $bad
} || bad=1
# No circles: the files of a room (X.h and X.c are one) include each other in an order. Rooms that still have one are left out.
pairs() {                      # FOLDER: who includes whom
  for f in "$1"/*.[ch]; do
    [ -f "$f" ] || continue
    unit=$(basename "${f%.*}")
    echo "$unit $unit"
    sed -n "s|^#include \"\(${1#compiler/}/\)\{0,1\}\([a-z0-9_]*\)\.h\".*|$unit \2|p" "$f"
  done
}
for d in $(rooms | sed 's/ .*//' | grep -vx -e dsl -e 'compiler/\(build\|graph\|llvm\|plan\)' -e runtime/engine); do
  circle=$(pairs "$d" | tsort 2>&1 >/dev/null) || say "$d: a circle of includes:$(echo "$circle" | sed -n 's/^tsort: \([a-z0-9_]*\)$/ \1/p' | tr -d '\n')"
done
# no loose sources, and no folder that is no room
for f in runtime/*.[ch]; do [ ! -f "$f" ] || say "$f stands in no room"; done
for d in runtime/*/ compiler/*/; do rooms | grep -q "^${d%/}\( \|\$\)" || say "$d is no room of tests/lint/lint.sh"; done

for d in $(rooms | sed 's/ .*//' | grep -v '^runtime/') runtime examples examples/lib examples/kv_arithmetic examples/real_pair tests bench; do
  [ -f "$d/README.md" ] || say "$d has no README.md"
done

# passes, plan and code generation ask what an op is, never which (graph/ops.def has a column for it)
for f in compiler/passes/*.c compiler/plan/*.c compiler/llvm/*.c; do
  ! grep -HnE '([!=]= *|case )OP_[a-z]|OP_[a-z_]* *[!=]=' "$f" || say "$f: asks for an op by name; ask for a trait of graph/ops.def"
done

# names of families, and every arch and architecture of the library
families='llama|gemma|qwen|gpt[-_ ]?[0-9j]|gpt[-_]?neo|phi[-_]?[0-9]|mistral|mixtral|smollm|falcon|olmo|deepseek'
for name in $(sed -n 's/^arch \([A-Za-z0-9_]*\) for \(.*\){$/\1 \2/p' dsl/std/*.calm | tr -d '",'); do families="$families|$name"; done
for f in $sources; do
  ! grep -HniE "$families" "$f" || say "$f: names a model family; the compiler knows tensor operations"
done
[ $bad = 0 ] && echo "lint: nothing to say"
exit $bad
