// Makes the rows of the low-resource experiment: translation from Swahili, Swahili text, word problems with equations.
//
//   make_data SOURCE DIR SEED [NAME=N …]      SOURCE: the folder that README.md describes; N: another number of rows than `sizes` below
//
// writes DIR/
//   compose.jsonl            what every row of the table trains on: pairs, Swahili text, MSVAMP's first problems, their and some of GSM8K's questions in translation,
//                            English problems (and problems of GSM8K where gsm8k says how many)
//   expert.jsonl             what m_A is trained further on: Swahili text
//   expert_pairs.jsonl       and after that: others of GSM8K's questions in translation, longer ones too
//   english.jsonl            what m_B is trained further on: English problems
//   {compose,expert,expert_pairs,english}_dev.jsonl   development parts, by which settings may be chosen
//   translation_dev.jsonl    more pairs of lafand's development part, for answers: 150 tell no two rows apart
//   translation.jsonl ntrex.jsonl questions.jsonl problems.jsonl in_english.jsonl   the tests, of fixed rows whatever SEED is: `test` rows of the first two behind the
//                            first `looked_at`, which were the tests while settings changed; the last three are of one part of MSVAMP: its questions in
//                            translation, its problems, and those in English
//
// A text that is held out, in either language, is taken from every training part; overlap.c looks at the files once more. "row" is the line of the source.
#include <stdlib.h>
#include <string.h>

#include "examples/lib/make.h"
#include "examples/low_resource/problems.h"

enum { PAIR_SHORTEST = 10, PAIR_LONGEST = 220, TEXT_LONGEST = 600, LAST_TRAIN = 300, LAST_DEV = 400, BORDER = 10 };
// The last four: how often each stands in compose.jsonl.
enum { PAIRS, TEXT, QUESTIONS, GSM, EXPERT_TEXT, EXPERT_PAIRS, DEV, ANSWERED, LOOKED_AT, TEST, TRANSLATED, DIRECT, IN_ENGLISH, QUESTION_TIMES, N_SIZES };
static Size sizes[N_SIZES] = {
    {"pairs", 12000}, {"text", 200}, {"questions", 1000}, {"gsm8k", 0}, {"expert_text", 40000}, {"expert_pairs", 8000}, {"dev", 150}, {"answered", 600},
    {"looked_at", 500}, {"test", 500}, {"translated", 4}, {"direct", 2}, {"in_english", 2}, {"questions_times", 3},
};

typedef struct Maker {
  const char *source, *dir;
  uint64_t seed;
  TextSet held, asked;         // asked: GSM8K's problems in compose.jsonl
  ProblemList gsm8k;
  Rows compose, expert, text, expert_pairs, english, compose_dev, expert_dev, expert_pairs_dev, english_dev, translation_dev, translation, ntrex;
  Rows questions, problems, in_english;
} Maker;

static bool fits(const char *s, int longest) {
  int n = characters(s);
  return n >= PAIR_SHORTEST && n <= longest;
}

static json_t *pair_row(const char *from, const char *to, int line, const char *task) { return row_asked("Swahili: ", from, "English:", to, line, task); }

// Two files of lines that belong together.
static void read_pairs(const Maker *m, const char *from, const char *to, Lines *a, Lines *b) {
  *a = lines_read(m->source, from);
  *b = lines_read(m->source, to);
  if (a->n != b->n) die("%s/%s has %d lines, %s has %d: expected as many", m->source, from, a->n, to, b->n);
}

// A held-out part: both sides of all of it are kept out of training; of the rows of fitting length, in one fixed order, `want` behind the
// first `skip` go to `out`.
static void hold_pairs(Maker *m, const char *from, const char *to, int skip, int want, Rows *out) {
  Lines a, b;
  uint64_t fixed = 1;
  read_pairs(m, from, to, &a, &b);
  for (int i = 0; i < a.n; i++) {
    set_add(&m->held, a.line[i], HELD_LEAST), set_add(&m->held, b.line[i], HELD_LEAST);
    if (fits(a.line[i], PAIR_LONGEST) && fits(b.line[i], PAIR_LONGEST)) rows_add(out, pair_row(a.line[i], b.line[i], i + 1, "translation"));
  }
  rows_shuffle(out, &fixed);
  rows_skip(out, skip), rows_cut(out, want);
}

