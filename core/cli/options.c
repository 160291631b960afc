/* getopt_long would accept abbreviations, so that every new option could break a script; and it
 * cannot suggest the nearest name. So the tables are read here. */
#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/cli.h"

static const struct option *find_long(const struct verb *verb, const char *name, size_t length) {
  for (size_t i = 0; i < verb->option_count; i++) {
    const struct option *o = &verb->options[i];
    if (strlen(o->name) == length && strncmp(o->name, name, length) == 0) {
      return o;
    }
  }
  return NULL;
}

static const struct option *find_letter(const struct verb *verb, char letter) {
  for (size_t i = 0; i < verb->option_count; i++) {
    if (verb->options[i].letter == letter) {
      return &verb->options[i];
    }
  }
  return NULL;
}

static int unknown_option(const struct verb *verb, const char *written) {
  const char **names = memory_alloc(verb->option_count, sizeof *names);
  char *name = memory_copy_text(written + strspn(written, "-"));
  size_t count = 0;
  name[strcspn(name, "=")] = '\0';
  for (size_t i = 0; i < verb->option_count; i++) {
    if (verb->options[i].help != NULL) {
      names[count++] = verb->options[i].name;
    }
  }
  int64_t nearest = text_nearest(name, names, count);
  (void)fprintf(stderr, "tier %s: no option %s", verb->name, written);
  if (nearest >= 0) {
    (void)fprintf(stderr, "; did you mean --%s?", names[nearest]);
  }
  (void)fprintf(stderr, " (tier %s --help)\n", verb->name);
  free(name);
  free(names);
  return EXIT_USAGE;
}

static void store(const struct option *option, const char *value, struct options *out) {
  void *member = (char *)out + option->offset;
  if (option->kind == OPTION_FLAG) {
    *(int *)member = 1;
  } else if (option->kind == OPTION_TEXT || option->kind == OPTION_OPTIONAL) {
    *(const char **)member = value;
  } else {
    struct texts *list = member;
    array_push(list->items, list->count, list->capacity, value);
  }
}

/* One option at argv[*at], with its argument there or in the next; -1 or an exit code. */
static int parse_option(const struct verb *verb, int argc, char **argv, int *at,
                        struct options *out) {
  const char *written = argv[*at];
  const char *value = NULL;
  const struct option *option = NULL;
  if (written[1] == '-') {
    size_t length = strcspn(written + 2, "=");
    option = find_long(verb, written + 2, length);
    value = written[2 + length] == '=' ? written + 2 + length + 1 : NULL;
  } else if (written[2] == '\0') {
    option = find_letter(verb, written[1]);
  }
  if (option == NULL) {
    return unknown_option(verb, written);
  }
  if (option->kind == OPTION_FLAG && value != NULL) {
    (void)fprintf(stderr, "tier %s: --%s takes no argument\n", verb->name, option->name);
    return EXIT_USAGE;
  }
  if (option->kind == OPTION_OPTIONAL && value == NULL) {
    store(option, "", out);
    return -1;
  }
  if (option->kind != OPTION_FLAG && value == NULL) {
    if (*at + 1 >= argc) {
      (void)fprintf(stderr, "tier %s: --%s needs an argument: --%s %s\n", verb->name, option->name,
                    option->name, option->argument);
      return EXIT_USAGE;
    }
    value = argv[++*at];
  }
  if (option->kind != OPTION_FLAG && value[0] == '\0') {
    (void)fprintf(stderr, "tier %s: --%s has an empty argument: --%s %s\n", verb->name,
                  option->name, option->name, option->argument != NULL ? option->argument : "...");
    return EXIT_USAGE;
  }
  store(option, value, out);
  return -1;
}

static int check_operands(const struct verb *verb, const struct options *o) {
  if (o->operands.count < verb->least) {
    (void)fprintf(stderr, "tier %s: %s is missing: tier %s %s\n", verb->name, verb->operands,
                  verb->name, verb->operands);
    return EXIT_USAGE;
  }
  if (o->operands.count > verb->most) {
    (void)fprintf(stderr, "tier %s: \"%s\" is one operand too many: tier %s %s\n", verb->name,
                  o->operands.items[verb->most], verb->name, verb->operands);
    return EXIT_USAGE;
  }
  return -1;
}

/* --threads N is --set compute.threads=N; so is --threads all. */
static int add_threads(struct options *o) {
  int64_t threads = 0;
  if (o->threads == NULL) {
    return -1;
  }
  if (strcmp(o->threads, "all") != 0 &&
      !options_integer("--threads", o->threads, 1, 1024, &threads)) {
    return EXIT_USAGE;
  }
  o->threads_set = memory_format("compute.threads=%s", o->threads);
  array_push(o->sets.items, o->sets.count, o->sets.capacity, o->threads_set);
  return -1;
}

int options_parse(const struct verb *verb, int argc, char **argv, struct options *out) {
  int status = -1;
  int only_operands = 0;
  *out = (struct options){.command = (const char *const *)argv, .out = "runs"};
  for (int i = 2; i < argc && status < 0; i++) {
    if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
      array_push(out->operands.items, out->operands.count, out->operands.capacity, argv[i]);
    } else if (strcmp(argv[i], "--") == 0) {
      only_operands = 1;
    } else {
      status = parse_option(verb, argc, argv, &i, out);
    }
  }
  if (status < 0 && out->help) {
    options_help(verb, stdout);
    return 0;
  }
  status = status < 0 ? check_operands(verb, out) : status;
  return status < 0 ? add_threads(out) : status;
}

void options_free(struct options *o) {
  free(o->operands.items);
  free(o->sets.items);
  free(o->data.items);
  free(o->varies.items);
  free(o->threads_set);
}

void options_help(const struct verb *verb, FILE *out) {
  (void)fprintf(out, "Usage: tier %s%s%s [options]\n\n%s.\n", verb->name,
                verb->operands[0] != '\0' ? " " : "", verb->operands, verb->summary);
  if (verb->more != NULL) {
    (void)fprintf(out, "%s\n", verb->more);
  }
  (void)fprintf(out, "\nOptions:\n");
  for (size_t i = 0; i < verb->option_count; i++) {
    const struct option *o = &verb->options[i];
    if (o->help != NULL) {
      char name[64];
      char letter[8] = "    ";
      if (o->letter != 0) {
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
      }
      int optional = o->kind == OPTION_OPTIONAL;
      (void)snprintf(name, sizeof name, "--%s%s%s%s", o->name,
                     o->argument == NULL ? ""
                     : optional          ? "[="
                                         : " ",
                     o->argument != NULL ? o->argument : "", optional ? "]" : "");
      (void)fprintf(out, "  %s%-22s %s\n", letter, name, o->help);
    }
  }
}

int options_integer(const char *option, const char *text, int64_t least, int64_t most,
                    int64_t *out) {
  char *end = NULL;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end != '\0' || errno != 0 || value < least || value > most) {
    (void)fprintf(stderr, "tier: %s %s: not a whole number from %lld to %lld\n", option, text,
                  (long long)least, (long long)most);
    return 0;
  }
  *out = value;
  return 1;
}
