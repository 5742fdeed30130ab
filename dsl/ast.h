// The syntax tree: one uniform node, so that printing, walking and comparing are written once. ast.def says what each
// kind keeps in which field.
#ifndef CALM_DSL_AST_H
#define CALM_DSL_AST_H
#include <stdbool.h>

#include "dsl/base/buf.h"
#include "dsl/base/map.h"
#include "dsl/diag.h"
#include "dsl/source.h"

typedef enum AstKind {
#define X(kind, name, fields) AST_##kind,
#include "dsl/ast.def"
#undef X
  AST_COUNT
} AstKind;

typedef struct Ast Ast;
struct Ast {
  AstKind kind;
  bool is_int;           // NUMBER: written without point or exponent
  Loc loc;               // the whole construct
  Loc name_loc;          // the name inside it, where there is one
  const char *name;
  const char *str, *str2;
  double num;
  Ast **kid;             // entries may be NULL where ast.def says [optional]
  int nkid, cap;
  int height;            // longest way down; at most 256, so walks may recurse
};

enum { MOST_FORMALS = 200 };   // arguments that an op, a fn or a tap may have

const char *ast_kind_name(AstKind k);
bool ast_selects(const Ast *a);               // is it a layer selector, SEL_*?
const Ast *ast_kid(const Ast *a, AstKind k);   // the first of this kind, or NULL
void ast_print(const Ast *a, Buf *out);   // complete and deterministic: what --emit=tree shows

// A parsed spec with everything it can see: its own declarations, those of `use`d files, and the standard library.
typedef struct Spec {
  Ast *file;             // the spec itself
  Ast **lib;             // parsed library files: used ones (nused of them, in order), then the embedded ones
  int nlib, caplib;
  int nused;
  const Ast **decl;      // all declarations of these files, those found first coming first,
  int ndecl, capdecl;
  Map *by_name;          // and their place there by kind and name; from `library` on: of the embedded library alone
  Map *library;
  Map served;            // archs by the architectures they serve
  Sources *sources;
  bool alone;            // one model of a composition that was looked at already (compiler/alone.c)
  bool partial;          // some text did not parse: what seems to be missing may stand there
  int64_t context;       // the longest text that models are built for, where that is less than they say; 0: what they say
  const Loc *told;       // where errors were reported, those of syntax (nsyntax) first: what stands there means nothing
  int nsyntax, ntold;
} Spec;

// Parses path (NULL: none), the files it uses, and the embedded library; checks names, arity and duplicates. Errors go to d; later stages can go on with
// what was right (told). Never NULL.
Spec *spec_parse(Arena *a, Sources *s, Diags *d, const char *path);
// The same of a text that calmc itself makes, whose paths are the current folder's; messages name `instead`.
Spec *spec_parse_text(Arena *a, Sources *s, Diags *d, const char *text, const char *instead);
// Parses one text (tests, fuzzing).
Ast *ast_parse(Arena *a, Sources *s, Diags *d, uint32_t file);
// Makes the declarations of the files that s has known to the functions below.
void spec_index(Arena *a, Spec *s);
// Finds a declaration by kind and name in the spec, then in the library; NULL when there is none.
const Ast *spec_find(const Spec *s, AstKind kind, const char *name);
// Does `at` lie in the embedded library?
bool spec_in_library(const Spec *s, Loc at);
// The same as text at `from` sees it: text of the embedded library means the library's own, whatever a spec declares.
const Ast *spec_find_seen(const Spec *s, AstKind kind, const char *name, Loc from);
// What an ARCH node of a file means: itself, or with the sections of the arch that it builds on (inherit.c). spec_find and those around it give that already.
const Ast *spec_whole(const Spec *s, const Ast *arch);
// The arch that serves a Hugging Face "architectures" string; NULL when there is none.
const Ast *spec_find_arch(const Spec *s, const char *architecture);

// The embedded standard library: name ("nn.calm") and text; name NULL ends the table.
typedef struct StdFile {
  const char *name;
  const char *text;
} StdFile;
extern const StdFile std_files[];
// Is inner a part of outer, or the whole of it?
bool loc_within(Loc inner, Loc outer);
// Was an error reported within loc; was one of syntax?
bool spec_told(const Spec *s, Loc loc);
bool spec_told_syntax(const Spec *s, Loc loc);
#endif
