#include "doctor/site_plan.h"

#include "base/base64url.h"
#include "base/text.h"
#include "doctor/site_facts.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::string_view initialize =
    R"({"jsonrpc":"2.0","id":"doctor","method":"initialize","params":{"protocolVersion":"2025-11-25",)"
    R"("capabilities":{},"clientInfo":{"name":"mcp-oauth-proxy doctor","version":"1"}}})";
constexpr std::string_view discover =
    R"({"jsonrpc":"2.0","id":"doctor","method":"server/discover","params":{"_meta":{)"
    R"("io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},)"
    R"("io.modelcontextprotocol/clientInfo":{"name":"mcp-oauth-proxy doctor","version":"1"}}}})";

http_call post_call(const std::string& to) {
  http_call call;
  call.method = "POST";
  call.url = to;
  call.fields.add("Content-Type", "application/json");
  call.fields.add("Accept", "application/json, text/event-stream");
  call.body = initialize;
  return call;
}

// {"alg":"none"} with claims that would fit.
std::string unsigned_token(const site_facts& facts) {
  json::object claims{{"sub", "doctor"}, {"exp", 4102444800}};
  claims["aud"] = facts.resource != nullptr ? facts.resource_name : facts.evidence.target.to_string();
  const auto* server = facts.first_server();
  claims["iss"] = server != nullptr ? server->said_issuer : facts.evidence.target.origin();
  return base64url_encode(R"({"alg":"none","typ":"at+jwt"})") + "." +
         base64url_encode(json::serialize(claims)) + ".";
}

class planner {
 public:
  explicit planner(const site_evidence& evidence) : evidence_(evidence), facts_(read_site(evidence)) {
    rules_.server_host = evidence.target.host;
    rules_.allow_insecure_http = true;  // what is wrong with it is said by a check
    rules_.allow_inner = is_inner_host(evidence.target.host);
  }

  site_plan next() {
    const auto& target = evidence_.target;
    if (evidence_.place(target.host, target.effective_port()) == nullptr)
      plan_.places.push_back({target.host, target.effective_port(), target.scheme == "https"});
    bool first = evidence_.find(asked::post) == nullptr;
    ask(asked::post, post_call(target.to_string()));
    if (first || facts_.entry == nullptr) return std::move(plan_);
    if (may_speak_tls()) plan_.places.push_back({target.host, target.effective_port(), true});
    if (!facts_.entry->answered()) return std::move(plan_);
    redirects();
    entry();
    resource();
    servers();
    browsers();
    // By themselves: what they tell is when events come.
    if (plan_.empty()) streams();
    if (plan_.empty()) sessions();
    return std::move(plan_);
  }

 private:
  // Who says nothing to cleartext, or speaks of HTTPS in a 400.
  bool may_speak_tls() const {
    const auto& target = evidence_.target;
    bool tried = evidence_.secure_place(target.host, target.effective_port()) != nullptr;
    const auto* place = evidence_.place(target.host, target.effective_port());
    bool connected = place != nullptr && !place->connected_to.empty();
    if (target.scheme != "http" || !connected || tried || evidence_.places.size() >= 2) return false;
    const auto& answer = facts_.entry->answer;
    return !answer || (answer->status == 400 && answer->body.find("HTTPS") != std::string::npos);
  }

  void streams() {
    auto at = url::parse(facts_.entry->call.url);
    if (!at || !facts_.asks_for_token()) return;
    for (auto what : asked::stream) {
      if (const auto* known = evidence_.find(what)) {
        if (shows_held_stream(*known)) continue;
        return;
      }
      http_call call;
      call.url = at->origin() + "/health/stream";
      call.fields.add("Accept", "text/event-stream");
      call.fields.add("Accept-Encoding", "gzip");  // as clients do; who compresses has to wait for more
      ask(what, std::move(call));
      if (!plan_.empty()) plan_.errands.back().events = 2;
      return;
    }
  }

  // Those that a server opened for our questions are ended, as MCP asks of clients.
  void sessions() {
    auto ended = [&](std::string_view id) {
      return std::any_of(evidence_.exchanges.begin(), evidence_.exchanges.end(), [&](const auto& one) {
        return one.what == asked::end && one.call.fields.first("Mcp-Session-Id") == id;
      });
    };
    for (const auto& one : evidence_.exchanges) {
      if (!one.answered() || !one.what.starts_with("mcp.") || one.what == asked::end) continue;
      auto id = std::string(one.answer->fields.first("Mcp-Session-Id"));
      auto to = url::parse(one.call.url);
      if (id.empty() || !to || ended(id)) continue;
      http_call call;
      call.method = "DELETE";
      call.url = one.call.url;
      call.fields.add("Mcp-Session-Id", id);
      auto credentials = one.call.fields.first("Authorization");
      if (!credentials.empty()) call.fields.add("Authorization", std::string(credentials));
      plan_.errands.push_back(
          {std::string(asked::end), std::move(call), rules_for(*to, named_by::server, rules_)});
    }
  }

  // The host of the target is the user's (`server_host`); every other was named by a server.
  void ask(std::string_view what, http_call call) {
    auto to = url::parse(call.url);
    auto same = [&](const site_errand& one) { return one.what == what && one.call.url == call.url; };
    if (!to || !to->is_http() || evidence_.find(what, call.url) != nullptr ||
        std::any_of(plan_.errands.begin(), plan_.errands.end(), same))
      return;
    plan_.errands.push_back({std::string(what), std::move(call), rules_for(*to, named_by::server, rules_)});
  }

