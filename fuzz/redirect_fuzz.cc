// rooms: oauth
#include "base/text.h"
#include "base/url.h"
#include "oauth/redirect_uri.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace mcp_oauth;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::array<std::string_view, 3> registered = {"https://client.example/cb?x=1",
                                                        "http://127.0.0.1:8080/cb", "http://[::1]/cb"};

void accepted_is_harmless(const std::string& uri) {
  require(uri.size() <= longest_redirect_uri);
  for (char c : uri) require(c > 0x20 && c < 0x7F && c != '\\' && c != '#');
  auto colon = uri.find(':');
  require(colon != std::string::npos && colon > 0);
  auto scheme = to_lower(std::string_view(uri).substr(0, colon));
  for (auto bad : {"javascript", "data", "file", "blob", "about", "ws", "wss", "vbscript", "filesystem"}) {
    require(scheme != bad);
  }
  auto target = describe_redirect_uri(uri);
  require(!target.where.empty());
  if (scheme == "http") require(target.kind == redirect_kind::loopback);
  if (scheme == "https" || scheme == "http") {
    // What the page names is what stands between the slashes, the default port and case aside.
    require(uri.compare(colon, 3, "://") == 0);
    auto authority = uri.substr(colon + 3, uri.find_first_of("/?", colon + 3) - colon - 3);
    require(authority.find_first_of("@%*") == std::string::npos);
    require(to_lower(authority).compare(0, target.where.size(), target.where) == 0);
  } else {
    require(target.kind == redirect_kind::application);
  }

  form answer;
  answer.add("code", "a b");
  answer.add("state", "\r\n&=");
  auto location = redirect_with(uri, answer);
  require(location.compare(0, uri.size(), uri) == 0);
  for (char c : location) require(c > 0x20 && c < 0x7F);
  auto parsed = url::parse(location);
  require(parsed.has_value() && !parsed->has_fragment);
  auto query = form::parse(parsed->query, 1024);
  require(query.has_value());
  require(query->all("code").size() == 1 && query->find("code") == "a b");
  require(query->all("state").size() == 1 && query->find("state") == "\r\n&=");
}

// Two that match differ at most in the digits of a port.
void match_is_narrow(std::string_view known, const std::string& uri) {
  if (!redirect_uri_matches(known, uri)) return;
  require(redirect_uri_matches(uri, known));
  if (known == uri) return;
  auto a = url::parse(known), b = url::parse(uri);
  require(a.has_value() && b.has_value());
  a->port = b->port = 0;
  require(a->is_loopback() && a->scheme == "http" && a->to_string() == b->to_string());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string uri(reinterpret_cast<const char*>(data), size);
  server_rules rules;
  rules.issuer = "https://gateway.example";
  rules.private_use_schemes = {"myapp", "javascript", "data"};
  if (check_redirect_uri_registrable(uri, rules)) {
    accepted_is_harmless(uri);
    require(url::parse(uri)->origin() != rules.issuer);
  }
  for (auto known : registered) match_is_narrow(known, uri);
  require(redirect_uri_matches(uri, uri));
  return 0;
}
