// Writes a small stand-in for the data of this experiment, in the sources' own forms: sentences and word problems of a few words written for it (Apache-2.0, as
// all of calm). `run --quick` trains on it, so that the whole can be tried where none of the data is.
//
//   made DIR       DIR/translation/…, DIR/math/… as README.md lists them
//
// One training pair is a trap that make_data has to see: it is also a test pair.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "examples/lib/make.h"
#include "examples/lib/rows.h"

enum { TRAIN = 240, HELD = 40, VERSES = 40, PROBLEMS = 430, STEP = 1009 };
typedef struct Word {
  const char *sw, *en;
} Word;
static const Word who[] = {{"Juma", "Juma"}, {"Asha", "Asha"}, {"Mwalimu", "The teacher"}, {"Mkulima", "The farmer"}, {"Mtoto", "The child"},
                           {"Daktari", "The doctor"}, {"Bibi", "Grandmother"}, {"Rafiki yangu", "My friend"}};
static const Word does[] = {{"ananunua", "buys"}, {"anauza", "sells"}, {"analeta", "brings"}, {"anatafuta", "looks for"}, {"anaona", "sees"}, {"anapenda", "likes"}};
static const Word what[] = {{"kitabu", "a book"}, {"samaki", "a fish"}, {"maji", "water"}, {"mkate", "bread"}, {"machungwa", "oranges"}, {"nyumba", "a house"},
                            {"baiskeli", "a bicycle"}, {"maua", "flowers"}, {"chai", "tea"}, {"viazi", "potatoes"}};
static const Word where[] = {{"sokoni leo", "at the market today"}, {"shuleni asubuhi", "at school in the morning"}, {"nyumbani jioni", "at home in the evening"},
                             {"mjini kila siku", "in town every day"}, {"kijijini sasa", "in the village now"}, {"kando ya mto", "beside the river"},
                             {"pamoja na dada yake", "together with a sister"}, {"kabla ya mvua", "before the rain"}};
enum { N_WHO = 8, N_DOES = 6, N_WHAT = 10, N_WHERE = 8, SENTENCES = N_WHO * N_DOES * N_WHAT * N_WHERE };

// The i-th of SENTENCES different ones; STEP has no factor in common with their number.
static void sentence(int i, char sw[256], char en[256]) {
  int k = (int)((long long)i * STEP % SENTENCES);
  const Word *s = &who[k % N_WHO], *v = &does[k / N_WHO % N_DOES], *o = &what[k / N_WHO / N_DOES % N_WHAT], *p = &where[k / N_WHO / N_DOES / N_WHAT];
  snprintf(sw, 256, "%s %s %s %s.", s->sw, v->sw, o->sw, p->sw);
  snprintf(en, 256, "%s %s %s %s.", s->en, v->en, o->en, p->en);
}

static void pairs(const char *dir, const char *from, const char *to, int first, int n, int trap) {
  FILE *a = make_open(dir, from, "wb"), *b = make_open(dir, to, "wb");
  char sw[256], en[256];
  for (int i = 0; i < n; i++) {
    sentence(i == 0 && trap >= 0 ? trap : first + i, sw, en);
    fprintf(a, "%s\n", sw), fprintf(b, "%s\n", en);
  }
  make_close(a, from), make_close(b, to);
}

static void verses(const char *dir, int first) {
  FILE *f = make_open(dir, "translation/swahili-nt/Swahili-NT.xml", "wb");
  char sw[256], en[256];
  fputs("<?xml version=\"1.0\" ?>\n<cesDoc version=\"4\"><text><body id=\"made\" lang=\"ss\">\n", f);
  for (int i = 0; i < VERSES; i++) {
    sentence(first + i, sw, en);
    fprintf(f, "\t<seg id=\"b.%d\" type=\"verse\">\n\t\t%s Ndiyo &amp; hapana.\n\t</seg>\n", i, sw);
  }
  fputs("</body></text></cesDoc>\n", f);
  make_close(f, "Swahili-NT.xml");
}

static void put_json(FILE *f, json_t *row) {
  if (!row || json_dumpf(row, f, JSON_COMPACT) || fputc('\n', f) == EOF) die("cannot write a row");
  json_decref(row);
}

// Problem i: what someone has, and gets (+) or gives away (-).
static void problem(int i, const char *a, const char *b, char sw[256], char en[256]) {
  const Word *s = &who[i % N_WHO], *o = &what[i / N_WHO % N_WHAT];
  bool gets = i % 3 != 1;
  snprintf(sw, 256, "%s ana %s %s. %s %s zaidi. Sasa ana %s ngapi?", s->sw, o->sw, a, gets ? "Anapata" : "Anatoa", b, o->sw);
  snprintf(en, 256, "%s has %s times %s . \"Look , %s %s\" . How many are there now ?", s->en, a, o->en, gets ? "I get" : "I give away", b);
}

