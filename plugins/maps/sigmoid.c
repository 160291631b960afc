#include "elementwise.h"

ELEMENTWISE_MAP("sigmoid", "1 / (1 + exp(-x)) of each element", tier_sigmoid);
