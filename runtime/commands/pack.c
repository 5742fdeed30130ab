// pack: what a start needs as one file, to be mapped: weights in panels of this machine's path and precision, tokenizers, and parameters where they are given.
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "runtime/commands/command.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

// PROGRAM.pack, in the folder of now.
static char *default_out(const Options *o) {
  const char *slash = strrchr(o->program, '/');
  return rt_format("%s.pack", slash ? slash + 1 : o->program);
}

static void say(const App *a, const Options *o, const char *out) {
  struct stat st;
  double size = stat(out, &st) == 0 ? (double)st.st_size : 0;
  fprintf(stderr, "wrote %s, %.1f %s: weights and tokenizers%s for %s in %s; next: %s generate --pack %s --prompt TEXT\n", out, size < 1e6 ? size / 1e3 : size / 1e6,
          size < 1e6 ? "kB" : "MB", o->pack_params ? ", parameters" : "", a->en->isa->name, a->precision_words, o->program, out);
  if (a->prog->nparam && !o->pack_params) fprintf(stderr, "it has no parameters: --params CHECKPOINT packs them too\n");
}

int cmd_pack(const Options *o) {
  RtError e;
  App a;
  char *out = o->pack_out ? rt_strdup(o->pack_out) : default_out(o);
  if (!o->pack_params) options_idle(o, FLAG_force, "there is no --params");
  bool ok = app_open(&a, o, &e) && output_allowed(&a, o, NULL, out, &e) && trace_allowed(&a, o, NULL, (const char *const[]){out}, 1, &e) &&
            app_load_params(&a, o, o->pack_params, &(Load){.tables = -1}, &e) &&
            pack_save(out, a.models, a.en, o->pack_params, o->given[FLAG_precision] || o->precision_of.n, &e);
  if (ok) say(&a, o, out);
  app_close(&a);
  rt_free(out);
  return ok ? 0 : cmd_fail(o, &e);
}