static void problems(const char *dir) {
  FILE *sw = make_open(dir, "math/msvamp/test_Swahili.json", "wb"), *csv = make_open(dir, "math/mawps-asdiv-a_svamp/train.csv", "wb");
  char swahili[256], english[256], a[16], b[16];
  fputs("Question,Numbers,Equation,Answer,Body\n", csv);
  for (int i = 0; i < PROBLEMS; i++) {
    int x = 20 + i, y = 2 + i % 17;
    const char *prefix = i % 3 != 1 ? "+ number0 number1" : "- number0 number1";
    double answer = i % 3 != 1 ? x + y : x - y;
    snprintf(a, sizeof a, "%d", x), snprintf(b, sizeof b, "%d", y);
    problem(i, a, b, swahili, english);
    put_json(sw, json_pack("{s:s, s:s, s:o, s:s}", "query", english, "equation", prefix, "response", json_sprintf("%.1f", answer), "m_query", swahili));
    problem(i, "number0", "number1", swahili, english);
    fputc('"', csv);
    for (const char *s = english; *s; s++) fprintf(csv, *s == '"' ? "\"\"" : "%c", *s);
    int other = 1000 + i, more = y + 20;   // numbers that no problem of MSVAMP's has
    fprintf(csv, "\",%d.0 %d.0,%s,%.1f,\"\"\r\n", other, more, prefix, (double)(i % 3 != 1 ? other + more : other - more));
  }
  make_close(sw, "test_Swahili.json"), make_close(csv, "train.csv");
}

static void worked(const char *dir) {
  FILE *q = make_open(dir, "math/gsm8k/train.jsonl", "wb"), *en = make_open(dir, "math/qalign-sw-en/train.en", "wb");
  FILE *sw = make_open(dir, "math/qalign-sw-en/train.sw", "wb");
  char english[512], answer[256];
  const int shorter = 36;      // the others are longer than a pair that rows train on
  for (int i = 0; i < 40; i++) {
    int x = 3 + i, y = 2 + i % 5, z = 1 + i % 4;
    const char *en_way = i < shorter ? "" : "On the way home along the river and over the hill there is nobody to help, and nobody at home to ask for it either, for all of them went to the market in town "
                                            "before the sun rose, and none of them comes back before it sets. ";
    const char *sw_way = i < shorter ? "" : "Njiani kurudi nyumbani kando ya mto na juu ya kilima hakuna wa kusaidia, wala nyumbani hakuna wa kuulizwa, kwa maana wote walienda sokoni mjini kabla ya jua "
                                            "kuchomoza, na hakuna anayerudi kabla halijatua. ";
    const Word *s = &who[i % N_WHO], *o = &what[i % N_WHAT];
    snprintf(english, sizeof english, "%s has %d bags with %d times %s in each and loses %d. %sHow many are left?", s->en, x, y, o->en, z, en_way);
    snprintf(answer, sizeof answer, "That is %d*%d=<<%d*%d=%d>>%d.\nThen %d-%d=<<%d-%d=%d>>%d.\n#### %d", x, y, x, y, x * y, x * y, x * y, z, x * y, z,
             x * y - z, x * y - z, x * y - z);
    put_json(q, json_pack("{s:s, s:s}", "question", english, "answer", answer));
    fprintf(en, "%s\n", english);
    fprintf(sw, "%s ana mifuko %d yenye %s %d kila mmoja, na anapoteza %d. %sAmebaki na ngapi?\n", s->sw, x, o->sw, y, z, sw_way);
  }
  make_close(q, "train.jsonl"), make_close(en, "train.en"), make_close(sw, "train.sw");
}

int main(int argc, char **argv) {
  static const char *const folder[] = {"", "translation", "translation/lafand-en-swa", "translation/ntrex", "translation/swahili-nt", "math", "math/msvamp",
                                       "math/mawps-asdiv-a_svamp", "math/gsm8k", "math/qalign-sw-en"};
  if (argc != 2) {
    fprintf(stderr, "usage: made DIR\n");
    return 2;
  }
  const char *dir = argv[1];
  for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, folder[i]);
    if (mkdir(path, 0777) && errno != EEXIST) die("%s: %s", path, strerror(errno));
  }
  pairs(dir, "translation/lafand-en-swa/test.swa", "translation/lafand-en-swa/test.en", 0, HELD, -1);
  pairs(dir, "translation/lafand-en-swa/dev.swa", "translation/lafand-en-swa/dev.en", HELD, HELD, -1);
  pairs(dir, "translation/ntrex/newstest2019-ref.swa.txt", "translation/ntrex/newstest2019-src.eng.txt", 2 * HELD, HELD, -1);
  pairs(dir, "translation/lafand-en-swa/train.swa", "translation/lafand-en-swa/train.en", 3 * HELD, TRAIN, 7);
  verses(dir, 3 * HELD + TRAIN);
  problems(dir);
  worked(dir);
  return 0;
}
