// Rows that were read, kept: see data.h.
#include "runtime/rows/data.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/rows/chat.h"

int64_t row_labelled(const DataRow *r) {
  int64_t n = 0;
  for (int64_t i = 1; i < r->n; i++) n += r->labels[i] != -100;
  return n;
}

void data_share(DataShare *own, const DataOptions *theirs) {
  *own = (DataShare){.o = *theirs};
  if (theirs->tok) own->o.tok = own->tok = tokenizer_share(theirs->tok);
  if (!theirs->streams) return;
  own->streams = streams_share(theirs->streams), own->o.streams = &own->streams;
  own->chat = rt_alloc((size_t)own->streams.n, sizeof *own->chat);
  for (int k = 0; k < own->streams.n; k++) {
    Stream *s = &own->streams.s[k];
    if (!s->chat) continue;
    chat_share(&own->chat[k], s->chat, k ? s->tok : own->tok);
    s->chat = &own->chat[k];
  }
}

void data_share_end(DataShare *own) {
  for (int k = 0; own->chat && k < own->streams.n; k++) chat_close(&own->chat[k]);
  rt_free(own->chat);
  streams_free(&own->streams);
  if (own->tok) tokenizer_free(own->tok);
}

Data *data_new(const DataOptions *o) {
  Data *d = rt_alloc(1, sizeof *d);
  d->nlimit = o->streams ? o->streams->n : 1;
  d->limit = rt_alloc((size_t)d->nlimit, sizeof *d->limit);
  return d;
}

void data_row_free(DataRow *r) {
  if (r->held) return;
  rt_free(r->ids), rt_free(r->labels), rt_free((char *)(uintptr_t)r->prompt);
  follow_free(r->follow);
}

void data_clear(Data *d) {
  for (int64_t i = 0; i < d->n; i++) data_row_free(&d->row[i]);
  d->n = 0;
}

void data_free(Data *d) {
  if (!d) return;
  data_clear(d);
  rt_free(d->row), rt_free(d->limit), rt_free(d->text.s);
  rt_free(d);
}

void data_uncount(Data *d) {
  d->own = d->given = d->rewritten = d->turns = d->tokens = d->labelled = d->windows = d->trained = d->looked = d->of = d->decided = d->texts = 0;
  memset(d->limit, 0, (size_t)d->nlimit * sizeof *d->limit);
}

void data_count_in(Data *d, const Data *from) {
  d->tokens += from->tokens, d->labelled += from->labelled, d->looked += from->looked, d->decided += from->decided, d->texts += from->texts;
  d->rewritten += from->rewritten, d->turns += from->turns, d->own += from->own, d->given += from->given;
  d->windows += from->windows, d->trained += from->trained;
  if (from->of) d->of = from->of;
  for (int64_t k = 0; k < d->nlimit; k++) {
    DataLimit *l = &d->limit[k];
    const DataLimit *x = &from->limit[k];
    l->out += x->out, l->cut += x->cut, l->split += x->split, l->windows += x->windows;
    if (x->widest > l->widest) l->widest = x->widest;
  }
}

void data_hold(DataFile *f, Data *d) {
  f->held = d;
  f->first = rt_alloc((size_t)data_count(f) + 1, sizeof *f->first);
  for (int64_t i = 0, w = 0; i < data_count(f); f->first[++i] = w)
    for (; w < d->n && d->row[w].row == i; w++) d->row[w].held = true;
}