  void ask_document(std::string_view what, const std::string& address) {
    http_call call;
    call.url = address;
    call.fields.add("Accept", "application/json");
    ask(what, std::move(call));
  }

  // Where clients are led on, so are we: by the rules for what a server names.
  void ask_document(std::string_view what, const site_document& form) {
    ask_document(what, form.address);
    if (!form.next.empty()) ask_document(asked::moved, form.next);
  }

  void ask_preflight(std::string_view what, const std::string& address, std::string_view headers) {
    http_call call;
    call.method = "OPTIONS";
    call.url = address;
    call.fields.add("Origin", std::string(browser_origin));
    call.fields.add("Access-Control-Request-Method", "POST");
    call.fields.add("Access-Control-Request-Headers", std::string(headers));
    ask(what, std::move(call));
  }

  void redirects() {
    if (facts_.redirects.empty() || facts_.redirects_loop || facts_.redirects_go_on()) return;
    if (facts_.entry != facts_.redirects.back()) return;
    auto to = redirect_target(*facts_.entry);
    if (!to.empty()) ask(asked::follow, post_call(to));
  }

  void entry() {
    int status = facts_.entry->status();
    auto address = facts_.entry->call.url;
    if (status == 400) {
      auto call = post_call(address);
      call.body = discover;
      call.fields.add("MCP-Protocol-Version", "2026-07-28");
      call.fields.add("Mcp-Method", "server/discover");
      ask(asked::stateless, std::move(call));
    }
    if (status == 404 || status == 405) {
      http_call call;
      call.url = address;
      call.fields.add("Accept", "text/event-stream");
      ask(asked::get, std::move(call));
      for (const auto& other : other_paths(evidence_.target)) ask(asked::other_path, post_call(other));
    }
    if (facts_.asks_for_token() || (status >= 200 && status < 300)) {
      auto made_up = facts_.entry->call;  // as it is understood there
      made_up.fields.add("Authorization", "Bearer made-up-by-mcp-oauth-proxy-doctor");
      ask(asked::made_up, std::move(made_up));
    }
  }

  void resource() {
    for (const auto& form : facts_.resource_forms) ask_document(asked::resource, form);
  }

  bool resource_is_known() const {
    return std::all_of(facts_.resource_forms.begin(), facts_.resource_forms.end(),
                       [](const auto& form) { return form.known(); });
  }

  void servers() {
    if (!resource_is_known()) return;
    bool known = true;
    for (const auto& server : facts_.servers) {
      for (const auto& form : server.forms) {
        known = known && form.known();
        ask_document(server.of_origin ? asked::server_of_origin : asked::server, form);
      }
    }
    if (!known) return;
    if (facts_.asks_for_token()) {
      auto call = facts_.entry->call;
      call.fields.add("Authorization", "Bearer " + unsigned_token(facts_));
      ask(asked::unsigned_one, std::move(call));
    }
    for (const auto& server : facts_.servers) endpoints(server);
  }

  void endpoints(const site_server& server) {
    if (!server.usable()) return;
    auto keys = text_member(server.object, "jwks_uri");
    if (!keys.empty()) ask_document(asked::keys, keys);
    auto authorize = text_member(server.object, "authorization_endpoint");
    if (!authorize.empty()) ask_document(asked::authorize, authorize);
    auto token = text_member(server.object, "token_endpoint");
    if (!token.empty()) {
      http_call call;
      call.method = "POST";
      call.url = token;
      call.fields.add("Content-Type", "application/x-www-form-urlencoded");
      call.fields.add("Accept", "application/json");
      call.body =
          "grant_type=authorization_code&code=made-up-by-mcp-oauth-proxy-doctor"
          "&client_id=made-up-by-mcp-oauth-proxy-doctor&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback"
          "&code_verifier=made-up-by-mcp-oauth-proxy-doctor-0123456789";
      ask(asked::token, std::move(call));
    }
    auto registration = text_member(server.object, "registration_endpoint");
    if (!registration.empty()) {
      // No JSON: whoever takes registrations answers 400 and registers nothing.
      http_call call;
      call.method = "POST";
      call.url = registration;
      call.fields.add("Content-Type", "application/json");
      call.fields.add("Accept", "application/json");
      call.body = "{";
      ask(asked::registration, std::move(call));
    }
  }

  void browsers() {
    if (!facts_.asks_for_token()) return;
    auto address = facts_.entry->call.url;
    ask_preflight(asked::preflight, address, "authorization,content-type,mcp-protocol-version");
    auto call = facts_.entry->call;
    call.fields.add("Origin", std::string(browser_origin));
    ask(asked::browser, std::move(call));
    if (!resource_is_known()) return;
    if (facts_.resource != nullptr) ask_from_browser(asked::resource_browser, facts_.resource->address);
    const auto* server = facts_.first_server();
    if (server == nullptr) return;
    ask_from_browser(asked::server_browser, server->best->address);
    auto token = text_member(server->object, "token_endpoint");
    if (!token.empty()) ask_preflight(asked::token_preflight, token, "content-type");
  }

  void ask_from_browser(std::string_view what, const std::string& address) {
    http_call call;
    call.url = address;
    call.fields.add("Accept", "application/json");
    call.fields.add("Origin", std::string(browser_origin));
    ask(what, std::move(call));
  }

  const site_evidence& evidence_;
  site_facts facts_;
  outbound_rules rules_;
  site_plan plan_;
};

}  // namespace

site_plan next_of_site(const site_evidence& evidence) {
  planner made(evidence);
  return made.next();
}

}  // namespace mcp_oauth
