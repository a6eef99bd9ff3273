// The coroutine behind /auth/verify: a reverse proxy asks whether a request of its own may pass. The verdict
// is that of app/serve_mcp.cc about the same request, as far as the proxy shows it; nothing is forwarded.

#include "app/gateway_service.h"
#include "app/story.h"
#include "app/watched_call.h"
#include "gateway/media_type.h"
#include "gateway/original_request.h"
#include "gateway/refusal.h"
#include "gateway/verdict.h"
#include "mcp/envelope.h"
#include "mcp/headers.h"
#include "oauth/bearer.h"
#include "oauth/resource.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {
namespace {

bool has_content(const net::request_head& head) {
  return head.body == net::framing::chunked || head.length > 0;
}

// Which MCP server the request is for. What the operator wrote into the proxy's configuration counts before
// what the request says. Errors: original_request_unclear, http_not_found.
result<const upstream*> upstream_of(const snapshot& rules, const verify_options& options,
                                    const original_request& meant) {
  const upstream* named = nullptr;
  if (!options.upstream.empty()) {
    for (const auto& u : rules.upstreams) {
      if (named == nullptr && u.where.conf().name == options.upstream) named = &u;
    }
    if (named == nullptr)
      return fail(errc::original_request_unclear,
                  "the proxy asks about upstream=" + options.upstream + ", which the configuration has not");
  } else if (!options.resource.empty()) {
    auto wanted = canonical_resource(options.resource);
    for (const auto& u : rules.upstreams) {
      auto own = canonical_resource(u.where.conf().resource);
      if (named == nullptr && wanted && own && *wanted == *own) named = &u;
    }
    if (named == nullptr)
      return fail(errc::original_request_unclear,
                  "the proxy asks about resource=" + options.resource + ", which the configuration has not");
  }
  // The proxy, or the server behind it, may read the path more loosely than it is written.
  auto found = rules.find_ways(meant.host, meant.path);
  if (!found.agree() && (named == nullptr || found.loosest != named))
    return fail(errc::http_not_found,
                "the original path leads elsewhere once it is decoded, without parameters or in lower case");
  if (named != nullptr) return named;
  const auto* to = found.written;
  if (to == nullptr && rules.upstreams.size() == 1) to = &rules.upstreams.front();
  if (to == nullptr)
    return fail(errc::http_not_found, "no MCP server is at " + meant.host + meant.path +
                                          "; the proxy may name one: " + std::string(verify_path) +
                                          "?upstream=NAME");
  return to;
}

}  // namespace

// What is known of the request that a proxy asks about.
struct gateway_service::asked_verdict {
  original_request meant;
  const upstream* to = nullptr;
  std::shared_ptr<credential> who;
  envelope call;     // of a POST
  std::string text;  // of the same, where the proxy shows it
  std::vector<std::string> scopes;
};

net::task<result<void>> gateway_service::read_shown_call(net::exchange& x, const snapshot& rules,
                                                         asked_verdict& about) {
  const auto& head = x.head();
  auto readable = check_media_type(head.fields);
  if (!readable) co_return readable;
  // What stands behind the cut could contradict what stands before it.
  if (head.find("x-envoy-auth-partial-body").value_or("false") != "false")
    co_return fail(errc::body_too_large, "the proxy shows a part of the body (allow_partial_message)");
  auto read = co_await x.read_all(about.text, rules.conf.limits.admission);
  if (!read) {
    x.close_after();
    co_return read;
  }
  envelope_scanner scanner;
  auto scanned = scanner.feed(about.text);
  if (scanned) scanned = scanner.finish();
  about.call = scanner.seen();
  if (!scanned) co_return scanned;
  auto mirrored = check_mirrored_headers(about.call, head.fields);
  co_return mirrored;
}

