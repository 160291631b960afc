/* Binomial checkpointing: Griewank, Walther, "Algorithm 799: revolve", ACM Transactions on
 * Mathematical Software 26 (2000). A sequence of l steps is walked backwards with s checkpoints;
 * beta(s, r) = C(s + r, s) is the longest one for which no step is taken more than r times. */
#include "problem/tape.h"

/* C(s + r, s), or INT64_MAX where it is larger than any sequence. */
static int64_t beta(int64_t s, int64_t r) {
  int64_t small = s < r ? s : r;
  int64_t large = s < r ? r : s;
  int64_t value = 1;
  if (small < 0) {
    return 0;
  }
  for (int64_t i = 1; i <= small; i++) {
    /* C(large + i, i) = C(large + i - 1, i - 1) (large + i) / i, always whole */
    __extension__ __int128 next = (__int128)value * (large + i) / i;
    if (next > INT64_MAX / 4) {
      return INT64_MAX;
    }
    value = (int64_t)next;
  }
  return value;
}

/* r with beta(s, r - 1) < length <= beta(s, r). */
static int64_t repetitions(int64_t length, int64_t s) {
  int64_t r = 0;
  while (beta(s, r) < length) {
    r++;
  }
  return r;
}

int64_t checkpoint_steps(int64_t length, int64_t slots) {
  if (slots == 1) {
    return length * (length - 1) / 2;
  }
  int64_t r = repetitions(length, slots);
  return r * length - beta(slots + 1, r - 1);
}

int64_t checkpoint_distance(int64_t length, int64_t slots) {
  int64_t r = repetitions(length, slots);
  int64_t most = length - beta(slots - 1, r - 1);
  int64_t whole = beta(slots, r - 1);
  return whole < most ? whole : most;
}
