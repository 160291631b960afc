#include "problem/instances.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "problem/sources.h"

/* The place that stands in front of the pending failure. */
static _Thread_local struct {
  char prefix[512];
  char file[400];
  int line, column;
} innermost;

static size_t placed_length(void) {
  size_t length = strlen(innermost.prefix);
  return strncmp(error_text(), innermost.prefix, length) == 0 ? length : 0;
}

/* The innermost place wins: one that is already there stays. */
int32_t fail_at(const struct place *place, int32_t code) {
  if (error_text()[0] == '\0' || placed_length() > 0) {
    return code;
  }
  innermost.line = place->line;
  innermost.column = place->column;
  (void)snprintf(innermost.file, sizeof innermost.file, "%s", place->file);
  (void)snprintf(innermost.prefix, sizeof innermost.prefix, "%s:%d:%d: ", place->file, place->line,
                 place->column);
  return error_context(code, "%s:%d:%d", place->file, place->line, place->column);
}

const char *fail_text(const char **file, int *line, int *column) {
  size_t length = placed_length();
  if (length > 0) {
    *file = innermost.file;
    *line = innermost.line;
    *column = innermost.column;
  }
  return error_text() + length;
}

static struct instance *cached(const struct problem *p, const struct application *a) {
  for (size_t i = 0; i < p->instance_count; i++) {
    if (p->instances[i].application == a) {
      return p->instances[i].instance;
    }
  }
  return NULL;
}

/* Looks a relative path up in each data directory, then beside the manifest (format.md, section 3).
 */
static int32_t find_file(struct problem *p, const char *written, char **found) {
  struct text tried = {0};
  for (size_t i = 0; i <= p->options.data_directory_count; i++) {
    const char *directory =
        i < p->options.data_directory_count ? p->options.data_directories[i] : p->m->directory;
    char *path = path_join(directory, written);
    if (file_exists(path)) {
      text_free(&tried);
      *found = path;
      return TIER_OK;
    }
    text_format(&tried, "%s%s", tried.length > 0 ? ", " : "", path);
    free(path);
  }
  int32_t status =
      fail(TIER_E_MISSING, "no file \"%s\"; tried %s; name its folder with --data DIR or TIER_DATA",
           written, text_get(&tried));
  text_free(&tried);
  return status;
}

static void remember_file(struct problem *p, const char *path) {
  for (size_t i = 0; i < p->file_count; i++) {
    if (strcmp(p->files[i].path, path) == 0) {
      return;
    }
  }
  struct data_file file = {.path = arena_text(p->arena, path)};
  array_push(p->files, p->file_count, p->file_capacity, file);
}

static int32_t set_texts(struct problem *p, struct params *params, const struct argument *a) {
  if (a->slot->type != TIER_SLOT_PATH) {
    params_set_texts(params, a->slot->name, a->texts, a->text_count);
    return TIER_OK;
  }
  char *path = NULL;
  int32_t status = find_file(p, a->texts[0], &path);
  if (status < 0) {
    return fail_at(&a->place, status);
  }
  const char *text = path;
  params_set_texts(params, a->slot->name, &text, 1);
  remember_file(p, path);
  free(path);
  return TIER_OK;
}

static int32_t set_sources(struct problem *p, struct params *params, const struct argument *a) {
  tier_data **data = memory_alloc(a->source_count, sizeof *data);
  int32_t status = TIER_OK;
  for (size_t i = 0; i < a->source_count && status == TIER_OK; i++) {
    struct data *made = NULL;
    status = sources_make(p, a->sources[i], a->place.path, &made);
    data[i] = made != NULL ? &made->face : NULL;
  }
  if (status == TIER_OK) {
    params_set_data(params, a->slot->name, data, a->source_count);
  }
  free(data);
  return status;
}

