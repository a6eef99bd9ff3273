# libmcp_oauth, shared and static, out of the rooms behind include/mcp_oauth. Both have the symbols of the interface and
# no others; tests/library/symbols.py looks. docs/adr/0027-library-boundary.md has the reasons.
#
#   cmake --install build/release --component library --prefix /usr/local
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

file(STRINGS ${CMAKE_SOURCE_DIR}/include/mcp_oauth/abi.h abi_line REGEX "^#define MCP_OAUTH_ABI [0-9]+$")
string(REGEX REPLACE "[^0-9]" "" MCP_OAUTH_ABI "${abi_line}")

# Of `config` only the grammar of policies is taken, which needs no YAML; the linker leaves the rest behind.
set(library_rooms library net guard config policy mcp oauth jose symptom base)
list(TRANSFORM library_rooms PREPEND room_ OUTPUT_VARIABLE library_targets)
set_target_properties(${library_targets} PROPERTIES POSITION_INDEPENDENT_CODE ON)
# What the static library needs besides; the shared one brings it along.
set(library_needs boost_json boost_url simdjson ssl crypto dl pthread)

set(MCP_OAUTH_EXPORTS ${CMAKE_BINARY_DIR}/mcp_oauth.exports)
configure_file(${CMAKE_SOURCE_DIR}/cmake/mcp_oauth.exports.in ${MCP_OAUTH_EXPORTS} @ONLY)

add_library(mcp_oauth SHARED $<TARGET_OBJECTS:room_library>)
add_library(mcp_oauth::mcp_oauth ALIAS mcp_oauth)
target_link_libraries(mcp_oauth PRIVATE ${library_targets})
target_link_options(mcp_oauth PRIVATE -Wl,--version-script=${MCP_OAUTH_EXPORTS} -Wl,--no-undefined -Wl,--as-needed)
set_target_properties(mcp_oauth PROPERTIES LINKER_LANGUAGE CXX SOVERSION ${MCP_OAUTH_ABI}
  VERSION ${MCP_OAUTH_ABI}.${PROJECT_VERSION} LINK_DEPENDS ${MCP_OAUTH_EXPORTS})

# One object of all that is needed, in which only the interface is still visible: a host may have another Boost.JSON, or
# another class mcp_oauth::policy, and neither meets ours. Only GNU ld can resolve the groups of a relocatable object.
find_program(GNU_LD NAMES ld.bfd REQUIRED)
set(static_library ${CMAKE_BINARY_DIR}/libmcp_oauth.a)
list(TRANSFORM library_targets REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE library_archives)
add_custom_command(
  OUTPUT ${static_library}
  COMMAND ${GNU_LD} -r --force-group-allocation -o mcp_oauth_whole.o $<TARGET_OBJECTS:room_library>
          --start-group ${library_archives} --end-group
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden --wildcard --keep-global-symbol=_ZN9mcp_oauth2v1*
          --keep-global-symbol=_ZNK9mcp_oauth2v1* --keep-global-symbol=_ZT?N9mcp_oauth2v1*
          --keep-global-symbol=mcp_oauth_* mcp_oauth_whole.o mcp_oauth_alone.o
  COMMAND ${CMAKE_COMMAND} -E rm -f ${static_library}
  COMMAND ${CMAKE_AR} rcs ${static_library} mcp_oauth_alone.o
  DEPENDS ${library_targets} WORKING_DIRECTORY ${CMAKE_BINARY_DIR} COMMAND_EXPAND_LISTS VERBATIM
  COMMENT "Linking libmcp_oauth.a")
add_custom_target(mcp_oauth_static ALL DEPENDS ${static_library})

target_include_directories(mcp_oauth INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                                               $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(mcp_oauth INTERFACE cxx_std_20)
set(package ${CMAKE_INSTALL_LIBDIR}/cmake/mcp_oauth)
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/mcp_oauth DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT library)
install(TARGETS mcp_oauth EXPORT mcp_oauth LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library
        NAMELINK_COMPONENT library)
install(FILES ${static_library} DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
install(EXPORT mcp_oauth NAMESPACE mcp_oauth:: FILE mcp_oauth-targets.cmake DESTINATION ${package} COMPONENT library)
string(REPLACE ";" " -l" library_needs_flags "-l${library_needs}")
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/mcp_oauth-config.cmake.in
  ${CMAKE_BINARY_DIR}/mcp_oauth-config.cmake INSTALL_DESTINATION ${package}
  PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/mcp_oauth-config-version.cmake VERSION ${PROJECT_VERSION}
  COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_SOURCE_DIR}/cmake/mcp_oauth.pc.in ${CMAKE_BINARY_DIR}/mcp_oauth.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/mcp_oauth-config.cmake ${CMAKE_BINARY_DIR}/mcp_oauth-config-version.cmake
        DESTINATION ${package} COMPONENT library)
install(FILES ${CMAKE_BINARY_DIR}/mcp_oauth.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT library)

if(MOP_TESTS)
  find_package(Python3 COMPONENTS Interpreter)
  add_test(NAME library/symbols COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/library/symbols.py
           $<TARGET_FILE:mcp_oauth> ${static_library})
  add_test(NAME library/installed COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/library/installed.py
           ${CMAKE_BINARY_DIR})
  set_tests_properties(library/installed PROPERTIES RUN_SERIAL OFF TIMEOUT 280)
endif()
