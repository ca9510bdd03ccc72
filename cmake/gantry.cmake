# gantry_unoptimized(target): under a sanitizer it is compiled without optimizing, in a third of the time.
function(gantry_unoptimized target)
  if(GANTRY_SANITIZE AND NOT GANTRY_FUZZING)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# gantry_quick(target): what is run a few times is compiled without optimizing everywhere, in half of the time.
function(gantry_quick target)
  if(NOT GANTRY_FUZZING)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# What the simulators and every request spend their time in; all else is compiled without optimizing under a sanitizer.
set(gantry_hot kernel_base kernel_codec kernel_state kernel_log kernel_log_faulty kernel_net kernel_http)

# gantry_library(NAME n SOURCES a.cpp … DEPS x y): one static library a folder, with the folders that it may use.
function(gantry_library)
  cmake_parse_arguments(A "" "NAME" "SOURCES;DEPS;PRIVATE" ${ARGN})
  add_library(${A_NAME} STATIC ${A_SOURCES})
  target_include_directories(${A_NAME} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${A_NAME} PUBLIC ${A_DEPS} PRIVATE ${A_PRIVATE})
  if(NOT A_NAME IN_LIST gantry_hot)
    gantry_unoptimized(${A_NAME})
  endif()
endfunction()

# gantry_server(target): a program that serves. Its memory comes from jemalloc, which costs the many small pieces of a request half of what
# glibc's malloc does and gives back what a burst took; a sanitizer brings its own.
function(gantry_server target)
  target_link_options(${target} PRIVATE -Wl,-z,relro,-z,now)
  if(NOT GANTRY_SANITIZE)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(jemalloc REQUIRED IMPORTED_TARGET jemalloc)
    target_link_libraries(${target} PRIVATE -Wl,--push-state,--no-as-needed PkgConfig::jemalloc -Wl,--pop-state)
  endif()
endfunction()

# gantry_timeout(test seconds): how long a test may take; a sanitizer makes it slower.
function(gantry_timeout test seconds)
  if(GANTRY_SANITIZE)
    math(EXPR seconds "${seconds} * 5")
  endif()
  set_tests_properties(${test} PROPERTIES TIMEOUT ${seconds})
endfunction()

# gantry_test(NAME n [OPTIMIZED] SOURCES a_test.cpp … DEPS x y): one gtest program a folder, registered with ctest under its name.
# OPTIMIZED: it counts what the program that is shipped does.
function(gantry_test)
  cmake_parse_arguments(A "OPTIMIZED" "NAME;TIMEOUT" "SOURCES;DEPS" ${ARGN})
  if(NOT BUILD_TESTING)
    return()
  endif()
  find_package(GTest REQUIRED)
  add_executable(${A_NAME} ${A_SOURCES})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS} kernel_source_dir GTest::gtest GTest::gtest_main)
  if(A_OPTIMIZED)
    gantry_unoptimized(${A_NAME})
  else()
    gantry_quick(${A_NAME})
  endif()
  add_test(NAME ${A_NAME} COMMAND ${A_NAME})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  gantry_timeout(${A_NAME} ${A_TIMEOUT})
endfunction()
include(CTest)

# gantry_fuzz(NAME n_fuzz SOURCES a_fuzz.cpp … DEPS x y): a libFuzzer program in the fuzz preset; in every other a test that runs each file
# of tests/corpus/<name>/ once. `make fuzz` finds it by its name.
function(gantry_fuzz)
  cmake_parse_arguments(A "" "NAME" "SOURCES;DEPS" ${ARGN})
  if(NOT BUILD_TESTING AND NOT GANTRY_FUZZING)
    return()
  endif()
  add_executable(${A_NAME} ${A_SOURCES})
  target_link_libraries(${A_NAME} PRIVATE ${A_DEPS})
  if(GANTRY_FUZZING)
    return()
  endif()
  target_sources(${A_NAME} PRIVATE ${CMAKE_SOURCE_DIR}/tests/run_corpus.cpp)
  gantry_quick(${A_NAME})
  add_test(NAME ${A_NAME} COMMAND ${A_NAME} ${CMAKE_SOURCE_DIR}/tests/corpus/${A_NAME})
  gantry_timeout(${A_NAME} 300)
endfunction()