// In the order of serve_mcp.
net::task<result<void>> gateway_service::judge_original(net::exchange& x, const snapshot& rules,
                                                        asked_verdict& about, story& told) {
  const auto& head = x.head();
  const auto& to = *about.to;
  auto origin = head.find("origin");
  if (origin && !rules.cors.may_call_mcp(*origin)) {
    co_return fail(errc::origin_refused,
                   "Origin " + std::string(*origin) + " may not call: " + rules.cors.near_miss(*origin));
  }
  result<std::shared_ptr<credential>> who;
  if (rules.issuers != nullptr && !to.is_public()) {
    // The certificate of this connection is the proxy's.
    const auto& meant = about.meant;
    shown_request as{meant.method, meant.host, meant.path, meant.query, {}};
    who = co_await judge_token(x, rules, to, as, told);
  } else {
    if (!to.is_public()) {
      // The token in the address of the original request; `authenticate` looks at the address of this one.
      auto token = bearer_token(head.fields, about.meant.query);
      if (!token) co_return tl::unexpected<error>(token.error());
    }
    who = authenticate(x, to);
  }
  if (!who) {
    if (rules.watched.has(topic::token_validate)) watch(rules, x, refused_note(who.error()));
    co_return tl::unexpected<error>(who.error());
  }
  if (rules.watched.has(topic::token_validate)) watch(rules, x, validated_note(**who));
  about.who = *who;
  const auto& claims = about.who->claims();
  told.caller = about.who;
  told.subject = claims.subject;
  told.client_id = claims.client_id;

  const auto& method = about.meant.method;
  if (method != "POST" && method != "GET" && method != "DELETE")
    co_return fail(errc::http_method_refused, method);
  auto asks = about.who->asks();
  const auto& rules_now = to.rules_now();
  bool about_a_call = false;
  if (method != "POST") {
    if (has_content(head)) {
      x.close_after();
      co_return fail(errc::http_malformed, method + " with content");
    }
  } else if (has_content(head)) {
    auto shown = co_await read_shown_call(x, rules, about);
    told.method = about.call.method;
    told.tool = about.call.name;
    if (!shown) co_return shown;
    about_a_call = true;
  } else if (rules_now.depends_on_message()) {
    if (!to.where.conf().trusts_mcp_headers)
      co_return fail(errc::call_unseen, "rules for tools exist, and no body came with the question");
    auto said = envelope_of_mirrored_headers(head.fields);
    if (!said) co_return tl::unexpected<error>(said.error());
    about.call = std::move(*said);
    if (rules_now.wants_text(about.call))
      co_return fail(errc::call_unseen, "rules look at the arguments, and no body came with the question");
    told.method = about.call.method;
    told.tool = about.call.name;
    told.notes.emplace_back("judged_by", "headers");
    about_a_call = true;
  }
  auto permitted =
      about_a_call ? authorize(rules_now, asks, about.call, about.text) : authorize_stream(rules_now, asks);
  if (!permitted) {
    if (rules.watched.has(topic::policy_decision)) watch_refusal(x, rules, permitted.error());
    about.scopes = permitted.error().scopes;
    error why{permitted.error().code, permitted.error().detail};
    if (parts_.stories != nullptr) told.denied = std::make_unique<refusal>(std::move(permitted.error()));
    co_return tl::unexpected<error>(std::move(why));
  }
  told.permitted = true;
  co_return result<void>();
}

net::task<void> gateway_service::serve_verify(net::exchange& x, const snapshot& rules, story& told) {
  const auto& head = x.head();
  told.action = "verify";
  verify_request asked{head.method, head.path, head.query, head.host, head.fields};
  verify_options options;
  asked_verdict about;
  result<void> judged;
  if (!rules.clients.is_trusted(x.peer()))
    judged = fail(errc::verify_peer_refused, x.peer() + " is not in trusted_proxies");
  if (judged) {
    auto said = verify_options_of(asked);
    if (said) options = std::move(*said);
    if (!said) judged = tl::unexpected<error>(said.error());
  }
  if (judged) {
    auto meant = original_request_of(asked);
    if (meant) about.meant = std::move(*meant);
    if (!meant) judged = tl::unexpected<error>(meant.error());
  }
  if (judged) {
    told.notes.emplace_back("original_method", about.meant.method);
    told.notes.emplace_back("original_host", about.meant.host);
    told.notes.emplace_back("original_path", about.meant.path);
    auto to = upstream_of(rules, options, about.meant);
    if (to) about.to = *to;
    if (!to) judged = tl::unexpected<error>(to.error());
  }
  if (judged) {
    told.upstream = about.to->where.conf().name;
    const auto& conf = about.to->where.conf();
    if (const auto* claimed = find_claimed_identity(head.fields, conf.inject_headers, conf.headers.forward))
      judged = fail(errc::identity_claimed, std::string(claimed->name));
  }
  if (judged) judged = co_await judge_original(x, rules, about, told);
  if (rules.spans != nullptr) begin_trace(x, told, about.call);
  bool recorded_kind = judged ? rules.conf.audit.wants_allowed()
                              : rules.conf.audit.enabled() && judged.error().code != errc::client_gone;
  if (recorded_kind) {
    auto kind = judged ? decision::allowed : decision::denied;
    const error* why = judged ? nullptr : &judged.error();
    auto recorded = co_await record_decision(x, rules, told, kind, why);
    if (!recorded) {
      told.permitted = false;
      about.scopes.clear();
      judged = tl::unexpected<error>(recorded.error());
    }
  }

  http_response said;
  if (judged) {
    const auto& conf = about.to->where.conf();
    said = allowing_verdict(about.who->claims(), conf.inject_headers);
    // A token is for whoever judges it. Envoy does as this says; others have it in their configuration.
    if (head.path != verify_path && conf.authorization != "verified")
      said.fields.add("X-Envoy-Auth-Headers-To-Remove", "authorization");
  } else {
    const auto& why = judged.error();
    if (why.code == errc::client_gone) x.close_after();
    said = about.to == nullptr
               ? refuse_plain(why.code)
               : refusal_of(about.meant.host, rules, *about.to, why, about.scopes, about.call.id, told);
    told.why = judged.error();
  }
  if (options.for_nginx) said = for_nginx(std::move(said));
  co_await answer(x, std::move(said), false);
}

}  // namespace mcp_oauth
