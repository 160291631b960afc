/* A plugin that is wrong in one way, which meson.build chooses by a macro. */
#include <signal.h>
#include <stdlib.h>
#include <tier/plugin.h>
#include <unistd.h>

#ifndef MAGIC
#define MAGIC TIER_PLUGIN_MAGIC
#endif
#ifndef STRUCT_SIZE
#define STRUCT_SIZE sizeof(tier_plugin)
#endif
#ifndef MAJOR
#define MAJOR TIER_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR 0
#endif
#ifndef TABLE
#define TABLE components
#endif
#ifndef COUNT
#define COUNT 1
#endif
#ifndef STRIDE
#define STRIDE sizeof(tier_component)
#endif
#ifndef KIND
#define KIND "map"
#endif
#ifndef ID
#define ID "bad"
#endif
#ifndef SECOND_SLOT
#define SECOND_SLOT "b"
#endif
#ifndef CREATE
#define CREATE create
#endif
#ifndef GET
#define GET get
#endif
#ifndef ON_LOAD
#define ON_LOAD
#endif

__attribute__((constructor)) static void on_load(void) {
  ON_LOAD;
}

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  (void)params;
  *object = NULL;
  return host->fail(host, TIER_E_INTERNAL, "a bad plugin was created");
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  (void)interface_id;
  return NULL;
}

static const tier_slot slots[] = {
    {.name = "a", .doc = "first", .type = TIER_SLOT_NUMBER},
    {.name = SECOND_SLOT, .doc = "second", .type = TIER_SLOT_NUMBER},
};

/* Some variants do not use all of these. */
extern const tier_component components[];
extern int32_t (*const keep_create)(const tier_host *, const tier_params *, void **);
extern const void *(*const keep_get)(void *, const char *);
int32_t (*const keep_create)(const tier_host *, const tier_params *, void **) = create;
const void *(*const keep_get)(void *, const char *) = get;

const tier_component components[] = {
    {.struct_size = (uint32_t)sizeof(tier_component),
     .kind = KIND,
     .id = ID,
     .summary = "Wrong in one way.",
     TIER_SLOTS(slots),
     .create = CREATE,
     .get = GET},
};

#ifndef NO_ENTRY
extern TIER_EXPORT const tier_plugin tier_plugin_entry;
TIER_EXPORT const tier_plugin tier_plugin_entry = {
    .magic = MAGIC,
    .struct_size = (uint32_t)STRUCT_SIZE,
    .abi_major = MAJOR,
    .abi_minor = MINOR,
    .name = "bad",
    .version = "1.0",
    .licence = "MIT",
    .components = TABLE,
    .component_count = COUNT,
    .component_size = (uint32_t)STRIDE,
};
#endif
