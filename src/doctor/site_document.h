#pragma once

#include "base/json.h"
#include "doctor/site_evidence.h"

#include <optional>
#include <string>
#include <vector>

namespace mcp_oauth {

// Metadata as it was found at an address, read as the most lenient of clients reads it. Pointers lead into
// the evidence, which must stay.
struct site_document {
  const site_exchange* exchange = nullptr;  // where redirects led on, that of the last address
  std::string address;                      // the first
  std::string next;                         // where a redirect leads that was not followed yet
  std::optional<json::object> object;       // when it is one, with status 200
  std::string trouble;                      // why it is none, for people
  std::string lenient;                      // of one that is: why not everybody reads it; "" where all do
  bool absent = false;                      // 404 or 410
  bool untold = false;  // its server had enough of questions, or we cut it: it says nothing about clients
  bool good() const { return object.has_value(); }
  bool known() const { return exchange != nullptr && next.empty(); }
  bool throttled() const { return untold && exchange->status() == 429; }
};

// Redirects are followed as far as the evidence goes, three at most. A byte order mark, a member that stands
// twice (the last counts, as in JavaScript) and bytes that are no UTF-8 are put up with.
site_document find_document(const site_evidence& evidence, std::string_view what, const std::string& address);

// Whether the status is that of a redirect (RFC 9110 §15.4).
bool leads_on(const site_exchange& one);
// Where a redirect leads, as an absolute http(s) URL (RFC 9110 §10.2.2, RFC 3986 §5); "" when it leads
// nowhere.
std::string redirect_target(const site_exchange& from);

}  // namespace mcp_oauth
