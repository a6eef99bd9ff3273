#pragma once

#include "app/issuer_fetch.h"
#include "app/running.h"

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <tl/expected.hpp>

namespace mcp_oauth {

// Why a guard did not start: errors of ours, or of issuers.
struct guard_start_failure {
  std::vector<error> errors;
  std::vector<issuer_failure> issuers;
};

// A guard, wired and running: whose tokens are good, and event loops. No store, no authorization server.
class guard_app final : public running_app {
 public:
  // Learns the keys of the issuers and starts to listen. `conf.port` 0 takes any free port. With
  // `start_retry` an issuer that is away is a warning.
  static tl::expected<std::unique_ptr<guard_app>, guard_start_failure> start(
      settings conf, std::vector<std::string>& warnings);
  ~guard_app() override;

  const settings& conf() const override;
  reload_report reload(const settings_source& read) override;
  result<void> reopen_log() override;
  void stop() override;

 private:
  struct parts;
  explicit guard_app(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

// "tokens of https://idp.example.com, for https://mcp.example.com/mcp (its resource, as audience is not
// set)": a line for each issuer.
std::vector<std::string> accepted_tokens(const settings& conf);

}  // namespace mcp_oauth
