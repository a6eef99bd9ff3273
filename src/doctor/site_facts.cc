#include "doctor/site_facts.h"

#include "base/text.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_servers = 3;

void read_entry(site_facts& facts) {
  const auto& evidence = facts.evidence;
  facts.entry = evidence.find(asked::post);
  if (facts.entry == nullptr) return;
  std::vector<std::string> seen = {facts.entry->call.url};
  while (facts.entry->answered() && leads_on(*facts.entry)) {
    facts.redirects.push_back(facts.entry);
    auto to = redirect_target(*facts.entry);
    if (holds(seen, to)) facts.redirects_loop = true;
    if (to.empty() || facts.redirects_loop) break;
    seen.push_back(to);
    const auto* next = evidence.find(asked::follow, to);
    if (next == nullptr) break;
    facts.entry = next;
  }
  const auto* stateless = evidence.find(asked::stateless);
  if (stateless != nullptr && stateless->status() == 401) facts.entry = stateless;
}

// The URL behind resource_metadata=, where no quote stands: many readers take it, and the grammar ends it at
// its colon.
std::string unquoted_metadata(std::string_view value) {
  constexpr std::string_view name = "resource_metadata=";
  auto at = value.find(name);
  if (at == std::string_view::npos) return "";
  auto rest = value.substr(at + name.size());
  auto address = std::string(rest.substr(0, rest.find_first_of(", \t\"")));
  auto parsed = url::parse(address);
  return parsed && parsed->is_http() ? address : "";
}

void add_demand(const server_demand& one, server_demand& into) {
  if (into.resource_metadata.empty()) into.resource_metadata = one.resource_metadata;
  if (into.error.empty()) into.error = one.error;
  if (into.error_description.empty()) into.error_description = one.error_description;
  if (!into.scope) into.scope = one.scope;
  into.dpop = into.dpop || one.dpop;
}

void read_challenges(site_facts& facts) {
  if (facts.entry == nullptr || !facts.entry->answered()) return;
  for (const auto& [name, value] : facts.entry->answer->fields) {
    if (!equal_ignoring_case(name, "WWW-Authenticate")) continue;
    facts.challenge_text += (facts.challenge_text.empty() ? "" : ", ") + value;
    for (auto& one : parse_challenges(value)) facts.challenges.push_back(std::move(one));
    auto demand = read_demand(value);
    auto address = unquoted_metadata(value);
    if (!address.empty() && !url::parse(demand.resource_metadata)) {
      demand.resource_metadata = address;
      facts.demand_unquoted = true;
    }
    add_demand(demand, facts.demand);
  }
}

void read_resource(site_facts& facts) {
  auto announced = facts.demand.resource_metadata;
  auto parsed = url::parse(announced);
  if (!parsed || !parsed->is_http()) announced.clear();
  for (const auto& address : resource_metadata_urls(facts.evidence.target, announced)) {
    facts.resource_forms.push_back(find_document(facts.evidence, asked::resource, address));
  }
  for (const auto& form : facts.resource_forms) {
    if (!form.good() || text_member(*form.object, "resource").empty()) continue;
    facts.resource = &form;
    facts.resource_name = text_member(*form.object, "resource");
    read(*form.object, "authorization_servers", facts.issuers);
    break;
  }
}

void read_server(site_facts& facts, std::string issuer, std::string_view what, bool of_origin) {
  auto place = url::parse(issuer);
  site_server server;
  server.issuer = std::move(issuer);
  server.of_origin = of_origin;
  if (place && place->is_http()) {
    for (const auto& address : server_metadata_urls(*place)) {
      server.forms.push_back(find_document(facts.evidence, what, address));
    }
  }
  facts.servers.push_back(std::move(server));
}

void read_servers(site_facts& facts) {
  // Pointers below lead into the vector: no growing after them.
  facts.servers.reserve(most_servers + 1);
  std::vector<std::string> named;
  for (const auto& issuer : facts.issuers) {
    if (named.size() == most_servers || holds(named, issuer)) continue;
    named.push_back(issuer);
    read_server(facts, issuer, asked::server, false);
  }
  if (facts.issuers.empty()) {
    read_server(facts, facts.evidence.target.origin(), asked::server_of_origin, true);
  }
  for (auto& server : facts.servers) {
    auto good = std::find_if(server.forms.begin(), server.forms.end(), [](const auto& form) {
      return form.good() && (form.object->contains("issuer") || form.object->contains("token_endpoint"));
    });
    if (good == server.forms.end()) continue;
    server.best = &*good;
    server.object = *good->object;
    server.said_issuer = text_member(server.object, "issuer");
  }
}

}  // namespace

const site_exchange* site_evidence::find(std::string_view what, std::string_view at) const {
  auto found = std::find_if(exchanges.begin(), exchanges.end(), [&](const site_exchange& one) {
    return one.what == what && (at.empty() || one.call.url == at);
  });
  return found == exchanges.end() ? nullptr : &*found;
}

