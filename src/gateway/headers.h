#pragma once

#include "base/http.h"
#include "config/settings.h"
#include "oauth/access_token.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// Which of a client's header fields reach an MCP server. Three rules, in this order: what is ours, belongs to
// the connection or names a person never passes, but for what `is_handed_on`; what is blocked does not pass;
// with an allow-list, only what MCP needs and what is listed passes. The first two hold in any case and with
// `_` for `-`.
class header_rules {
 public:
  // `traces`: whether the trace context of a request is the gateway's to set, or passes as it came.
  enum class traces { pass, are_ours };
  explicit header_rules(const header_settings& conf, traces whose = traces::pass);
  bool passes(std::string_view name) const;
  // Whether and why: "listed in blocked_headers (X-Internal-*)". For people; the same decision.
  struct decision {
    bool passes;
    std::string rule;
  };
  decision judge(std::string_view name) const;
  // Whether a trace context of ours may be sent, and what other systems wrote into it: nobody blocks it.
  bool sends_trace() const { return sends_trace_; }
  bool sends_trace_state() const { return sends_trace_state_; }

 private:
  std::vector<std::string> allowed_;  // lower case, with `*`
  std::vector<std::string> blocked_;  // the same, and `-` for `_`
  bool traces_are_ours_ = false;
  bool sends_trace_ = true;
  bool sends_trace_state_ = true;
};

// Whether a server could take the name for that one, which is in lower case and with `-`.
bool may_be_read_as(std::string_view name, std::string_view folded);

// Which fields of a message belong to the connection because its Connection fields say so (RFC 9110 §7.6.1).
class connection_options {
 public:
  // The fields have to stay as long as this does.
  explicit connection_options(std::span<const field> of);
  bool name(std::string_view field_name) const;

 private:
  std::span<const field> of_;
  bool any_;
};

// Appends the fields of `from` that pass to `out`, one line each; those that a Connection field names are
// left out (RFC 9110 §7.6.1).
void append_request_fields(std::string& out, std::span<const field> from, const header_rules& rules);

// Whether a header's value may hold a credential, going by its name: then no log shows it.
bool names_a_credential(std::string_view name);

// The lines that tell an MCP server who calls: X-User-Id, X-User-Email, X-User-Name, X-User-Provider,
// X-Client-Id. Characters that a header may not hold, all beyond ASCII, and a blank at either end, are
// percent-encoded.
std::string identity_lines(const access_claims& who);
// X-User-Issuer, for tokens of others: X-User-Id says who it is only together with it.
std::string issuer_line(const access_claims& who);
// The same under names of other gateways, as configured: X-Forwarded-User, X-Forwarded-Email and
// X-Forwarded-Name. What is none of them is left out.
std::string injected_lines(const access_claims& who, std::span<const std::string> names);

// One of them, its value maybe empty; nothing for a name that is none of them.
struct injected_field {
  std::string_view name;
  std::string value;
};
std::optional<injected_field> injected(const access_claims& who, std::string_view name);
// As a header may hold it: see `identity_lines`.
std::string identity_value(std::string_view text);

// Whether an MCP server could take a field of that name for a proxy's word about who calls: the families that
// gateways and their neighbours use, in any case and with `_` for `-`.
bool names_a_person(std::string_view name);

// Whether that is a word of other proxies, such as X-Goog-Authenticated-User-Email, which the gateway never
// sends itself, and `forward_headers` has it in this very spelling, in any case, not by a `*`: the operator
// says then that a proxy of theirs sets it, whatever a client sent.
bool is_handed_on(std::string_view name, std::span<const std::string> forward_headers);

// Whether a field of an upstream's answer goes on to the client: not what belongs to the connection, not the
// upstream's own challenge, CORS or cookies, which speak about another server than the client sees. What its
// Connection fields name has to be asked besides: see `connection_options`.
bool response_field_passes(std::string_view name);

}  // namespace mcp_oauth
