# embed_files(TARGET NAME name [BASE folder] FILES file…) puts the bytes of files into TARGET:
#
#   #include "embedded/NAME.h"
#   std::span<const embedded_file> embedded_NAME();   // in the order of FILES; names relative to BASE
#
# The header is written at configure time, the bytes at build time, so that a changed file is compiled in again.
function(embed_files target)
  cmake_parse_arguments(arg "" "NAME;BASE" "FILES" ${ARGN})
  cmake_path(ABSOLUTE_PATH arg_BASE BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set(folder ${CMAKE_BINARY_DIR}/generated)
  set(NAME ${arg_NAME})
  configure_file(${CMAKE_SOURCE_DIR}/cmake/embed.h.in ${folder}/embedded/${arg_NAME}.h @ONLY)

  set(absolute)
  foreach(file ${arg_FILES})
    cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
    list(APPEND absolute ${file})
  endforeach()
  list(JOIN absolute "|" joined)
  add_custom_command(
    OUTPUT ${folder}/embedded/${arg_NAME}.cc
    COMMAND ${CMAKE_COMMAND} -DNAME=${arg_NAME} -DBASE=${arg_BASE} -DFILES=${joined}
            -DOUTPUT=${folder}/embedded/${arg_NAME}.cc -P ${CMAKE_SOURCE_DIR}/cmake/embed_bytes.cmake
    DEPENDS ${absolute} ${CMAKE_SOURCE_DIR}/cmake/embed_bytes.cmake
    COMMENT "Embedding ${arg_NAME}" VERBATIM)
  target_sources(${target} PRIVATE ${folder}/embedded/${arg_NAME}.cc)
  target_include_directories(${target} PUBLIC ${folder})
endfunction()
