/* tier/problem.h: interface "tier.problem/1": the facade through which estimators see a problem.
 *
 * An edge joins an upper level to a lower one. The lower level minimizes F(w, theta) over w in R^n
 * (all its variables, flat); theta in R^p are its inputs: every upper variable, and every other
 * level's solution, to which this edge passes cotangents on, flat. All oracle calls are counted in
 * the ledger. For `maximize` the host has negated F. */
#ifndef TIER_PROBLEM_H
#define TIER_PROBLEM_H

#include <tier/params.h>
#include <tier/vector.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tier_edge tier_edge;     /* the problem as seen along one `through` */
typedef struct tier_record tier_record; /* what one solve left behind; owned by the host */
typedef struct tier_oracle tier_oracle; /* F at one w, theta, draw of rows and noise */

#define TIER_KEEP_START 2u /* run: keep where it begins, for trials */
#define TIER_KEEP_TAPE 1u  /* run: keep what its steps were given, for unrolling */

/* How a tape is kept: `schedule`, and its limit. Whatever is not kept is made again when it is
 * asked for, by taking the same steps on the same draws: the same bits, for more gradients. */
#define TIER_TAPE_STORED 0u      /* every step */
#define TIER_TAPE_LAST 1u        /* the last `count` steps; earlier ones cannot be asked for */
#define TIER_TAPE_CHECKPOINTS 2u /* `count` steps (0: any number), in at most `bytes` (0: any): */
                                 /* going back from the last step to the first, then, takes the  */
                                 /* fewest gradients (Griewank, Walther 2000)                    */
#define TIER_TAPE_REVERSIBLE 3u  /* the start; steps are undone by a reversible optimizer */
typedef struct tier_tape {
  uint32_t struct_size;
  uint32_t schedule;
  int64_t count;
  int64_t bytes;
} tier_tape;

