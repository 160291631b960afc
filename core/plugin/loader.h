/* One plugin file at a time: find it, probe it in a child process, load it, examine its tables.
 *
 * Failures are TIER_E_PLUGIN with the reason as text; the caller puts the file's name in front. */
#ifndef PLUGIN_LOADER_H
#define PLUGIN_LOADER_H

#include <sys/types.h>
#include <tier/plugin.h>

#include "base/memory.h"

/* A plugin's tables, copied to this host's strides: members that an older plugin does not know are
 * zero, members of a newer one that this host does not know are left out. Texts and functions stay
 * in the plugin, which is never unloaded. */
struct plugin_tables {
  const tier_plugin *entry;
  tier_component *components;
  uint32_t count;
};

/* dlopen and plugin_examine. Runs the file's constructors: a file that is not ours is probed first.
 * The tables live in the arena. */
int32_t plugin_load(struct arena *a, const char *path, struct plugin_tables *out);
/* Checks everything that can be checked without running plugin code, and copies the tables. */
int32_t plugin_examine(struct arena *a, const tier_plugin *entry, struct plugin_tables *out);
/* Loads the file in a child process ("tier probe FILE"), which gets two seconds. */
int32_t plugin_probe(const char *path);

/* A file on the search path. */
struct plugin_file {
  char *path;
  int own; /* it lies in the build or install directory */
  dev_t device;
  ino_t inode;
};
struct plugin_files {
  struct plugin_file *items;
  size_t count;
  size_t capacity;
};
/* All files *.so on the search path, each once, sorted within each directory. A missing entry of
 * `plugin_path` is TIER_E_MISSING, one of TIER_PLUGIN_PATH a warning. Free with search_free. */
int32_t search_plugins(const char *plugin_path, struct plugin_files *files);
/* The entry for one file by path; TIER_E_MISSING if there is none. */
int32_t search_file(const char *path, struct plugin_files *files);
void search_free(struct plugin_files *files);
/* The running program's file, or NULL; free() it. */
char *search_self(void);

#endif
