# Beside the one executable per file: shared sources, special builds, scripts.
if(TARGET test_ops_equal)
  include(kernels.cmake)
endif()

if(TARGET rein_cli)
  # The command line's contract.
  add_test(NAME cli COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/cli.sh $<TARGET_FILE:rein_cli>)
  set_tests_properties(cli PROPERTIES TIMEOUT 600)
  add_test(NAME chat COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/chat.sh $<TARGET_FILE:rein_cli>
           WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endif()

# Fuzzers, one executable per tests/fuzz_*.c: only with clang, whose libFuzzer they need. Configure with
# REIN_SANITIZE=address,undefined,fuzzer-no-link to instrument the library too.
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  file(GLOB FUZZERS CONFIGURE_DEPENDS fuzz_*.c)
  foreach(source ${FUZZERS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} PRIVATE rein)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
endif()
