/* The Hessian-vector product of a tanh MLP with mean cross-entropy, as a graph. */
#ifndef TESTS_NUMERIC_MLP_H
#define TESTS_NUMERIC_MLP_H

#include <tier/nn.h>

#include "compile/program.h"
#include "diff/diff.h"

#define MLP_VARIABLES 4 /* w1 (in, hidden), b1, w2 (hidden, classes), b2 */

struct mlp {
  struct graph *graph;
  int64_t rows, in, hidden, classes;
  tier_value slow[2 + MLP_VARIABLES]; /* x (rows, in), labels i32 (rows), and the variables */
  tier_value fast[MLP_VARIABLES];     /* directions */
  tier_value loss;
  tier_value gradient[MLP_VARIABLES];
  tier_value hvp[MLP_VARIABLES];
};

static inline struct mlp mlp_make(int64_t rows, int64_t in, int64_t hidden, int64_t classes) {
  struct mlp m = {
      .graph = graph_new(), .rows = rows, .in = in, .hidden = hidden, .classes = classes};
  tier_graph *g = &m.graph->face;
  const int64_t dims[MLP_VARIABLES][2] = {
      {in, hidden}, {hidden, 0}, {hidden, classes}, {classes, 0}};
  const int64_t dims_x[2] = {rows, in};
  m.slow[0] = graph_input(m.graph, TIER_REAL, dims_x, 2, "x");
  m.slow[1] = graph_input(m.graph, TIER_I32, &rows, 1, "labels");
  for (int i = 0; i < MLP_VARIABLES; i++) {
    m.slow[2 + i] = graph_input(m.graph, TIER_REAL, dims[i], i % 2 == 0 ? 2 : 1, "w");
    m.fast[i] = graph_input(m.graph, TIER_REAL, dims[i], i % 2 == 0 ? 2 : 1, "v");
  }
  const tier_value *w = m.slow + 2;
  tier_value hidden_layer = tier_tanh(g, tier_linear(g, m.slow[0], w[0], w[1]));
  tier_value logits = tier_linear(g, hidden_layer, w[2], w[3]);
  m.loss = tier_mean_all(g, tier_cross_entropy(g, logits, m.slow[1]));
  (void)diff_gradient(m.graph, m.loss, 0, w, MLP_VARIABLES, m.gradient);
  (void)diff_jvp(m.graph, m.gradient, MLP_VARIABLES, w, m.fast, MLP_VARIABLES, m.hvp);
  return m;
}

#endif
