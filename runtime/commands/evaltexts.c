// What eval generates: every completion, greedily, many rows at once; its text compared with the row's, both decoded the same way and trimmed.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/commands/budget.h"
#include "runtime/commands/evaljob.h"
#include "runtime/commands/memory.h"
#include "runtime/core/core.h"
#include "runtime/files/files.h"

enum { SPARE_TOKENS = 8 };

typedef struct Text {          // any characters, NUL too; owned
  char *s;
  size_t n;
} Text;

// Text that n ids add to a prompt, without a final end-of-text token.
static bool added_text(const Models *m, const int32_t *prompt, int64_t np, const int32_t *ids, int64_t n, Text *out, RtError *e) {
  if (n > 0 && text_ends_at(&m->ends, ids[n - 1])) n--;
  TokStream *ts = tokstream_new(m->tok, prompt, np);
  Text text = {.s = rt_alloc(1, 1)};
  const char *more = "";
  for (int64_t i = 0; more && i <= n; i++) {
    size_t k = 0;
    more = i < n ? tokstream_push(ts, ids[i], &k, e) : tokstream_end(ts, &k, e);
    if (!more) break;
    text.s = rt_realloc(text.s, text.n + k + 1, 1);
    memcpy(text.s + text.n, more, k);
    text.n += k;
  }
  tokstream_free(ts);
  *out = text;
  return more;
}

static Text trimmed(Text t) {
  while (t.n && isspace((unsigned char)*t.s)) t.s++, t.n--;
  while (t.n && isspace((unsigned char)t.s[t.n - 1])) t.n--;
  return t;
}

// Something to start from: tokens of the prompt, or where it is empty the model's beginning-of-text token.
static int64_t start_of(const DataRow *r) { return r->prompt_n ? r->prompt_n : 1; }
static bool has_start(const Models *m, const DataRow *r) { return r->prompt_n > 0 || m->ends.bos >= 0; }
static bool has_completion(const DataRow *r) { return r->prompt && r->prompt_n < r->n; }
static bool counts(const Models *m, const DataRow *r) { return has_completion(r) && has_start(m, r); }
static int64_t limit_of(const EvalJob *job, const DataRow *r) {
  return job->max_tokens != OPT_UNSET ? job->max_tokens : r->n - r->prompt_n + SPARE_TOKENS;
}

// Opens a sequence with what the row starts from.
static bool open_row(const Models *m, Decoder *d, DataRow *r, RtError *e) {
  if (r->prompt_n) return decoder_open(d, r->ids, r->prompt_n, follow_copy(r->follow, r->prompt_n), r);
  Follow *f = follow_new(&m->streams, false);
  if (f) follow_own_of(f, r->follow);
  if (f && !(follow_token(f, m->ends.bos, "", 0, e) && follow_prompt_end(f, e))) return follow_free(f), false;
  return decoder_open(d, &m->ends.bos, 1, f, r);
}

// What a line of --out has of it.
static json_t *members(const DataRow *r, Text made, Text wanted, bool same, const TextScore *own) {
  json_t *o = json_pack("{s:s%, s:s%, s:s%, s:b, s:f, s:f, s:f}", "prompt", r->prompt, r->prompt_len, "completion", wanted.s, wanted.n, "generated", made.s, made.n,
                        "exact", same, "bleu", textscore_sentence_bleu(own), "chrf", textscore_chrf(own), "edit_similarity", own->similarity);
  if (own->numbered) json_object_set_new(o, "last_number", json_boolean(own->numbers));
  return o;
}

static bool finish_row(const Tally *t, const DecodeSeq *s, EvalResult *out, RtError *e) {
  const Models *m = t->m;
  const DataRow *r = s->user;
  int64_t start = start_of(r);
  Text made = {0}, wanted = {0};
  bool ok = added_text(m, s->ids, start, s->ids + start, s->n - start, &made, e) &&
            added_text(m, s->ids, start, r->ids + r->prompt_n, r->n - r->prompt_n, &wanted, e);
  if (ok) {
    Text a = trimmed(made), b = trimmed(wanted);
    bool same = a.n == b.n && !memcmp(a.s, b.s, a.n);
    TextScore own = {0};
    textscore_add(&own, a.s, a.n, b.s, b.n);
    textscore_sum(&out->text, &own);
    out->exact += same;
    if (t->each) evalrows_text(t->each, r->row, members(r, made, wanted, same, &own));
  }
  out->generated += s->n - start, out->finished++;
  rt_free(made.s), rt_free(wanted.s);
  return ok && (!t->each || evalrows_write(t->each, e));
}

// Greedy choice of one waiting sequence; true when that ends it.
static bool advance(const Models *m, const EvalJob *job, Sampler *sampler, Decoder *d, DecodeSeq *s, RtError *e,
                    bool *ok) {
  const DataRow *r = s->user;
  if (s->full) return true;
  int64_t made = s->n - start_of(r);
  if (made >= limit_of(job, r) || s->n >= d->context) return true;
  int32_t id = sampler_pick(sampler, s->logits, m->prog->model[m->prog->anchor].vocab, s->ids, s->n);
  if (id < 0) {
    *ok = rt_fail(e, "%s:%lld: no logit is a number after token %lld", job->data, (long long)r->line, (long long)s->n);
    return true;
  }
  if (!(*ok = decoder_push(d, s, id, e))) return true;
  return text_ends_at(&m->ends, id) || made + 1 >= limit_of(job, r) || s->n >= d->context;
}

