#pragma once

#include "app/running.h"
#include "base/error.h"
#include "config/settings.h"
#include "store/record_store.h"

#include <memory>
#include <string>
#include <vector>

namespace mcp_oauth {

// The gateway, wired and running: store, authorization server, event loops.
class gateway_app final : public running_app {
 public:
  // Opens everything the settings name and starts to listen. `conf.port` 0 takes any free port.
  // Adds to `warnings` what the operator should know. Errors: store_*, listen_*, tls_*, key files,
  // config_invalid.
  static result<std::unique_ptr<gateway_app>> start(settings conf, std::vector<std::string>& warnings);
  ~gateway_app() override;

  const settings& conf() const override;
  // The password to print once, when nobody could sign in otherwise.
  const std::string& first_password() const;
  // Nobody could sign in but with a one-time password that was printed before, and is not known here.
  bool first_sign_in_awaited() const;
  reload_report reload(const settings_source& read) override;
  result<void> reopen_log() override;
  void stop() override;

 private:
  struct parts;
  explicit gateway_app(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

// The key that seals what the store keeps: `encryption_key`, or a file beside the database that is made when
// absent; see `key_from_file`.
result<secret> master_key(const settings& conf, record_store& store, std::vector<std::string>& warnings);

}  // namespace mcp_oauth
