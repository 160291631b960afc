/* tier: the command line. */
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "plugin/registry.h"
#include "run/system.h"

static int verb_version(const struct options *o);
static int verb_probe(const struct options *o);

/* ---- the options ---- */

#define FLAG(option_name, letter_, member, help_) \
  { option_name, letter_, OPTION_FLAG, NULL, help_, offsetof(struct options, member) }
#define TEXT(option_name, letter_, member, argument_, help_) \
  { option_name, letter_, OPTION_TEXT, argument_, help_, offsetof(struct options, member) }
#define LIST(option_name, member, argument_, help_) \
  { option_name, 0, OPTION_LIST, argument_, help_, offsetof(struct options, member) }

#define HELP FLAG("help", 'h', help, "print this")
#define QUIET FLAG("quiet", 'q', quiet, "no progress, no notes (and no \"ok\" of validate)")
#define JSON FLAG("json", 0, json, "one JSON document on stdout")
#define NO_COLOR FLAG("no-color", 0, no_color, "no colour (so does NO_COLOR)")
#define PLUGIN_PATH \
  TEXT("plugin-path", 0, plugin_path, "DIR:...", "search these directories for plugins first")
#define DATA LIST("data", data, "DIR", "look for data files here first (repeatable)")
#define SET LIST("set", sets, "PATH=JSON", "override a value of the manifest (repeatable)")
#define OUT TEXT("out", 'o', out, "DIR", "where run directories go (default: runs)")
#define SEEDS TEXT("seeds", 0, seeds, "N,N,...", "these seeds instead of the manifest's")
#define THREADS TEXT("threads", 0, threads, "N", "threads to compute with, or all")
#define FORCE FLAG("force", 'f', force, "run again what is finished")
#define VARIANT TEXT("variant", 0, variant, "NAME", "this variant or cell instead of the base")
#define PROFILE                                                                        \
  {                                                                                    \
    "profile", 0, OPTION_OPTIONAL, "FILE", "tell where the time goes (FILE: as JSON)", \
        offsetof(struct options, profile)                                              \
  }
#define TRACE TEXT("trace", 0, trace, "FILE", "write a trace for chrome://tracing or Perfetto")
#define EDGE TEXT("edge", 0, edge, "UPPER.LOWER", "the edge, if there are several")

static const struct option run_options[] = {
    SET,     DATA,  OUT,   SEEDS, VARIANT,  THREADS,     FORCE,
    PROFILE, TRACE, QUIET, JSON,  NO_COLOR, PLUGIN_PATH, FLAG("checked", 0, checked, NULL),
    HELP};
static const struct option validate_options[] = {SET, DATA, QUIET, JSON, PLUGIN_PATH, HELP};
static const struct option compare_options[] = {
    TEXT("estimators", 0, estimators, "LIST", "compare these estimators on one frozen state"),
    TEXT("at-step", 0, at_step, "N", "freeze after N top-level steps (default: 0)"),
    TEXT("at-steps", 0, at_steps, "N,A..B..S", "freeze at several steps, ascending"),
    LIST("vary", varies, "PATH=V,V", "an item for each value; relative to the edge (repeatable)"),
    TEXT("repeat", 0, repeat, "N", "estimate N times, if its draws matter (default: 1)"),
    EDGE,
    TEXT("csv", 0, csv, "FILE", "write the rows as CSV"),
    TEXT("html", 0, html, "FILE", "write a page with charts"),
    SET,
    DATA,
    OUT,
    SEEDS,
    THREADS,
    FORCE,
    PROFILE,
    QUIET,
    JSON,
    NO_COLOR,
    PLUGIN_PATH,
    HELP};
static const struct option advise_options[] = {EDGE, SET, DATA, JSON, PLUGIN_PATH, HELP};
static const struct option list_options[] = {JSON, PLUGIN_PATH, HELP};
static const struct option doctor_options[] = {DATA, JSON, PLUGIN_PATH, HELP};
#define LIMIT TEXT("limit", 0, limit, "SECONDS", "of processor time for one test (default: 20)")
#define AS TEXT("as", 0, as, "ID", "hold the method to what this one of tier's own is held to")
#define WITH TEXT("with", 0, with, "JSON", "an application of the component to test with")
static const struct option check_options[] = {
    FLAG("list", 0, list, "list the tests, without running them"),
    TEXT("only", 0, only, "TEST", "this test only"),
    AS,
    WITH,
    LIMIT,
    TEXT("jobs", 0, jobs, "N", "tests at once (default: one a processor)"),
    JSON,
    PLUGIN_PATH,
    HELP};
