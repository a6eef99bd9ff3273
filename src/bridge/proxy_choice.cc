#include "bridge/proxy_choice.h"

#include "base/base64url.h"
#include "base/form.h"
#include "base/text.h"

namespace mcp_oauth {
namespace {

bool is_excepted(const url& to, std::string_view list) {
  std::string words(list);
  for (char& c : words) {
    if (c == ',') c = ' ';
  }
  for (auto& word : split_words(words)) {
    std::string_view name = word;
    if (name == "*") return true;
    auto colon = name.rfind(':');
    bool has_port = colon != std::string_view::npos && name.find(':') == colon;
    if (has_port) {
      if (parse_decimal(name.substr(colon + 1)) != to.effective_port()) continue;
      name = name.substr(0, colon);
    }
    if (name.starts_with("*.")) name.remove_prefix(1);
    bool below = name.starts_with('.');
    if (below) name.remove_prefix(1);
    auto lower = to_lower(name);
    if (to.host == lower || to.host.ends_with("." + lower)) return true;
  }
  return false;
}

}  // namespace

result<std::optional<proxy_choice>> choose_proxy(
    const url& to, const std::function<std::optional<std::string>(std::string_view)>& environment) {
  auto value = [&](std::string_view name) -> std::string {
    for (const auto& spelled : {to_lower(name), std::string(name)}) {
      if (auto set = environment(spelled); set && !set->empty()) return *set;
    }
    return {};
  };
  if (to.is_loopback() || is_excepted(to, value("NO_PROXY"))) return std::nullopt;
  auto named = value(to.scheme == "https" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (named.empty()) named = value("ALL_PROXY");
  if (named.empty()) return std::nullopt;
  // `url` takes no user and password, so they are taken off first.
  std::string text = named.find("://") == std::string::npos ? "http://" + named : named;
  auto begin = text.find("://") + 3;
  auto end = text.find('/', begin);
  auto at = text.rfind('@', end);
  proxy_choice chosen;
  if (at != std::string::npos && at >= begin) {
    auto user = percent_decode(text.substr(begin, at - begin));
    if (!user) return fail(errc::config_invalid, "the proxy's user and password are not percent-encoded");
    chosen.authorization = "Basic " + base64_encode(*user);
    text.erase(begin, at + 1 - begin);
  }
  auto parsed = url::parse(text);
  if (!parsed || parsed->scheme != "http")
    return fail(errc::config_invalid,
                "the proxy has to be an http:// URL (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY)");
  chosen.host = parsed->host;
  chosen.port = parsed->effective_port();
  return std::optional<proxy_choice>(std::move(chosen));
}

}  // namespace mcp_oauth
