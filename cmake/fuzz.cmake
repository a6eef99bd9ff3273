# fuzz/NAME_fuzz.cc is a fuzz target; its first line `// rooms: a b` says what it is linked with. Each is built twice:
# with MOP_FUZZ as NAME_fuzz, for libFuzzer; with MOP_TESTS as NAME_replay, a test that runs every file of
# fuzz/corpus/NAME through it.
if(MOP_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    message(FATAL_ERROR "MOP_FUZZ needs clang; this is ${CMAKE_CXX_COMPILER_ID}. Use the preset asan.")
  endif()
  # The rooms themselves report which branches an input took. Only programs that bring a main of libFuzzer's link with
  # -fsanitize=fuzzer; for all others the hooks are enough.
  target_compile_options(mop_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(mop_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

if(MOP_TESTS)
  add_library(fuzz_replay_main OBJECT ${CMAKE_SOURCE_DIR}/fuzz/replay_main.cc)
  target_link_libraries(fuzz_replay_main PRIVATE mop_options)
endif()

file(GLOB fuzz_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/fuzz/*_fuzz.cc)
foreach(source IN LISTS fuzz_sources)
  cmake_path(GET source STEM target)
  string(REGEX REPLACE "_fuzz$" "" name ${target})
  file(STRINGS ${source} first_line LIMIT_COUNT 1)
  if(NOT first_line MATCHES "^// rooms:(( [a-z]+)+)$")
    message(FATAL_ERROR "${source}: the first line must be `// rooms: NAME…`, it is `${first_line}`")
  endif()
  string(STRIP "${CMAKE_MATCH_1}" rooms)
  string(REPLACE " " ";" rooms "${rooms}")
  list(TRANSFORM rooms PREPEND room_)

  if(MOP_FUZZ)
    add_executable(${name}_fuzz ${source})
    target_link_libraries(${name}_fuzz PRIVATE ${rooms} mop_options)
    target_link_options(${name}_fuzz PRIVATE -fsanitize=fuzzer)
  endif()
  if(MOP_TESTS)
    add_executable(${name}_replay ${source} $<TARGET_OBJECTS:fuzz_replay_main>)
    target_link_libraries(${name}_replay PRIVATE ${rooms} mop_options)
    add_test(NAME fuzz/${name} COMMAND ${name}_replay ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
  endif()
endforeach()
