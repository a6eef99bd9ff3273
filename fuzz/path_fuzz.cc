// rooms: gateway
// A path that is handed on leads nowhere but below its mount, for whoever resolves it; the origin that a
// request names is one of ours.

#include "base/form.h"
#include "gateway/loopback.h"
#include "gateway/route.h"
#include "require.h"

#include <algorithm>
#include <string>
#include <vector>

using namespace mcp_oauth;

namespace {

mount mounted(const char* where, const char* prefix) {
  upstream_settings conf;
  conf.url = where;
  conf.paths = {prefix};
  return mount::of(conf).value();
}

// As a server that decodes first would walk it.
bool climbs(std::string_view path) {
  auto decoded = percent_decode(path);
  if (!decoded) return true;
  for (std::size_t at = 0; at < decoded->size();) {
    auto end = std::min(decoded->find_first_of("/\\", at), decoded->size());
    auto segment = decoded->substr(at, end - at);
    if (segment == ".." || segment.starts_with("..;")) return true;
    at = end + 1;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const mount mounts[] = {mounted("http://up.example/mcp", "/mcp"), mounted("http://up.example", "/"),
                                 mounted("http://up.example/a/b/", "/x/y")};
  auto text = text_of(data, size);
  if (is_plain_path(text)) {
    require(text.front() == '/' && !climbs(text) && text.find("//") == std::string_view::npos);
    for (const auto& m : mounts) {
      if (m.covers(text)) {
        auto up = m.upstream_path(text);
        require(up.front() == '/' && is_plain_path(up));
        // Back again, and there again: the same place.
        auto back = m.public_path(up);
        require(m.covers(back) && m.upstream_path(back) == up);
      }
      auto there = m.public_path(text);
      require(m.covers(there) && m.upstream_path(there) == text);
    }
  }
  constexpr std::string_view local = "http://127.0.0.1:8080";
  auto reached = origin_as_reached(local, text);
  auto parsed = url::parse(reached);
  require(parsed && parsed->is_loopback() && parsed->effective_port() == 8080 && parsed->scheme == "http");
  require(origin_as_reached("https://mcp.example.com", text) == "https://mcp.example.com");
  return 0;
}
