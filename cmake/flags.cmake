# Language, warnings and the tuned-kernel builds. Included once by the top CMakeLists.txt.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

option(REIN_WERROR "warnings are errors" OFF)
add_compile_definitions(_POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
add_compile_options(-ffp-contract=off $<$<COMPILE_LANGUAGE:C>:-Wall>)
# For our own C only: the include-graph's public headers must stay clean for users' stricter builds.
add_compile_options($<$<COMPILE_LANGUAGE:C>:-Wextra$<SEMICOLON>-Wshadow$<SEMICOLON>-Wconversion$<SEMICOLON>-Wstrict-prototypes$<SEMICOLON>-Wmissing-prototypes$<SEMICOLON>-Wvla>)
if(REIN_WERROR)
  add_compile_options($<$<COMPILE_LANGUAGE:C>:-Werror>)
endif()

set(REIN_SANITIZE "" CACHE STRING "sanitizers, e.g. address,undefined or thread")
if(REIN_SANITIZE)
  add_compile_options(-fsanitize=${REIN_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${REIN_SANITIZE})
endif()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(REIN_HAVE_X86 ON)
  add_compile_definitions(REIN_HAVE_X86=1)
else()
  set(REIN_HAVE_X86 OFF)
endif()

# Instruction-set flags of each build of src/cpu/tuned/. avx512 never uses 256-bit-only tricks; generic has no flags.
# Sanitized kernels stay at the build type's level: -O3 with checks takes minutes a file.
if(REIN_SANITIZE)
  set(REIN_ISA_OPT "")
else()
  set(REIN_ISA_OPT -O3)
endif()
set(REIN_ISA_FLAGS_generic ${REIN_ISA_OPT})
set(REIN_ISA_FLAGS_avx2 ${REIN_ISA_OPT} -mavx2 -mfma -mf16c)
set(REIN_ISA_FLAGS_avx512 ${REIN_ISA_OPT} -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mf16c -mprefer-vector-width=512)

function(rein_add_tuned library isa)
  if(NOT TUNED)
    return()
  endif()
  add_library(tuned_${isa} OBJECT ${TUNED})
  target_include_directories(tuned_${isa} PRIVATE include src)
  target_compile_definitions(tuned_${isa} PRIVATE REIN_ISA_${isa}=1)
  target_compile_options(tuned_${isa} PRIVATE ${REIN_ISA_FLAGS_${isa}})
  # One source: its AVX2 build is checked for addresses. Undefined-behaviour checks in every inlined vector function, and
  # any checks of the plain-C lanes, take minutes to compile.
  if(REIN_SANITIZE AND REIN_HAVE_X86 AND isa STREQUAL generic)
    target_compile_options(tuned_${isa} PRIVATE -fno-sanitize=all)
  elseif(REIN_SANITIZE)
    target_compile_options(tuned_${isa} PRIVATE -fno-sanitize=undefined)
  endif()
  target_link_libraries(tuned_${isa} PRIVATE OpenMP::OpenMP_C)
  target_sources(${library} PRIVATE $<TARGET_OBJECTS:tuned_${isa}>)
endfunction()
