/* Tables that are wrong in one place: each is refused with a text that names the place. */
#include "check.h"

#include <math.h>

#include "base/memory.h"
#include "plugin/loader.h"

/* A good plugin in writable memory: a map with four slots and a model with two entries. */
struct bundle {
  tier_slot slots[4];
  tier_slot inputs[2];
  tier_entry entries[2];
  tier_component components[2];
  tier_plugin plugin;
};

static int32_t create(const tier_host *host, const tier_params *params, void **object) {
  (void)params;
  *object = NULL;
  return host->fail(host, TIER_E_INTERNAL, "examining must not run the plugin's code");
}

static const void *get(void *object, const char *interface_id) {
  (void)object;
  (void)interface_id;
  return NULL;
}

static void fill_slots(struct bundle *b) {
  b->slots[0] = (tier_slot){
      .name = "rate", .doc = "a rate", .fallback = "0.5", .maximum = 1, .type = TIER_SLOT_NUMBER};
  b->slots[1] = (tier_slot){.name = "shape",
                            .doc = "a shape",
                            .fallback = "\"round\"",
                            .choices = "round|square",
                            .type = TIER_SLOT_TEXT};
  b->slots[2] =
      (tier_slot){.name = "deep", .doc = "a switch", .fallback = "true", .type = TIER_SLOT_BOOLEAN};
  b->slots[3] = (tier_slot){.name = "solver",
                            .doc = "a solver",
                            .fallback = "{\"cg\": {}}",
                            .choices = "linear-solver",
                            .type = TIER_SLOT_APPLICATION};
  b->inputs[0] = (tier_slot){.name = "x", .doc = "an input", .type = TIER_SLOT_EXPRESSION};
  b->inputs[1] = (tier_slot){.name = "y", .doc = "inputs", .type = TIER_SLOT_EXPRESSIONS};
}

static void fill(struct bundle *b) {
  fill_slots(b);
  b->entries[0] = (tier_entry){.name = "forward", .doc = "forward", TIER_SLOTS(b->inputs)};
  b->entries[1] = (tier_entry){.name = "encode",
                               .doc = "two outputs",
                               .outputs = "mean log_variance",
                               TIER_SLOTS(b->inputs)};
  tier_component map = {.struct_size = (uint32_t)sizeof(tier_component),
                        .kind = "map",
                        .id = "a-map",
                        .summary = "A map.",
                        TIER_SLOTS(b->slots),
                        .create = create,
                        .get = get};
  tier_component model = map;
  model.kind = "model";
  model.id = "a-model";
  model.entries = b->entries;
  model.entry_count = 2;
  model.entry_size = (uint32_t)sizeof(tier_entry);
  b->components[0] = map;
  b->components[1] = model;
  b->plugin = (tier_plugin){.magic = TIER_PLUGIN_MAGIC,
                            .struct_size = (uint32_t)sizeof(tier_plugin),
                            .abi_major = TIER_ABI_MAJOR,
                            .name = "bundle",
                            .version = "1",
                            .licence = "MIT",
                            .components = b->components,
                            .component_count = 2,
                            .component_size = (uint32_t)sizeof(tier_component)};
}

static int32_t examine(const struct bundle *b) {
  struct plugin_tables tables;
  struct arena *a = arena_new();
  int32_t status = plugin_examine(a, &b->plugin, &tables);
  arena_free(a);
  return status;
}

/* One test: a good plugin, one change, and what the refusal must say. */
#define REFUSED(test_name, change, part)            \
  static void test_name(void **state) {             \
    struct bundle b;                                \
    (void)state;                                    \
    fill(&b);                                       \
    assert_ok(examine(&b));                         \
    change;                                         \
    assert_fails(examine(&b), TIER_E_PLUGIN, part); \
  }

/* ---- slots ------------------------------------------------------------------------------------
 */

