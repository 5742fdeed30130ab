// See evalrows.h. Losses come in the order of the file, texts as they are finished: a row's line waits for both, and for those before it.
#include "runtime/commands/evalrows.h"

#include <math.h>
#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"

typedef struct Row {
  EvalRowLoss loss;            // sums over its windows
  int64_t tokens, labelled;
  bool waits;                  // for its text
  json_t *text;
} Row;
struct EvalRows {
  FileOut **out;
  const char *title, *of;
  const DataFile *file;
  Row *row;
  int64_t n, written;
};

EvalRows *evalrows_new(FileOut **out, const char *title, const char *of, const DataFile *file) {
  EvalRows *w = rt_alloc(1, sizeof *w);
  *w = (EvalRows){.out = out, .title = title, .of = of, .file = file, .n = data_count(file)};
  w->row = rt_alloc((size_t)w->n, sizeof *w->row);
  return w;
}

void evalrows_free(EvalRows *w) {
  if (!w) return;
  for (int64_t i = 0; i < w->n; i++) json_decref(w->row[i].text);
  rt_free(w->row), rt_free(w);
}

void evalrows_add(EvalRows *w, const DataRow *r, const EvalRowLoss *l, bool generates) {
  Row *x = &w->row[r->row];
  x->tokens += r->n, x->labelled += row_labelled(r);
  x->loss.scored = l->scored;
  x->loss.nll += l->nll;
  x->loss.bytes = x->loss.bytes < 0 || l->bytes < 0 ? -1 : x->loss.bytes + l->bytes;
  x->waits |= generates;
}

void evalrows_text(EvalRows *w, int64_t row, json_t *members) { w->row[row].text = members; }

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *line_of(const EvalRows *w, int64_t at) {
  const Row *x = &w->row[at];
  const double per = (double)x->labelled, bytes = (double)x->loss.bytes;
  json_t *o = json_pack("{s:I}", "line", (json_int_t)data_line_of(w->file, at));
  if (w->title) json_object_set_new(o, "eval", json_string(w->title));
  if (w->of) json_object_set_new(o, "of", json_string(w->of));
  json_object_set_new(o, "tokens", json_integer(x->tokens));
  json_object_set_new(o, "labelled", json_integer(x->labelled));
  if (x->loss.scored) json_object_set_new(o, "loss", number(x->loss.nll / per));
  if (x->loss.scored && x->loss.bytes >= 0) {
    json_object_set_new(o, "bytes", json_integer(x->loss.bytes));
    json_object_set_new(o, "bits_per_byte", number(x->loss.nll / log(2) / bytes));
  }
  if (x->text) json_object_update(o, x->text);
  return o;
}

bool evalrows_write(EvalRows *w, RtError *e) {
  RT_IN_PHASE(RT_PHASE_WRITING);
  bool ok = true;
  for (; ok && w->written < w->n && !(w->row[w->written].waits && !w->row[w->written].text); w->written++) {
    json_t *o = line_of(w, w->written);
    char *text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(12)), *line = rt_format("%s\n", text);
    if (!(ok = file_out_write(*w->out, line, strlen(line), e))) *w->out = NULL;
    json_decref(o), json_decref(w->row[w->written].text), rt_free(text), rt_free(line);
    w->row[w->written].text = NULL;
  }
  return ok;
}
