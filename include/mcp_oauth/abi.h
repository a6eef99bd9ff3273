#pragma once

// What belongs to the binary interface of the library: which symbols it has, and under which number. See
// docs/library/abi-and-versions.md.

// The number of the binary interface, which is also the SOVERSION of the shared library. It changes when a
// program that was built with older headers has to be built again, and is no part of the product's version.
#define MCP_OAUTH_ABI 1

#if defined(__GNUC__)
#define MCP_OAUTH_API __attribute__((visibility("default")))
#define MCP_OAUTH_LOCAL __attribute__((visibility("hidden")))
#else
#define MCP_OAUTH_API
#define MCP_OAUTH_LOCAL
#endif

#ifdef __cplusplus
// Everything stands in mcp_oauth::v1, which is written mcp_oauth: a program that mixes headers of one
// interface with a library of another does not link, instead of failing while it runs.
#define MCP_OAUTH_BEGIN \
  namespace mcp_oauth { \
  inline namespace v1 {
#define MCP_OAUTH_END \
  }                   \
  }

MCP_OAUTH_BEGIN

// "0.1.0": of the library that is running, which may be newer than the headers. Safe from any thread.
MCP_OAUTH_API const char* library_version() noexcept;
// MCP_OAUTH_ABI of the library that is running.
MCP_OAUTH_API int library_abi() noexcept;

MCP_OAUTH_END
#endif
