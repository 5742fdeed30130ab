// See hfgeneration.h.
#include "runtime/files/hfgeneration.h"

#include <math.h>
#include <stddef.h>

#include "runtime/files/json.h"

bool hfgeneration_read(HfGeneration *g, const char *what, const json_t *said, RtError *e) {
  static const struct { const char *key; size_t at; double low, high; } REAL[] = {
      {"temperature", offsetof(HfGeneration, temperature), 0, 1e6},
      {"top_p", offsetof(HfGeneration, top_p), 0, 1},
      {"min_p", offsetof(HfGeneration, min_p), 0, 1},
      {"repetition_penalty", offsetof(HfGeneration, repetition_penalty), 1e-6, 1e6},
  };
  *g = (HfGeneration){.max_new_tokens = -1, .max_length = -1, .top_k = -1};
  for (size_t i = 0; i < sizeof REAL / sizeof *REAL; i++) {
    double *at = (double *)(void *)((char *)g + REAL[i].at);
    *at = NAN;
    if (!rtj_get_real_in(what, said, REAL[i].key, REAL[i].low, REAL[i].high, at, e)) return false;
  }
  return rtj_get_bool(what, said, "do_sample", &g->do_sample, e) && rtj_get_int_in(what, said, "max_new_tokens", 1, INT32_MAX, &g->max_new_tokens, e) &&
         rtj_get_int_in(what, said, "max_length", 1, INT32_MAX, &g->max_length, e) && rtj_get_int_in(what, said, "top_k", 0, INT32_MAX, &g->top_k, e);
}

// Whether a value leaves generation as it is.
static bool neutral(const json_t *v, double number) {
  if (json_is_array(v) || json_is_object(v)) return json_is_array(v) ? !json_array_size(v) : !json_object_size(v);
  return json_is_null(v) || json_is_false(v) || (json_is_number(v) && json_number_value(v) == number);
}

char *hfgeneration_ignored(const json_t *said) {
  static const struct { const char *key; double neutral; } OTHER[] = {
      {"num_beams", 1}, {"no_repeat_ngram_size", 0}, {"typical_p", 1}, {"epsilon_cutoff", 0}, {"eta_cutoff", 0}, {"top_h", NAN}, {"penalty_alpha", NAN},
      {"min_length", 0}, {"min_new_tokens", 0}, {"encoder_repetition_penalty", 1}, {"encoder_no_repeat_ngram_size", 0}, {"guidance_scale", 1},
      {"bad_words_ids", NAN}, {"force_words_ids", NAN}, {"suppress_tokens", NAN}, {"begin_suppress_tokens", NAN}, {"sequence_bias", NAN},
      {"exponential_decay_length_penalty", NAN}, {"forced_bos_token_id", NAN}, {"forced_eos_token_id", NAN}, {"dola_layers", NAN}, {"stop_strings", NAN},
      {"watermarking_config", NAN}, {"constraints", NAN}, {"diversity_penalty", 0},
  };
  char *all = NULL;
  for (size_t i = 0; i < sizeof OTHER / sizeof *OTHER; i++) {
    const json_t *v = json_object_get(said, OTHER[i].key);
    if (!v || neutral(v, OTHER[i].neutral)) continue;
    char *more = rt_format("%s%s\"%s\"", all ? all : "", all ? ", " : "", OTHER[i].key);
    rt_free(all);
    all = more;
  }
  return all;
}
