/* Metrics and outputs. */
#include <string.h>

#include "manifest/reader.h"

/* A metric or writer as it stands, or an expression. */
static void bind_measured(struct reader *r, struct json *j, struct manifest_measure *m) {
  const char *id = j->type == JSON_OBJECT && j->count == 1 ? j->items[0]->key : "";
  const struct component *c =
      names_find(r, id, NULL) == NULL ? registry_find(r->registry, POSITION_FUNCTION, id) : NULL;
  int hidden = c != NULL || names_find(r, id, NULL) != NULL;
  if (c != NULL && strcmp(c->c.kind, "metric") == 0) {
    m->application = bind_application(r, j, POSITION_FUNCTION, NULL);
  } else if (!hidden && registry_find(r->registry, POSITION_WRITER, id) != NULL) {
    m->application = bind_application(r, j, POSITION_WRITER, NULL);
  } else {
    m->expr = bind_expr(r, j);
  }
}

static void bind_on(struct reader *r, struct json *j, struct manifest_measure *m) {
  if (!is_object(r, j, "\"on\"")) {
    return;
  }
  m->on = arena_alloc(r->arena, (j->count + 1) * sizeof *m->on);
  for (size_t i = 0; i < j->count; i++) {
    struct json *item = j->items[i];
    const struct name *n = names_find_kind(r, item->key, NAME_DATA);
    size_t mark = path_push(r, item->key);
    int instead = name_index(r, item, NAME_DATA);
    struct json key = *item; /* its own errors apart from those of the value */
    key.broken = 0;
    if (n == NULL) {
      wrong_key(r, &key, names_suggest(r, item->key), "\"on\": there is no data \"%s\"", item->key);
    }
    if (n != NULL && instead >= 0) {
      m->on[m->on_count][0] = n->index;
      m->on[m->on_count++][1] = instead;
    }
    path_pop(r, mark);
  }
}

static void bind_after(struct reader *r, struct json *j) {
  unsupported(r, j, "\"after\" (measuring after more steps of a level)");
  if (!is_object(r, j, "\"after\"")) {
    return;
  }
  for (size_t i = 0; i < j->count; i++) {
    struct json *item = j->items[i];
    int64_t steps = 0;
    if (names_find_kind(r, item->key, NAME_LEVEL) == NULL) {
      wrong_key(r, item, names_suggest(r, item->key), "\"after\": there is no level \"%s\"",
                item->key);
    }
    (void)is_integer(r, item, 0, "\"after\"", &steps);
  }
}

static void bind_each(struct reader *r, struct json *j) {
  unsupported(r, j, "\"each\" (one number for each member of a collection)");
  (void)name_index(r, j, NAME_DATA);
}

static void bind_measure_key(struct reader *r, struct json *j, struct manifest_measure *m) {
  if (strcmp(j->key, "value") == 0) {
    bind_measured(r, j, m);
  } else if (strcmp(j->key, "on") == 0) {
    bind_on(r, j, m);
  } else if (strcmp(j->key, "after") == 0) {
    bind_after(r, j);
  } else if (strcmp(j->key, "each") == 0) {
    bind_each(r, j);
  } else if (strcmp(j->key, "every") == 0) {
    (void)is_integer(r, j, 1, "\"every\"", &m->every);
  }
}

static void bind_measure(struct reader *r, struct json *j, struct manifest_measure *m) {
  static const char *const keys[] = {"value", "on", "after", "each", "every"};
  const char *what = arena_format(r->arena, "\"%s\"", j->key);
  *m = (struct manifest_measure){.name = j->key, .place = place_of_key(r, j)};
  if (j->broken || !is_object(r, j, what)) {
    return;
  }
  if (!is_name(j->key)) { /* it names a file, or a line of metrics.jsonl */
    wrong_key(r, j, "", "\"%s\" is not a name: letters, digits and _, a letter first", j->key);
  }
  check_keys(r, j, keys, sizeof keys / sizeof *keys, what);
  if (json_member(j, "value") == NULL) {
    wrong_key(r, j, "", "%s has no \"value\" to measure", what);
  }
  for (size_t i = 0; i < j->count; i++) {
    size_t mark = path_push(r, j->items[i]->key);
    bind_measure_key(r, j->items[i], m);
    path_pop(r, mark);
  }
}

static void bind_map(struct reader *r, const char *key, struct manifest_measure **out,
                     size_t *count) {
  struct json *all = json_member(r->root, key);
  size_t mark = path_push(r, key);
  int ok = all != NULL && is_object(r, all, arena_format(r->arena, "\"%s\"", key));
  *count = ok ? all->count : 0;
  *out = arena_alloc(r->arena, (*count + 1) * sizeof **out);
  for (size_t i = 0; i < *count; i++) {
    size_t inner = path_push(r, all->items[i]->key);
    bind_measure(r, all->items[i], &(*out)[i]);
    path_pop(r, inner);
  }
  path_pop(r, mark);
}

void bind_measures(struct reader *r) {
  r->context = CONTEXT_MEASURED;
  bind_map(r, "metrics", &r->m->metrics, &r->m->metric_count);
  bind_map(r, "outputs", &r->m->outputs, &r->m->output_count);
  r->context = CONTEXT_TRAINED;
}
