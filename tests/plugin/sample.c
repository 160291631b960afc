/* A plugin for the tests of the loader and of params: one component for each way in which a slot
 * can be read. What `create` saw is offered as "test.seen/1". */
#include <stdlib.h>
#include <string.h>
#include <tier/function.h>
#include <tier/linear_solver.h>

#include "sample.h"

static const tier_slot everything_slots[] = {
    {.name = "rate",
     .doc = "a rate",
     .type = TIER_SLOT_NUMBER,
     .flags = TIER_SLOT_REQUIRED | TIER_SLOT_DIFFERENTIABLE | TIER_SLOT_OPEN_MINIMUM,
     .minimum = 0,
     .maximum = 1},
    {.name = "count",
     .doc = "a count",
     .type = TIER_SLOT_INTEGER,
     .fallback = "3",
     .unit = "rows",
     .minimum = 1,
     .maximum = 10},
    {.name = "sizes", .doc = "sizes", .type = TIER_SLOT_INTEGERS, .fallback = "[4, 5]"},
    {.name = "weights", .doc = "weights", .type = TIER_SLOT_NUMBERS, .fallback = "0.25"},
    {.name = "deep", .doc = "a switch", .type = TIER_SLOT_BOOLEAN, .fallback = "true"},
    {.name = "shape",
     .doc = "a shape",
     .type = TIER_SLOT_TEXT,
     .fallback = "\"round\"",
     .choices = "round|square"},
    {.name = "names", .doc = "names", .type = TIER_SLOT_TEXTS},
    {.name = "file", .doc = "a file", .type = TIER_SLOT_PATH},
    {.name = "data", .doc = "data", .type = TIER_SLOT_DATA},
    {.name = "solver",
     .doc = "a solver",
     .type = TIER_SLOT_APPLICATION,
     .choices = "linear-solver"},
    {.name = "of", .doc = "an input", .type = TIER_SLOT_EXPRESSION},
};

static int32_t build(void *self, const char *entry, tier_build *b) {
  (void)self;
  (void)entry;
  return tier_output(b, tier_input(b, "of"));
}
static const tier_function_1 function = {.struct_size = (uint32_t)sizeof(tier_function_1),
                                         .build = build};

static void see_lists(const tier_params *p, struct seen *s) {
  s->size_count = p->api->count(p, "sizes");
  for (int64_t i = 0; i < s->size_count && i < 4; i++) {
    s->sizes[i] = p->api->integer_at(p, "sizes", i);
  }
  s->weight = p->api->number_at(p, "weights", 0);
  s->name_count = p->api->count(p, "names");
  if (s->name_count > 0) {
    (void)snprintf(s->last_name, sizeof s->last_name, "%s",
                   p->api->text_at(p, "names", s->name_count - 1));
  }
}

static int32_t create_everything(const tier_host *host, const tier_params *p, void **object) {
  struct seen *s = calloc(1, sizeof *s);
  if (s == NULL) {
    return tier_failf(host, TIER_E_MEMORY, "no memory");
  }
  s->rate_given = tier_given(p, "rate");
  s->rate = tier_number(p, "rate");
  s->count = tier_integer(p, "count");
  see_lists(p, s);
  s->deep = tier_boolean(p, "deep");
  (void)snprintf(s->shape, sizeof s->shape, "%s", tier_text(p, "shape"));
  s->file_given = tier_given(p, "file");
  s->file = tier_text(p, "file");
  s->data = p->api->data_at(p, "data", 0);
  s->solver = p->api->instance(p, "solver");
  s->of_given = tier_given(p, "of");
  s->stream = p->api->stream(p);
  *object = s;
  return TIER_OK;
}

static const void *get_everything(void *object, const char *id) {
  if (strcmp(id, "test.seen/1") == 0) {
    return object;
  }
  return strcmp(id, "tier.function/1") == 0 ? &function : NULL;
}

/* ---- components that misbehave in create, as their primary slot says ---------------------------
 */

static const tier_slot clumsy_slots[] = {
    {.name = "how",
     .doc = "what goes wrong",
     .type = TIER_SLOT_TEXT,
     .fallback = "\"type\"",
     .choices = "type|name|reason|silent|recovers"},
};