const reached* site_evidence::place(std::string_view host, std::uint16_t port) const {
  auto found = std::find_if(places.begin(), places.end(),
                            [&](const reached& one) { return one.host == host && one.port == port; });
  return found == places.end() ? nullptr : &*found;
}

const reached* site_evidence::secure_place(std::string_view host, std::uint16_t port) const {
  auto found = std::find_if(places.begin(), places.end(), [&](const reached& one) {
    return one.host == host && one.port == port && one.tls_tried;
  });
  return found == places.end() ? nullptr : &*found;
}

const site_server* site_facts::first_server() const {
  auto found = std::find_if(servers.begin(), servers.end(), [](const auto& one) { return one.usable(); });
  return found == servers.end() ? nullptr : &*found;
}

site_facts read_site(const site_evidence& evidence) {
  site_facts facts(evidence);
  read_entry(facts);
  read_challenges(facts);
  read_resource(facts);
  read_servers(facts);
  return facts;
}

std::vector<std::string> other_paths(const url& target) {
  std::vector<std::string> all;
  auto add = [&](const std::string& path) {
    auto address = target.origin() + path;
    if (path != target.path && !holds(all, address)) all.push_back(address);
  };
  if (target.path.size() > 1) {
    add(target.path.ends_with('/') ? target.path.substr(0, target.path.size() - 1) : target.path + "/");
  }
  for (const char* path : {"/mcp", "/", "/sse", "/api/mcp"}) add(path);
  return all;
}

std::optional<json::object> json_rpc_in(const http_answer& answer) {
  auto message_of = [](std::string_view text) -> std::optional<json::object> {
    auto object = parse_json_object(trim(text));
    if (!object || text_member(*object, "jsonrpc") != "2.0") return std::nullopt;
    return std::move(*object);
  };
  std::string_view body = answer.body;
  if (!starts_with_ignoring_case(answer.fields.first("Content-Type"), "text/event-stream"))
    return message_of(body);
  // Servers that can resume a stream begin it with an event without data, and some tell of their progress.
  std::optional<json::object> first;
  while (!body.empty()) {
    auto line = body.substr(0, body.find_first_of("\r\n"));
    body.remove_prefix(std::min(body.size(), line.size() + 1));
    if (!line.starts_with("data:")) continue;
    auto message = message_of(line.substr(5));
    if (message && (message->contains("result") || message->contains("error"))) return message;
    if (message && !first) first = std::move(message);
  }
  return first;
}

std::string told_with_words(const http_answer& answer) {
  auto told = told_of_answer(answer);
  if (!looks_like_a_page(answer.body)) return told;
  auto lower = to_lower(std::string_view(answer.body).substr(0, 16 * 1024));
  auto from = lower.find("<title>");
  auto to = from == std::string::npos ? from : lower.find("</title>", from);
  if (to == std::string::npos) return told;
  auto title =
      displayable(std::string_view(answer.body).substr(from + 7, std::min<std::size_t>(to - from - 7, 100)));
  return title.empty() ? told : told + " with the title " + title;
}

std::string how_urls_differ(std::string_view seen, std::string_view expected) {
  // What it advises is for a setting of ours, and here neither is one.
  auto words = how_issuers_differ(seen, expected);
  for (std::string_view advice : {", or configure ", ": configure "})
    words.erase(std::min(words.find(advice), words.size()));
  constexpr std::string_view ours = "the configured one";
  for (auto at = words.find(ours); at != std::string::npos; at = words.find(ours))
    words.replace(at, ours.size(), "the expected one");
  return words;
}

std::string post_command(std::string_view address, std::string_view options) {
  return "curl -si -X POST" + (options.empty() ? "" : " " + std::string(options)) +
         " -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' -d "
         "'{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-"
         "25\","
         "\"capabilities\":{},\"clientInfo\":{\"name\":\"curl\",\"version\":\"1\"}}}' " +
         shell_url(address);
}

std::string shown_url(std::string_view text) {
  auto cut = text.find('?');
  auto shown = shown_address(text.substr(0, cut));
  return cut == std::string_view::npos ? shown : shown + "?…";
}

std::string shell_url(std::string_view text) {
  auto cut = text.find('?');
  std::string quoted = "'";
  for (char c : shown_address(text.substr(0, cut)))
    quoted += c == '\'' ? std::string("%27") : std::string(1, c);
  return quoted + (cut == std::string_view::npos ? "'" : "?<query>'");
}

namespace {

constexpr milliseconds together{500};  // the half of what lies between

bool is_our_stream(const site_exchange& exchange) {
  return exchange.status() == 200 && exchange.events.size() == 2 &&
         exchange.answer->body.find("\"after_ms\": 1000") != std::string::npos;
}

}  // namespace

bool shows_passing_stream(const site_exchange& exchange) {
  return is_our_stream(exchange) && exchange.events[1] - exchange.events[0] >= together;
}

bool shows_held_stream(const site_exchange& exchange) {
  return is_our_stream(exchange) && exchange.events[1] - exchange.events[0] < together;
}

}  // namespace mcp_oauth
