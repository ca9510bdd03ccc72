# The compiler is clang 19: g++ 12 miscompiles coroutines (docs/decisions/0001-compiler.md).
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Gantry needs clang 19 or newer, found ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}. "
    "g++ 12 miscompiles coroutines. Run `make setup`, or pass -DCMAKE_CXX_COMPILER=clang++-19.")
endif()
set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(GANTRY_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: address,undefined or thread or fuzzer")
add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wno-unused-parameter -Wno-missing-designated-field-initializers
  -Wno-gnu-zero-variadic-macro-arguments -fno-omit-frame-pointer -msse4.2)
add_link_options(-fuse-ld=lld-19)
if(GANTRY_SANITIZE)
  # A report names lines; what a debugger wants beyond that takes a fifth of the time to compile.
  add_compile_options(-gline-tables-only -fsanitize=${GANTRY_SANITIZE} -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=${GANTRY_SANITIZE})
endif()
# Release builds are optimized by what the program does when it works: docs/decisions/0009-profile.md, `make profile`.
set(GANTRY_PROFILE "${CMAKE_SOURCE_DIR}/profile/gantry.profdata" CACHE STRING "A profile to optimize by; count: make one; empty: none")
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND GANTRY_PROFILE STREQUAL "count")
  add_compile_options(-fprofile-generate)
  add_link_options(-fprofile-generate)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release" AND GANTRY_PROFILE)
  # What changed since it was made has no profile, which is no fault. Named as seen from where the compiler runs, it lets one cache of
  # compiled files serve every checkout.
  file(RELATIVE_PATH GANTRY_PROFILE_NAMED "${CMAKE_BINARY_DIR}" "${GANTRY_PROFILE}")
  add_compile_options(-fprofile-use=${GANTRY_PROFILE_NAMED}
    -Wno-profile-instr-unprofiled -Wno-profile-instr-out-of-date -Wno-backend-plugin)
endif()
set(GANTRY_FUZZING OFF)
if(GANTRY_SANITIZE MATCHES fuzzer)
  set(GANTRY_FUZZING ON)
endif()
find_program(CCACHE ccache)
if(CCACHE)
  # What one checkout compiled serves every other: paths are taken from the source tree.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true ${CCACHE})
endif()
