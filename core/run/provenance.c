#include "run/provenance.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/file.h"
#include "run/directory.h"
#include "run/system.h"

void provenance_now(char out[32]) {
  time_t t = time(NULL);
  struct tm utc;
  (void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
}

static void set_text(struct arena *a, struct json *object, const char *key, const char *value) {
  json_set(a, object, key, json_make_text(a, value));
}

static void set_number(struct arena *a, struct json *object, const char *key, double value) {
  json_set(a, object, key, json_make_number(a, value));
}

/* ---- the program and the machine ---- */

static struct json *program_json(struct arena *a) {
  struct json *j = json_make(a, JSON_OBJECT);
  set_text(a, j, "version", system_version());
  set_text(a, j, "compiler", system_compiler());
  set_text(a, j, "sha256", system_program_hash());
  return j;
}

static struct json *machine_json(struct arena *a, const struct problem *p) {
  struct utsname name;
  struct json *j = json_make(a, JSON_OBJECT);
  char *model = system_cpu_model();
  set_text(a, j, "cpu", model);
  set_number(a, j, "cpus", system_cpus());
  set_number(a, j, "threads", problem_threads(p));
  if (uname(&name) == 0) {
    set_text(a, j, "host", name.nodename);
    set_text(a, j, "kernel", name.release);
  }
  free(model);
  return j;
}

static struct json *blas_json(struct arena *a) {
  struct blas_facts facts;
  struct json *j = json_make(a, JSON_OBJECT);
  blas_get_facts(&facts);
  set_text(a, j, "library", facts.library);
  set_text(a, j, "config", facts.config);
  set_text(a, j, "kernels", facts.kernels);
  set_text(a, j, "chosen_by", facts.chosen_by);
  set_text(a, j, "own_kernels", facts.own);
  return j;
}

/* ---- the plugins that the manifest uses ---- */

struct used {
  const struct plugin **items;
  size_t count, capacity;
};

static void use(struct used *u, const struct plugin *plugin) {
  for (size_t i = 0; i < u->count; i++) {
    if (u->items[i] == plugin) {
      return;
    }
  }
  array_push(u->items, u->count, u->capacity, plugin);
}

static void use_application(struct used *u, const struct application *application);
static void use_arguments(struct used *u, const struct argument *arguments, size_t count);

static void use_expr(struct used *u, const struct expr *e) {
  if (e != NULL) {
    use_application(u, e->application);
    use_arguments(u, e->arguments, e->argument_count);
    use_expr(u, e->with);
  }
}

static void use_source(struct used *u, const struct source *s) {
  use_application(u, s->first);
  for (size_t i = 0; i < s->transform_count; i++) {
    use_application(u, s->transforms[i]);
  }
}

static void use_arguments(struct used *u, const struct argument *arguments, size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (size_t j = 0; j < arguments[i].expr_count; j++) {
      use_expr(u, arguments[i].exprs[j]);
    }
    for (size_t j = 0; j < arguments[i].source_count; j++) {
      use_source(u, arguments[i].sources[j]);
    }
    use_application(u, arguments[i].application);
  }
}

static void use_application(struct used *u, const struct application *application) {
  if (application != NULL && application->component != NULL) {
    use(u, application->component->plugin);
    use_arguments(u, application->arguments, application->argument_count);
  }
}

static void use_measures(struct used *u, const struct manifest_measure *measures, size_t count) {
  for (size_t i = 0; i < count; i++) {
    use_expr(u, measures[i].expr);
    use_application(u, measures[i].application);
  }
}

static void use_levels(struct used *u, const struct manifest *m) {
  for (size_t i = 0; i < m->level_count; i++) {
    use_application(u, m->levels[i].optimizer);
    for (size_t j = 0; j < m->levels[i].through_count; j++) {
      use_application(u, m->levels[i].through[j].estimator);
    }
  }
}

