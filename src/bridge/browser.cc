#include "bridge/browser.h"

#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {

std::vector<std::vector<std::string>> browser_commands(
    const std::string& address,
    const std::function<std::optional<std::string>(std::string_view)>& environment,
    const std::function<std::string(const std::string&)>& find) {
  std::vector<std::vector<std::string>> commands;
  if (auto chosen = environment("BROWSER")) {
    for (const auto& one : split_words(*chosen, ':')) {
      auto words = split_words(one);
      if (words.empty()) continue;
      bool named = false;
      for (auto& word : words) {
        if (auto at = word.find("%s"); at != std::string::npos) {
          word.replace(at, 2, address);
          named = true;
        }
      }
      if (!named) words.push_back(address);
      commands.push_back(std::move(words));
    }
    return commands;
  }
#ifdef __APPLE__
  commands.push_back({"/usr/bin/open", address});
#else
  bool desktop = environment("DISPLAY") || environment("WAYLAND_DISPLAY") || environment("WSL_DISTRO_NAME");
  if (!desktop) return commands;
  for (const char* name : {"xdg-open", "wslview", "x-www-browser"}) {
    if (auto path = find(name); !path.empty()) commands.push_back({path, address});
  }
#endif
  return commands;
}

std::string ways_without_browser(const std::string& redirect_uri, const std::string& login,
                                 bool device_code) {
  std::string ways =
      "\nThe bridge sees no browser on this machine: none of BROWSER, DISPLAY and WAYLAND_DISPLAY is set. "
      "Many "
      "clients\npass none of them on: where there is a desktop, add yours under \"env\" in the configuration "
      "of the "
      "client. Or\n"
      "- open the address on any machine. Its browser ends at an address that it cannot reach,\n    " +
      redirect_uri + "?code=...\n  Copy that out of its address line, and paste it ";
  ways += login.empty() ? "here.\n" : "into this, in a terminal of this machine:\n    " + login + "\n";
  if (device_code) ways += "- or sign in with a code: add --device-code to the bridge's flags.\n";
  return ways;
}

std::string ssh_forward(std::uint16_t port,
                        const std::function<std::optional<std::string>(std::string_view)>& environment) {
  auto connection = environment("SSH_CONNECTION");
  if (!connection) return "";
  auto words = split_words(*connection);
  auto host = words.size() == 4 ? words[2] : "THIS-HOST";
  auto user = environment("USER").value_or("");
  auto number = std::to_string(port);
  return "ssh -L " + number + ":127.0.0.1:" + number + " " + (user.empty() ? "" : user + "@") + host;
}

}  // namespace mcp_oauth
