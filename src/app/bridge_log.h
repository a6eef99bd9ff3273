#pragma once

#include "base/secret.h"
#include "bridge/settings.h"

#include <cstdint>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What a bridge says, on standard error: standard output belongs to the protocol. Written at once and by
// whoever says it; a reader that does not read holds nobody up: what finds no room is dropped and counted.
// Safe from every thread.
class bridge_log {
 public:
  explicit bridge_log(bridge_log_level level, int descriptor = 2) : level_(level), descriptor_(descriptor) {}
  bridge_log(const bridge_log&) = delete;
  bridge_log& operator=(const bridge_log&) = delete;

  // From now on that value is *** wherever it would be written, also percent-encoded and in Base64, until 256
  // others were hidden after it. Values under 6 bytes are not looked for.
  void hide(const secret& value);
  // The same for ever, for what the configuration says.
  void hide_configured(const secret& value);
  // The same in this log alone, for what may be a secret and may be the name of a tenant.
  void hide_here(const secret& value);
  // Of a header that the configuration sets: by its name a key, or what an address may be made of.
  void hide_header(std::string_view name, const secret& value);
  // The same for a while: false, where the value is hidden anyway. Who got true calls `show` afterwards.
  bool hide_for_now(const secret& value);
  void show(const secret& value);

  bool wants(bridge_log_level level) const { return level <= level_; }
  using fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  // "2026-11-21T06:05:04.123Z info  [sign-in] message name=value"; an empty value is left out, and what is
  // beyond 2 KiB.
  void write(bridge_log_level level, std::string_view component, std::string_view message,
             fields values = {});
  // For the person who has to act: at every level, without anything before it.
  void tell(std::string_view text);

  // The text without what is hidden.
  std::string redacted(std::string_view text) const;
  // The text without what is hidden everywhere.
  std::string without_secrets(std::string_view text) const;

 private:
  struct hidden {
    secret value;
    bool everywhere;
    bool for_ever;
  };
  bool add(const secret& value, bool everywhere, bool for_ever);
  std::string masked(std::string_view text, bool all) const;
  void put(std::string text);

  bridge_log_level level_;
  int descriptor_;
  mutable std::mutex mutex_;
  std::vector<hidden> hidden_;
  std::uint64_t dropped_ = 0;
  bool broken_off_ = false;  // in the middle of a line
};

}  // namespace mcp_oauth
