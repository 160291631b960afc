/* tier check: the conformance kit over components, each test in a process of its own. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/check_children.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "plugin/kinds.h"
#include "plugin/log.h"
#include "run/stop.h"

static const char *const verdict_names[] = {"passed", "failed", "skipped"};

struct checking {
  struct options options; /* with the files among the operands on the plugin path */
  struct registry *registry;
  char *plugin_path;
  struct check_task *tasks;
  size_t count, capacity;
  size_t totals[3];
  struct arena *arena;
  struct json *list; /* NULL: print lines */
};

/* ---- which tests ---- */

static int is_file(const char *operand) {
  size_t length = strlen(operand);
  return strchr(operand, '/') != NULL || (length > 3 && strcmp(operand + length - 3, ".so") == 0);
}

static int same_file(const char *a, const char *b) {
  char *real_a = realpath(a, NULL);
  char *real_b = realpath(b, NULL);
  int same = real_a != NULL && real_b != NULL && strcmp(real_a, real_b) == 0;
  free(real_a);
  free(real_b);
  return same;
}

static int selects(const char *operand, const struct component *c) {
  return is_file(operand) ? same_file(operand, c->plugin->path)
                          : strcmp(operand, c->c.kind) == 0 || strcmp(operand, c->c.id) == 0;
}

static int is_selected(const struct checking *k, const struct component *c) {
  const struct texts *operands = &k->options.operands;
  for (size_t i = 0; i < operands->count; i++) {
    if (selects(operands->items[i], c)) {
      return 1;
    }
  }
  return operands->count == 0;
}

/* An operand that selects nothing: a refused file with the reason, an unknown name with the
 * nearest.
 */
static int32_t check_operand(const struct checking *k, const char *operand) {
  const struct component *c = NULL;
  const struct registry_refusal *r = NULL;
  const char *names[512];
  size_t count = 0;
  for (size_t i = 0; (c = registry_component(k->registry, i)) != NULL; i++) {
    if (selects(operand, c)) {
      return TIER_OK;
    }
    if (count < sizeof names / sizeof names[0]) {
      names[count++] = c->c.id;
    }
  }
  for (size_t i = 0; (r = registry_refused(k->registry, i)) != NULL; i++) {
    if (is_file(operand) && same_file(operand, r->path)) {
      return fail(TIER_E_PLUGIN, "%s is refused: %s", operand, r->reason);
    }
  }
  if (kind_index(operand) >= 0) {
    return TIER_OK;
  }
  int64_t nearest = text_nearest(operand, names, count);
  return fail(
      TIER_E_INVALID,
      "no component or kind \"%s\"%s%s%s (tier list shows them; a plugin is given by its path)",
      operand, nearest >= 0 ? "; did you mean \"" : "", nearest >= 0 ? names[nearest] : "",
      nearest >= 0 ? "\"?" : "");
}

/* ---- the registry ---- */

static int32_t open_registry(struct checking *k, int probe) {
  struct text path = {0};
  const struct options *o = &k->options;
  for (size_t i = 0; i < o->operands.count && probe; i++) {
    if (is_file(o->operands.items[i])) {
      text_format(&path, "%s%s", path.length > 0 ? ":" : "", o->operands.items[i]);
    }
  }
  if (o->plugin_path != NULL) {
    text_format(&path, "%s%s", path.length > 0 ? ":" : "", o->plugin_path);
  }
  k->plugin_path = path.data;
  k->options.plugin_path = path.data;
  return registry_open(&(struct registry_options){.plugin_path = path.data, .probe = probe},
                       &k->registry);
}

static void close_checking(struct checking *k) {
  for (size_t i = 0; i < k->count; i++) {
    free(k->tasks[i].reason);
  }
  free(k->tasks);
  free(k->plugin_path);
  registry_close(k->registry);
  arena_free(k->arena);
}

