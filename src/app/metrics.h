#pragma once

#include "app/observed_store.h"
#include "base/error.h"
#include "broker/rate_limits.h"

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mcp_oauth {

// What /metrics shows. Handles are made once; counting is an atomic addition.
class metrics {
 public:
  metrics();
  ~metrics();
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;

  enum class area { mcp, verify, oauth, metadata, health, other };
  void request(area where, int status, double took);  // seconds; less than 0: a stream
  void refused(errc why);
  // An attempt to renew a provider's token; `outcome` is one of refresh_outcomes.
  void provider_refresh(const std::string& provider, std::string_view outcome);
  void limited(rate_limit which);
  // What the authorization server said no to: `symptom` is an id of the catalogue.
  void refused(std::string_view symptom);
  // Of a call that an MCP server answered: until the end of the answer, or the head of a stream. `upstream`
  // is of the configuration.
  void answered(std::string_view upstream, std::chrono::nanoseconds took);
  // A request to somebody else on behalf of a sign-in, or to the issuer of a token; `why` nullptr: there was
  // an answer.
  enum class fetched { from_provider, from_client, from_issuer, by_introspection };
  void fetch(fetched whose, std::chrono::nanoseconds took, const error* why);
  void store(const store_call& call);
  // A token of another issuer was found good, and how.
  enum class judged { from_memory, by_signature, by_introspection };
  void token_judged(judged how);
  void stream_opened();
  void stream_closed();

  // What others count, as it is now.
  struct readings {
    std::size_t connections = 0;
    std::uint64_t spans_sent = 0, spans_dropped = 0;  // less than before: none more
    std::uint64_t audit_written = 0, audit_lost = 0;
    std::uint64_t stories_kept = 0, stories_collapsed = 0, stories_dropped = 0;
    struct issuer {
      std::string name;
      bool ready = false;
      std::size_t keys = 0;
      double last_success = 0;  // Unix time; 0: never
    };
    std::vector<issuer> issuers = {};
  };
  std::string expose(const readings& now) const;  // Prometheus text format 0.0.4

 private:
  struct handles;
  std::unique_ptr<handles> handles_;
};

}  // namespace mcp_oauth
