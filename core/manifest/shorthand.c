/* The whole manifest, section by section, and the defaults of the format itself. */
#include "manifest/shorthand.h"

#include <string.h>

static struct json *text(struct reader *r, const char *value) {
  return json_make_text(r->arena, value);
}
static struct json *number(struct reader *r, double value) {
  return json_make_number(r->arena, value);
}

/* ---- single parts ---- */

/* The word "none" computes the gradient and applies nothing. */
static struct json *optimizer(struct reader *r, struct json *j) {
  int word = j->type == JSON_STRING && strcmp(j->text, "none") == 0;
  const struct json *none = json_member(j, "none");
  if (word) {
    return as_application(r, j, "optimizer");
  }
  return none != NULL && none->type == JSON_OBJECT && none->count == 0
             ? j
             : write_application(r, j, POSITION_OPTIMIZER, NULL);
}
static struct json *model(struct reader *r, struct json *j) {
  return write_application(r, j, POSITION_MODEL, NULL);
}
static struct json *solver(struct reader *r, struct json *j) {
  return write_application(r, j, POSITION_SOLVER, NULL);
}
static struct json *set(struct reader *r, struct json *j) {
  return write_application(r, j, POSITION_SET, NULL);
}

static struct json *data(struct reader *r, struct json *j) {
  r->own_data = j->key;
  struct json *s = write_source(r, j);
  r->own_data = NULL;
  return s;
}

/* ---- variables, objectives ---- */

static struct json *sets(struct reader *r, struct json *j) {
  return read_elements(r, node_listed(r, j), set);
}
static struct json *sizes(struct reader *r, struct json *j) {
  return j->type == JSON_STRING ? j : node_listed(r, j);
}
static struct json *terms(struct reader *r, struct json *j) {
  return read_elements(r, node_listed(r, j), write_expression);
}

static struct json *variable(struct reader *r, struct json *j) {
  if (j->type == JSON_NUMBER) {
    j = node_wrap(r, j, "init");
  } else if (model_id(j) != NULL && json_member(j, "model") == NULL) {
    j = node_wrap(r, j, "model");
  }
  read_member(r, j, "model", model);
  read_member(r, j, "init", write_expression);
  read_member(r, j, "shape", sizes);
  read_member(r, j, "within", sets);
  return j;
}

static struct json *through(struct reader *r, struct json *j) {
  return read_members(r, j, write_estimator);
}

/* ---- levels and phases ---- */

static struct json *level(struct reader *r, struct json *j) {
  read_member(r, j, "over", node_listed);
  read_member(r, j, "optimizer", optimizer);
  read_member(r, j, "through", through);
  fill_in(r, j, "tolerance", number(r, 0));
  fill_in(r, j, "batch", text(r, "all"));
  struct json *warm = json_make(r->arena, JSON_BOOLEAN);
  warm->boolean = 1;
  fill_in(r, j, "warm_start", warm);
  fill_in(r, j, "through", json_make(r->arena, JSON_OBJECT));
  return j;
}

/* What depends on the next level: `parent`, and one step where neither steps nor epochs stand. */
static void fill_lower_levels(struct reader *r, struct json *list) {
  for (size_t i = 0; i + 1 < list->count; i++) {
    struct json *j = list->items[i];
    const struct json *next = json_member(list->items[i + 1], "name");
    if (next != NULL && next->type == JSON_STRING) {
      fill_in(r, j, "parent", text(r, next->text));
    }
    if (json_member(j, "epochs") == NULL) {
      fill_in(r, j, "steps", number(r, 1));
    }
  }
}

static struct json *levels(struct reader *r, struct json *j) {
  (void)read_elements(r, j, level);
  if (j->type == JSON_LIST) {
    fill_lower_levels(r, j);
  }
  return j;
}

static struct json *then(struct reader *r, struct json *j) {
  return read_members(r, j, write_expression);
}

