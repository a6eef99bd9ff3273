#include "bridge/kept_report.h"

#include "oauth/displayable.h"
#include "oauth/near_miss.h"

namespace mcp_oauth {
namespace {

json::value text(std::string_view s) {
  return s.empty() ? json::value(nullptr) : json::value(json::string(s.data(), s.size()));
}

std::string scope_of(const kept_tokens& tokens) {
  return tokens.granted.empty() ? tokens.scope : tokens.granted;
}

std::optional<time_point> end_of(const kept_tokens& tokens) {
  if (!tokens.lifetime) return std::nullopt;
  return tokens.obtained + *tokens.lifetime;
}

}  // namespace

bool kept_report::is_usable(time_point now) const {
  return kept.tokens && (is_alive(*kept.tokens, now) || !kept.tokens->refresh_token.empty());
}

std::string to_text(const kept_report& report, time_point now) {
  const auto& kept = report.kept;
  std::string out = kept.server + "\n";
  auto line = [&](std::string_view name, const std::string& value) {
    std::string left = "  " + std::string(name);
    left.resize(16, ' ');
    out += left + value + "\n";
  };
  if (!kept.settings.empty()) line("settings", kept.settings);
  line("kept in", report.file);
  for (const auto& client : kept.clients)
    line("client", displayable(client.client_id) + " at " + displayable(client.issuer) +
                       (client.registered ? ", registered by itself" : ""));
  if (!kept.tokens) {
    line("signed in", "no");
  } else {
    const auto& tokens = *kept.tokens;
    if (!tokens.issuer.empty()) line("issuer", displayable(tokens.issuer));
    if (!tokens.resource.empty()) line("resource", displayable(tokens.resource));
    if (auto scope = displayable(scope_of(tokens)); !scope.empty()) line("scope", scope);
    std::string end = "until the server refuses it";
    if (auto at = end_of(tokens))
      end = (*at <= now ? "ended " : "ends ") + how_long_from(now, *at) + " (" + to_iso8601(*at) + ")";
    line("access token", end + (tokens.dpop ? ", bound to a key (DPoP)" : ""));
    // Ways without a person are named among the settings, those with one are not.
    bool by_itself = kept.settings.find("--grant ") != std::string::npos;
    line("refresh token", !tokens.refresh_token.empty() ? "yes"
                          : by_itself                   ? "none: the bridge gets a new token by itself"
                                                        : "none: a new sign-in is needed then");
  }
  if (report.last_failure) {
    line("last failure", displayable(report.last_failure->why) + " (" + report.last_failure->id + ", " +
                             how_long_from(now, report.last_failure->at) + ")");
  }
  return out;
}

json::object to_json(const kept_report& report, time_point now) {
  const auto& kept = report.kept;
  json::object o;
  o["server"] = text(kept.server);
  o["file"] = text(report.file);
  o["settings"] = text(kept.settings);
  o["of_these_settings"] = report.of_these_settings;
  json::array clients;
  for (const auto& client : kept.clients) {
    json::object one;
    one["client_id"] = text(client.client_id);
    one["issuer"] = text(client.issuer);
    one["registered_by_itself"] = client.registered;
    clients.push_back(std::move(one));
  }
  o["clients"] = std::move(clients);
  o["usable"] = report.is_usable(now);
  o["token"] = nullptr;
  if (kept.tokens) {
    const auto& tokens = *kept.tokens;
    auto end = end_of(tokens);
    json::object token;
    token["issuer"] = text(tokens.issuer);
    token["resource"] = text(tokens.resource);
    token["scope"] = text(scope_of(tokens));
    token["obtained"] = text(to_iso8601(tokens.obtained));
    token["expires"] = text(end ? to_iso8601(*end) : "");
    token["expired"] = end ? json::value(*end <= now) : json::value(nullptr);
    token["dpop"] = tokens.dpop;
    token["refreshable"] = !tokens.refresh_token.empty();
    o["token"] = std::move(token);
  }
  o["last_failure"] = nullptr;
  if (report.last_failure) {
    json::object failure;
    failure["id"] = text(report.last_failure->id);
    failure["why"] = text(report.last_failure->why);
    failure["at"] = text(to_iso8601(report.last_failure->at));
    o["last_failure"] = std::move(failure);
  }
  return o;
}

std::string to_line(const json::object& o) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  auto escape = [&](unsigned char c) {
    out += "\\u00";
    out += digits[c >> 4U];
    out += digits[c & 0xFU];
  };
  auto plain = json::serialize(o);
  for (std::size_t i = 0; i < plain.size(); ++i) {
    auto c = static_cast<unsigned char>(plain[i]);
    auto next = i + 1 < plain.size() ? static_cast<unsigned char>(plain[i + 1]) : 0U;
    if (c == 0x7F) {
      escape(c);
    } else if (c == 0xC2 && next >= 0x80 && next < 0xA0) {
      escape(static_cast<unsigned char>(next));
      ++i;
    } else {
      out += plain[i];
    }
  }
  return out;
}

}  // namespace mcp_oauth
