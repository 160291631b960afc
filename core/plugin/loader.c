#include "plugin/loader.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"

/* The dynamic linker's text without the file's name in front, which the caller knows. */
static const char *link_error(const char *path) {
  const char *text = dlerror();
  size_t length = strlen(path);
  if (text != NULL && strncmp(text, path, length) == 0 && strncmp(text + length, ": ", 2) == 0) {
    return text + length + 2;
  }
  return text != NULL ? text : "unknown reason";
}

int32_t plugin_load(struct arena *a, const char *path, struct plugin_tables *out) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == NULL) {
    return fail(TIER_E_PLUGIN, "cannot be loaded: %s", link_error(path));
  }
  const tier_plugin *entry = dlsym(library, "tier_plugin_entry");
  if (entry == NULL) {
    return fail(TIER_E_PLUGIN, "has no symbol \"tier_plugin_entry\": not a plugin of tier");
  }
  return plugin_examine(a, entry, out);
}
