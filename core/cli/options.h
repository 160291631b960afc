/* The command line: one table of options a verb, which gives the parser and --help. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct texts {
  const char **items;
  size_t count, capacity;
};

/* What was written, for all verbs; a member that its verb has no option for stays at its default.
 */
struct options {
  const char *const *command; /* argv */
  struct texts operands;
  struct texts sets; /* --set, and --threads as a set */
  struct texts data;
  const char *plugin_path;
  const char *out; /* "runs" */
  const char *seeds;
  const char *threads;
  char *threads_set; /* owned: it stands among the sets */
  const char *variant;
  const char *estimators;
  const char *at_step;
  const char *at_steps;
  const char *repeat;
  struct texts varies;
  const char *csv, *html;
  const char *edge;
  const char *profile; /* NULL: none; "": no file */
  const char *trace;
  int quiet, json, no_color, force, help;
  /* of the processes that a comparison starts */
  const char *state_file, *result_file, *estimator, *repetition;
  int own_estimator, checked;
  /* of check */
  const char *as, *with, *only, *limit, *jobs;
  int list;
};

/* OPTIONAL: a text that may be left out (""); it follows "=" only. */
enum option_kind { OPTION_FLAG, OPTION_TEXT, OPTION_OPTIONAL, OPTION_LIST };

struct option {
  const char *name; /* without "--" */
  char letter;      /* 0: none */
  enum option_kind kind;
  const char *argument; /* "DIR"; NULL for a flag */
  const char *help;     /* NULL: not shown */
  size_t offset;        /* of the member of struct options: int, const char *, or struct texts */
};

struct verb {
  const char *name;
  const char *operands; /* "MANIFEST", "[KIND]", "" */
  size_t least, most;   /* how many operands */
  const char *summary;  /* NULL: not shown */
  const char *more;     /* a paragraph for --help, or NULL */
  const struct option *options;
  size_t option_count;
  int (*run)(const struct options *o); /* returns the exit code */
};

/* Parses argv[2..]; -1 if all is well, else the exit code (after a message): 64, or 0 after help.
 */
int options_parse(const struct verb *verb, int argc, char **argv, struct options *out);
void options_free(struct options *o);
void options_help(const struct verb *verb, FILE *out);
/* `text` as a whole number in [least, most]; 0 and a message if it is none. */
int options_integer(const char *option, const char *text, int64_t least, int64_t most,
                    int64_t *out);

#endif
