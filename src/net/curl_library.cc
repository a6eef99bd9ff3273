#include "net/curl_library.h"

#include <string>

#include <dlfcn.h>

namespace mcp_oauth::net {
namespace {

struct loaded {
  curl_library functions{};
  std::string failure;

  loaded() {
    // Never unloaded: what it keeps per thread goes with the threads.
    void* library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    auto& f = functions;
    bool all = library != nullptr && find(library, "curl_global_init", f.global_init) &&
               find(library, "curl_easy_init", f.easy_init) &&
               find(library, "curl_easy_reset", f.easy_reset) &&
               find(library, "curl_easy_setopt", f.easy_setopt) &&
               find(library, "curl_easy_perform", f.easy_perform) &&
               find(library, "curl_easy_getinfo", f.easy_getinfo) &&
               find(library, "curl_easy_strerror", f.easy_strerror) &&
               find(library, "curl_easy_cleanup", f.easy_cleanup) &&
               find(library, "curl_slist_append", f.slist_append) &&
               find(library, "curl_slist_free_all", f.slist_free_all);
    if (all && f.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) return;
    const char* why = all ? nullptr : ::dlerror();
    failure = "libcurl cannot be used (Debian: apt install libcurl4)";
    if (why != nullptr) failure += std::string(": ") + why;
  }

  template <class F>
  static bool find(void* library, const char* name, F& into) {
    into = reinterpret_cast<F>(::dlsym(library, name));
    return into != nullptr;
  }
};

}  // namespace

result<const curl_library*> load_curl() {
  static const loaded once;
  if (!once.failure.empty()) return fail(errc::fetch_failed, once.failure);
  return &once.functions;
}

}  // namespace mcp_oauth::net
