#include "rowwise.h"

ROWWISE_MAP("total", "the sum of each row's elements: one number a row", tier_row_sum);
