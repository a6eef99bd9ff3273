#pragma once

#include "base/http.h"
#include "doctor/examination.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What was found out about a deployment of ours: its settings, what a start of it needs, and the gateway that
// runs. Values only; no secret is among them.

struct provider_trial {
  std::string name, type;
  std::string callback_url, client_id, tenant_id, registered_at;
  std::string token_endpoint, authorize_endpoint;  // "" where nothing was asked
  std::optional<result<http_answer>> token;        // to a made-up code, with our credentials
  std::optional<result<http_answer>> authorize;    // to a sign-in that nobody begins
};

struct file_trial {
  std::string path, what;  // "the database"
  unsigned mode = 0;
  unsigned may_have = 0;  // bits for others that are usual here
};

struct deployment_evidence {
  std::string file;                         // the configuration's
  std::vector<std::string> file_errors;     // a line each, as validate-config prints them
  std::vector<std::string> setting_doubts;  // its warnings
  std::vector<std::string> start_good, start_notes, start_doubts;
  std::vector<error> start_failures;
  std::vector<std::pair<std::string, std::string>> better_urls;  // of MCP servers: as configured, as found
  bool url_of_environment = false;                               // that of the MCP server is not in the file
  std::vector<error> away;  // providers and MCP servers that do not answer as they should

  std::string listener;                              // "http://127.0.0.1:8080"
  std::optional<result<http_answer>> health;         // asked there
  std::optional<result<http_answer>> inside;         // the resource metadata, as this process gives it
  std::string public_url, resource;                  // as configured
  std::optional<result<http_answer>> public_health;  // asked at the public URL
  bool wants_tokens = true;                          // of everybody who calls the first server
  std::vector<std::string> public_addresses;         // of its name
  bool local_store = false;
  std::vector<file_trial> files;
  std::vector<provider_trial> providers;
};

// `outside`: what an examination of the public URL found; its findings stand where they belong in the order.
examination examine_deployment(const deployment_evidence& evidence, std::optional<examination> outside);

}  // namespace mcp_oauth
