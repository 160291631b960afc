/* Where plugins lie. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "plugin/loader.h"
#include "plugin/log.h"

char *search_self(void) {
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length <= 0) {
    return NULL;
  }
  path[length] = '\0';
  return memory_copy_text(path);
}

/* Cuts the last segment off; 0 if there is none left. */
static int to_parent(char *path) {
  char *slash = strrchr(path, '/');
  if (slash == NULL || slash == path) {
    return 0;
  }
  *slash = '\0';
  return 1;
}

/* The folder of our own plugins: BUILD/plugins where the running program lies in a build folder of
 * meson (so tests find them, too), else the install directory. NULL if it does not exist. */
static char *own_folder(void) {
  char *self = search_self();
  char *folder = NULL;
  while (self != NULL && folder == NULL && to_parent(self)) {
    char *mark = path_join(self, "meson-private");
    folder = file_exists(mark) ? path_join(self, "plugins") : NULL;
    free(mark);
  }
  char *real = folder != NULL ? realpath(folder, NULL) : NULL;
  free(folder);
  free(self);
  return real != NULL ? real : realpath(TIER_PLUGIN_DIR, NULL);
}

/* Is the file or folder at `path` the folder `own`, or below it? */
static int lies_in(const char *path, const char *own) {
  char *real = own != NULL ? realpath(path, NULL) : NULL;
  size_t length = own != NULL ? strlen(own) : 0;
  int inside = real != NULL && strncmp(real, own, length) == 0 &&
               (real[length] == '/' || real[length] == '\0');
  free(real);
  return inside;
}

/* Adds a file unless it is there already (through another path or link). */
static void add_file(struct plugin_files *files, char *path, int own) {
  struct stat st;
  if (stat(path, &st) != 0) {
    st.st_ino = 0; /* a dangling link: loading it gives the reason */
    st.st_dev = 0;
  }
  for (size_t i = 0; i < files->count; i++) {
    if (st.st_ino != 0 && files->items[i].inode == st.st_ino &&
        files->items[i].device == st.st_dev) {
      free(path);
      return;
    }
  }
  struct plugin_file file = {path, own, st.st_dev, st.st_ino};
  array_push(files->items, files->count, files->capacity, file);
}

static int is_library(const struct dirent *entry) {
  size_t length = strlen(entry->d_name);
  return entry->d_name[0] != '.' && length > 3 && strcmp(entry->d_name + length - 3, ".so") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

static int32_t add_folder(struct plugin_files *files, const char *folder, int own) {
  struct dirent **entries = NULL;
  int count = scandir(folder, &entries, is_library, by_name);
  if (count < 0) {
    return fail(TIER_E_MISSING, "cannot read the plugin folder %s", folder);
  }
  for (int i = 0; i < count; i++) {
    add_file(files, path_join(folder, entries[i]->d_name), own);
    free(entries[i]);
  }
  free(entries);
  return TIER_OK;
}

/* One entry of a search path: a folder, or a plugin file. */
static int32_t add_entry(struct plugin_files *files, const char *path, const char *own) {
  struct stat st;
  if (stat(path, &st) != 0) {
    return fail(TIER_E_MISSING, "no file or folder %s on the plugin path", path);
  }
  if (S_ISDIR(st.st_mode)) {
    return add_folder(files, path, lies_in(path, own));
  }
  /* A name without a slash would be searched for by dlopen. */
  add_file(files, strchr(path, '/') != NULL ? memory_copy_text(path) : path_join(".", path),
           lies_in(path, own));
  return TIER_OK;
}

/* A colon list; empty entries are ignored. */
static int32_t add_list(struct plugin_files *files, const char *list, const char *own, int strict) {
  char *copy = memory_copy_text(list);
  char *rest = NULL;
  int32_t status = TIER_OK;
  for (char *p = strtok_r(copy, ":", &rest); p != NULL && status == TIER_OK;
       p = strtok_r(NULL, ":", &rest)) {
    status = add_entry(files, p, own);
    if (status < 0 && !strict) {
      log_message(TIER_LOG_WARNING, "TIER_PLUGIN_PATH: %s", error_text());
      error_clear();
      status = TIER_OK;
    }
  }
  free(copy);
  return status;
}

int32_t search_plugins(const char *plugin_path, struct plugin_files *files) {
  *files = (struct plugin_files){0};
  char *own = own_folder();
  const char *environment = secure_getenv("TIER_PLUGIN_PATH");
  int32_t status = TIER_OK;
  if (plugin_path != NULL) {
    status = add_list(files, plugin_path, own, 1);
  }
  if (status == TIER_OK && environment != NULL) {
    status = add_list(files, environment, own, 0);
  }
  if (status == TIER_OK && own != NULL) {
    status = add_folder(files, own, 1);
  }
  free(own);
  if (status < 0) {
    search_free(files);
  }
  return status;
}

int32_t search_file(const char *path, struct plugin_files *files) {
  *files = (struct plugin_files){0};
  if (!file_exists(path)) {
    return fail(TIER_E_MISSING, "no plugin file %s", path);
  }
  char *own = own_folder();
  int32_t status = add_entry(files, path, own);
  free(own);
  return status;
}

void search_free(struct plugin_files *files) {
  for (size_t i = 0; i < files->count; i++) {
    free(files->items[i].path);
  }
  free(files->items);
  *files = (struct plugin_files){0};
}
