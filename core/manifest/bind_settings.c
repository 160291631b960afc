/* What is not the problem itself: version, name, budget, seeds, compute, guards, solver. */
#include <string.h>

#include "manifest/reader.h"

static void bind_version(struct reader *r) {
  struct json *j = json_member(r->root, "tier");
  struct place p = place_of(r, r->root);
  if (j == NULL) {
    wrong_place(r, &p, "write \"tier\": 1", "the manifest has no \"tier\", the format's version");
  } else if (j->type != JSON_NUMBER || j->number != 1) {
    wrong(r, j, "", "\"tier\" must be 1, the format's version, not %s", written(r, j));
  }
}

static void bind_texts(struct reader *r) {
  struct json *name = json_member(r->root, "name");
  struct json *about = json_member(r->root, "about");
  if (name != NULL && is_text(r, name, "\"name\"")) {
    r->m->name = name->text;
    if (name->text[0] == '\0' || name->text[0] == '.' || strchr(name->text, '/') != NULL) {
      wrong(r, name, "it becomes a folder's name", "\"%s\" cannot name a run", name->text);
    }
  }
  r->m->about = about != NULL && is_text(r, about, "\"about\"") ? about->text : "";
}

void bind_budget(struct reader *r, struct json *j, struct manifest_budget *b) {
  static const char *const keys[] = {"seconds", "values", "gradients", "hvps", "cross", "samples"};
  int64_t *const counts[] = {NULL, &b->values, &b->gradients, &b->hvps, &b->cross, &b->samples};
  *b = (struct manifest_budget){-1, -1, -1, -1, -1, -1};
  if (j == NULL || !is_object(r, j, "\"budget\"")) {
    return;
  }
  check_keys(r, j, keys, 6, "\"budget\"");
  for (size_t i = 0; i < 6; i++) {
    struct json *item = json_member(j, keys[i]);
    size_t mark = path_push(r, keys[i]);
    if (item != NULL && i == 0) {
      (void)is_number(r, item, 0, "\"seconds\"", &b->seconds);
    } else if (item != NULL) {
      (void)is_integer(r, item, 0, arena_format(r->arena, "\"%s\"", keys[i]), counts[i]);
    }
    path_pop(r, mark);
  }
}

static void bind_run_budget(struct reader *r) {
  bind_budget(r, json_member(r->root, "budget"), &r->m->budget);
}

#define MOST_SEEDS 10000

static void bind_seeds(struct reader *r) {
  struct json *j = json_member(r->root, "seeds");
  size_t count = j != NULL && j->type == JSON_LIST ? j->count : 0;
  r->m->seeds = arena_alloc(r->arena, (count + 1) * sizeof *r->m->seeds);
  if (count > MOST_SEEDS) {
    wrong(r, j, "", "\"seeds\" has %zu numbers; the most are %d", count, MOST_SEEDS);
    return;
  }
  if (j != NULL && count == 0) {
    wrong(r, j, "", "\"seeds\" must be a whole number or a list of them");
  }
  for (size_t i = 0; i < count; i++) {
    struct json *item = j->items[i];
    if (!is_integer(r, item, 0, "a seed", &r->m->seeds[i])) {
      continue;
    }
    for (size_t k = 0; k < i; k++) {
      if (r->m->seeds[k] == r->m->seeds[i] && !j->items[k]->broken) {
        wrong(r, item, "", "the seed %s stands twice", item->text);
      }
    }
  }
  r->m->seed_count = count;
}

static void bind_threads(struct reader *r, struct json *j) {
  int64_t threads = 0;
  if (j->type == JSON_STRING && strcmp(j->text, "all") == 0) {
    return;
  }
  if (j->type == JSON_STRING) {
    wrong(r, j, "", "\"threads\" must be \"all\" or a whole number, not \"%s\"", j->text);
  } else if (is_integer(r, j, 1, "\"threads\"", &threads) && threads > 4096) {
    wrong(r, j, "", "\"threads\" must be at most 4096");
  }
  r->m->threads = (int)(threads > 4096 ? 0 : threads);
}

