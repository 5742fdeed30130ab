// Which tokenizer.json files the tests of tokens go over: the committed synthetic ones, and the real ones where they are.
#ifndef CALM_TESTS_TOKENIZER_FILES_H
#define CALM_TESTS_TOKENIZER_FILES_H
#define TOKENIZER_GOLDEN CALM_SOURCE_DIR "/tests/parity/tokenizer/"
#define SHARED_DATA CALM_SOURCE_DIR "/../shared/data/"

typedef void TokenizerCheck(const char *name, const char *path);   // name: that of the goldens

void each_synthetic_tokenizer(TokenizerCheck *check);              // all that lie in TOKENIZER_GOLDEN synthetic/
void each_real_tokenizer(TokenizerCheck *check);                   // says which it skipped, and where it looked
#endif