// lafand's development part: some pairs for compose.jsonl's, the Swahili side of others for expert.jsonl's, and others again for answers.
static void hold_development(Maker *m, int each, int answered) {
  Rows pairs = {0};
  hold_pairs(m, "translation/lafand-en-swa/dev.swa", "translation/lafand-en-swa/dev.en", 0, 2 * each + answered, &pairs);
  for (int i = 0; i < pairs.n; i++) {
    if (i >= 2 * each) { rows_add(&m->translation_dev, pairs.row[i]); continue; }
    if (i % 2 == 0) { rows_add(&m->compose_dev, pairs.row[i]); continue; }
    const char *prompt = json_string_value(json_object_get(pairs.row[i], "prompt")), *from = strchr(prompt, ' ') + 1;
    char *text = strndup(from, strcspn(from, "\n"));
    rows_add(&m->expert_dev, text ? row_text(text, "text") : NULL);
    json_decref(pairs.row[i]);
    free(text);
  }
  free(pairs.row);
}

// lafand's training part: pairs for the composition, and its Swahili side as text. A sentence is taken once.
static void train_pairs(Maker *m) {
  Lines a, b;
  Rows pairs = {0};
  TextSet seen = {0};
  int dropped = 0;
  read_pairs(m, "translation/lafand-en-swa/train.swa", "translation/lafand-en-swa/train.en", &a, &b);
  for (int i = 0; i < a.n; i++) {
    if (set_has(&m->held, a.line[i]) || set_has(&m->held, b.line[i])) { dropped++; continue; }
    if (!fits(a.line[i], TEXT_LONGEST) || !set_add(&seen, a.line[i], 1)) continue;
    rows_add(&m->text, row_text(a.line[i], "text"));
    if (fits(a.line[i], PAIR_LONGEST) && fits(b.line[i], PAIR_LONGEST)) rows_add(&pairs, pair_row(a.line[i], b.line[i], i + 1, "translation"));
  }
  rows_shuffle(&pairs, &m->seed);
  rows_cut(&pairs, sizes[PAIRS].value);
  for (int i = 0; i < pairs.n; i++) rows_add(&m->compose, pairs.row[i]);
  free(pairs.row);
  printf("lafand: %d training pairs dropped that a held-out part has\n", dropped);
}

// The New Testament: a verse a row.
static void testament(Maker *m) {
  char *xml = file_read(m->source, "translation/swahili-nt/Swahili-NT.xml", NULL), *at = xml;
  int verses = 0;
  while ((at = strstr(at, "<seg ")) && (at = strchr(at, '>'))) {
    char *end = strstr(++at, "</seg>");
    if (!end) die("Swahili-NT.xml: a <seg> without its end");
    *end = 0;
    char *verse = xml_text(trimmed(at));
    verses++;
    if (fits(verse, TEXT_LONGEST) && !set_has(&m->held, verse)) rows_add(&m->text, row_text(verse, "text"));
    at = end + 1;
  }
  if (!verses) die("Swahili-NT.xml: no verses");
  free(xml);
}

static json_t *problem_row(const Problem *p, const char *question, int row) { return row_asked("Problem: ", question, "Equation:", p->equation, row, "problems"); }

// A problem that trains: its question in translation, it itself, and in English.
static void train_problem(Rows *to, const Problem *p, int row) {
  for (int k = 0; k < sizes[TRANSLATED].value; k++) rows_add(to, pair_row(p->swahili, p->english, row, "questions"));
  for (int k = 0; k < sizes[DIRECT].value; k++) rows_add(to, problem_row(p, p->swahili, row));
  for (int k = 0; k < sizes[IN_ENGLISH].value; k++) rows_add(to, problem_row(p, p->english, row));
}

