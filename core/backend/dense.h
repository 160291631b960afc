/* "tier.dense/1": tier/dense.h says what its functions promise. */
#ifndef BACKEND_DENSE_H
#define BACKEND_DENSE_H

#include <tier/dense.h>

extern const tier_dense_1 dense_interface;

#endif
