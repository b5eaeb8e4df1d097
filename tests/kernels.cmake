# Builds that the kernel tests need.
target_sources(test_ops_equal PRIVATE op_cases.c op_cases_weight.c op_cases_forest.c forest.c)

# The AVX-512 kernels on a machine without AVX-512: the same source over SIMDe's emulation, compared like all others. Fused
# multiply-adds must be fused, so it needs AVX2 and FMA; skipped with a notice where they or SIMDe are missing.
find_path(SIMDE_DIR simde/x86/avx512.h)
if(SIMDE_DIR AND TUNED AND REIN_HAVE_X86 AND NOT REIN_SANITIZE) # under sanitizers it takes minutes to compile
  add_library(tuned_simde OBJECT ${TUNED})
  target_include_directories(tuned_simde PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                             ${CMAKE_CURRENT_SOURCE_DIR})
  target_include_directories(tuned_simde SYSTEM PRIVATE ${SIMDE_DIR})
  target_compile_definitions(tuned_simde PRIVATE REIN_ISA_avx512=1 REIN_SIMDE=1 SIMDE_ENABLE_NATIVE_ALIASES=1)
  target_compile_options(tuned_simde PRIVATE -O1 -mavx2 -mfma -w -Wno-psabi)
  target_link_libraries(tuned_simde PRIVATE OpenMP::OpenMP_C)
  target_link_libraries(test_ops_equal PRIVATE tuned_simde)
  target_compile_definitions(test_ops_equal PRIVATE REIN_TEST_SIMDE=1)
else()
  message(STATUS "without SIMDe (or under sanitizers) the AVX-512 kernels are tested only on machines that have AVX-512")
endif()

# The reference kernels once more in double, for finite differences; each symbol gets a name of its own.
file(GLOB REF_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/cpu/ref_*.c)
add_library(ref_f64 STATIC ${REF_SOURCES})
target_include_directories(ref_f64 PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(ref_f64 PUBLIC REIN_REAL_DOUBLE rein_ops_ref=rein_ops_ref_f64)
foreach(op packed_size pack linear linear_dx linear_dw bias_grad add_rows scale scale_columns scale_columns_grad
        adapted_norm dropout rmsnorm rmsnorm_bwd center rope swiglu swiglu_bwd add embed
        embed_bwd kv_store attention attention_bwd logprob logprob_bwd logprob_best logprob_mean divergence
        distribution_bwd softmax_terms adamw adamw_8bit lion sgd round_bf16 sumsq count_diff)
  target_compile_definitions(ref_f64 PRIVATE rein_ref_${op}=rein_ref_${op}_f64)
endforeach()
target_sources(test_ops_grad PRIVATE forest.c)
target_link_libraries(ref_f64 PRIVATE rein) # the elements of stored types
target_link_libraries(test_ops_grad PRIVATE ref_f64)