void evaltexts_tally(Tally *t, const DataRow *r) {
  t->lost += has_completion(r) && !has_start(t->m, r);
  if (!counts(t->m, r)) return;
  t->pairs++;
  if (!r->prompt_n && t->m->ends.bos >= t->m->vocab && !t->no_bos) t->no_bos = r->line;
  int64_t n = start_of(r) + limit_of(t->job, r);
  if (n > t->longest) t->longest = n;
  follow_most(r->follow, r->prompt_n, t->known);
}

bool evaltexts_counts(const Tally *t, const DataRow *r) { return t->job->want_exact && t->m->tok && counts(t->m, r); }

static bool can_generate(const Tally *t, RtError *e) {
  if (t->no_bos)
    return rt_fail(e, "%s:%lld: an empty prompt begins with token id %d; the models know ids below %lld", t->job->data, (long long)t->no_bos,
                   (int)t->m->ends.bos, (long long)t->m->vocab);
  if (t->lost)
    rt_warn("%s: %lld row%s with an empty prompt cannot be generated, and no exact match counts %s: no file of the model names a token that texts "
            "begin with", t->job->data, (long long)t->lost, plural(t->lost), t->lost == 1 ? "it" : "them");
  return true;
}

// One warning where the caches of that many sequences may not fit.
static bool check_caches(App *a, const EvalJob *job, int64_t slots, int64_t longest, RtError *e) {
  Shape step = shape_of_text(a->models, decoder_step_tokens(slots, longest)), all = shape_of_tokens(a->models, slots * longest);
  bool ok = memory_check(a, job->o, &(Load){.tables = -1, .nstep = 1, .step = {{a->en->entry[ENTRY_STEP], step.tokens, slots}}, .cached = all.tokens}, e);
  shape_free(&step), shape_free(&all);
  return ok;
}

// The next row to generate, which the sequence owns. *more: there may be another.
static bool open_next(const Models *m, Decoder *d, Feeder *f, int64_t *open, bool *more, RtError *e) {
  const DataRow *next;
  if (!feeder_peek(f, &next, e)) return false;
  if (!(*more = next != NULL)) return true;
  DataRow taken = feeder_take(f);
  if (!counts(m, &taken)) return data_row_free(&taken), true;
  DataRow *r = rt_alloc(1, sizeof *r);
  *r = taken;
  if (open_row(m, d, r, e)) return ++*open, true;
  return data_row_free(r), rt_free(r), false;
}

static void close_row(DecodeSeq *s) {
  DataRow *r = s->user;
  decoder_close(s);
  data_row_free(r), rt_free(r);
}

static bool generate_all(const Tally *t, Decoder *d, Feeder *f, int64_t slots, EvalResult *out, RtError *e) {
  const Models *m = t->m;
  const EvalJob *job = t->job;
  Pace pace = pace_begin(0, t->pairs);
  Sampler *sampler = sampler_new(&(Sampling){.top_p = 1});
  int64_t open = 0;
  bool ok = true, more = true;
  while (ok) {
    while (ok && more && open < slots) ok = open_next(m, d, f, &open, &more, e);
    if (!ok) break;
    DecodeStep did = decoder_step(d, e);
    ok = did != DECODE_FAILED;
    if (!ok || (did == DECODE_IDLE && !open)) break;
    for (int64_t i = 0; i < slots && ok; i++) {
      DecodeSeq *s = &d->seq[i];
      if (!s->open || !(s->logits || s->full) || !advance(m, job, sampler, d, s, e, &ok)) continue;
      ok = ok && finish_row(t, s, out, e);
      close_row(s);
      open--;
    }
    pace_say(&pace, out->finished, out->generated);
  }
  pace_end(&pace);
  for (int64_t i = 0; i < slots; i++)
    if (d->seq[i].open) close_row(&d->seq[i]);
  sampler_free(sampler);
  return ok;
}

bool evaltexts_take(App *a, const EvalJob *job, const DataFile *file, const DataOptions *o, const Tally *t, EvalResult *out, RtError *e) {
  const Models *m = a->models;
  if (!can_generate(t, e)) return false;
  out->exact_rows = t->pairs;
  if (!t->pairs) return true;
  int64_t longest = t->longest < m->context ? t->longest : m->context, slots = job->slots < t->pairs ? job->slots : t->pairs;
  budget_slots(a, longest, &slots);
  if (!check_caches(a, job, slots, longest, e)) return false;
  Decoder *d = decoder_new(a->en, m->tok, slots, longest, decoder_step_tokens(slots, longest), DECODE_CHUNK, false, t->known, e);
  if (!d) return false;
  Feeder f;
  feeder_start(&f, file, o, &(FeedPlan){.once = true});
  bool ok = generate_all(t, d, &f, slots, out, e);
  feeder_end(&f);
  decoder_free(d);
  return ok;
}

