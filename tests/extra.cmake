# Beside the one executable per file: shared sources, special builds, scripts.
if(TARGET test_ops_equal)
  include(kernels.cmake)
endif()

# The client under test of tools/check-mcp.
add_executable(mcp_conformance_client mcp_conformance_client.c)
target_include_directories(mcp_conformance_client PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(mcp_conformance_client PRIVATE rein)

if(TARGET rein_cli)
  # The command line's contract.
  add_test(NAME cli COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli.sh $<TARGET_FILE:rein_cli>)
  set_tests_properties(cli PROPERTIES TIMEOUT 600)
  add_test(NAME chat COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/chat.sh $<TARGET_FILE:rein_cli>
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endif()

# Files and templates beside Python's packages, for development and CI: skipped, with a notice, where they are missing.
# REIN_PYTHON names an interpreter that has them.
if(TARGET rein_cli AND NOT REIN_SANITIZE)
  find_program(REIN_PYTHON python3)
  foreach(name ecosystem templates)
    if(REIN_PYTHON)
      add_test(NAME ${name} COMMAND ${REIN_PYTHON} ${PROJECT_SOURCE_DIR}/tools/check-${name} $<TARGET_FILE:rein_cli>)
      set_tests_properties(${name} PROPERTIES TIMEOUT 1200 SKIP_RETURN_CODE 77)
    endif()
  endforeach()
endif()

# Fuzzers, one executable per tests/fuzz_*.c, run by tools/fuzz. They need clang for its libFuzzer, and a library built with
# REIN_SANITIZE=address,undefined,fuzzer-no-link (preset fuzz).
if(REIN_SANITIZE MATCHES "fuzzer")
  file(GLOB FUZZERS CONFIGURE_DEPENDS fuzz_*.c)
  add_custom_target(fuzzers)
  foreach(source ${FUZZERS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL ${source})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} PRIVATE rein)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_dependencies(fuzzers ${name})
  endforeach()
endif()

# Where there is no browser, or no pages to browse, these say so, and are counted as skipped.
foreach(name test_browser test_browse_miniwob test_browse_site)
  if(TARGET ${name})
    set_tests_properties(${name} PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED: ")
  endif()
endforeach()