static struct json *phase(struct reader *r, struct json *j) {
  read_member(r, j, "levels", levels);
  read_member(r, j, "solver", solver);
  read_member(r, j, "then", then);
  return j;
}

static struct json *phases(struct reader *r, struct json *j) {
  return read_elements(r, j, phase);
}

/* ---- measures ---- */

/* A metric, a writer, or an expression. */
static struct json *measured(struct reader *r, struct json *j) {
  struct callee callee;
  const struct component *c = NULL;
  if (j->type == JSON_OBJECT && j->count == 1 && names_find(r, j->items[0]->key, NULL) == NULL) {
    const char *id = j->items[0]->key;
    c = registry_find(r->registry, POSITION_FUNCTION, id);
    c = c != NULL ? c : registry_find(r->registry, POSITION_WRITER, id);
  }
  if (c == NULL) {
    return write_expression(r, j);
  }
  callee_of_component(c, &callee);
  write_out_arguments(r, &callee, j);
  return j;
}

static struct json *measure(struct reader *r, struct json *j) {
  static const char *const keys[] = {"value", "on", "after", "each", "every"};
  int written_out = 0;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    written_out = written_out || json_member(j, keys[i]) != NULL;
  }
  if (!written_out) {
    j = node_wrap(r, j, "value");
  }
  read_member(r, j, "value", measured);
  return j;
}

/* ---- the whole ---- */

static struct json *all_data(struct reader *r, struct json *j) {
  return read_members(r, j, data);
}
static struct json *all_variables(struct reader *r, struct json *j) {
  return read_members(r, j, variable);
}
static struct json *all_values(struct reader *r, struct json *j) {
  return read_members(r, j, write_expression);
}
static struct json *all_objectives(struct reader *r, struct json *j) {
  return read_members(r, j, terms);
}
static struct json *all_measures(struct reader *r, struct json *j) {
  return read_members(r, j, measure);
}

static void fill_settings(struct reader *r) {
  static const char *const maps[] = {"values", "budget", "metrics", "outputs", "compute", "guards"};
  struct json *root = r->root;
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
    fill_in(r, root, maps[i], json_make(r->arena, JSON_OBJECT));
  }
  fill_in(r, root, "about", text(r, ""));
  fill_in(r, root, "name", text(r, r->m != NULL ? r->m->name : ""));
  fill_in(r, root, "solver", text(r, "nested"));
  fill_in(r, root, "seeds", number(r, 0));
  struct json *compute = json_member(root, "compute");
  fill_in(r, compute, "dtype", text(r, "f32"));
  fill_in(r, compute, "threads", text(r, "all"));
  fill_in(r, compute, "backend", text(r, "cpu"));
  struct json *guards = json_member(root, "guards");
  fill_in(r, guards, "nonfinite", text(r, "stop"));
  fill_in(r, guards, "divergence", number(r, 1e12));
  fill_in(r, guards, "stationarity", text(r, "warn"));
}

void shorthand_write_out(struct reader *r) {
  struct json *root = r->root;
  if (r->fill) {
    fill_settings(r);
  }
  read_member(r, root, "data", all_data);
  read_member(r, root, "variables", all_variables);
  read_member(r, root, "values", all_values);
  read_member(r, root, "objectives", all_objectives);
  read_member(r, root, "levels", levels);
  read_member(r, root, "phases", phases);
  read_member(r, root, "solver", solver);
  read_member(r, root, "metrics", all_measures);
  read_member(r, root, "outputs", all_measures);
  read_member(r, root, "seeds", node_listed);
}

int solver_without_gradient(struct reader *r) {
  const struct json *j = json_member(r->root, "solver");
  const char *id = j == NULL                                 ? "nested"
                   : j->type == JSON_STRING                  ? j->text
                   : j->type == JSON_OBJECT && j->count == 1 ? j->items[0]->key
                                                             : "";
  const struct component *c = registry_find(r->registry, POSITION_SOLVER, id);
  return c != NULL && (c->c.flags & TIER_NO_GRADIENT) != 0;
}
