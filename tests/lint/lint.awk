# One pass over the table of rooms (from lint.sh, on standard input), the list of all files, and the sources. Says what breaks a rule, and exits with 1.
function broken(what, rule) { if (!(rule in told)) { order[++rules] = rule; told[rule] = "" } told[rule] = told[rule] what "\n" }
function here(what, rule) { broken(FILENAME ":" FNR ": " what, rule) }
function folder_of(path) { return sub("/[^/]*$", "", path) ? path : "." }
function room_of(path) {                                    # the room that a file is in: the nearest folder above it that is one
  while (path ~ "/") { path = folder_of(path); if (path in may) return path }
  return path == "dsl_gen" || path == "codegen_gen" ? path : ""
}
function unit_of(path) { sub("[.][chly]$", "", path); return path }

# What an include names, as a path from the root; "" where it is not calm's.
function included(how, name) {
  if (name == "parser.h") return "dsl_gen/parser.h"
  if (name ~ "^codegen_gen/") return name
  if (name ~ "^(runtime|dsl|tests|examples|bench)/") return name
  if (how == "\"" || ("compiler/" name) in is_file) return "compiler/" name
  return ""
}
function include(how, name, to, room, door) {
  if (name ~ "^llvm-c/" && FILENAME !~ "^compiler/llvm/") here("#include of " name, "only compiler/llvm includes llvm-c")
  to = included(how, name)
  if (!mine || to == "") return
  room = room_of(to)
  if (!index(may[mine], " " room " ")) here(FILENAME " includes " name, mine " may include:" substr(may[mine], length(mine) + 2))
  if (room ~ "^runtime/" && room != mine && name !~ "[.]def$") {        # entered by its door, the header of its name, or a table
    door = room; sub("^runtime/", "", door); door = room "/" door ".h"
    if (to != door) here(FILENAME " includes " name, "the door of " room " is " door)
  }
  # dsl and compiler/build hold one grammar and one evaluator: their .c files call each other through a header of all; their headers have an order
  if (room == mine && to ~ "[.]h$" && (mine !~ "^(dsl|compiler/build)$" || FILENAME ~ "[.]h$")) { edge[mine] = edge[mine] unit_of(FILENAME) " " unit_of(to) "\n" }
}

# No circles: the files of a room (X.h and X.c are one) include each other in an order. What is left when those that include none of the rest
# are taken away, again and again, stands in a circle or includes one.
function circles(room, n, line, i, pair, left, found, names, waits, hold, u, p) {
  n = split(edge[room], line, "\n")
  for (i = 1; i < n; i++) {
    split(line[i], pair, " ")
    if (pair[1] != pair[2]) { waits[pair[1], pair[2]] = 1; left[pair[1]] = left[pair[2]] = 1 }
  }
  do {
    found = 0
    for (u in left) hold[u] = 0
    for (p in waits) { split(p, pair, SUBSEP); if ((pair[1] in left) && (pair[2] in left)) hold[pair[1]]++ }
    for (u in left) if (!hold[u]) { delete left[u]; found = 1 }
  } while (found)
  names = ""
  for (u in left) { sub(".*/", "", u); names = names " " u }
  if (names != "") broken(room ": a circle of includes:" names, "the files of a room include each other in an order")
}

# A file that a comment names is there, in the folder that it says.
function cites(text, path) {
  while (match(text, "[A-Za-z0-9_./-]*[A-Za-z0-9_][.](c|h|def|sh|py|y|l|md)([^A-Za-z0-9_]|$)")) {
    path = substr(text, RSTART, RLENGTH)
    text = substr(text, RSTART + RLENGTH)
    sub("[^A-Za-z0-9_]$", "", path)
    while (sub("^[.]*/", "", path)) {}                      # ../x.c, /x.c of a list a.c/x.c
    if (!(path in ends) && path !~ "^(parser[.]h|cblas[.]h|([a-z][.])+c)$")    # bison's, OpenBLAS's, and what is no file
      here(path, "a comment names a file that is not there")
  }
}
# The comments of a line, // and those of more lines.
function comments(rest, at) {
  while (rest != "") {
    if (inside) {
      at = index(rest, "*/")
      cites(at ? substr(rest, 1, at - 1) : rest)
      if (!at) return
      inside = 0
      rest = substr(rest, at + 2)
    }
    if (!match(rest, "\"([^\"\\\\]|\\\\.)*\"|'([^'\\\\]|\\\\.)*'|//|/[*]")) return
    at = substr(rest, RSTART, 2)
    rest = substr(rest, RSTART + RLENGTH)
    if (at == "//") { cites(rest); return }
    inside = at == "/*"
  }
}

FILENAME == "-" && $1 == "families" { sub("^families ", ""); families = $0; next }
FILENAME == "-" && $1 == "file" {
  is_file[$2] = 1
  for (path = $2; ; ) { ends[path] = 1; if (!sub("^[^/]*/", "", path)) break }
  next
}
FILENAME == "-" { may[$1] = " " $0 " "; next }

FNR == 1 {
  if (lines > 800) broken(last ": " lines " lines", "a file has at most 800")
  last = FILENAME
  mine = room_of(FILENAME)
  asks = FILENAME ~ "^compiler/(passes|plan|llvm)/"
  inside = 0
}
{ lines = FNR }
/^[ \t]*#[ \t]*include/ {
  text = $0
  sub("^[ \t]*#[ \t]*include[ \t]*", "", text)
  how = substr(text, 1, 1)
  if (how != "\"" && how != "<") here($0, "an include says which file")
  else { split(substr(text, 2), part, "[\">]"); include(how, part[1]) }
}
inside || /\/[\/*]/ { comments($0) }
asks && /OP_[a-z]|op_name/ {
  # compiler/graph/ops.def has a column for what passes, plan and code generation want to know of an op
  if ($0 ~ "([!=]= *|case |[[] *)OP_[a-z]|OP_[a-z_]* *[!=]=" || $0 ~ "str[a-z]*cmp *[(].*op_name|op_name *[(].*str[a-z]*cmp")
    here($0, "asks for an op by name; ask for a trait of graph/ops.def")
}
/(calmc|%s): (error|warning):/ && !/:%d: / && FILENAME !~ "/real_pair/chrf" { here($0, "errors begin with error:, or with a place in a file and that") }
FILENAME ~ "^runtime/(core|files|text|machine|engine|rows|work)/" && /"[^"]*--[a-z]/ && !/^ *\/\// {
  here($0, "names a flag below commands; RtError.about says what it is about, and ADVICE in commands/cli.c what to do")
}
tolower($0) ~ families { here($0, "names a model family; the compiler knows tensor operations") }

END {
  if (lines > 800) broken(last ": " lines " lines", "a file has at most 800")
  for (room in edge) circles(room)
  for (i = 1; i <= rules; i++) printf "%s    %s\n", told[order[i]], order[i]
  exit rules > 0
}
