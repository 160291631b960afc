/* The checker of the identities can fail: deliberately wrong rules are registered in the place of
 * right ones, and each is reported. And an operation that lacks a rule is refused. */
#include <math.h>

#include "base/error.h"
#include "identities.h"
#include "unit.h"

static const struct example of_tanh = {.name = "tanh",
                                       .op = TIER_OP_TANH,
                                       .inputs = "r",
                                       .shapes = {{2, {3, 4}}},
                                       .out = {2, {3, 4}},
                                       .low = -2,
                                       .high = 2};
static const struct example of_multiply = {.name = "multiply",
                                           .op = TIER_OP_MULTIPLY,
                                           .inputs = "rr",
                                           .shapes = {{2, {3, 4}}, {2, {3, 4}}},
                                           .out = {2, {3, 4}},
                                           .low = -2,
                                           .high = 2};

/* Measures with the operation replaced, and puts it back. */
static struct identity_report measure(const struct example *e, const struct operation *wrong) {
  struct operation right = *operation_get(e->op);
  assert_int_equal(operation_register(e->op, wrong), TIER_OK);
  struct identity_report r = identities_measure(e, 0);
  assert_int_equal(operation_register(e->op, &right), TIER_OK);
  return r;
}

/* ---- wrong rules ---- */

static void vjp_without_slope(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  (void)g, (void)y;
  out[0] = c;
}
static tier_value jvp_doubled(struct graph *g, tier_value y, const tier_value *t) {
  tier_value slope = tier_complement(&g->face, tier_square(&g->face, y));
  return t[0] == 0 ? 0 : tier_scale(&g->face, tier_multiply(&g->face, t[0], slope), 2);
}
/* 1 - y for the slope of tanh: wrong, but alike in both rules. */
static void vjp_alike(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  out[0] = tier_multiply(&g->face, c, tier_complement(&g->face, y));
}
static tier_value jvp_alike(struct graph *g, tier_value y, const tier_value *t) {
  return t[0] == 0 ? 0 : tier_multiply(&g->face, t[0], tier_complement(&g->face, y));
}
/* Right first derivatives, but that by a does not know how it depends on b. */
static void vjp_lopsided(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  const tier_value *in = graph_value(g, y)->inputs;
  out[0] = tier_multiply(&g->face, c, tier_stop_gradient(&g->face, in[1]));
  out[1] = tier_multiply(&g->face, c, in[0]);
}
/* The right rule but for a stop_gradient: the first derivative is right, the second is not. */
static void vjp_stopped(struct graph *g, tier_value y, tier_value c, tier_value *out) {
  tier_value slope = tier_complement(&g->face, tier_square(&g->face, y));
  out[0] = tier_multiply(&g->face, c, tier_stop_gradient(&g->face, slope));
}

static void right_rules_pass(void **state) {
  (void)state;
  struct identity_report r = identities_measure(&of_tanh, 0);
  assert_null(identities_broken(&r));
  r = identities_measure(&of_multiply, 0);
  assert_null(identities_broken(&r));
}

static void wrong_vjp_is_reported(void **state) {
  (void)state;
  struct operation o = *operation_get(TIER_OP_TANH);
  o.vjp = vjp_without_slope;
  struct identity_report r = measure(&of_tanh, &o);
  assert_string_equal(identities_broken(&r), "vjp = finite differences");
  assert_true(r.adjoint > 1e-3);
}

static void wrong_jvp_is_reported(void **state) {
  (void)state;
  struct operation o = *operation_get(TIER_OP_TANH);
  o.jvp = jvp_doubled;
  struct identity_report r = measure(&of_tanh, &o);
  assert_string_equal(identities_broken(&r), "<u, Jv> = <J'u, v>");
  assert_true(r.modes > 1e-3);
}

static void rules_wrong_alike_are_reported(void **state) {
  (void)state;
  struct operation o = *operation_get(TIER_OP_TANH);
  o.vjp = vjp_alike;
  o.jvp = jvp_alike;
  struct identity_report r = measure(&of_tanh, &o);
  assert_string_equal(identities_broken(&r), "vjp = finite differences");
  assert_true(r.adjoint < 1e-13); /* so this identity alone would not do */
}

static void unsymmetric_hessian_is_reported(void **state) {
  (void)state;
  struct operation o = *operation_get(TIER_OP_MULTIPLY);
  o.vjp = vjp_lopsided;
  struct identity_report r = measure(&of_multiply, &o);
  assert_string_equal(identities_broken(&r), "<u, Hv> = <Hu, v>");
  assert_true(r.symmetry > 1e-3);
}

static void wrong_second_derivative_is_reported(void **state) {
  (void)state;
  struct operation o = *operation_get(TIER_OP_TANH);
  o.vjp = vjp_stopped;
  struct identity_report r = measure(&of_tanh, &o);
  assert_true(r.differences < 1e-7 && r.adjoint < 1e-13);
  assert_string_equal(identities_broken(&r), "Hessian = finite differences");
}

static void wrong_value_is_reported(void **state) {
  (void)state;
  struct identity_report r = {.value = 1e-3};
  assert_string_equal(identities_broken(&r), "value");
  r.value = NAN;
  assert_string_equal(identities_broken(&r), "value");
  const double one = 1;
  const double nan = NAN;
  assert_true(isinf(distance(&one, &nan, 1)));
  assert_true(isinf(distance(&nan, &nan, 1)));
}

/* ---- operations that are refused ---- */

static void refused(const struct operation *o, const char *text) {
  error_clear();
  assert_int_equal(operation_register(TIER_OP_TANH, o), TIER_E_INVALID);
  assert_string_equal(error_text(), text);
  error_clear();
}

static void operation_without_a_rule_is_refused(void **state) {
  (void)state;
  struct operation o = *operation_get(TIER_OP_TANH);
  void (*vjp)(struct graph *, tier_value, tier_value, tier_value *) = o.vjp;
  o.name = "swish";
  o.vjp = NULL;
  refused(&o,
          "operation swish is differentiable but has no vjp rule: write it, or flag the operation "
          "OPERATION_DERIVATIVE_NONE");
  o.vjp = vjp;
  o.jvp = NULL;
  refused(&o,
          "operation swish is differentiable but has no jvp rule: write it, or flag the operation "
          "OPERATION_DERIVATIVE_NONE");
  o.shape = NULL;
  refused(&o, "operation swish has no shape rule");
  assert_string_equal(operation_get(TIER_OP_TANH)->name, "tanh");
  o = *operation_get(TIER_OP_TANH);
  error_clear();
  assert_int_equal(operation_register(TIER_OP_COUNT, &o), TIER_E_INVALID);
  assert_int_equal(operation_register(OP_INPUT, &o), TIER_E_INVALID);
  error_clear();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(right_rules_pass),
      cmocka_unit_test(wrong_vjp_is_reported),
      cmocka_unit_test(wrong_jvp_is_reported),
      cmocka_unit_test(rules_wrong_alike_are_reported),
      cmocka_unit_test(unsymmetric_hessian_is_reported),
      cmocka_unit_test(wrong_second_derivative_is_reported),
      cmocka_unit_test(wrong_value_is_reported),
      cmocka_unit_test(operation_without_a_rule_is_refused),
  };
  graph_register_operations();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
