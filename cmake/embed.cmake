# Text files as C arrays: rein_embed(TARGET FILE NAME) makes `const char NAME[]`, zero-ended, of FILE's bytes.
if(CMAKE_SCRIPT_MODE_FILE) # at build time: -DFILE=... -DNAME=... -DOUT=...
  file(READ "${FILE}" bytes HEX)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  file(WRITE "${OUT}" "extern const char ${NAME}[];\nconst char ${NAME}[] = {\n${bytes}0};\n")
  return()
endif()

set(REIN_EMBED ${CMAKE_CURRENT_LIST_FILE})
function(rein_embed target file name)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded/${name}.c)
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  add_custom_command(OUTPUT ${out} DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${REIN_EMBED}
                     COMMAND ${CMAKE_COMMAND} -DFILE=${CMAKE_CURRENT_SOURCE_DIR}/${file} -DNAME=${name} -DOUT=${out}
                             -P ${REIN_EMBED} VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
