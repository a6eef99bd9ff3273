// What needs no decision: metadata, health, metrics, the front page.

#include "app/audit.h"
#include "app/gateway_service.h"
#include "app/span_exporter.h"
#include "app/story.h"
#include "app/version.h"
#include "gateway/loopback.h"
#include "gateway/refusal.h"
#include "oauth/metadata.h"
#include "symptom/catalogue.h"

namespace mcp_oauth {
namespace {

http_response json_response(int status, std::string body, std::string_view cache) {
  http_response r;
  r.status = status;
  r.fields.add("Content-Type", "application/json");
  r.fields.add("Cache-Control", std::string(cache));
  r.body = std::move(body);
  return r;
}

std::string in_quotes(std::string_view text) {
  return json::serialize(json::value(json::string(text.data(), text.size())));
}

std::vector<metrics::readings::issuer> readings_of(const guard& judge) {
  std::vector<metrics::readings::issuer> all;
  for (const auto& status : judge.status(std::chrono::system_clock::now())) {
    auto since = status.last_success ? static_cast<double>(to_unix(*status.last_success)) : 0;
    all.push_back({status.name, status.ready, status.keys, since});
  }
  return all;
}

std::string front_page(const snapshot& rules) {
  std::string text = "mcp-oauth-proxy " + std::string(version) + "\n\nMCP servers behind this gateway:\n";
  for (const auto& u : rules.upstreams) text += "  " + u.where.conf().resource + "\n";
  return text + "\nPoint an MCP client at one of them; it finds the sign-in by itself.\n";
}

}  // namespace

net::task<bool> gateway_service::store_answers() {
  auto check = [store = parts_.store] { return store->check(); };
  net::off_loop checking(worker_, *parts_.blocking, check);
  auto checked = co_await checking;
  store_reasons_.clear();
  if (!checked) store_reasons_.push_back("database: " + std::string(explain(checked.error().code).name));
  co_return checked.has_value();
}

net::task<bool> gateway_service::servers_answer() {
  auto rules = rules_;
  std::vector<std::string> reasons;
  for (const auto& u : rules->upstreams) {
    auto leased = co_await upstreams_.acquire(u.target, net::upstream_pool::freshness::fresh);
    if (leased) {
      leased->drop();
    } else {
      // The addresses are for the log of a call, not for whoever asks.
      reasons.push_back("MCP server " + u.where.conf().name + ": " +
                        std::string(explain(leased.error().code).name));
    }
  }
  servers_reasons_ = std::move(reasons);
  bool all = servers_reasons_.empty();
  co_return all;
}

net::task<http_response> gateway_service::health(std::string_view path) {
  const auto* issuers = rules_->issuers.get();
  bool wants_issuers = issuers != nullptr && path != "/health/mcp-server";
  bool wants_store = issuers == nullptr && path != "/health/mcp-server";
  bool wants_servers = path != "/health" && path != "/health/database";
  bool store_well = true, servers_well = true;
  if (wants_store) {
    auto look = [this] { return store_answers(); };
    store_well = co_await store_probe_.ask(std::chrono::steady_clock::now(), look);
  }
  if (wants_servers) {
    auto look = [this] { return servers_answer(); };
    servers_well = co_await servers_probe_.ask(std::chrono::steady_clock::now(), look);
  }
  bool issuers_well = true;
  json::array of_issuers;
  if (wants_issuers) of_issuers = issuers_for_health(*rules_, issuers_well);
  // Whoever is asked whether it lives says yes while it waits for an issuer.
  if (path == "/health") issuers_well = true;
  auto now = std::chrono::system_clock::now();
  // Without a policy nobody is served; the address of its source is for the log.
  bool policy_well = path != "/ready" ||
                     std::all_of(rules_->upstreams.begin(), rules_->upstreams.end(), [&](const upstream& u) {
                       return u.is_fresh(policy_clock::now()) || rules_->conf.access.fallback == "local";
                     });
  auto audited = parts_.audit->now();
  bool audit_well = path != "/ready" || !audited.failing || rules_->conf.audit.on_failure == "continue";
  bool well = store_well && servers_well && policy_well && issuers_well && audit_well;
  auto uptime = std::chrono::duration_cast<seconds>(now - parts_.started).count();
  std::string body = "{\"status\": \"" + std::string(well ? "healthy" : "unhealthy") + "\"";
  if (wants_store)
    body += std::string(", \"database\": \"") + (store_well ? "connected" : "unavailable") + "\"";
  if (wants_servers)
    body += std::string(", \"mcp_server\": \"") + (servers_well ? "reachable" : "unreachable") + "\"";
  if (audited.enabled) {
    body += std::string(", \"audit\": \"") + (audited.failing ? "failing" : "written") +
            "\", \"audit_lost\": " + std::to_string(audited.lost);
  }
  if (wants_issuers) body += ", \"issuers\": " + json::serialize(of_issuers);
  if (!well) {
    json::array reasons;
    if (!issuers_well) reasons.emplace_back("an issuer could not be reached yet");
    if (!store_well)
      for (const auto& text : store_reasons_) reasons.emplace_back(text);
    if (!servers_well)
      for (const auto& text : servers_reasons_) reasons.emplace_back(text);
    if (!audit_well) reasons.emplace_back("audit: audit_unwritable");
    if (!policy_well) reasons.emplace_back("policy: policy_unavailable");
    body += ", \"reasons\": " + json::serialize(reasons);
  }
  body += ", \"uptime\": " + std::to_string(uptime) + ", \"version\": " + in_quotes(version) + "}";
  co_return json_response(well ? 200 : 503, std::move(body), "no-store");
}

net::task<void> gateway_service::health_stream(net::exchange& x) {
  http_response head;
  head.fields.add("Content-Type", "text/event-stream");
  head.fields.add("Cache-Control", "no-store");
  head.fields.add("X-Accel-Buffering", "no");
  head.fields.add("X-Content-Type-Options", "nosniff");
  x.close_after();  // who asks for many at once is done after one
  auto sent = co_await x.start_stream(head);
  if (sent == net::io::ok) sent = co_await x.write_chunk("data: {\"after_ms\": 0}\n\n");
  if (sent != net::io::ok) co_return;
  net::sleep pause(worker_, milliseconds(1000));
  co_await pause;
  sent = co_await x.write_chunk("data: {\"after_ms\": 1000}\n\n");
  if (sent == net::io::ok) co_await x.end_stream();
}

net::task<void> gateway_service::serve_plain(net::exchange& x, story& told) {
  auto path = x.head().path;
  auto method = x.head().method;
  if (method == "OPTIONS") {
    http_response preflight;
    preflight.status = 204;
    preflight.fields =
        rules_->cors.preflight_for(x.head().find("origin").value_or(""), true, "GET, OPTIONS",
                                   x.head().find("access-control-request-headers").value_or(""));
    co_await x.respond(preflight);
    co_return;
  }
  http_response response;
  if (method != "GET" && method != "HEAD") {
    auto known = match_metadata_path(path) || path == "/health" || path == "/health/stream" ||
                 path == "/metrics" || path == "/ready" || path == "/";
    told.why = error{known ? errc::http_method_refused : errc::http_not_found, {}};
    response = refuse_plain(told.why->code);
    if (known) response.fields.add("Allow", "GET, HEAD, OPTIONS");
  } else if (auto asked = match_metadata_path(path)) {
    told.area = metrics::area::metadata;
    const auto* of = rules_->find_resource_path(x.head().host, asked->resource_path);
    using document = metadata_path::document;
    if (asked->kind == document::protected_resource && of != nullptr && !of->is_public()) {
      // The resource as this client names it (RFC 9728 §3.3), the authorization server as it is.
      auto described = of->metadata;
      const auto& public_url = rules_->conf.public_url;
      if (described.resource.rfind(public_url, 0) == 0) {
        described.resource =
            origin_as_reached(public_url, x.head().host) + described.resource.substr(public_url.size());
      }
      response = json_response(200, json::serialize(protected_resource_metadata(described)), "max-age=300");
    } else if (asked->kind != document::protected_resource && of != nullptr && rules_->issuers != nullptr) {
      response = metadata_of_issuer(*rules_, told);
    } else if (asked->kind == document::authorization_server && of != nullptr) {
      response = json_response(200, rules_->server_metadata, "max-age=300");
    } else if (asked->kind == document::openid_configuration && of != nullptr) {
      response = json_response(200, rules_->openid_metadata, "max-age=300");
    } else {
      told.why = error{errc::http_not_found, "no such resource"};
      response = refuse_plain(errc::http_not_found);
    }
  } else if (path == "/health" || path == "/ready" || path == "/health/database" ||
             path == "/health/mcp-server") {
    told.area = metrics::area::health;
    response = co_await health(path);
  } else if (path == "/health/stream") {
    told.area = metrics::area::health;
    if (method == "GET") {
      co_await health_stream(x);
      co_return;
    }
    response.fields.add("Content-Type", "text/event-stream");
    response.fields.add("Cache-Control", "no-store");
  } else if (path == "/metrics" && !rules_->counters.allows(x.peer(), x.head().fields)) {
    told.area = metrics::area::health;
    told.why =
        error{errc::http_not_found, "/metrics is not open to this address: metrics.allow, metrics.token"};
    response = refuse_plain(errc::http_not_found);
  } else if (path == "/metrics") {
    told.area = metrics::area::health;
    response.fields.add("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    metrics::readings now;
    now.connections = parts_.connections();
    auto audited = parts_.audit->now();
    now.audit_written = audited.written;
    now.audit_lost = audited.lost;
    if (parts_.stories != nullptr) {
      auto stories = parts_.stories->now();
      now.stories_kept = stories.kept;
      now.stories_collapsed = stories.collapsed;
      now.stories_dropped = stories.dropped;
    }
    if (rules_->spans != nullptr) {
      now.spans_sent = rules_->spans->sent();
      now.spans_dropped = rules_->spans->dropped();
    }
    if (rules_->issuers != nullptr) now.issuers = readings_of(*rules_->issuers->judge);
    response.body = parts_.counts->expose(now);
  } else if (path == "/") {
    response.fields.add("Content-Type", "text/plain; charset=utf-8");
    response.body = front_page(*rules_);
  } else {
    told.why = error{errc::http_not_found, {}};
    response = refuse_plain(errc::http_not_found);
  }
  // What the gateway counts is not for every page that a person happens to look at.
  co_await answer(x, std::move(response), path != "/metrics");
}

}  // namespace mcp_oauth
