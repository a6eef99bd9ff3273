#include "base/text.h"
#include "config/reading.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

// Scripts name the program itself by it.
constexpr std::string_view own_program = "MCP_OAUTH_PROXY";

class environment_reader {
 public:
  environment_reader(const config_input& input, config_reading& into) : input_(input), into_(into) {}

  void read() {
    for (const auto& key : config_keys()) {
      if (has_own_grammar(key)) continue;
      auto& draft = into_.draft;
      if (key.path.starts_with("providers.*")) {
        for (std::size_t i = 0; i < draft.providers.size(); ++i) one(key, draft.providers[i].name, i);
      } else if (key.path.starts_with("upstreams[]")) {
        for (std::size_t i = 0; i < draft.upstreams.size(); ++i) one(key, draft.upstreams[i].name, i);
      } else if (key.path.starts_with("clients[]")) {
        for (std::size_t i = 0; i < draft.clients.size(); ++i) one(key, draft.clients[i].client_id, i);
      } else {
        one(key, "", 0);
      }
    }
    for (const auto& name : input_.variables) warn_of_unknown(name);
  }

 private:
  // A misspelt variable would otherwise be a setting that silently has its default.
  void warn_of_unknown(const std::string& name) {
    if (!name.starts_with(environment_name("")) || name == own_program) return;
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) return;
    auto meant = nearest_name(name, known_);
    into_.warnings.push_back("environment: " + displayed(name) + " sets nothing" +
                             (meant.empty() ? "" : " (did you mean " + meant + "?)"));
  }

  // The key for one item; an item without a name cannot be meant.
  void one(const config_key& key, const std::string& name, std::size_t item) {
    std::string path = concrete_path(key.path, name, item);
    if (path != key.path && name.empty()) return;
    std::string named = path;
    if (auto index = key.path.find("[]"); index != std::string_view::npos) {
      named = std::string(key.path.substr(0, index)) + "." + name + std::string(key.path.substr(index + 2));
    }
    bool settled = variable(key, path, item, environment_name(named));
    for (const auto& other : split_words(key.environment)) {
      if (!settled) settled = variable(key, path, item, environment_name(other, name));
    }
  }

  // Whether the variable, or the one that names a file, settled the key.
  bool variable(const config_key& key, const std::string& path, std::size_t item, const std::string& name) {
    known_.push_back(name);
    known_.push_back(name + "_FILE");
    auto direct = set(name), file = set(name + "_FILE");
    if (!direct && !file) return false;
    config_origin from{"environment", 0, file ? name + "_FILE" : name, ""};
    if (direct && file) {
      into_.refuse(path, from, {"is given together with " + name, "keep one of them"});
      return true;
    }
    std::string text = direct ? *direct : "";
    if (file) {
      from.shown = displayed(*file);
      auto content = input_.read_file ? input_.read_file(*file) : fail(errc::file_unreadable);
      if (!content) {
        const auto& detail = content.error().detail;
        std::string why = detail.empty() || detail == *file ? "" : ": " + detail;
        into_.refuse(path, from, {"names a file that cannot be read" + why});
        return true;
      }
      text = std::move(*content);
      while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    } else if (!is_secret(key)) {
      from.shown = displayed(text);
    }
    into_.take(key, path, item, from, text);
    return true;
  }

  std::optional<std::string> set(const std::string& name) const {
    auto value = input_.environment ? input_.environment(name) : std::nullopt;
    return value && !value->empty() ? value : std::nullopt;
  }

  const config_input& input_;
  config_reading& into_;
  std::vector<std::string> known_;  // every name that was looked for
};

}  // namespace

void read_environment(const config_input& input, config_reading& into) {
  environment_reader(input, into).read();
}

void read_flags(const config_input& input, config_reading& into) {
  for (const auto& [name, text] : input.flags) {
    std::string path = name;
    std::replace(path.begin(), path.end(), '-', '_');
    config_origin from{"command line", 0, "--" + name, ""};
    const auto* key = path.find_first_of("*[") == std::string::npos ? find_config_key(path) : nullptr;
    if (!key || has_own_grammar(*key)) {
      into.refuse(from.key, from, {"is not a key that the command line sets"});
      continue;
    }
    if (!is_secret(*key)) from.shown = displayed(text);
    into.take(*key, std::string(key->path), 0, from, text);
  }
}

}  // namespace mcp_oauth
