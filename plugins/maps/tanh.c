#include "elementwise.h"

ELEMENTWISE_MAP("tanh", "the hyperbolic tangent of each element", tier_tanh);