static const struct option check_one_options[] = {AS, WITH, LIMIT, PLUGIN_PATH, HELP};
static const struct option version_options[] = {JSON, HELP};
static const struct option freeze_options[] = {
    SET,      DATA,        QUIET,
    NO_COLOR, PLUGIN_PATH, TEXT("at-steps", 0, at_steps, "N,N", NULL),
    SEEDS,    HELP,        TEXT("state", 0, state_file, "PREFIX", NULL)};
static const struct option estimate_options[] = {SET,
                                                 DATA,
                                                 QUIET,
                                                 NO_COLOR,
                                                 PLUGIN_PATH,
                                                 SEEDS,
                                                 EDGE,
                                                 HELP,
                                                 TEXT("state", 0, state_file, "FILE", NULL),
                                                 TEXT("result", 0, result_file, "FILE", NULL),
                                                 TEXT("estimator", 0, estimator, "JSON", NULL),
                                                 TEXT("repetition", 0, repetition, "N", NULL),
                                                 PROFILE};

/* ---- the verbs ---- */

#define OPTIONS(table) (table), sizeof(table) / sizeof((table)[0])

static const char run_more[] =
    "Runs the base, one run per seed (--variant NAME for another), in OUT/NAME/ID-rSEED. A\n"
    "finished run is refused unless --force; what any other left behind is replaced.";
static const char compare_more[] =
    "Without --estimators: the base, its variants and the cells of its sweep over all seeds, each\n"
    "run in a process of its own; finished runs are used again. Prints mean and spread (sample\n"
    "standard deviation) of the metrics, with oracle calls and seconds.\n"
    "With --estimators dense,cg,neumann:terms=20: takes N top-level steps with the first seed and\n"
    "the manifest's own estimator, freezes that state, and lets each estimator do its own solve\n"
    "and pullback on it, against the reference: cg to 1e-12 in f64. An item is an estimator's or\n"
    "linear solver's id, or ID:PARAM=JSON:PARAM=JSON. --vary neumann.terms=1,3,10 makes one item\n"
    "a value; --vary levels.inner.steps=10,100 compares all of them at each.";
static const char advise_more[] =
    "Tries every estimator and linear solver on an edge, with its default parameters, without\n"
    "reading data beyond headers or running anything: which fit, the oracle calls and the memory\n"
    "of one pullback, when each is right, and for the others the reason why not.";
static const char check_more[] =
    "WHAT is a component's id, a kind, or a plugin file; without any, all components. Holds them "
    "to\n"
    "what their kind must do, with a bound each, every test in a process of its own. Ends with 0\n"
    "if none failed, else 1.";
static const char inspect_more[] =
    "A component's id: its arguments. A plugin file: what it offers. A run directory: its result.";

static const struct verb verbs[] = {
    {"run", "MANIFEST", 1, 1, "Run a manifest", run_more, OPTIONS(run_options), verb_run},
    {"validate", "MANIFEST", 1, 1, "Check a manifest and all its variants, without running them",
     NULL, OPTIONS(validate_options), verb_validate},
    {"compare", "MANIFEST", 1, 1, "Compare variants, or estimators, side by side", compare_more,
     OPTIONS(compare_options), verb_compare},
    {"advise", "MANIFEST", 1, 1, "Say which estimators fit, what each costs, and why", advise_more,
     OPTIONS(advise_options), verb_advise},
    {"list", "[KIND]", 0, 1, "List the components that manifests can name", NULL,
     OPTIONS(list_options), verb_list},
    {"inspect", "ID|FILE.so|RUN", 1, 1, "Show a component, a plugin file or a run", inspect_more,
     OPTIONS(list_options), verb_inspect},
    {"doctor", "", 0, 0, "Show what tier runs on, and what is wrong with it", NULL,
     OPTIONS(doctor_options), verb_doctor},
    {"check", "[WHAT ...]", 0, SIZE_MAX, "Hold components to what their kind must do", check_more,
     OPTIONS(check_options), verb_check},
    {"version", "", 0, 0, "Print the version", NULL, OPTIONS(version_options), verb_version},
    {"probe", "FILE", 1, 1, NULL, NULL, OPTIONS(version_options), verb_probe},
    {"check-one", "KIND ID TEST", 3, 3, NULL, NULL, OPTIONS(check_one_options), verb_check_one},
    {"freeze", "MANIFEST", 1, 1, NULL, NULL, OPTIONS(freeze_options), verb_freeze},
    {"estimate", "MANIFEST", 1, 1, NULL, NULL, OPTIONS(estimate_options), verb_estimate},
};
#define VERB_COUNT (sizeof verbs / sizeof verbs[0])