static void bind_compute(struct reader *r) {
  static const char *const keys[] = {"dtype", "threads", "backend", "checkpoint_seconds"};
  static const char *const dtypes[] = {"f32", "f64"};
  static const char *const backends[] = {"cpu", "reference"};
  struct json *j = json_member(r->root, "compute");
  r->m->dtype = 1;
  r->m->backend = backends[0];
  if (!is_object(r, j, "\"compute\"")) {
    return;
  }
  check_keys(r, j, keys, 4, "\"compute\"");
  int dtype = one_of(r, json_member(j, "dtype"), dtypes, 2, "\"dtype\"");
  int backend = one_of(r, json_member(j, "backend"), backends, 2, "\"backend\"");
  r->m->dtype = dtype == 1 ? 2 : 1;
  r->m->backend = backends[backend == 1];
  bind_threads(r, json_member(j, "threads"));
  struct json *seconds = json_member(j, "checkpoint_seconds");
  double ignored = 0;
  if (seconds != NULL && is_number(r, seconds, 0, "\"checkpoint_seconds\"", &ignored)) {
    unsupported(r, seconds, "\"checkpoint_seconds\" (only the final state of a run is saved)");
  }
}

static void bind_guards(struct reader *r) {
  static const char *const keys[] = {"nonfinite", "divergence", "stationarity"};
  static const char *const stop[] = {"stop"};
  static const char *const words[] = {"off", "warn", "stop", "solve"};
  struct json *j = json_member(r->root, "guards");
  r->m->guards = (struct manifest_guards){1, 1e12, 1};
  if (!is_object(r, j, "\"guards\"")) {
    return;
  }
  check_keys(r, j, keys, 3, "\"guards\"");
  (void)one_of(r, json_member(j, "nonfinite"), stop, 1, "\"nonfinite\"");
  int word = one_of(r, json_member(j, "stationarity"), words, 4, "\"stationarity\"");
  r->m->guards.stationarity = word < 0 ? 1 : word;
  struct json *divergence = json_member(j, "divergence");
  if (is_number(r, divergence, 0, "\"divergence\"", &r->m->guards.divergence) &&
      divergence->number == 0) {
    wrong(r, divergence, "", "\"divergence\" must be above 0");
  }
}

/* `compare` and `sweep` themselves; what they override is read with the variant. */
static void check_variants(struct reader *r) {
  struct json *compare = json_member(r->root, "compare");
  struct json *sweep = json_member(r->root, "sweep");
  if (compare != NULL && is_object(r, compare, "\"compare\"")) {
    for (size_t i = 0; i < compare->count; i++) {
      struct json *v = compare->items[i];
      if (strcmp(v->key, "base") == 0) {
        wrong_key(r, v, "choose another name", "\"base\" is the manifest without overrides");
      } else if (!is_name(v->key)) {
        wrong_key(r, v, "", "\"%s\" is not a name: letters, digits and _, a letter first", v->key);
      }
      (void)is_object(r, v, arena_format(r->arena, "the variant \"%s\"", v->key));
    }
  }
  for (size_t i = 0; sweep != NULL && is_object(r, sweep, "\"sweep\"") && i < sweep->count; i++) {
    struct json *values = sweep->items[i];
    if (values->type != JSON_LIST || values->count == 0) {
      wrong(r, values, "", "\"%s\" must be a list of at least one value", values->key);
    }
  }
}

void bind_settings(struct reader *r) {
  static const char *const keys[] = {"tier",   "name",       "about",   "data",   "variables",
                                     "values", "objectives", "levels",  "phases", "solver",
                                     "budget", "metrics",    "outputs", "seeds",  "compute",
                                     "guards", "compare",    "sweep"};
  static void (*const parts[])(struct reader *) = {bind_run_budget, bind_seeds, bind_compute,
                                                   bind_guards};
  static const char *const names[] = {"budget", "seeds", "compute", "guards"};
  check_keys(r, r->root, keys, sizeof keys / sizeof *keys, "the manifest");
  bind_version(r);
  bind_texts(r);
  check_variants(r);
  for (size_t i = 0; i < 4; i++) {
    size_t mark = path_push(r, names[i]);
    parts[i](r);
    path_pop(r, mark);
  }
  size_t mark = json_member(r->phase, "solver") != NULL ? path_push_phase(r) : r->path.length;
  (void)path_push(r, "solver");
  r->m->solver = bind_application(r, json_member(r->root, "solver"), POSITION_SOLVER, NULL);
  path_pop(r, mark);
}
