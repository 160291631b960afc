/* What compare --estimators compares: states, settings, and items with their varied parameters. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/compare.h"
#include "run/directory.h"

#define STEPS_MOST 10000
#define ITEMS_MOST 10000
#define REPEATS_MOST 100000

/* ---- numbers ---- */

static int32_t read_whole(const char *option, const char *text, int64_t least, int64_t most,
                          const char **end, int64_t *out) {
  char *stop = NULL;
  long long value = strtoll(text, &stop, 10);
  if (stop == text || value < least || value > most) {
    return fail(TIER_E_INVALID, "%s: \"%s\" does not begin with a whole number from %lld to %lld",
                option, text, (long long)least, (long long)most);
  }
  *end = stop;
  *out = value;
  return TIER_OK;
}

static int32_t add_step(struct plan *p, int64_t step, const char *text) {
  if (p->step_count > 0 && step <= p->steps[p->step_count - 1]) {
    return fail(TIER_E_INVALID, "--at-steps %s: the steps must ascend", text);
  }
  if (p->step_count == STEPS_MOST) {
    return fail(TIER_E_INVALID, "--at-steps %s: more than %d steps", text, STEPS_MOST);
  }
  p->steps[p->step_count++] = step;
  return TIER_OK;
}

/* N, or A..B, or A..B..STEP. */
static int32_t read_range(const char *text, const char **rest, struct plan *p, const char *all) {
  int64_t from = 0;
  int64_t to = 0;
  int64_t stride = 1;
  TIER_TRY(read_whole("--at-steps", text, 0, INT64_C(1) << 53, rest, &from));
  to = from;
  if (strncmp(*rest, "..", 2) == 0) {
    TIER_TRY(read_whole("--at-steps", *rest + 2, from, INT64_C(1) << 53, rest, &to));
    if (strncmp(*rest, "..", 2) == 0) {
      TIER_TRY(read_whole("--at-steps", *rest + 2, 1, INT64_C(1) << 53, rest, &stride));
    }
  }
  for (int64_t step = from; step <= to; step += stride) {
    TIER_TRY(add_step(p, step, all));
  }
  return TIER_OK;
}

int32_t plan_steps(struct arena *a, const struct options *o, struct plan *p) {
  const char *text = o->at_steps != NULL ? o->at_steps : o->at_step != NULL ? o->at_step : "0";
  const char *rest = text;
  p->step_count = 0;
  p->steps = arena_alloc(a, STEPS_MOST * sizeof *p->steps);
  if (o->at_steps != NULL && o->at_step != NULL) {
    return fail(TIER_E_INVALID, "--at-step and --at-steps are two ways to say one thing");
  }
  for (;;) {
    TIER_TRY(read_range(rest, &rest, p, text));
    if (*rest == '\0') {
      return TIER_OK;
    }
    if (*rest != ',' || o->at_steps == NULL) {
      return fail(TIER_E_INVALID, "%s \"%s\": \"%s\" is left over",
                  o->at_steps != NULL ? "--at-steps" : "--at-step", text, rest);
    }
    rest++;
  }
}

static int32_t read_repeat(const struct options *o, struct plan *p) {
  const char *rest = "";
  p->repeat = 1;
  if (o->repeat != NULL) {
    TIER_TRY(read_whole("--repeat", o->repeat, 1, REPEATS_MOST, &rest, &p->repeat));
  }
  return *rest == '\0' ? TIER_OK
                       : fail(TIER_E_INVALID, "--repeat \"%s\": not a whole number", o->repeat);
}

/* ---- --vary ---- */

struct vary {
  const char *path;
  const char *values[64];
  size_t count;
};

static int32_t read_vary(struct arena *a, const char *text, struct vary *out) {
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals == text || equals[1] == '\0') {
    return fail(TIER_E_INVALID, "--vary \"%s\": not PATH=VALUE,VALUE,...", text);
  }
  out->path = arena_text_n(a, text, (size_t)(equals - text));
  for (const char *at = equals + 1;;) {
    const char *end = item_end(at, ',');
    if (out->count == sizeof out->values / sizeof out->values[0]) {
      return fail(TIER_E_INVALID, "--vary %s: more than %zu values", out->path, out->count);
    }
    out->values[out->count++] = arena_text_n(a, at, (size_t)(end - at));
    if (*end == '\0') {
      return TIER_OK;
    }
    at = end + 1;
  }
}

/* Is it a path of the manifest, not of an item? */
static int is_of_manifest(const struct vary *v) {
  static const char *const roots[] = {"levels.", "variables.", "objectives.",
                                      "sets.",   "data.",      "compute."};
  for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
    if (strncmp(v->path, roots[i], strlen(roots[i])) == 0) {
      return 1;
    }
  }
  return 0;
}

static int is_of_item(const struct vary *v, const char *id) {
  size_t length = strlen(id);
  return strncmp(v->path, id, length) == 0 && v->path[length] == '.' && v->path[length + 1] != '\0';
}

/* The number of the product's combinations of the varies that `belongs` chooses. */
static size_t combinations(const struct vary *varies, size_t count, const unsigned char *belongs) {
  size_t product = 1;
  for (size_t i = 0; i < count; i++) {
    product *= belongs[i] && product <= ITEMS_MOST ? varies[i].count : 1;
  }
  return product;
}

