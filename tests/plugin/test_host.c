/* The host table and the log. */
#include "check.h"

#include <tier/random.h>

#include "plugin/log.h"
#include "plugin/registry.h"

static void offers_random_and_log_itself(void **state) {
  (void)state;
  const tier_random_1 *random = host_table.get(&host_table, "tier.random/1");
  const tier_log_1 *log = host_table.get(&host_table, "tier.log/1");
  double u[2] = {-1, -1};
  assert_non_null(random);
  assert_non_null(log);
  random->uniform(random->derive(3, "test"), 0, 0, 2, u);
  assert_true(u[0] >= 0 && u[0] < 1 && u[0] != u[1]);
  assert_null(host_table.get(&host_table, "tier.random/2"));
}

static void layers_offer_interfaces(void **state) {
  (void)state;
  static const int32_t first = 1;
  static const int32_t second = 2;
  assert_null(host_table.get(&host_table, "test.number/1"));
  host_offer("test.number/1", &first);
  assert_ptr_equal(host_table.get(&host_table, "test.number/1"), &first);
  host_offer("test.number/1", &second);
  assert_ptr_equal(host_table.get(&host_table, "test.number/1"), &second);
}

static void failures_of_plugins_keep_their_text(void **state) {
  (void)state;
  assert_fails(tier_failf(&host_table, TIER_E_DATA, "row %d: 100%% wrong", 3), TIER_E_DATA,
               "row 3: 100% wrong");
  assert_fails(tier_failf(&host_table, TIER_OK, "odd"), TIER_E_PLUGIN, "odd");
  assert_fails(host_table.fail(&host_table, TIER_E_IO, NULL), TIER_E_IO, "no reason given");
}

struct heard {
  int count;
  int32_t level;
  char text[64];
};

static void listen(void *context, int32_t level, const char *text) {
  struct heard *h = context;
  h->count++;
  h->level = level;
  (void)snprintf(h->text, sizeof h->text, "%s", text);
}

static void messages_go_to_the_sink(void **state) {
  (void)state;
  struct heard h = {0};
  log_set_sink(listen, &h);
  log_interface.message(TIER_LOG_INFO, "100% done");
  assert_string_equal(h.text, "100% done");
  log_message(TIER_LOG_WARNING, "%s %d", "attempt", 2);
  assert_string_equal(h.text, "attempt 2");
  assert_int_equal(h.level, TIER_LOG_WARNING);
  log_set_sink(NULL, NULL);
  log_interface.message(TIER_LOG_DEBUG, "unheard");
  assert_int_equal(h.count, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(offers_random_and_log_itself),
      cmocka_unit_test(layers_offer_interfaces),
      cmocka_unit_test(failures_of_plugins_keep_their_text),
      cmocka_unit_test(messages_go_to_the_sink),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
