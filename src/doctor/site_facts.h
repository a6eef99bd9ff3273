#pragma once

#include "base/json.h"
#include "bridge/metadata.h"
#include "doctor/site_document.h"
#include "doctor/site_evidence.h"
#include "oauth/challenge.h"

#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// What the evidence says when it is read as a client reads it. Pointers lead into the evidence, which must
// stay.

struct site_server {
  std::string issuer;                   // as the resource names it
  bool of_origin = false;               // nobody named it: the origin of the MCP server (MCP 2025-03-26)
  std::vector<site_document> forms;     // in the order of MCP
  const site_document* best = nullptr;  // the first that is an object
  std::string said_issuer;              // of `best`
  json::object object;                  // of `best`
  bool usable() const { return best != nullptr; }
};

// Of the MCP server's own address; nobody follows more.
inline constexpr std::size_t most_redirects_of_site = 5;

struct site_facts {
  explicit site_facts(const site_evidence& of) : evidence(of) {}
  site_facts(const site_facts&) = delete;  // pointers lead from one part of it to another
  site_facts(site_facts&&) = default;
  site_facts& operator=(const site_facts&) = delete;
  site_facts& operator=(site_facts&&) = delete;
  ~site_facts() = default;

  const site_evidence& evidence;
  const site_exchange* entry = nullptr;  // what counts as the answer to a request without a token
  std::vector<const site_exchange*> redirects;
  bool redirects_loop = false;
  bool redirects_go_on() const { return redirects.size() > most_redirects_of_site; }

  std::string challenge_text;         // all WWW-Authenticate fields of the entry, joined
  std::vector<challenge> challenges;  // of each field by itself
  server_demand demand;
  bool demand_unquoted = false;  // resource_metadata stands there as a URL without quotes (RFC 9110 §11.2)

  std::vector<site_document> resource_forms;  // as announced, with the path, without: each once
  const site_document* resource = nullptr;    // the first that is good and names a resource
  std::string resource_name;
  std::vector<std::string> issuers;
  std::vector<site_server> servers;

  bool asks_for_token() const { return entry != nullptr && entry->status() == 401; }
  const site_server* first_server() const;
};

site_facts read_site(const site_evidence& evidence);

// Addresses of other paths where an MCP server may be.
std::vector<std::string> other_paths(const url& target);

// The JSON-RPC message, alone or in an event stream: the first answer there, or else the first message.
std::optional<json::object> json_rpc_in(const http_answer& answer);

// "status 403, text/html, a page for people: \"Attention Required\"" with the server's own words.
std::string told_with_words(const http_answer& answer);

// Why two URLs that should be equal are not, for people; "" when nothing is telling.
std::string how_urls_differ(std::string_view seen, std::string_view expected);

// A command that asks as the checks do: `initialize`, with these options of curl besides.
std::string post_command(std::string_view address, std::string_view options = "");

// The URL without its query, for people; and in quotes for a shell, where <query> stands for it.
std::string shown_url(std::string_view text);
std::string shell_url(std::string_view text);

// Of our gateway's stream, which sends an event at once and the next a second later: whether it came as sent,
// or its events came together.
bool shows_passing_stream(const site_exchange& exchange);
bool shows_held_stream(const site_exchange& exchange);

}  // namespace mcp_oauth