/* The value of varies[i] in combination `index`, the last one running fastest. */
static const char *value_in(const struct vary *varies, size_t count, const unsigned char *belongs,
                            size_t index, size_t i) {
  for (size_t j = count; j-- > 0;) {
    if (belongs[j]) {
      if (j == i) {
        return varies[j].values[index % varies[j].count];
      }
      index /= varies[j].count;
    }
  }
  return NULL;
}

static int32_t make_settings(struct arena *a, const struct vary *varies, size_t count,
                             struct plan *p) {
  unsigned char *belongs = arena_alloc(a, count + 1);
  for (size_t i = 0; i < count; i++) {
    belongs[i] = (unsigned char)is_of_manifest(&varies[i]);
  }
  p->setting_count = combinations(varies, count, belongs);
  if (p->setting_count > ITEMS_MOST) {
    return fail(TIER_E_INVALID, "--vary: more than %d settings", ITEMS_MOST);
  }
  p->settings = arena_alloc(a, p->setting_count * sizeof *p->settings);
  for (size_t k = 0; k < p->setting_count; k++) {
    struct setting *s = &p->settings[k];
    s->sets.items = arena_alloc(a, (count + 1) * sizeof *s->sets.items);
    s->label = "";
    for (size_t i = 0; i < count; i++) {
      if (belongs[i]) {
        const char *set =
            arena_format(a, "%s=%s", varies[i].path, value_in(varies, count, belongs, k, i));
        s->sets.items[s->sets.count++] = set;
        s->label = s->label[0] == '\0' ? set : arena_format(a, "%s %s", s->label, set);
      }
    }
  }
  return TIER_OK;
}

/* The item in combination `index` of the varies that belong to it. */
static void add_item(struct arena *a, const struct vary *varies, size_t count,
                     const unsigned char *belongs, size_t index, const struct item *item,
                     const struct json *own, struct compared *out) {
  struct item_change *changes = arena_alloc(a, (count + 1) * sizeof *changes);
  size_t changed = 0;
  *out = (struct compared){.item = *item, .series = item->text, .label = item->text};
  for (size_t i = 0; i < count; i++) {
    if (belongs[i]) {
      struct item_change *c = &changes[changed++];
      c->path = varies[i].path + strlen(item->id) + 1;
      c->value = value_in(varies, count, belongs, index, i);
      out->label = arena_format(a, "%s:%s=%s", out->label, c->path, c->value);
    }
  }
  if (changed > 0) {
    out->item = item_vary(a, item, own, changes, changed);
  }
}

static int32_t add_items(struct arena *a, const struct vary *varies, size_t count,
                         const struct item *item, const struct json *own, unsigned char *used,
                         struct plan *p) {
  unsigned char *belongs = arena_alloc(a, count + 1);
  for (size_t i = 0; i < count; i++) {
    belongs[i] = (unsigned char)(!is_of_manifest(&varies[i]) && is_of_item(&varies[i], item->id));
    used[i] |= belongs[i];
  }
  size_t product = combinations(varies, count, belongs);
  if (product + p->item_count > ITEMS_MOST) {
    return fail(TIER_E_INVALID, "--vary: more than %d items", ITEMS_MOST);
  }
  for (size_t k = 0; k < product; k++) {
    add_item(a, varies, count, belongs, k, item, own, &p->items[p->item_count++]);
  }
  return TIER_OK;
}

static int32_t fail_unused(const struct vary *v) {
  return fail(TIER_E_INVALID,
              "--vary %s: it must begin with the id of an item in --estimators, as in "
              "neumann.terms, or be a path of the manifest, as in levels.inner.steps",
              v->path);
}

int32_t plan_make(struct arena *a, const struct options *o, const struct json *own,
                  struct plan *out) {
  struct item *items = NULL;
  size_t item_count = 0;
  size_t count = o->varies.count;
  struct vary *varies = arena_alloc(a, (count + 1) * sizeof *varies);
  unsigned char *used = arena_alloc(a, count + 1);
  *out = (struct plan){0};
  TIER_TRY(plan_steps(a, o, out));
  TIER_TRY(read_repeat(o, out));
  for (size_t i = 0; i < count; i++) {
    TIER_TRY(read_vary(a, o->varies.items[i], &varies[i]));
    used[i] = (unsigned char)is_of_manifest(&varies[i]);
  }
  TIER_TRY(make_settings(a, varies, count, out));
  TIER_TRY(items_parse(a, o->estimators, &items, &item_count));
  out->items = arena_alloc(a, ITEMS_MOST * sizeof *out->items);
  for (size_t i = 0; i < item_count; i++) {
    TIER_TRY(add_items(a, varies, count, &items[i], own, used, out));
  }
  for (size_t i = 0; i < count; i++) {
    if (!used[i]) {
      return fail_unused(&varies[i]);
    }
  }
  return TIER_OK;
}

char *compare_directory(const char *prefix, int64_t step) {
  return memory_format("%s-at-%lld", prefix, (long long)step);
}