REFUSED(slot_name_capital, b.slots[0].name = "Rate", "slot 0: its name is not")
REFUSED(slot_name_missing, b.slots[1].name = NULL, "component \"a-map\": slot 1: its name is not")
REFUSED(slot_name_reserved, b.slots[1].name = "stream", "reserved by the manifest")
REFUSED(slot_name_twice, b.slots[3].name = "rate", "two slots are called \"rate\"")
REFUSED(slot_doc_empty, b.slots[0].doc = "", "slot \"rate\": its doc is missing")
REFUSED(slot_type_zero, b.slots[0].type = 0, "slot \"rate\": unknown type 0")
REFUSED(slot_type_unknown, b.slots[0].type = 17, "slot \"rate\": unknown type 17")
REFUSED(slot_flags_unknown, b.slots[0].flags = 1u << 20, "unknown flags 0x100000")
REFUSED(slot_unit_control, b.slots[0].unit = "a\tb", "its unit is not one line")
REFUSED(required_with_fallback, b.slots[0].flags = TIER_SLOT_REQUIRED, "and yet has a fallback")
REFUSED(fallback_no_json, b.slots[1].fallback = "round", "fallback round: round is not JSON")
REFUSED(fallback_wrong_type, b.slots[0].fallback = "\"a\"", "\"rate\" must be a number")
REFUSED(fallback_list, b.slots[0].fallback = "[0.5]", "\"rate\" must be a number")
REFUSED(fallback_out_of_range, b.slots[0].fallback = "2", "\"rate\" is 2, but must be at least 0")
REFUSED(fallback_no_choice, b.slots[1].fallback = "\"oval\"", "no choice \"oval\"")
REFUSED(fallback_boolean, b.slots[2].fallback = "1", "fallback 1: must be true or false")
REFUSED(fallback_application, b.slots[3].fallback = "3", "must be an application")
REFUSED(choices_of_number, b.slots[0].choices = "a|b", "only texts have choices")
REFUSED(choices_empty, b.slots[1].choices = "round||square", "has an empty one")
REFUSED(choices_end, b.slots[1].choices = "round|", "has an empty one")
REFUSED(application_of_no_kind, b.slots[3].choices = "gadget", "choices must be a kind")
REFUSED(application_of_nothing, b.slots[3].choices = NULL, "choices must be a kind")
REFUSED(range_reversed, b.slots[0].minimum = 2, "its minimum is above its maximum")
REFUSED(range_nan, b.slots[0].minimum = (double)NAN, "its minimum is above its maximum")
REFUSED(range_of_text, b.slots[1].maximum = 3, "only numbers and integers have a range")
REFUSED(open_without_range, (b.slots[0].maximum = 0, b.slots[0].flags = TIER_SLOT_OPEN_MINIMUM),
        "an open bound without a range")
REFUSED(differentiable_text, b.slots[1].flags = TIER_SLOT_DIFFERENTIABLE, "can be DIFFERENTIABLE")
REFUSED(labels_of_number, b.slots[0].flags = TIER_SLOT_LABELS, "can be LABELS")
REFUSED(field_of_number, b.slots[0].flags = TIER_SLOT_FIELD, "can be a FIELD")

/* ---- entries -----------------------------------------------------------------------------------
 */

REFUSED(model_without_entries, b.components[1].entry_count = 0, "needs at least one entry")
REFUSED(map_with_entries, (b.components[0].entries = b.entries, b.components[0].entry_count = 1),
        "only models have entries")
REFUSED(entries_missing, b.components[1].entries = NULL, "the table of entries is missing")
REFUSED(entry_name_bad, b.entries[1].name = "en-code", "entry 1: its name is not")
REFUSED(entry_name_twice, b.entries[1].name = "forward", "two entries are called \"forward\"")
REFUSED(entry_doc_missing, b.entries[0].doc = NULL, "entry \"forward\": its doc is missing")
REFUSED(outputs_twice, b.entries[1].outputs = "a b a", "name one twice")
REFUSED(outputs_spaces, b.entries[1].outputs = "a  b", "not names with one space")
REFUSED(outputs_empty, b.entries[1].outputs = "", "not names with one space")
REFUSED(entry_takes_number, b.inputs[1].type = TIER_SLOT_NUMBER, "takes expressions only")
REFUSED(entry_slot_with, b.inputs[1].name = "with", "none is called \"with\"")
REFUSED(entry_stride, b.components[1].entry_size = 20, "the size of its entries is 20 bytes")

/* ---- components and the plugin ------------------------------------------------------------------
 */