static void select_tests(struct checking *k) {
  const struct component *c = NULL;
  const struct check_test *t = NULL;
  for (size_t i = 0; (c = registry_component(k->registry, i)) != NULL; i++) {
    for (size_t j = 0; is_selected(k, c) && (t = check_test_of(c, j)) != NULL; j++) {
      struct check_task task = {.component = c, .test = t->name};
      if (k->options.only == NULL || strcmp(k->options.only, t->name) == 0) {
        array_push(k->tasks, k->count, k->capacity, task);
      }
    }
  }
}

/* ---- output ---- */

static void print_line(const struct check_task *t, const char *word) {
  (void)printf("%-8s%-14s %-20s %s%s%s\n", word, t->component->c.kind, t->component->c.id, t->test,
               t->reason != NULL && t->reason[0] != '\0' ? ": " : "",
               t->reason != NULL ? t->reason : "");
  (void)fflush(stdout);
}

static struct json *task_json(struct arena *a, const struct check_task *t) {
  struct json *j = json_make(a, JSON_OBJECT);
  put_text(a, j, "kind", t->component->c.kind);
  put_text(a, j, "id", t->component->c.id);
  put_text(a, j, "file", t->component->plugin->path);
  put_text(a, j, "test", t->test);
  return j;
}

static void done(void *context, const struct check_task *t) {
  struct checking *k = context;
  k->totals[t->verdict]++;
  if (k->list == NULL) {
    print_line(t, t->verdict == CHECK_PASSED   ? "ok"
                  : t->verdict == CHECK_FAILED ? "FAILED"
                                               : "skipped");
    return;
  }
  struct json *j = task_json(k->arena, t);
  put_text(k->arena, j, "verdict", verdict_names[t->verdict]);
  put_text(k->arena, j, "reason", t->reason);
  json_append(k->arena, k->list, j);
}

/* A component that refuses everything has shown nothing. */
static void judge_components(struct checking *k) {
  size_t first = 0;
  for (size_t i = 0; i < k->count; i++) {
    int last = i + 1 == k->count || k->tasks[i + 1].component != k->tasks[i].component;
    int all_skipped = 1;
    for (size_t j = first; j <= i && last; j++) {
      all_skipped = all_skipped && k->tasks[j].verdict == CHECK_SKIPPED;
    }
    if (last && all_skipped && k->options.only == NULL) {
      char reason[] = "it was skipped in, or refuses, every other test";
      const struct check_task t = {.component = k->tasks[i].component,
                                   .test = "accepts-something",
                                   .verdict = CHECK_FAILED,
                                   .reason = reason};
      done(k, &t);
    }
    first = last ? i + 1 : first;
  }
}

static void print_totals(const struct checking *k) {
  if (k->list == NULL) {
    (void)printf("%zu passed, %zu failed, %zu skipped\n", k->totals[CHECK_PASSED],
                 k->totals[CHECK_FAILED], k->totals[CHECK_SKIPPED]);
    return;
  }
  struct json *document = json_make(k->arena, JSON_OBJECT);
  for (int v = CHECK_PASSED; v <= CHECK_SKIPPED; v++) {
    put_number(k->arena, document, verdict_names[v], (double)k->totals[v]);
  }
  json_set(k->arena, document, "tests", k->list);
  print_json(document);
}

static void print_tests(struct checking *k) {
  for (size_t i = 0; i < k->count; i++) {
    if (k->list != NULL) {
      json_append(k->arena, k->list, task_json(k->arena, &k->tasks[i]));
    } else {
      (void)printf("%-14s %-20s %s\n", k->tasks[i].component->c.kind, k->tasks[i].component->c.id,
                   k->tasks[i].test);
    }
  }
  if (k->list != NULL) {
    struct json *document = json_make(k->arena, JSON_OBJECT);
    json_set(k->arena, document, "tests", k->list);
    print_json(document);
  }
}

/* ---- the verb ---- */

