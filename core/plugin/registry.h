/* The plugins that were found, and their components by position and id.
 *
 * Search path: --plugin-path, TIER_PLUGIN_PATH (colon list, empty entries ignored), then the build
 * or install directory; never the working directory. Plugins outside the build or install directory
 * are probed in a child process first. A duplicate id is an error that names both files. */
#ifndef PLUGIN_REGISTRY_H
#define PLUGIN_REGISTRY_H

#include <tier/plugin.h>

enum position {
  POSITION_DATA,      /* dataset, transform */
  POSITION_MODEL,     /* model */
  POSITION_FUNCTION,  /* loss, map, metric, evaluator */
  POSITION_OPTIMIZER, /* optimizer */
  POSITION_ESTIMATOR, /* estimator, linear-solver */
  POSITION_SOLVER,    /* solver */
  POSITION_SET,       /* set */
  POSITION_WRITER,    /* writer */
  POSITION_COUNT
};

struct plugin {
  const char *path;   /* of the file */
  const char *sha256; /* of its content, hex; computed at the first call of plugin_hash */
  const char *name;
  const char *version;
  const char *licence;
  int own; /* from the build or install directory */
};

/* A component as the host uses it: tables copied to the host's own strides, so c.slots[i] and
 * c.entries[i].slots[j] can be indexed directly. */
struct component {
  tier_component c;
  enum position position;
  struct plugin *plugin;
};

struct registry;
struct registry_options {
  const char *plugin_path; /* --plugin-path: a colon list, or NULL */
  int probe;               /* 0: do not probe third-party plugins (inside the probe itself) */
};

/* Loads everything on the search path. A third-party file that is refused is remembered with its
 * reason (registry_refused), and only fails a manifest that needs it. */
int32_t registry_open(const struct registry_options *options, struct registry **out);
void registry_close(struct registry *r); /* frees the tables; libraries stay loaded */
/* NULL if there is none. */
const struct component *registry_find(const struct registry *r, enum position position,
                                      const char *id);
/* Components in order of kind and id; NULL after the last. */
const struct component *registry_component(const struct registry *r, size_t index);
struct registry_refusal {
  const char *path;
  const char *reason;
};
const struct registry_refusal *registry_refused(const struct registry *r, size_t index);
/* The names in a position, for suggestions; *count of them; valid as long as r. */
const char *const *registry_names(const struct registry *r, enum position position, size_t *count);
/* Loads one file outside the search path (tier inspect FILE); TIER_E_PLUGIN with the reason. */
int32_t registry_load_file(struct registry *r, const char *path, size_t *first, size_t *count);
const char *plugin_hash(struct plugin *p); /* sha256, hex; "" if unreadable */

enum position position_of_kind(const char *kind); /* POSITION_COUNT if it is none */
const char *position_name(enum position p);       /* "dataset or transform", for messages */

/* The host table that plugins are given. Other layers add their interfaces ("tier.problem/1")
 * before plugins are created: host_offer. */
extern const tier_host host_table;
void host_offer(const char *interface_id, const void *interface);

/* `tier probe FILE`: loads and examines one plugin in this process; prints a reason and returns an
 * exit code. */
int probe_main(const char *path);

#endif
