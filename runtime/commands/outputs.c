// What the user named to be written is no file that the command reads, by whatever name: the program, its models and tokenizers, parameters, data.
#include "runtime/commands/command.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"

static bool reads(const App *a, const Options *o, const TrainSettings *set, const char *path) {
  const char *files[] = {"/proc/self/exe", o->params, o->data, o->score_data, o->prompt_file, o->ref, set ? set->data : NULL, set ? set->validate : NULL};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (files[i] && file_is_input(path, files[i])) return true;
  for (int m = 0; m < a->prog->nmodel; m++)
    if ((a->models->dir[m] && file_is_input(path, a->models->dir[m])) || (a->models->tokfile[m] && file_is_input(path, a->models->tokfile[m]))) return true;
  size_t i;
  json_t *block;
  if (o->run_command == C_EVAL && !o->data) json_array_foreach(a->prog->evals, i, block) {
    const char *data = json_string_value(json_object_get(block, "data"));
    if (data && file_is_input(path, data)) return true;
  }
  return false;
}

bool output_allowed(const App *a, const Options *o, const TrainSettings *set, const char *path, RtError *e) {
  return !reads(a, o, set, path) || rt_fail(e, "cannot write %s: this command reads it, and it is left as it is; name another place", path);
}