// MSVAMP: nearly every problem has a near twin beside it, so rows 1-300 train, 301-400 develop, 401-1000 test, without the ten behind each border. English and
// Swahili texts of the last two are held out, and all of the English ones (which are SVAMP's) of everything but these rows. `guess` of a test row is the equation
// that is commonest in the training rows, with this row's numbers.
static void msvamp(Maker *m) {
  ProblemList list = msvamp_read(m->source);
  const char *commonest = problems_commonest(&list, LAST_TRAIN);
  for (int i = 0; i < list.n; i++) {
    const Problem *p = &list.problem[i];
    if (!p->equation[0]) continue;
    if (i < LAST_TRAIN) { train_problem(&m->compose, p, i + 1); continue; }
    if (i < LAST_TRAIN + BORDER || (i >= LAST_DEV && i < LAST_DEV + BORDER)) continue;
    const bool dev = i < LAST_DEV;
    json_t *problem = problem_row(p, p->swahili, i + 1);
    char guess[EQUATION_ROOM];
    if (equation_infix(commonest, p->number, p->numbers, guess)) json_object_set_new(problem, "guess", json_string(guess));
    rows_add(dev ? &m->compose_dev : &m->problems, problem);
    rows_add(dev ? &m->compose_dev : &m->questions, pair_row(p->swahili, p->english, i + 1, "questions"));
    if (!dev) rows_add(&m->in_english, problem_row(p, p->english, i + 1));
  }
  printf("msvamp: %d of %d rows dropped, whose equation does not give the answer; commonest equation: %s\n", list.dropped, list.n, commonest);
}

static void hold_msvamp(Maker *m) {
  ProblemList list = msvamp_read(m->source);
  for (int i = 0; i < list.n; i++) {
    set_add(&m->held, list.problem[i].english, HELD_LEAST);
    if (i >= LAST_TRAIN) set_add(&m->held, list.problem[i].swahili, HELD_LEAST);
  }
}

// GSM8K's questions in Swahili: as text, and where asked for as problems.
static void gsm8k(Maker *m) {
  m->gsm8k = gsm8k_read(m->source);
  Rows rows = {0};
  for (int i = 0; i < m->gsm8k.n; i++) {
    const Problem *p = &m->gsm8k.problem[i];
    if (set_has(&m->held, p->swahili) || set_has(&m->held, p->english)) continue;
    if (fits(p->swahili, TEXT_LONGEST)) rows_add(&m->text, row_text(p->swahili, "text"));
    if (p->equation[0] && fits(p->swahili, PAIR_LONGEST)) rows_add(&rows, problem_row(p, p->swahili, i + 1));
  }
  rows_shuffle(&rows, &m->seed);
  rows_cut(&rows, sizes[GSM].value);
  for (int i = 0; i < rows.n; i++) {
    set_add(&m->asked, m->gsm8k.problem[json_integer_value(json_object_get(rows.row[i], "row")) - 1].swahili, 1);
    rows_add(&m->compose, rows.row[i]);
  }
  free(rows.row);
  printf("gsm8k: %d of %d questions without an equation of one line\n", m->gsm8k.dropped, m->gsm8k.n);
}

static bool pair_fits(const Problem *p, int longest) { return fits(p->swahili, longest) && fits(p->english, longest); }

// Its questions in translation: of those that m_A reads as text some for compose.jsonl, the rest for m_A, and the long ones behind them; of those that it does not read
// short ones are of m_A's development part.
static void gsm8k_pairs(Maker *m) {
  TextSet read = {0};
  Rows pairs = {0};
  for (int i = 0; i < m->expert.n; i++) set_add(&read, json_string_value(json_object_get(m->expert.row[i], "text")), 1);
  for (int i = 0; i < m->gsm8k.n; i++) {
    const Problem *p = &m->gsm8k.problem[i];
    if (!pair_fits(p, PAIR_LONGEST) || set_has(&m->held, p->english)) continue;
    const bool trains = set_has(&read, p->swahili);
    if (!trains && set_has(&m->asked, p->swahili)) continue;
    rows_add(trains ? &pairs : &m->expert_pairs_dev, pair_row(p->swahili, p->english, i + 1, "questions"));
  }
  rows_shuffle(&pairs, &m->seed), rows_shuffle(&m->expert_pairs_dev, &m->seed);
  rows_cut(&m->expert_pairs_dev, sizes[DEV].value);
  for (int i = 0; i < pairs.n; i++) {
    const bool ours = i < sizes[QUESTIONS].value;
    if (!ours && m->expert_pairs.n >= sizes[EXPERT_PAIRS].value) break;
    for (int k = ours ? sizes[QUESTION_TIMES].value : 1; k > 0; k--) rows_add(ours ? &m->compose : &m->expert_pairs, json_incref(pairs.row[i]));
  }
  rows_cut(&pairs, 0);
  free(pairs.row);
  for (int i = 0; i < m->gsm8k.n && m->expert_pairs.n < sizes[EXPERT_PAIRS].value; i++) {
    const Problem *p = &m->gsm8k.problem[i];
    if (pair_fits(p, TEXT_LONGEST) && !pair_fits(p, PAIR_LONGEST) && set_has(&read, p->swahili)) rows_add(&m->expert_pairs, pair_row(p->swahili, p->english, i + 1, "questions"));
  }
}

