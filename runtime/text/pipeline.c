// A tokenizer's parts put together, and let go of. Where its tables come from: load.c (a tokenizer.json), image.c (memory that holds them ready).
#include "runtime/text/pipeline.h"

#include <string.h>

#include "runtime/core/core.h"
#include "runtime/files/files.h"
#include "runtime/text/bpe.h"
#include "runtime/text/unigram.h"

static const TkModelKind *const models[] = {&tk_bpe, &tk_unigram};

const TkModelKind *tk_model_kind(const char *type, const char *what, RtError *e) {
  if (!type) return models[0];
  for (size_t i = 0; i < sizeof models / sizeof *models; i++)
    if (!strcmp(models[i]->type, type)) return models[i];
  rt_fail(e, "%s: a tokenizer model of type \"%.80s\" is not supported (BPE and Unigram are)", what, type);
  return NULL;
}

// Where the pieces end up as byte-level characters and the model can do without them, both leave them out.
static void join_bytes(struct Tokenizer *t) {
  const TkModel *m = &t->model;
  if (tk_pretokenizers_show_bytes(&t->pre) && m->kind->take_bytes && m->kind->take_bytes(m->own)) tk_pretokenizers_leave_bytes(&t->pre);
}

// What is kept of the file, to be read again from an image.
static const char *const PARTS[] = {"normalizer", "pre_tokenizer", "decoder", "post_processor"};

bool tk_pipeline_read(struct Tokenizer *t, const json_t *root, RtError *e) {
  const json_t *dec = json_object_get(root, "decoder");
  t->parts = json_object();
  for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
    if (json_object_get(root, PARTS[i])) json_object_set(t->parts, PARTS[i], json_object_get(root, PARTS[i]));
  t->has_decoder = dec && !json_is_null(dec);
  t->pool = tk_pool_new(&t->model, t->path);
  if (!tk_components_read(&t->norm, &tk_normalizers, t->path, json_object_get(root, "normalizer"), e) ||
      !tk_components_read(&t->pre, &tk_pretokenizers, t->path, json_object_get(root, "pre_tokenizer"), e) ||
      !tk_components_read(&t->dec, &tk_decoders, t->path, dec, e) || !tk_decoders_check(&t->dec, t->path, e) ||
      !tk_post_read(&t->around, t->path, json_object_get(root, "post_processor"), e))
    return false;
  join_bytes(t);
  return true;
}

void tk_pipeline_free(struct Tokenizer *t) {
  for (int i = 0; !t->mapped && i < t->nadded; i++) rt_free(t->added[i].content), rt_free(t->added[i].shown);
  rt_free(t->added);
  tk_pool_free(t->pool);
  tk_model_free(&t->model);
  tk_vocab_free(&t->vocab);
  tk_components_free(&t->norm);
  tk_components_free(&t->pre);
  tk_components_free(&t->dec);
  tk_trie_free(&t->raw);
  tk_trie_free(&t->normalized);
  if (!t->mapped) rt_free(t->texts.token);
  json_decref(t->parts);
  rt_free(t->path);
  rt_free(t);
}
