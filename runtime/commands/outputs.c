// What the user named to be written is no file that the command reads, by whatever name: the program, its models and tokenizers, parameters, data.
// A directory of files is made in none of a model's, of a checkpoint's or of its run's.
#include <string.h>

#include "runtime/commands/command.h"
#include "runtime/commands/profile.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/work/work.h"

static bool reads(const App *a, const Options *o, const TrainSettings *set, const char *path) {
  const char *files[] = {"/proc/self/exe", o->params, o->pack_params, o->pack, o->data, o->score_data, o->prompts, o->export_data, o->prompt_file, o->ref};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++)
    if (files[i] && file_is_input(path, files[i])) return true;
  for (int k = 0; set && k < set->data.n + set->validate.n; k++)
    if (file_is_input(path, k < set->data.n ? set->data.of[k].path : set->validate.of[k - set->data.n].path)) return true;
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

bool output_replaces(const App *a, const Options *o, const char *path, const char *what, const FileMark *kind, RtError *e) {
  return output_allowed(a, o, NULL, path, e) && file_takes_place(path, what, kind, 1, e);
}

bool trace_allowed(const App *a, const Options *o, const TrainSettings *set, const char *const *made, int n, RtError *e) {
  bool ok = !o->trace || output_allowed(a, o, set, o->trace, e);
  for (int i = 0; i < n && ok && o->trace; i++)
    if (made[i] && (!strcmp(o->trace, made[i]) || file_is_input(o->trace, made[i])))
      ok = rt_fail(e, "cannot write the trace to %s: this command writes something else there; name another place", o->trace);
  bool last = set || o->run_command != C_TRAIN;      // a training asks again when it has its settings, and knows what it writes
  ok = ok && (!o->trace || !last || file_takes_place(o->trace, "trace", &(FileMark){0, TRACE_BEGIN, NULL}, 1, e));
  if (o->measured) o->measured->keep = ok;
  return ok;
}

static bool dir_lies_in(const char *dir, const char *in, const char *what, RtError *e) {
  return file_lies_in(dir, in) && !rt_fail(e, "cannot write into %s: %s is %s that this command reads, and is left as it is; name another place", dir, in, what);
}

static bool same_dir(const char *a, const char *b) { return file_lies_in(a, b) && file_lies_in(b, a); }

// Whether a directory is a run's: its last/ or best/ is a checkpoint, and this one where one is named.
static bool is_run(const char *run, const char *checkpoint) {
  bool is = false;
  for (int i = 0; i < 2; i++) {
    char *dir = file_join(run, i ? "best" : "last");
    is |= checkpoint_is(dir) && (!checkpoint || same_dir(dir, checkpoint));
    rt_free(dir);
  }
  return is;
}

// Whether a path goes up again from what is not there: where it leads is known when that has been made.
static bool goes_back(const char *path) {
  bool missing = false, back = false;
  for (const char *at = path; *at && !back; at += strspn(at, "/")) {
    size_t n = strcspn(at, "/");
    back = missing && n == 2 && at[0] == '.' && at[1] == '.';
    at += n;
    char *so_far = rt_strndup(path, (size_t)(at - path));
    missing = missing || (*so_far && !file_is_there(so_far));
    rt_free(so_far);
  }
  return back;
}

bool output_dir_allowed(const App *a, const Options *o, const char *dir, RtError *e) {
  bool in = false;
  if (goes_back(dir)) return rt_fail(e, "cannot write into %s: it leads through a directory that is not there, and up again", dir);
  for (int m = 0; !in && m < a->prog->nmodel; m++) in = a->models->dir[m] && dir_lies_in(dir, a->models->dir[m], "the directory of a model", e);
  if (!in && o->params) {
    bool is_dir = file_is_dir(o->params);
    char *checkpoint = is_dir ? rt_strdup(o->params) : file_dirname(o->params), *run = file_join(checkpoint, "..");
    // A file of parameters may lie with anything beside it.
    bool of_run = is_run(run, checkpoint);
    in = ((is_dir || of_run) && dir_lies_in(dir, checkpoint, is_run(checkpoint, NULL) ? "the directory of a run" : "a checkpoint", e)) ||
         (of_run && file_lies_in(dir, run) && !rt_fail(e, "cannot write into %s: the run that %s is of lies there, and is left as it is; name another place", dir, checkpoint));
    rt_free(checkpoint), rt_free(run);
  }
  if (in) return false;
  return !checkpoint_is(dir) || rt_fail(e, "cannot write into %s: it is a checkpoint, and is left as it is; name another place", dir);
}
