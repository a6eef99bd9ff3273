#pragma once

#include "base/error.h"

#include <curl/curl.h>

namespace mcp_oauth::net {

// What we use of libcurl. It is loaded when something is fetched for the first time: with all that it brings
// along (a second TLS library, LDAP, Kerberos) it would be a quarter of the memory and of the start of a
// gateway, and one whose users are its own never fetches anything.
struct curl_library {
  decltype(&curl_global_init) global_init;
  decltype(&curl_easy_init) easy_init;
  decltype(&curl_easy_reset) easy_reset;
  decltype(&curl_easy_setopt) easy_setopt;
  decltype(&curl_easy_perform) easy_perform;
  decltype(&curl_easy_getinfo) easy_getinfo;
  decltype(&curl_easy_strerror) easy_strerror;
  decltype(&curl_easy_cleanup) easy_cleanup;
  decltype(&curl_slist_append) slist_append;
  decltype(&curl_slist_free_all) slist_free_all;
};

// The same one each time; from any thread. Errors: fetch_failed, when there is no libcurl.so.4 on this
// machine.
result<const curl_library*> load_curl();

}  // namespace mcp_oauth::net
