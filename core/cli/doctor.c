/* tier doctor: what tier runs on, what is wrong with it, and what to do about that. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/backend.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/session.h"
#include "run/directory.h"
#include "run/system.h"

struct doctor {
  struct session *session;
  struct arena *arena;
  struct json *document, *problems;
};

static void add_problem(struct doctor *d, const char *text, const char *remedy) {
  struct json *j = json_make(d->arena, JSON_OBJECT);
  put_text(d->arena, j, "problem", text);
  put_text(d->arena, j, "remedy", remedy);
  json_append(d->arena, d->problems, j);
}

static void examine_machine(struct doctor *d) {
  struct arena *a = d->arena;
  char *model = system_cpu_model();
  char *program = system_program();
  put_text(a, d->document, "version", system_version());
  put_text(a, d->document, "compiler", system_compiler());
  put_text(a, d->document, "program", program);
  put_text(a, d->document, "cpu", model);
  put_number(a, d->document, "threads", system_cpus());
  free(program);
  free(model);
}

static void examine_blas(struct doctor *d) {
  struct blas_facts facts;
  struct json *j = json_make(d->arena, JSON_OBJECT);
  if (blas_load() != TIER_OK) {
    add_problem(d, error_text(), "unset OPENBLAS_CORETYPE, or set it to kernels that this CPU has");
    error_clear();
  }
  blas_get_facts(&facts);
  put_text(d->arena, j, "library", facts.library);
  put_text(d->arena, j, "config", facts.config);
  put_text(d->arena, j, "kernels", facts.kernels);
  put_text(d->arena, j, "chosen_by", facts.chosen_by);
  put_text(d->arena, j, "own_kernels", facts.own);
  json_set(d->arena, d->document, "blas", j);
  if (facts.library[0] == '\0') {
    add_problem(d, "no OpenBLAS: wide matrix products run on tier's own, slower loops",
                "apt-get install libopenblas0-pthread");
  }
}

/* The object of that directory in the list; made if it is not there. */
static struct json *directory_entry(struct doctor *d, struct json *directories,
                                    const char *directory) {
  for (size_t i = 0; i < directories->count; i++) {
    if (strcmp(json_text_at(directories->items[i], "directory"), directory) == 0) {
      return directories->items[i];
    }
  }
  struct json *entry = json_make(d->arena, JSON_OBJECT);
  put_text(d->arena, entry, "directory", directory);
  put_number(d->arena, entry, "components", 0);
  json_append(d->arena, directories, entry);
  return entry;
}

/* Counts components by the directory of their plugin. */
static void examine_plugins(struct doctor *d) {
  struct json *directories = json_make(d->arena, JSON_LIST);
  const struct component *c = NULL;
  for (size_t i = 0; (c = registry_component(d->session->registry, i)) != NULL; i++) {
    char *directory = memory_copy_text(c->plugin->path);
    char *slash = strrchr(directory, '/');
    *(slash != NULL ? slash : directory) = '\0';
    struct json *entry = directory_entry(d, directories, directory);
    put_number(d->arena, entry, "components", number_at(entry, "components") + 1);
    free(directory);
  }
  if (directories->count == 0) {
    add_problem(d, "no plugins were found", "build them (ninja -C build), or set TIER_PLUGIN_PATH");
  }
  json_set(d->arena, d->document, "plugins", directories);
}

static void examine_refused(struct doctor *d) {
  struct json *refused = json_make(d->arena, JSON_LIST);
  const struct registry_refusal *r = NULL;
  for (size_t i = 0; (r = registry_refused(d->session->registry, i)) != NULL; i++) {
    struct json *j = json_make(d->arena, JSON_OBJECT);
    char *problem = memory_format("plugin %s was refused: %s", r->path, r->reason);
    put_text(d->arena, j, "file", r->path);
    put_text(d->arena, j, "reason", r->reason);
    json_append(d->arena, refused, j);
    add_problem(d, problem, "rebuild it against this version's headers, or remove the file");
    free(problem);
  }
  json_set(d->arena, d->document, "refused", refused);
}

static void examine_data(struct doctor *d) {
  struct json *list = json_make(d->arena, JSON_LIST);
  for (size_t i = 0; i < d->session->data.count; i++) {
    const char *directory = d->session->data.items[i];
    struct stat st;
    int there = stat(directory, &st) == 0 && S_ISDIR(st.st_mode);
    struct json *j = json_make(d->arena, JSON_OBJECT);
    put_text(d->arena, j, "directory", directory);
    put_flag(d->arena, j, "exists", there);
    json_append(d->arena, list, j);
    if (!there) {
      char *problem = memory_format("data directory %s does not exist", directory);
      add_problem(d, problem, "make it, or correct --data or TIER_DATA");
      free(problem);
    }
  }
  json_set(d->arena, d->document, "data", list);
}

static void print_doctor(const struct doctor *d) {
  const struct json *j = d->document;
  const struct json *blas = json_member(j, "blas");
  const struct json *plugins = json_member(j, "plugins");
  const struct json *data = json_member(j, "data");
  (void)printf("tier      %s, %s, built with %s\n", json_text_at(j, "version"),
               json_text_at(j, "program"), json_text_at(j, "compiler"));
  (void)printf("cpu       %s, %.0f thread(s)\n", json_text_at(j, "cpu"), number_at(j, "threads"));
  (void)printf("blas      %s\n          %s kernels, chosen by %s (%s)\n",
               json_text_at(blas, "library"), json_text_at(blas, "kernels"),
               json_text_at(blas, "chosen_by"), json_text_at(blas, "config"));
  (void)printf("kernels   %s, tier's own for all else\n", json_text_at(blas, "own_kernels"));
  for (size_t i = 0; i < plugins->count; i++) {
    (void)printf("plugins   %s: %.0f components\n", json_text_at(plugins->items[i], "directory"),
                 number_at(plugins->items[i], "components"));
  }
  for (size_t i = 0; i < data->count; i++) {
    (void)printf("data      %s\n", json_text_at(data->items[i], "directory"));
  }
  if (data->count == 0) {
    (void)printf("data      beside the manifest only (--data DIR and TIER_DATA add places)\n");
  }
  for (size_t i = 0; i < d->problems->count; i++) {
    (void)printf("PROBLEM   %s\n          %s\n", json_text_at(d->problems->items[i], "problem"),
                 json_text_at(d->problems->items[i], "remedy"));
  }
  if (d->problems->count == 0) {
    (void)printf("no problems\n");
  }
}

int verb_doctor(const struct options *o) {
  struct session s;
  struct doctor d = {.session = &s, .arena = arena_new()};
  d.document = json_make(d.arena, JSON_OBJECT);
  d.problems = json_make(d.arena, JSON_LIST);
  int32_t status = session_open(o, &s);
  examine_machine(&d);
  examine_blas(&d);
  if (status == TIER_OK) {
    examine_plugins(&d);
    examine_refused(&d);
  } else {
    add_problem(&d, error_text(), "see the message");
    error_clear();
    json_set(d.arena, d.document, "plugins", json_make(d.arena, JSON_LIST));
  }
  examine_data(&d);
  json_set(d.arena, d.document, "problems", d.problems);
  if (o->json) {
    print_json(d.document);
  } else {
    print_doctor(&d);
  }
  session_close(&s);
  arena_free(d.arena);
  return error_exit_code(status);
}
