#include "gateway/refusal.h"

#include "mcp/error_body.h"
#include "oauth/challenge.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

// What the operator's guide shows for a failing upstream: first what happened, then what that means.
std::string upstream_message(const error& why) {
  constexpr std::string_view consequence = "\nFailed to proxy request to MCP server";
  auto description = std::string(explain(why.code).description);
  switch (why.code) {
    case errc::upstream_refused:
    case errc::upstream_unreachable:
      return (why.detail.empty() ? description : why.detail) + std::string(consequence);
    case errc::upstream_timeout: {
      // "timeout of 30000ms exceeded: where it stood" - where it stood is for our log.
      auto first = why.detail.substr(0, why.detail.find(':'));
      return (first.rfind("timeout of", 0) == 0 ? first + "\n" : std::string()) + description;
    }
    case errc::upstream_not_mcp: return "invalid_protocol\n" + description;
    default: return description + std::string(consequence);
  }
}

bool is_upstream_failure(errc code) {
  switch (code) {
    case errc::upstream_refused:
    case errc::upstream_unreachable:
    case errc::upstream_timeout:
    case errc::upstream_closed:
    case errc::upstream_malformed:
    case errc::upstream_not_mcp:
    case errc::upstream_tls_failed: return true;
    default: return false;
  }
}

http_response with_json(int status, std::string body) {
  http_response r;
  r.status = status;
  r.fields.add("Content-Type", "application/json");
  r.fields.add("Cache-Control", "no-store");
  r.body = std::move(body);
  return r;
}

}  // namespace

http_response refuse_call(const error& why, std::string_view resource_metadata_url,
                          const std::vector<std::string>& scopes, std::string_view raw_id) {
  const auto& row = explain(why.code);
  bool challenges = row.status == 401 || !row.oauth_error.empty();
  if (challenges && why.code != errc::upstream_not_mcp) {
    auto r = with_json(row.status, json::serialize(error_body(
                                       why.code, row.status == 403 ? scopes : std::vector<std::string>{})));
    if (row.status == 401 || row.status == 403 || why.code == errc::credentials_repeated) {
      r.fields.add("WWW-Authenticate", bearer_challenge(why.code, resource_metadata_url, scopes));
    }
    if (row.status == 429 || row.status == 503) r.fields.add("Retry-After", "5");
    return r;
  }
  json::object data;
  data["code"] = json::string(row.id.data(), row.id.size());
  data["name"] = json::string(row.name.data(), row.name.size());
  auto message = is_upstream_failure(why.code) ? upstream_message(why) : std::string(row.description);
  auto r = with_json(row.status == 0 ? 500 : row.status,
                     jsonrpc_error(raw_id, jsonrpc_code(why.code), message, std::move(data)));
  if (row.status == 502 || row.status == 504) r.fields.add("Retry-After", "5");
  return r;
}

http_response refuse_plain(errc why) {
  const auto& row = explain(why);
  auto r = with_json(row.status == 0 ? 500 : row.status, json::serialize(error_body(why, {})));
  if (row.status == 429 || row.status == 503) r.fields.add("Retry-After", "5");
  return r;
}

}  // namespace mcp_oauth