typedef struct tier_problem_1 {
  uint32_t struct_size;
  uint32_t reserved;

  /* ---- sizes and settings ---- */
  int64_t (*size)(const tier_edge *e);       /* n */
  int64_t (*input_size)(const tier_edge *e); /* p */
  int64_t (*steps)(const tier_edge *e);      /* the lower level's `steps` for each parent step */
  /* 1 if the lower level's optimizer is a differentiable step, 0 if it is procedural. */
  int32_t (*has_step)(const tier_edge *e);
  /* The step size on the gradient: slot "lr" of `step` (NULL: of the level's optimizer), which must
   * be flagged TIER_FIXED_POINT; TIER_E_REFUSED with the reason otherwise. */
  int32_t (*step_size)(tier_edge *e, const tier_instance *step, double *lr);

  /* ---- solving ---- */
  /* Runs the lower level by its own optimizer from where it is; `flags`: TIER_KEEP_TAPE. */
  int32_t (*run)(tier_edge *e, tier_record *r, uint32_t flags);
  /* Takes `count` steps of `step` from the solution found, on the tape; the last iterate is then
   * the solution. The step's state starts fresh. */
  int32_t (*extend)(tier_edge *e, tier_record *r, const tier_instance *step, int64_t count);
  const tier_vector *(*solution)(const tier_record *r); /* w*, as long as the record lives */
  int64_t (*tape_length)(const tier_record *r);         /* steps on the tape */
  int64_t (*state_size)(const tier_record *r);          /* m: the step's state, flat */

  /* ---- oracles ---- */
  /* F at the solution. Draw 0 is the one of this hypergradient; draws 1, 2, ... are fresh ones.
   * `batch` rows a data, 0: the level's own. The caller releases it. */
  int32_t (*at_solution)(tier_edge *e, tier_record *r, int64_t draw, int64_t batch,
                         tier_oracle **o);
  /* F at iterate t of the tape (before step t), on the rows of that step. */
  int32_t (*at_step)(tier_edge *e, tier_record *r, int64_t t, tier_oracle **o);
  void (*release)(tier_oracle *o);
  int32_t (*gradient)(tier_oracle *o, double *value, tier_vector *gradient); /* of F in w */
  /* The same at another w, with the same theta and draw. */
  int32_t (*gradient_at)(tier_oracle *o, const tier_vector *w, double *value,
                         tier_vector *gradient);
  /* In all products, results go to other vectors than v. */
  int32_t (*hvp)(tier_oracle *o, const tier_vector *v, tier_vector *out); /* (d2F/dw2) v */
  int32_t (*hvp_block)(tier_oracle *o, int64_t k, const tier_vector *const *vs,
                       tier_vector *const *outs);
  /* inputs (p) += scale * (d2F / dtheta dw) v. */
  int32_t (*cross)(tier_oracle *o, const tier_vector *v, double scale, tier_vector *inputs);
  /* hvp and cross in one sweep: out <- H v, inputs += scale * (d2F / dtheta dw) v. */
  int32_t (*products)(tier_oracle *o, const tier_vector *v, tier_vector *out, double scale,
                      tier_vector *inputs);
  /* out (n) <- (d2F / dw dtheta) tangent, for pushforwards; tangent (p). */
  int32_t (*cross_forward)(tier_oracle *o, const tier_vector *tangent, tier_vector *out);
  /* inputs (p) += scale * dF/dtheta at another w (finite differences of it give a cross product).
   */
  int32_t (*input_gradient_at)(tier_oracle *o, const tier_vector *w, double scale,
                               tier_vector *inputs);

  /* ---- the step map (w, s) -> (w, s) = step(w, s, g = dF/dw, hyperparameters) ---- */
  /* At step t of the tape: pulls the cotangents u_w (n), u_s (m) of its result back to v_w, v_s
   * (both without the part through g), v_g (n) of g, and adds what its hyperparameters get to
   * inputs (p). The whole pullback is v_w + H v_g, and inputs += cross(v_g). v_* may be u_*. */
  int32_t (*step_vjp)(tier_edge *e, tier_record *r, int64_t t, const tier_vector *u_w,
                      const tier_vector *u_s, tier_vector *v_w, tier_vector *v_s, tier_vector *v_g,
                      tier_vector *inputs);
  /* The tangents of its result, given those of w (n), s (m), g (n) and the inputs (p). */
  int32_t (*step_jvp)(tier_edge *e, tier_record *r, int64_t t, const tier_vector *t_w,
                      const tier_vector *t_s, const tier_vector *t_g, const tier_vector *inputs,
                      tier_vector *out_w, tier_vector *out_s);
  /* inputs += what the start w_0 of the level reads of them, for a level that restarts; nothing for
   * a warm start. */
  int32_t (*start_vjp)(tier_edge *e, tier_record *r, const tier_vector *u_w, tier_vector *inputs);

  /* ---- the report of this hypergradient ---- */
  int32_t (*report_number)(tier_record *r, const char *name, double value);   /* "residual" */
  int32_t (*report_text)(tier_record *r, const char *name, const char *text); /* "stop" */

  /* The w at which this oracle evaluates: the solution, or the iterate of at_step. It lives as long
   * as the oracle. */
  const tier_vector *(*point)(const tier_oracle *o);

  /* How the next run or extend keeps its tape; without this call, every step is stored. An oracle
   * of at_step is then valid until another step is asked for. */
  int32_t (*keep)(tier_edge *e, tier_record *r, const tier_tape *tape);
  int64_t (*tape_bytes)(const tier_record *r); /* what it holds */

  /* ---- the step map at its fixed point ---- */
  /* 1 if `step` (NULL: the level's own optimizer) rests where the gradient is zero, and can be
   * differentiated there (TIER_FIXED_POINT); else 0. Also while the problem is only checked. */
  int32_t (*fixed_point)(const tier_edge *e, const tier_instance *step);
  /* The tape becomes one step, number 0, of `step` (NULL: the level's own optimizer, which must be
   * differentiable) at the solution, with its state and the gradient zero. It is not taken. */
  int32_t (*pin)(tier_edge *e, tier_record *r, const tier_instance *step);

  /* ---- the rest of the path ---- */
  /* In a pullback: follows cotangents of the inputs (p) further, through all levels that are still
   * to be pulled back, and adds scale times what they become to the upper level's hypergradient. It
   * may be called several times; every call sees the same draws. Counts what that takes. */
  int32_t (*rest)(tier_edge *e, tier_record *r, double scale, const tier_vector *inputs);

  /* ---- runs of which nothing stays ---- */
  /* Takes `count` more steps of the level's own optimizer, on the tape, from where its run ended.
   * The upper level is judged, and its gradient taken, where they end; then the level goes back. */
  int32_t (*look_ahead)(tier_edge *e, tier_record *r, int64_t count);
  /* Runs the lower level once more, as the last run with TIER_KEEP_START did and on the same draws,
   * with inputs + shift (p) in their place; from that run's start, or with `go_on` from (w, s) for
   * a level that warm-starts. w (n), s (m) <- where it ends. All else stays as it is; the calls
   * count.
   */
  int32_t (*trial)(tier_edge *e, tier_record *r, const tier_vector *shift, int32_t go_on,
                   tier_vector *w, tier_vector *s);
  /* m as above, of the level's own optimizer; 0: it is procedural. */
  int64_t (*optimizer_state)(const tier_edge *e);
  /* The upper level's objective at w (n) in place of the lower level's variables, on the upper
   * level's rows: the smaller the better. Counts one value. TIER_E_UNSUPPORTED where that is not
   * all of what w does: the upper level is not the top one, or goes through a level that reads w.
   */
  int32_t (*upper_value)(tier_edge *e, const tier_vector *w, double *value);
} tier_problem_1;

#ifdef __cplusplus
}
#endif
#endif
