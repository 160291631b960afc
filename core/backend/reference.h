/* The reference backend's parts, one function a family. Each loads elements as double, computes in
 * double, and rounds once when it stores: slow and obviously right. */
#ifndef BACKEND_REFERENCE_H
#define BACKEND_REFERENCE_H

#include "backend/instruction.h"

/* A view with its address: element i is the i-th in row-major order of the view's dims. */
struct array {
  const struct view *view;
  char *data;
  int32_t dtype;
};
struct array reference_array(const struct view *v, int32_t dtype, char *const *bases);
double reference_get(const struct array *a, int64_t element);
void reference_set(const struct array *a, int64_t element, double value);
/* The place of element i in the buffer, counted from the view's first element. */
int64_t reference_place(const struct view *v, int64_t element);

/* in: the inputs; i: for attributes and messages. */
int32_t reference_elementwise(const struct instruction *i, const struct array *in,
                              const struct array *out);
int32_t reference_shape(const struct instruction *i, const struct array *in,
                        const struct array *out);
int32_t reference_reduce(const struct instruction *i, const struct array *in,
                         const struct array *out);
int32_t reference_matmul(const struct instruction *i, const struct array *in,
                         const struct array *out);
int32_t reference_index(const struct instruction *i, const struct array *in,
                        const struct array *out);
int32_t reference_image(const struct instruction *i, const struct array *in,
                        const struct array *out);
int32_t reference_source(const struct instruction *i, const struct array *in,
                         const struct array *out);

/* One element of an elementwise operation on reals. */
double reference_unary(uint32_t op, double x);
double reference_binary(uint32_t op, double a, double b);
int32_t reference_to_i32(double x); /* towards 0; clamped; NaN gives 0 */

#endif