static int32_t limits_of(const struct options *o, struct check_limits *limits) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  *limits = (struct check_limits){.seconds = 20, .jobs = processors > 0 ? processors : 1};
  if ((o->limit != NULL && !options_integer("--limit", o->limit, 1, 86400, &limits->seconds)) ||
      (o->jobs != NULL && !options_integer("--jobs", o->jobs, 1, 64, &limits->jobs))) {
    return TIER_E_INVALID;
  }
  return TIER_OK;
}

static int32_t check_all(struct checking *k, const struct check_limits *limits) {
  TIER_TRY(open_registry(k, 1));
  for (size_t i = 0; i < k->options.operands.count; i++) {
    TIER_TRY(check_operand(k, k->options.operands.items[i]));
  }
  select_tests(k);
  if (k->count == 0) {
    return fail(TIER_E_INVALID, "there is no such test (tier check --list)");
  }
  if (k->options.list) {
    print_tests(k);
    return TIER_OK;
  }
  TIER_TRY(check_children(&k->options, limits, k->tasks, k->count, done, k));
  judge_components(k);
  print_totals(k);
  return TIER_OK;
}

int verb_check(const struct options *o) {
  struct checking k = {.options = *o, .arena = arena_new()};
  struct check_limits limits;
  k.list = o->json ? json_make(k.arena, JSON_LIST) : NULL;
  stop_watch();
  int code = EXIT_USAGE;
  if (limits_of(o, &limits) == TIER_OK) {
    int32_t status = check_all(&k, &limits);
    code = status < 0 ? print_failure(status) : k.totals[CHECK_FAILED] > 0;
  }
  close_checking(&k);
  return code;
}

/* ---- one test, in its own process ---- */

static void quiet(void *context, int32_t level, const char *text) {
  (void)context;
  (void)level;
  (void)text;
}

/* The hard limit a second later, for a plugin that ignores the signal. No core files. */
static void limit_process(const char *seconds) {
  rlim_t limit = (rlim_t)(seconds != NULL ? strtoll(seconds, NULL, 10) : 20);
  (void)setrlimit(RLIMIT_CPU, &(struct rlimit){limit, limit + 1});
  (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static const struct component *find(const struct registry *r, const char *kind, const char *id) {
  const struct component *c = NULL;
  for (size_t i = 0; (c = registry_component(r, i)) != NULL; i++) {
    if (strcmp(c->c.kind, kind) == 0 && strcmp(c->c.id, id) == 0) {
      return c;
    }
  }
  return NULL;
}

/* The verdict goes to what was stdout; what plugins print goes to stderr. */
static void answer(int output, const struct check *c) {
  struct text t = {0};
  text_format(&t, "%c%s", "pfs"[c->verdict], text_get(&c->reason));
  for (size_t at = 0; at < t.length;) {
    ssize_t n = write(output, t.data + at, t.length - at);
    if (n <= 0) {
      break;
    }
    at += (size_t)n;
  }
  text_free(&t);
}

int verb_check_one(const struct options *o) {
  struct checking k = {.options = *o};
  const char *const *operands = o->operands.items;
  stop_with_parent();
  limit_process(o->limit);
  int output = dup(STDOUT_FILENO);
  (void)dup2(STDERR_FILENO, STDOUT_FILENO);
  log_set_sink(quiet, NULL);
  int32_t status = open_registry(&k, 0);
  if (status == TIER_OK) {
    struct check c = {.registry = k.registry,
                      .component = find(k.registry, operands[0], operands[1]),
                      .as = o->as,
                      .with = o->with};
    status = c.component == NULL ? fail(TIER_E_INVALID, "no %s \"%s\"", operands[0], operands[1])
                                 : check_run(&c, operands[2]);
    if (status == TIER_OK) {
      answer(output, &c);
    }
    text_free(&c.reason);
  }
  int code = status < 0 ? print_failure(status) : 0;
  (void)close(output);
  close_checking(&k);
  return code;
}