static void use_manifest(struct used *u, const struct manifest *m) {
  for (size_t i = 0; i < m->data_count; i++) {
    use_source(u, m->data[i].source);
  }
  for (size_t i = 0; i < m->variable_count; i++) {
    use_application(u, m->variables[i].model);
    use_expr(u, m->variables[i].init);
  }
  for (size_t i = 0; i < m->value_count; i++) {
    use_expr(u, m->values[i].expr);
  }
  for (size_t i = 0; i < m->objective_count; i++) {
    for (size_t j = 0; j < m->objectives[i].term_count; j++) {
      use_expr(u, m->objectives[i].terms[j]);
    }
  }
  use_levels(u, m);
  use_application(u, m->solver);
  use_measures(u, m->metrics, m->metric_count);
  use_measures(u, m->outputs, m->output_count);
}

static struct json *plugins_json(struct arena *a, const struct manifest *m) {
  struct used u = {0};
  struct json *list = json_make(a, JSON_LIST);
  use_manifest(&u, m);
  for (size_t i = 0; i < u.count; i++) {
    struct json *j = json_make(a, JSON_OBJECT);
    set_text(a, j, "name", u.items[i]->name);
    set_text(a, j, "version", u.items[i]->version);
    set_text(a, j, "file", u.items[i]->path);
    set_text(a, j, "sha256", plugin_hash((struct plugin *)u.items[i]));
    json_append(a, list, j);
  }
  free(u.items);
  return list;
}

/* ---- data files ---- */

struct file_list {
  struct arena *a;
  struct json *list;
};

static void add_file(void *context, const char *path, const char *sha256) {
  struct file_list *files = context;
  struct json *j = json_make(files->a, JSON_OBJECT);
  char *full = realpath(path, NULL);
  set_text(files->a, j, "file", full != NULL ? full : path);
  set_text(files->a, j, "sha256", sha256);
  json_append(files->a, files->list, j);
  free(full);
}

static struct json *command_json(struct arena *a, const char *const *command) {
  struct json *list = json_make(a, JSON_LIST);
  for (; command != NULL && *command != NULL; command++) {
    json_append(a, list, json_make_text(a, *command));
  }
  return list;
}

struct json *provenance_json(struct arena *a, const struct provenance *p) {
  char here[PATH_MAX];
  const struct manifest *m = p->manifest;
  struct json *j = json_make(a, JSON_OBJECT);
  struct file_list files = {a, json_make(a, JSON_LIST)};
  set_text(a, j, "identity", m->identity);
  set_text(a, j, "variant", m->variant);
  set_number(a, j, "seed", (double)p->seed);
  set_text(a, j, "dtype", m->dtype == DTYPE_F32 ? "f32" : "f64");
  set_text(a, j, "backend", m->backend);
  set_text(a, j, "started", p->started);
  json_set(a, j, "command", command_json(a, p->command));
  set_text(a, j, "directory", getcwd(here, sizeof here) != NULL ? here : "");
  set_text(a, j, "manifest", m->file);
  set_text(a, j, "sets_without_a_place", p->skipped_sets);
  json_set(a, j, "tier", program_json(a));
  json_set(a, j, "machine", machine_json(a, p->problem));
  json_set(a, j, "blas", blas_json(a));
  json_set(a, j, "plugins", plugins_json(a, m));
  problem_files(p->problem, add_file, &files);
  json_set(a, j, "data", files.list);
  return j;
}

static int is_current(const struct json *j, struct text *why) {
  const struct json *files = json_member(j, "data");
  const char *made_by = json_text_at(json_member(j, "tier"), "sha256");
  if (strcmp(made_by, system_program_hash()) != 0) {
    text_add(why, "another build of tier made it");
    return 0;
  }
  for (size_t i = 0; files != NULL && i < files->count; i++) {
    char hash[65] = "";
    const char *path = json_text_at(files->items[i], "file");
    if (sha256_file(path, hash) != TIER_OK ||
        strcmp(hash, json_text_at(files->items[i], "sha256")) != 0) {
      error_clear();
      text_format(why, "%s has changed", path);
      return 0;
    }
  }
  return 1;
}

int provenance_is_current(const char *directory, struct text *why) {
  struct json *j = NULL;
  struct arena *a = arena_new();
  int current = 0;
  if (run_directory_read(a, directory, "provenance.json", &j) == TIER_OK) {
    current = is_current(j, why);
  } else {
    text_add(why, error_text());
    error_clear();
  }
  arena_free(a);
  return current;
}