REFUSED(component_size_small, b.components[0].struct_size = 8, "its struct_size is 8")
REFUSED(component_size_large, b.components[0].struct_size = 9999, "its struct_size is 9999")
REFUSED(component_flags, b.components[0].flags = 1u << 31, "unknown flags 0x80000000")
REFUSED(component_id_missing, b.components[1].id = NULL, "component 1: its id is not")
REFUSED(component_id_underscore, b.components[1].id = "a_model", "\"a_model\": its id is not")
REFUSED(component_kind_missing, b.components[0].kind = NULL, "unknown kind \"\"")
REFUSED(summary_missing, b.components[0].summary = NULL, "its summary is missing")
REFUSED(summary_two_lines, b.components[0].summary = "a\nb", "its summary is not one line")
REFUSED(slots_missing, b.components[0].slots = NULL, "the table of slots is missing")
REFUSED(slots_misaligned, b.components[0].slots = (const void *)((const char *)b.slots + 1),
        "the table of slots is missing or misaligned")
REFUSED(slot_stride_odd, b.components[0].slot_size = sizeof(tier_slot) + 1, "the size of its slots")
REFUSED(slot_count_wild, b.components[0].slot_count = 70000, "70000 slots are more than")
REFUSED(plugin_name_missing, b.plugin.name = NULL, "its name is missing")
REFUSED(plugin_version_empty, b.plugin.version = "", "its version is missing")
REFUSED(plugin_licence_missing, b.plugin.licence = NULL, "its licence is missing")

static void texts_must_be_utf8(void **state) {
  (void)state;
  const char *const bad[] = {"\xff",
                             "\xc3",
                             "\xc0\x80",
                             "\xe0\x80\x80",
                             "\xed\xa0\x80",
                             "\xf4\x90\x80\x80",
                             "\xf8\x88\x80\x80\x80",
                             "a\x80"};
  struct bundle b;
  fill(&b);
  for (size_t i = 0; i < TIER_COUNT(bad); i++) {
    b.components[0].summary = bad[i];
    assert_fails(examine(&b), TIER_E_PLUGIN, "not one line of UTF-8");
  }
  b.components[0].summary = "\xc3\xa4 \xe2\x88\x87 \xf0\x9f\x98\x80";
  assert_ok(examine(&b));
}

static void good_fallbacks_are_accepted(void **state) {
  (void)state;
  struct bundle b;
  fill(&b);
  b.slots[0].fallback = "1";
  b.slots[1].fallback = NULL;
  b.slots[3].fallback = "\"cg\"";
  assert_ok(examine(&b));
  b.slots[0].minimum = -INFINITY;
  b.slots[0].maximum = INFINITY;
  b.slots[0].flags = TIER_SLOT_OPEN_MAXIMUM | TIER_SLOT_DIFFERENTIABLE;
  b.slots[0].fallback = "-1e9";
  assert_ok(examine(&b));
}

#define TEST(name) cmocka_unit_test(name)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(slot_name_capital),      TEST(slot_name_missing),
      TEST(slot_name_reserved),     TEST(slot_name_twice),
      TEST(slot_doc_empty),         TEST(slot_type_zero),
      TEST(slot_type_unknown),      TEST(slot_flags_unknown),
      TEST(slot_unit_control),      TEST(required_with_fallback),
      TEST(fallback_no_json),       TEST(fallback_wrong_type),
      TEST(fallback_list),          TEST(fallback_out_of_range),
      TEST(fallback_no_choice),     TEST(fallback_boolean),
      TEST(fallback_application),   TEST(choices_of_number),
      TEST(choices_empty),          TEST(choices_end),
      TEST(application_of_no_kind), TEST(application_of_nothing),
      TEST(range_reversed),         TEST(range_nan),
      TEST(range_of_text),          TEST(open_without_range),
      TEST(differentiable_text),    TEST(labels_of_number),
      TEST(field_of_number),        TEST(model_without_entries),
      TEST(map_with_entries),       TEST(entries_missing),
      TEST(entry_name_bad),         TEST(entry_name_twice),
      TEST(entry_doc_missing),      TEST(outputs_twice),
      TEST(outputs_spaces),         TEST(outputs_empty),
      TEST(entry_takes_number),     TEST(entry_slot_with),
      TEST(entry_stride),           TEST(component_size_small),
      TEST(component_size_large),   TEST(component_flags),
      TEST(component_id_missing),   TEST(component_id_underscore),
      TEST(component_kind_missing), TEST(summary_missing),
      TEST(summary_two_lines),      TEST(slots_missing),
      TEST(slots_misaligned),       TEST(slot_stride_odd),
      TEST(slot_count_wild),        TEST(plugin_name_missing),
      TEST(plugin_version_empty),   TEST(plugin_licence_missing),
      TEST(texts_must_be_utf8),     TEST(good_fallbacks_are_accepted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