static int32_t create_clumsy(const tier_host *host, const tier_params *p, void **object) {
  const char *how = tier_text(p, "how");
  *object = NULL;
  if (strcmp(how, "type") == 0) {
    return tier_number(p, "how") == 0 ? TIER_OK : TIER_E_INTERNAL;
  }
  if (strcmp(how, "name") == 0) {
    return tier_given(p, "no_such_slot") ? TIER_E_INTERNAL : TIER_OK;
  }
  if (strcmp(how, "reason") == 0) {
    return tier_failf(host, TIER_E_REFUSED, "does not like %s", how);
  }
  if (strcmp(how, "recovers") == 0) {
    (void)tier_failf(host, TIER_E_IO, "nothing serious");
    return TIER_OK;
  }
  return TIER_E_MEMORY;
}

static const void *get_function(void *object, const char *id) {
  (void)object;
  return strcmp(id, "tier.function/1") == 0 ? &function : NULL;
}

static const void *get_nothing(void *object, const char *id) {
  (void)object;
  (void)id;
  return NULL;
}

/* ---- a linear solver that divides by the system's `step`, for slots of kind linear-solver ------
 */

static int32_t solve(void *self, const tier_linear_system *system, tier_state *state,
                     const tier_vector *b, tier_vector *x, tier_linear_report *report) {
  (void)self;
  (void)system;
  (void)state;
  (void)b;
  (void)x;
  report->iterations = 1;
  report->stop = "exact";
  return TIER_OK;
}
static const tier_linear_solver_1 solver = {.struct_size = (uint32_t)sizeof(tier_linear_solver_1),
                                            .solve = solve};
static const tier_linear_solver_1 short_solver = {.struct_size = 8, .solve = solve};
static const tier_linear_solver_1 empty_solver = {.struct_size =
                                                      (uint32_t)sizeof(tier_linear_solver_1)};

static int32_t create_nothing(const tier_host *host, const tier_params *p, void **object) {
  (void)host;
  (void)p;
  *object = NULL;
  return TIER_OK;
}

#define GETTER(name, table)                                          \
  static const void *name(void *object, const char *id) {            \
    (void)object;                                                    \
    return strcmp(id, "tier.linear_solver/1") == 0 ? (table) : NULL; \
  }
GETTER(get_solver, &solver)
GETTER(get_short, &short_solver)
GETTER(get_empty, &empty_solver)

static const tier_slot input_slots[] = {
    {.name = "x", .doc = "input", .type = TIER_SLOT_EXPRESSION, .flags = TIER_SLOT_REQUIRED},
};
static const tier_entry entries[] = {
    {.name = "forward", .doc = "x as it is", TIER_SLOTS(input_slots)},
    {.name = "encode",
     .doc = "two outputs",
     .outputs = "mean log_variance",
     TIER_SLOTS(input_slots)},
};

#define NAMED(kind_name, id_name) \
  .struct_size = (uint32_t)sizeof(tier_component), .kind = (kind_name), .id = (id_name)

static const tier_component components[] = {
    {NAMED("map", "everything"), .summary = "Has a slot of each type.",
     TIER_SLOTS(everything_slots), .create = create_everything, .destroy = free,
     .get = get_everything},
    {NAMED("map", "clumsy"), .summary = "Fails in create.", TIER_SLOTS(clumsy_slots),
     .create = create_clumsy, .get = get_function},
    {NAMED("loss", "offers-nothing"), .summary = "Offers no interface.", .create = create_nothing,
     .get = get_nothing},
    {NAMED("linear-solver", "good-solver"), .summary = "Solves.", .create = create_nothing,
     .get = get_solver},
    {NAMED("linear-solver", "short-solver"), .summary = "Its table is too small.",
     .create = create_nothing, .get = get_short},
    {NAMED("linear-solver", "empty-solver"), .summary = "Its table has no function.",
     .create = create_nothing, .get = get_empty},
    {NAMED("model", "two-ways"), .summary = "A model with two entries.", TIER_ENTRIES(entries),
     .create = create_nothing, .get = get_function},
    {NAMED("transform", "wraps"), .summary = "A transform.", .create = create_nothing,
     .get = get_nothing},
};

TIER_PLUGIN("sample", "1.0", "MIT", components);