static int verb_version(const struct options *o) {
  if (o->json) {
    (void)printf("{\"version\": \"%s\", \"abi\": \"%u.%u\"}\n", system_version(), TIER_ABI_MAJOR,
                 TIER_ABI_MINOR);
  } else {
    (void)printf("tier %s (plugin ABI %u.%u)\n", system_version(), TIER_ABI_MAJOR, TIER_ABI_MINOR);
  }
  return 0;
}

static int verb_probe(const struct options *o) {
  return probe_main(o->operands.items[0]);
}

static void print_usage(FILE *out) {
  (void)fprintf(out,
                "tier runs nested optimization experiments.\n\nUsage: tier VERB [options]\n\n");
  for (size_t i = 0; i < VERB_COUNT; i++) {
    if (verbs[i].summary != NULL) {
      (void)fprintf(out, "  %-9s %-15s %s\n", verbs[i].name, verbs[i].operands, verbs[i].summary);
    }
  }
  (void)fprintf(out, "\ntier VERB --help tells more.\n");
}

static int unknown_verb(const char *name) {
  const char *names[VERB_COUNT];
  size_t count = 0;
  for (size_t i = 0; i < VERB_COUNT; i++) {
    if (verbs[i].summary != NULL) {
      names[count++] = verbs[i].name;
    }
  }
  int64_t nearest = text_nearest(name, names, count);
  (void)fprintf(stderr, "tier: no verb \"%s\"", name);
  if (nearest >= 0) {
    (void)fprintf(stderr, "; did you mean %s?", names[nearest]);
  }
  (void)fprintf(stderr, " (tier --help)\n");
  return EXIT_USAGE;
}

/* What was printed must have arrived: a full disk behind stdout is an I/O failure. */
static int finish_output(int code) {
  if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
    perror("tier: cannot write to stdout");
    return 74;
  }
  return code;
}

static int run_verb(const struct verb *verb, int argc, char **argv) {
  struct options o;
  int code = options_parse(verb, argc, argv, &o);
  if (code < 0) {
    code = verb->run(&o);
  }
  options_free(&o);
  return finish_output(code);
}

/* Descriptors 0 to 2 that the caller has closed must not go to files that a run opens: what is
 * printed would land there. Opened for reading only, writing to them is an error as it should be.
 */
static void hold_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) < 0) {
      _exit(74);
    }
  }
}

/* Writing to a closed pipe or beyond a limit of file sizes is an I/O error with a message. */
static void ignore_signals_of_writing(void) {
  (void)signal(SIGPIPE, SIG_IGN);
  (void)signal(SIGXFSZ, SIG_IGN);
}

int main(int argc, char **argv) {
  const char *name = argc > 1 ? argv[1] : "";
  hold_standard_streams();
  ignore_signals_of_writing();
  if (argc < 2) {
    print_usage(stderr);
    return EXIT_USAGE;
  }
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
    print_usage(stdout);
    return finish_output(0);
  }
  if (strcmp(name, "--version") == 0) {
    name = "version";
  }
  for (size_t i = 0; i < VERB_COUNT; i++) {
    if (strcmp(name, verbs[i].name) == 0) {
      return run_verb(&verbs[i], argc, argv);
    }
  }
  return unknown_verb(name);
}
