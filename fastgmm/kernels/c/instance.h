/* What one instance is made of: SINGLE or not, and AVX512, AVX2 or neither, as the includer defines them.
 * The instruction set is switched on for the functions that follow, until END_OF_INSTANCE. */
#if SINGLE
#define NUMBER float
#define INTEGER int32_t
#define UNSIGNED uint32_t
#else
#define NUMBER double
#define INTEGER int64_t
#define UNSIGNED uint64_t
#endif

#if AVX512
#define VECTOR_BYTES 64
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,avx512f,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,avx512f,avx512dq,avx512vl")
#endif
#elif AVX2
#define VECTOR_BYTES 32
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif
#else
#define VECTOR_BYTES 16
#endif

#if defined(__clang__) && (AVX512 || AVX2)
#define END_OF_INSTANCE _Pragma("clang attribute pop")
#else
#define END_OF_INSTANCE
#endif
