// See tiny_model.h.
#include "tiny_model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/files/safetensors.h"

static const float zeros[1 << 16];

static const char *family(int word) {
  static char words[2][64];
  FILE *f = fopen(CALM_SOURCE_DIR "/tests/unit/family.txt", "r");
  if (!f || fscanf(f, "%63s %63s", words[0], words[1]) != 2) abort();
  fclose(f);
  return words[word];
}

const char *tiny_arch(void) { return family(0); }

const char *tiny_architecture(void) { return family(1); }

static FILE *create(const char *dir, const char *name) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  FILE *f = fopen(path, "wb");
  if (!f) abort();
  return f;
}

static void number(FILE *f, const TinyModel *m, const char *key, int value) {
  const char *out = m->without ? strstr(m->without, key) : NULL;
  if (!out || strcspn(out, " ") != strlen(key)) fprintf(f, "  \"%s\": %d,\n", key, value);
}

static void write_config(const TinyModel *m) {
  FILE *f = create(m->dir, "config.json");
  fprintf(f, "{\n  \"architectures\": [\"%s\"],\n%s", m->architecture ? m->architecture : tiny_architecture(),
          m->config ? m->config : "");
  number(f, m, "hidden_size", m->hidden);
  number(f, m, "intermediate_size", m->ffn);
  number(f, m, "num_hidden_layers", m->layers);
  number(f, m, "num_attention_heads", m->heads);
  number(f, m, "num_key_value_heads", m->kv_heads);
  number(f, m, "vocab_size", m->vocab);
  if (!m->config || !strstr(m->config, "hidden_act")) fprintf(f, "  \"hidden_act\": \"silu\",\n");
  fprintf(f, "  \"rms_norm_eps\": 1e-5,\n  \"tie_word_embeddings\": true,\n  \"max_position_embeddings\": 64\n}\n");
  fclose(f);
}

static void tensor(StWriter *w, const char *name, int rows, int columns) {
  int64_t shape[2] = {rows, columns};
  if ((size_t)rows * (size_t)columns > sizeof zeros / sizeof *zeros) abort();
  if (columns) st_writer_add(w, name, DT_F32, 2, shape, zeros);
  else st_writer_add(w, name, DT_F32, 1, shape, zeros);
}

void tiny_model(const TinyModel *m) {
  if (mkdir(m->dir, 0777) && errno != EEXIST) abort();
  write_config(m);
  FILE *f = create(m->dir, "tokenizer.json");
  fputs(m->tokenizer ? m->tokenizer
                     : "{\"added_tokens\": [], \"model\": {\"type\": \"BPE\", \"vocab\": {}, \"merges\": []}}\n",
        f);
  fclose(f);
  StWriter *w = st_writer_new();
  int D = m->hidden, KD = D / m->heads * m->kv_heads;
  tensor(w, "model.embed_tokens.weight", m->vocab, D);
  tensor(w, "model.norm.weight", D, 0);
  if (m->extra_tensor) tensor(w, m->extra_tensor, D, 0);
  char *names[64 * 9];
  int n = 0;
  for (int i = 0; i < m->layers; i++) {
    const struct { const char *name; int rows, columns;
    } part[] = {
        {"input_layernorm", D, 0},    {"self_attn.q_proj", m->query_rows ? m->query_rows : D, D},
        {"self_attn.k_proj", KD, D},  {"self_attn.v_proj", KD, D},
        {"self_attn.o_proj", D, D},   {"post_attention_layernorm", D, 0},
        {"mlp.gate_proj", m->ffn, D}, {"mlp.up_proj", m->ffn, D},
        {"mlp.down_proj", D, m->ffn},
    };
    for (size_t k = 0; k < sizeof part / sizeof *part; k++) {
      names[n] = malloc(96);
      snprintf(names[n], 96, "model.layers.%d.%s.weight", i, part[k].name);
      tensor(w, names[n++], part[k].rows, part[k].columns);
    }
  }
  char path[512];
  snprintf(path, sizeof path, "%s/model.safetensors", m->dir);
  RtError e;
  if (!st_writer_save(w, path, NULL, &e)) abort();
  st_writer_free(w);
  for (int i = 0; i < n; i++) free(names[i]);
}

#define FOLDER "/tmp/calm-test-models-"

int tiny_folder(const TinyModel *m, size_t n) {
  char folder[] = FOLDER "XXXXXX";
  if (!mkdtemp(folder) || chdir(folder) || mkdir("models", 0777) || chdir("models")) return -1;
  for (size_t i = 0; i < n; i++) tiny_model(&m[i]);
  return chdir("..");
}

int tiny_folder_remove(void) {
  char here[256], command[300];
  if (!getcwd(here, sizeof here) || strncmp(here, FOLDER, sizeof FOLDER - 1)) return -1;
  snprintf(command, sizeof command, "rm -r '%s'", here);
  return system(command) ? -1 : 0;
}
