#include "library/answers.h"

#include "base/text.h"
#include "library/denials.h"
#include "mcp/error_body.h"
#include "oauth/challenge.h"
#include "oauth/metadata.h"
#include "symptom/catalogue.h"

#include <algorithm>

MCP_OAUTH_BEGIN
namespace {

constexpr std::string_view mcp_methods = "GET, POST, DELETE, OPTIONS";

std::string_view value_of(const request& asked, std::string_view name) {
  for (const auto& h : asked.headers) {
    if (equal_ignoring_case(h.name, name)) return h.value;
  }
  return {};
}

response with_json(int status, std::string body) {
  response answer;
  answer.status = status;
  answer.headers.emplace_back("Content-Type", "application/json");
  answer.headers.emplace_back("Cache-Control", "no-store");
  answer.body = std::move(body);
  return answer;
}

bool challenges(const symptom& row) {
  return row.status == 401 || row.status == 403 || row.code == errc::credentials_repeated;
}

json::string text(std::string_view s) { return json::string(s.data(), s.size()); }

}  // namespace

std::string_view response::header_value(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (equal_ignoring_case(key, name)) return value;
  }
  return {};
}

response refuse(const engine& g, const denial& why, bool by_dpop, std::string_view raw_id) {
  const auto& conf = g.conf.inside();
  auto code = why.inside().code;
  const auto& row = explain(code);
  int status = why.status();
  if (row.oauth_error.empty() && status != 401) {
    json::object data;
    data["code"] = text(row.id);
    data["name"] = text(row.name);
    auto answer =
        with_json(status, jsonrpc_error(raw_id, jsonrpc_code(code), row.description, std::move(data)));
    if (status == 405) answer.headers.emplace_back("Allow", std::string(mcp_methods));
    add_nonce(answer, g);
    return answer;
  }
  const auto& scopes = why.required_scopes().empty() ? conf.scopes : why.required_scopes();
  auto answer = with_json(
      status,
      json::serialize(error_body(code, status == 403 ? why.required_scopes() : std::vector<std::string>{})));
  if (status == 405) answer.headers.emplace_back("Allow", std::string(mcp_methods));
  if (challenges(row)) {
    auto offer = schemes_to_offer(conf.rules.dpop, by_dpop, code);
    if (offer.bearer) {
      answer.headers.emplace_back("WWW-Authenticate", bearer_challenge(code, conf.metadata_url, scopes));
    }
    if (offer.dpop) {
      answer.headers.emplace_back(
          "WWW-Authenticate", dpop_challenge(code, conf.metadata_url, scopes, conf.rules.proofs.algorithms));
    }
  }
  if (status == 429 || status == 503) answer.headers.emplace_back("Retry-After", "5");
  add_nonce(answer, g);
  return answer;
}

std::optional<std::string_view> allowed_origin(const config::parts& conf, const request& asked) {
  auto origin = value_of(asked, "origin");
  if (origin.empty() || holds(conf.origins, origin)) return origin;
  return std::nullopt;
}

void add_cors(response& answer, std::string_view origin) {
  if (origin.empty() || !answer.header_value("Access-Control-Allow-Origin").empty()) return;
  answer.headers.emplace_back("Access-Control-Allow-Origin", std::string(origin));
  answer.headers.emplace_back(
      "Access-Control-Expose-Headers",
      "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, DPoP-Nonce");
  answer.headers.emplace_back("Vary", "Origin");
}

void add_nonce(response& answer, const engine& g) {
  auto nonce = g.core.fresh_nonce(g.now());
  if (!nonce.empty() && answer.header_value("DPoP-Nonce").empty())
    answer.headers.emplace_back("DPoP-Nonce", std::move(nonce));
}

response preflight(const config::parts&, const request& asked, std::string_view origin) {
  response answer;
  answer.status = 204;
  add_cors(answer, origin);
  answer.headers.emplace_back("Access-Control-Allow-Methods", std::string(mcp_methods));
  // A parameter may be mirrored into Mcp-Param-* (MCP 2026-07-28), so those are allowed by their beginning.
  std::string names =
      "Authorization, Content-Type, Accept, DPoP, Last-Event-ID, MCP-Protocol-Version, Mcp-Session-Id, "
      "Mcp-Method, Mcp-Name";
  for (auto& name : split_words(value_of(asked, "access-control-request-headers"), ',')) {
    auto one = trim(name);
    bool plain = std::all_of(one.begin(), one.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
    });
    if (plain && starts_with_ignoring_case(one, "mcp-param-")) names += ", " + std::string(one);
  }
  answer.headers.emplace_back("Access-Control-Allow-Headers", names);
  answer.headers.emplace_back("Access-Control-Max-Age", "7200");
  return answer;
}

std::optional<response> metadata_answer(const engine& g, const request& asked) {
  const auto& conf = g.conf.inside();
  auto path = asked.target.substr(0, asked.target.find('?'));
  auto found = match_metadata_path(path);
  if (!found || found->kind != metadata_path::document::protected_resource) return std::nullopt;
  if (!found->resource_path.empty() && found->resource_path != conf.resource_path) return std::nullopt;
  response answer;
  // It says nothing that not everybody may know: any page may read it.
  answer.headers.emplace_back("Access-Control-Allow-Origin", "*");
  if (asked.method == "OPTIONS") {
    answer.status = 204;
    answer.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
    answer.headers.emplace_back("Access-Control-Allow-Headers", "MCP-Protocol-Version");
    answer.headers.emplace_back("Access-Control-Max-Age", "7200");
    return answer;
  }
  if (asked.method != "GET" && asked.method != "HEAD") {
    answer = refuse(g, deny(errc::http_method_refused));
    for (auto& [name, value] : answer.headers) {
      if (name == "Allow") value = "GET, HEAD, OPTIONS";
    }
    return answer;
  }
  answer.headers.emplace_back("Content-Type", "application/json");
  answer.headers.emplace_back("Cache-Control", "public, max-age=300");
  if (asked.method == "GET") answer.body = conf.metadata;
  return answer;
}

MCP_OAUTH_END
