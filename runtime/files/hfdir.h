// What a Hugging Face model directory says outside its weights: config.json, generation_config.json, where its tokenizer lies, and which ids
// and tokens are said to begin and end a text (text/ends.h makes one answer of that).
#ifndef CALM_RUNTIME_HFDIR_H
#define CALM_RUNTIME_HFDIR_H
#include <jansson.h>
#include <stdint.h>

#include "runtime/core/core.h"
#include "runtime/files/hfgeneration.h"

typedef struct HfToken {       // a special token as tokenizer_config.json names it
  const char *text;            // NULL when it names none
  int32_t listed;              // its id by "added_tokens_decoder"; -1 when that does not list it
} HfToken;

typedef struct HfDir {
  char *dir;                   // as given
  json_t *config;              // config.json, an object
  json_t *text;                // the language model's part: config["text_config"] where there is one, else config (borrowed)
  json_t *generation;          // generation_config.json, or NULL
  char *tokenizer;             // path of tokenizer.json, or of the vocab.json that a merges.txt lies beside; NULL when there is none
  json_t *tokenizer_config;    // of the file beside it, or NULL
  int64_t vocab_size;          // of `text`; -1 when it says none
  int32_t bos;                 // bos_token_id of config.json, else of generation_config.json; -1 when there is none
  int32_t *eos;                // union over the eos_token_id of both; ascending
  int n_eos;
  int32_t first_eos;           // the first that config.json names, else generation_config.json; -1 when there is none
  const char *first_eos_from;  // which of the two
  HfToken bos_token, eos_token;
  HfGeneration how;            // of generation_config.json
} HfDir;

// The file that a directory's tokenizer is opened by, to be freed: tokenizer.json, else vocab.json where merges.txt lies beside it (text/two_files.h).
// NULL where there is neither; and an error where there is a SentencePiece model instead, with the line that makes a tokenizer.json of it.
bool hf_tokenizer(const char *dir, char **path, RtError *e);
// Makes a tokenizer.json of what transformers reads in a directory, which stands twice in it.
#define HF_TOKENIZER_LINE "python3 -c \"from transformers import AutoTokenizer as T; T.from_pretrained('%s').save_pretrained('%s')\""
// Opens a model directory; NULL and an error naming the file or key when it is not one.
HfDir *hfdir_open(const char *dir, RtError *e);
// The same facts for a program that has the configuration already: config is a borrowed object (a reference is taken), called
// `from` where it is told (a string that stays); dir may be
// NULL (a model made from nothing); tokenizer is the path of a tokenizer.json or NULL; tokenizer_config.json is looked for beside it.
HfDir *hfdir_from(const char *dir, json_t *config, const char *from, const char *tokenizer, RtError *e);
void hfdir_free(HfDir *h);
#endif