static int32_t set_argument(struct problem *p, struct params *params, const struct argument *a) {
  if (a->application != NULL) {
    struct instance *inner = NULL;
    TIER_TRY(instances_get(p, a->application, NULL, &inner));
    params_set_instance(params, a->slot->name, inner);
  } else if (a->source_count > 0) {
    return set_sources(p, params, a);
  } else if (a->text_count > 0) {
    return set_texts(p, params, a);
  } else if (a->expr_count > 0) {
    params_set_given(params, a->slot->name);
  } else if (a->number_count > 0) {
    params_set_numbers(params, a->slot->name, a->numbers, a->number_count);
  }
  return TIER_OK;
}

uint64_t instances_stream(const struct problem *p, const struct application *a) {
  uint64_t stream = random_stream(a->stream != NULL ? a->stream : a->place.path, p->seed);
  if (p->repetition > 0 && a->component->position == POSITION_ESTIMATOR) {
    stream =
        random_derive(stream, arena_format(p->arena, "%llu", (unsigned long long)p->repetition));
  }
  return stream;
}

int32_t instances_get(struct problem *p, const struct application *a, struct data *source,
                      struct instance **out) {
  *out = cached(p, a);
  if (*out != NULL) {
    return TIER_OK;
  }
  struct params *params = params_new(a->component, instances_stream(p, a));
  params_set_source(params, source != NULL ? &source->face : NULL);
  for (size_t i = 0; i < a->argument_count; i++) {
    int32_t status = set_argument(p, params, &a->arguments[i]);
    if (status < 0) {
      params_free(params);
      return status;
    }
  }
  int32_t status = instance_new(params, out);
  if (status < 0) {
    return fail_at(&a->place, status);
  }
  struct cached_instance entry = {.application = a, .instance = *out, .owned = 1};
  array_push(p->instances, p->instance_count, p->instance_capacity, entry);
  return TIER_OK;
}

const struct application *instances_application(const struct problem *p, const tier_instance *i) {
  for (size_t k = 0; k < p->instance_count; k++) {
    if (&p->instances[k].instance->face == i) {
      return p->instances[k].application;
    }
  }
  return NULL;
}

void instances_disown(struct problem *p, const struct instance *i) {
  for (size_t k = 0; k < p->instance_count; k++) {
    if (p->instances[k].instance == i) {
      p->instances[k].owned = 0;
    }
  }
}

void problem_add_state(struct problem *p, const char *name, struct state *s) {
  char *copy = arena_text(p->arena, name);
  array_push(p->states, p->state_count, p->state_capacity, s);
  array_push(p->state_names, p->state_name_count, p->state_name_capacity, copy);
}

static int32_t declare_state(struct problem *p, struct instance *i, const char *name, int64_t n) {
  const tier_state_1 *api = instance_get(i, "tier.state/1");
  if (api == NULL || i->state != NULL) {
    return TIER_OK;
  }
  struct state *s = state_new();
  i->state = &s->face;
  problem_add_state(p, name, s);
  TIER_TRY(api->declare(i->object, n, &s->face));
  return s->status;
}

int32_t instances_declare_edge(struct problem *p, const struct application *a, int64_t n,
                               int64_t inputs, int64_t m) {
  struct instance *i = cached(p, a);
  const tier_state_1 *api = i != NULL ? instance_get(i, "tier.state/1") : NULL;
  if (api == NULL || i->state != NULL || api->struct_size < sizeof *api ||
      api->declare_edge == NULL) {
    return TIER_OK;
  }
  struct state *s = state_new();
  i->state = &s->face;
  problem_add_state(p, a->place.path, s);
  int32_t status = api->declare_edge(i->object, n, inputs, m, &s->face);
  status = status < 0 ? status : s->status;
  return status < 0 ? fail_at(&a->place, status) : TIER_OK;
}

int32_t instances_declare_states(struct problem *p, const struct application *a, int64_t n) {
  struct instance *i = cached(p, a);
  if (i != NULL) {
    int32_t status = declare_state(p, i, a->place.path, n);
    if (status < 0) {
      return fail_at(&a->place, status);
    }
  }
  for (size_t k = 0; k < a->argument_count; k++) {
    if (a->arguments[k].application != NULL) {
      TIER_TRY(instances_declare_states(p, a->arguments[k].application, n));
    }
  }
  return TIER_OK;
}
