#include "doctor/site_facts.h"

#include "base/text.h"
#include "oauth/displayable.h"
#include "oauth/near_miss.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_servers = 3;

site_document read_form(const site_evidence& evidence, std::string_view what, const std::string& address) {
  site_document one;
  one.address = address;
  one.exchange = evidence.find(what, address);
  if (one.exchange == nullptr) {
    one.trouble = "not asked";
    return one;
  }
  const auto& answer = one.exchange->answer;
  if (!answer) {
    one.trouble = answer.error().detail;
    return one;
  }
  one.absent = answer->status == 404 || answer->status == 410;
  if (answer->status != 200) {
    one.trouble = told_with_words(*answer);
    return one;
  }
  auto object = parse_json_object(answer->body);
  if (object) {
    one.object = std::move(*object);
  } else {
    one.trouble = told_with_words(*answer) + ", not JSON: " + displayable(object.error().detail);
  }
  return one;
}

void read_entry(site_facts& facts) {
  const auto& evidence = facts.evidence;
  facts.entry = evidence.find(asked::post);
  if (facts.entry == nullptr) return;
  std::vector<std::string> seen = {facts.entry->call.url};
  auto leads_on = [](const site_exchange& one) {
    return one.status() >= 300 && one.status() < 400 && one.status() != 304;
  };
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

void read_challenges(site_facts& facts) {
  if (facts.entry == nullptr || !facts.entry->answered()) return;
  for (const auto& [name, value] : facts.entry->answer->fields) {
    if (!equal_ignoring_case(name, "WWW-Authenticate")) continue;
    facts.challenge_text += (facts.challenge_text.empty() ? "" : ", ") + value;
  }
  facts.challenges = parse_challenges(facts.challenge_text);
  facts.demand = read_demand(facts.challenge_text);
}

void read_resource(site_facts& facts) {
  auto announced = facts.demand.resource_metadata;
  auto parsed = url::parse(announced);
  if (!parsed || !parsed->is_http()) announced.clear();
  for (const auto& address : resource_metadata_urls(facts.evidence.target, announced)) {
    facts.resource_forms.push_back(read_form(facts.evidence, asked::resource, address));
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
      server.forms.push_back(read_form(facts.evidence, what, address));
    }
  }
  facts.servers.push_back(std::move(server));
}

void read_servers(site_facts& facts) {
  // Pointers below lead into the vector: no growing after them.
  facts.servers.reserve(most_servers + 1);
  for (std::size_t i = 0; i < facts.issuers.size() && i < most_servers; ++i) {
    read_server(facts, facts.issuers[i], asked::server, false);
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

std::string redirect_target(const site_exchange& from) {
  auto location = std::string(trim(from.answer->fields.first("Location")));
  auto base = url::parse(from.call.url);
  if (location.empty() || !base) return "";
  if (location.starts_with("//")) location = base->scheme + ":" + location;
  if (location.starts_with("/")) location = base->origin() + location;
  auto parsed = url::parse(location);
  return parsed && parsed->is_http() ? location : "";
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
  // Servers that can resume a stream begin it with an event without data.
  while (!body.empty()) {
    auto line = body.substr(0, body.find_first_of("\r\n"));
    body.remove_prefix(std::min(body.size(), line.size() + 1));
    if (!line.starts_with("data:")) continue;
    if (auto message = message_of(line.substr(5))) return message;
  }
  return std::nullopt;
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

std::string shown_url(std::string_view text) {
  auto cut = text.find('?');
  auto shown = shown_address(text.substr(0, cut));
  return cut == std::string_view::npos ? shown : shown + "?…";
}

std::string shell_word(std::string_view text) {
  bool plain = !text.empty() && text.find_first_not_of(
                                    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                    "0123456789_./:@%+=,-") == std::string_view::npos;
  if (plain && text.front() != '-') return std::string(text);
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string shell_url(std::string_view text) {
  std::string quoted = "'";
  for (char c : shown_address(text.substr(0, text.find('?')))) {
    if (c == '\'') {
      quoted += "%27";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace mcp_oauth
