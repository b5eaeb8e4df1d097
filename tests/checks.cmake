# House rules that a script can see (tools/check), as tests; check_selftest shows that each of them can fail.
set(CHECK ${PROJECT_SOURCE_DIR}/tools/check)
add_test(NAME check_includes COMMAND ${CHECK}/includes ${PROJECT_SOURCE_DIR})
add_test(NAME check_headers COMMAND ${CHECK}/headers ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER} ${CMAKE_CXX_COMPILER})
if(NOT REIN_SANITIZE) # sanitizers add symbols of their own
  add_test(NAME check_symbols COMMAND ${CHECK}/symbols $<TARGET_FILE:rein>)
  add_test(NAME check_selftest COMMAND ${CHECK}/selftest ${PROJECT_SOURCE_DIR} ${CMAKE_C_COMPILER} ${CMAKE_CXX_COMPILER})
endif()
