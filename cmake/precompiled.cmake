# What every test includes takes longer to read than most tests themselves, so it is read once. Only what comes from elsewhere
# is in it, and only tests have it: tests/lint/includes.py and the builds without tests still see a header that is missing.
#
# Not target_precompile_headers: it names the file by its whole path, which makes every test a new one to ccache in every
# clone. For the same reason a file NAME.sum tells ccache what the headers come to (CCACHE_PCH_EXTSUM in `dev`): of the same
# headers, the precompiled file is another one in each folder.
set(test_headers gmock/gmock.h gtest/gtest.h algorithm chrono filesystem functional map memory optional set string string_view
  thread tl/expected.hpp vector)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(precompiled_file test_headers.h.gch)
  set(use_precompiled "SHELL:-include test_headers.h")
else()
  set(precompiled_file test_headers.pch)
  set(use_precompiled "SHELL:-include-pch test_headers.pch")
endif()

# Adds the target test_headers, which makes it; with the options of mop_options, since both have to agree.
function(precompile_test_headers)
  list(TRANSFORM test_headers REPLACE "^(.+)$" "#include <\\1>" OUTPUT_VARIABLE lines)
  list(JOIN lines "\n" text)
  file(CONFIGURE OUTPUT test_headers.h CONTENT "${text}\n" @ONLY)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" type)
  separate_arguments(flags NATIVE_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${type}}")
  set(options -std=c++${CMAKE_CXX_STANDARD} ${flags} $<TARGET_PROPERTY:mop_options,INTERFACE_COMPILE_OPTIONS>
    $<TARGET_PROPERTY:GTest::gtest,INTERFACE_COMPILE_OPTIONS>)
  # Where gtest wants a macro to be: Debian's has it among the options.
  get_target_property(definitions GTest::gtest INTERFACE_COMPILE_DEFINITIONS)
  if(definitions)
    list(TRANSFORM definitions PREPEND -D OUTPUT_VARIABLE definitions)
    list(APPEND options ${definitions})
  endif()
  add_custom_command(OUTPUT ${precompiled_file} BYPRODUCTS ${precompiled_file}.sum DEPENDS test_headers.h DEPFILE test_headers.d
    COMMAND ${CMAKE_CXX_COMPILER} "${options}" -x c++-header test_headers.h
            -MD -MT ${precompiled_file} -MF test_headers.d -o ${precompiled_file}
    COMMAND ${CMAKE_CXX_COMPILER} "${options}" -x c++ -E -P test_headers.h -o test_headers.read
    COMMAND sha256sum test_headers.read >${precompiled_file}.sum
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR} COMMAND_EXPAND_LISTS)
  add_custom_target(test_headers DEPENDS ${precompiled_file})
endfunction()

function(with_precompiled_headers target)
  target_compile_options(${target} PRIVATE ${use_precompiled})
  add_dependencies(${target} test_headers)
endfunction()
