// rooms: config
#include "config/describe.h"
#include "config/load.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

using namespace mcp_oauth;

namespace {

config_input input_of(std::string text) {
  config_input input{"config.yaml", std::move(text)};
  input.environment = [](std::string_view name) -> std::optional<std::string> {
    if (name == "SET") return "value";
    return std::nullopt;
  };
  return input;
}

bool holds_secrets(const settings& s) {
  bool any = !s.encryption_key.empty();
  for (const auto& p : s.providers) any = any || !p.client_secret.empty();
  for (const auto& c : s.clients) any = any || !c.client_secret.empty();
  return any;
}

}  // namespace

// Any bytes load or give errors that can be printed; what loads can be dumped, and the dump loads to the
// same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto first = load(input_of(std::string(reinterpret_cast<const char*>(data), size)));
  if (!first) {
    if (first.error().empty()) std::abort();
    for (const auto& e : first.error()) {
      if (to_string(e).find('\n') != std::string::npos) std::abort();
    }
    return 0;
  }
  auto dump = to_yaml(first->value);
  if (holds_secrets(first->value) || first->value.port == 0) return 0;
  auto second = load(input_of(dump));
  if (!second || to_yaml(second->value) != dump) std::abort();
  return 0;
}
