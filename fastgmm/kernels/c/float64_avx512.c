#if defined(__x86_64__) && defined(__GNUC__)
#define SINGLE 0
#define AVX512 1
#define AVX2 0
#define INSTANCE float64_avx512
#include "body.h"
#else
typedef int nothing_for_this_machine;
#endif
