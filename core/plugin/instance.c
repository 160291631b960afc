/* Creating components, and what each kind must offer. */
#include <stdlib.h>
#include <string.h>
#include <tier/dataset.h>
#include <tier/estimator.h>
#include <tier/function.h>
#include <tier/linear_solver.h>
#include <tier/loop.h>
#include <tier/metric.h>
#include <tier/solver.h>
#include <tier/step.h>
#include <tier/writer.h>

#include "base/error.h"
#include "base/memory.h"
#include "plugin/arguments.h"
#include "plugin/params.h"
#include "plugin/profiled.h"

/* ---- interfaces ------------------------------------------------------------------------------ */

/* An interface that components offer: its size in version 1.0, and the functions in it that must be
 * there. */
struct offered {
  const char *id;
  const char *kinds; /* kinds that need it or another one with the same kind; "" for none */
  uint32_t size;
  size_t required[2]; /* offsets; 0: none */
};

#define UP_TO(type, member) (uint32_t)(offsetof(type, member) + sizeof(void (*)(void)))

static const struct offered interfaces[] = {
    {"tier.function/1",
     " model loss map metric evaluator set ",
     UP_TO(tier_function_1, build),
     {offsetof(tier_function_1, build), 0}},
    {"tier.dataset/1",
     " dataset transform ",
     UP_TO(tier_dataset_1, read),
     {offsetof(tier_dataset_1, describe), offsetof(tier_dataset_1, read)}},
    {"tier.step/1", " optimizer ", UP_TO(tier_step_1, build), {offsetof(tier_step_1, build), 0}},
    {"tier.loop/1", " optimizer ", UP_TO(tier_loop_1, run), {offsetof(tier_loop_1, run), 0}},
    {"tier.linear_solver/1",
     " linear-solver ",
     UP_TO(tier_linear_solver_1, solve),
     {offsetof(tier_linear_solver_1, solve), 0}},
    {"tier.estimator/1",
     " estimator ",
     UP_TO(tier_estimator_1, pushforward),
     {offsetof(tier_estimator_1, solve), offsetof(tier_estimator_1, pullback)}},
    {"tier.solver/1",
     " solver ",
     UP_TO(tier_solver_1, finish),
     {offsetof(tier_solver_1, steps), offsetof(tier_solver_1, step)}},
    {"tier.metric/1",
     " metric ",
     UP_TO(tier_metric_1, compute),
     {offsetof(tier_metric_1, compute), 0}},
    {"tier.writer/1",
     " writer ",
     UP_TO(tier_writer_1, write),
     {offsetof(tier_writer_1, extension), offsetof(tier_writer_1, write)}},
    {"tier.state/1", "", UP_TO(tier_state_1, declare), {offsetof(tier_state_1, declare), 0}},
};

static int serves_kind(const struct offered *o, const char *kind) {
  size_t length = strlen(kind);
  const char *p = strstr(o->kinds, kind);
  while (p != NULL && (p[-1] != ' ' || p[length] != ' ')) {
    p = strstr(p + 1, kind);
  }
  return p != NULL;
}

static int is_null(const void *table, size_t offset) {
  void (*function)(void) = NULL;
  memcpy(&function, (const char *)table + offset, sizeof function);
  return function == NULL;
}

static int32_t check_table(const struct offered *o, const void *table) {
  uint32_t size = 0;
  memcpy(&size, table, sizeof size);
  if (size < o->size) {
    return fail(TIER_E_PLUGIN, "its %s has struct_size %u, but version 1 has at least %u", o->id,
                size, o->size);
  }
  for (size_t i = 0; i < TIER_COUNT(o->required); i++) {
    if (o->required[i] != 0 && is_null(table, o->required[i])) {
      return fail(TIER_E_PLUGIN, "its %s lacks the member at offset %zu, which it must have", o->id,
                  o->required[i]);
    }
  }
  return TIER_OK;
}

static int32_t fail_without_interface(const char *kind) {
  const char *wanted[TIER_COUNT(interfaces)] = {0};
  size_t count = 0;
  for (size_t i = 0; i < TIER_COUNT(interfaces); i++) {
    if (serves_kind(&interfaces[i], kind)) {
      wanted[count++] = interfaces[i].id;
    }
  }
  return fail(TIER_E_PLUGIN, "a component of kind %s must offer %s%s%s", kind, wanted[0],
              count > 1 ? " or " : "", count > 1 ? wanted[1] : "");
}

static int32_t check_interfaces(const struct instance *i) {
  int served = 0;
  for (size_t k = 0; k < TIER_COUNT(interfaces); k++) {
    const void *table = i->component->c.get(i->object, interfaces[k].id);
    if (table != NULL) {
      TIER_TRY(check_table(&interfaces[k], table));
      served |= serves_kind(&interfaces[k], i->component->c.kind);
    }
  }
  return served ? TIER_OK : fail_without_interface(i->component->c.kind);
}

/* ---- what other plugins see ------------------------------------------------------------------ */

static const struct instance *instance_of(const tier_instance *i) {
  return (const struct instance *)i;
}

static const void *face_get(const tier_instance *i, const char *interface_id, void **object) {
  if (object != NULL) {
    *object = instance_of(i)->object;
  }
  return profiled_interface(instance_of(i), interface_id);
}

static const tier_component *face_component(const tier_instance *i) {
  return &instance_of(i)->component->c;
}

static tier_state *face_state(const tier_instance *i) {
  return instance_of(i)->state;
}

static const tier_instance_1 interface = {
    .struct_size = (uint32_t)sizeof(tier_instance_1),
    .get = face_get,
    .component = face_component,
    .state = face_state,
};

/* ---- life ------------------------------------------------------------------------------------ */

static int32_t create(struct instance *i) {
  const tier_component *c = &i->component->c;
  int clean = error_text()[0] == '\0';
  int32_t status = c->create(&host_table, params_face(i->params), &i->object);
  if (status < 0) {
    i->object = NULL;
    return clean && error_text()[0] == '\0'
               ? fail(status, "its plugin gave no reason (code %d)", status)
               : status;
  }
  if (clean) {
    error_clear(); /* of something that the plugin tried and got over */
  }
  if (params_bug(i->params) != NULL) {
    return fail(TIER_E_PLUGIN, "a bug of the plugin %s: %s", i->component->plugin->path,
                params_bug(i->params));
  }
  return check_interfaces(i);
}

int32_t instance_new(struct params *p, struct instance **out) {
  const struct component *component = params_component(p);
  struct instance *i = memory_alloc(1, sizeof *i);
  *out = NULL;
  *i = (struct instance){.face = {&interface}, .component = component, .params = p};
  int32_t status = params_complete(p);
  if (status == TIER_OK) {
    status = create(i);
  }
  if (status < 0) {
    instance_free(i);
    return error_context(status, "%s", component->c.id);
  }
  *out = i;
  return TIER_OK;
}

void instance_free(struct instance *i) {
  if (i != NULL) {
    profiled_forget(i);
    if (i->object != NULL && i->component->c.destroy != NULL) {
      i->component->c.destroy(i->object);
    }
    params_free(i->params);
    free(i);
  }
}

const void *instance_get(const struct instance *i, const char *interface_id) {
  return i->component->c.get(i->object, interface_id);
}
