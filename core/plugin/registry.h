/* The plugins that were found, and their components by position and id.
 *
 * Search path: --plugin-path, TIER_PLUGIN_PATH (colon lists of folders or files, empty entries
 * ignored), then our own folder: BUILD/plugins where the running program lies anywhere in a build
 * folder of meson (so tests find the plugins, too), else the install directory. Never the working
 * directory. Plugins outside our own folder are probed in a child process first. A duplicate id is
 * an error that names both files.
 */
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
  int own;      /* from the build or install directory */
  char hex[65]; /* what sha256 points to */
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

/* Loads everything on the search path. A file that is refused is remembered with its reason
 * (registry_refused), and only fails a manifest that needs it. TIER_E_MISSING where an entry of
 * options->plugin_path does not exist, TIER_E_PLUGIN for a duplicate id. */
int32_t registry_open(const struct registry_options *options, struct registry **out);
void registry_close(struct registry *r); /* frees the tables; libraries stay loaded */
/* NULL if there is none. */
const struct component *registry_find(const struct registry *r, enum position position,
                                      const char *id);
/* Components in order of kind (as tier/plugin.h lists them) and id, then those that
 * registry_load_file added; NULL after the last. */
const struct component *registry_component(const struct registry *r, size_t index);
struct registry_refusal {
  const char *path;
  const char *reason;
};
const struct registry_refusal *registry_refused(const struct registry *r, size_t index);
/* The names in a position, sorted, for suggestions; *count of them; valid as long as r. */
const char *const *registry_names(const struct registry *r, enum position position, size_t *count);
/* Loads one file (tier inspect FILE) for inspection: its components are appended, as
 * registry_component(r, *first) and on, but registry_find does not see them, so their ids need not
 * be new. TIER_E_PLUGIN with the reason, TIER_E_MISSING if there is no such file. */
int32_t registry_load_file(struct registry *r, const char *path, size_t *first, size_t *count);
const char *plugin_hash(struct plugin *p); /* sha256, hex; "" if unreadable */

enum position position_of_kind(const char *kind); /* POSITION_COUNT if it is none */
const char *position_name(enum position p);       /* "dataset or transform", for messages */

/* The host table that plugins are given. Other layers add their interfaces ("tier.problem/1")
 * before plugins are created: host_offer. */
extern const tier_host host_table;
void host_offer(const char *interface_id, const void *interface); /* not copied; replaces */

/* `tier probe FILE`: loads and examines one plugin in this process; prints a verdict and returns an
 * exit code. Any program that opens a registry with `probe` set is started anew with these two
 * arguments, so its main begins with
 *
 *   if (argc == 3 && strcmp(argv[1], "probe") == 0) {
 *     return probe_main(argv[2]);
 *   }
 */
int probe_main(const char *path);

#endif