// MAWPS and ASDiv in English, for m_B; never SVAMP's dev.csv, of which MSVAMP is the translation.
static void english(Maker *m) {
  ProblemList list = mawps_read(m->source);
  TextSet seen = {0};                                // some problems stand there several times
  int held = 0;
  for (int i = 0; i < list.n; i++) {
    const Problem *p = &list.problem[i];
    if (!p->equation[0] || !set_add(&seen, p->english, 1)) continue;
    if (set_has(&m->held, p->english)) { held++; continue; }
    rows_add(&m->english, problem_row(p, p->english, i + 1));
  }
  rows_shuffle(&m->english, &m->seed);
  for (int n = sizes[DEV].value; n > 0 && m->english.n > 1; n--) rows_add(&m->english_dev, m->english.row[--m->english.n]);
  printf("mawps-asdiv: %d of %d rows dropped, whose equation does not give the answer; %d that are held out\n", list.dropped, list.n, held);
}

int main(int argc, char **argv) {
  const MakerArgs args = maker_args(argc, argv, sizes, N_SIZES);
  Maker m = {.source = args.source, .dir = args.dir, .seed = args.seed};
  const int looked_at = sizes[LOOKED_AT].value, test = sizes[TEST].value, dev = sizes[DEV].value;

  hold_pairs(&m, "translation/lafand-en-swa/test.swa", "translation/lafand-en-swa/test.en", looked_at, test, &m.translation);
  hold_pairs(&m, "translation/ntrex/newstest2019-ref.swa.txt", "translation/ntrex/newstest2019-src.eng.txt", looked_at, test, &m.ntrex);
  hold_development(&m, dev, sizes[ANSWERED].value);
  hold_msvamp(&m);

  train_pairs(&m);
  testament(&m);
  msvamp(&m);
  gsm8k(&m);
  english(&m);

  rows_shuffle(&m.text, &m.seed);
  for (int i = 0; i < m.text.n && i < sizes[TEXT].value; i++) rows_add(&m.compose, json_deep_copy(m.text.row[i]));
  for (int i = 0; i < m.text.n && i < sizes[EXPERT_TEXT].value; i++) rows_add(&m.expert, json_incref(m.text.row[i]));
  rows_shuffle(&m.expert, &m.seed);
  gsm8k_pairs(&m);
  for (int i = 0; i < m.english.n; i++) rows_add(&m.compose, json_incref(m.english.row[i]));
  rows_shuffle(&m.compose, &m.seed);

  rows_write(&m.compose, m.dir, "compose.jsonl"), rows_write(&m.compose_dev, m.dir, "compose_dev.jsonl");
  rows_write(&m.expert, m.dir, "expert.jsonl"), rows_write(&m.expert_dev, m.dir, "expert_dev.jsonl");
  rows_write(&m.expert_pairs, m.dir, "expert_pairs.jsonl"), rows_write(&m.expert_pairs_dev, m.dir, "expert_pairs_dev.jsonl");
  rows_write(&m.english, m.dir, "english.jsonl"), rows_write(&m.english_dev, m.dir, "english_dev.jsonl");
  rows_write(&m.translation, m.dir, "translation.jsonl"), rows_write(&m.translation_dev, m.dir, "translation_dev.jsonl");
  rows_write(&m.ntrex, m.dir, "ntrex.jsonl");
  rows_write(&m.questions, m.dir, "questions.jsonl");
  rows_write(&m.problems, m.dir, "problems.jsonl"), rows_write(&m.in_english, m.dir, "in_english.jsonl");
  return 0;
}
