#include "config/reading.h"

#include "base/text.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {

std::optional<std::size_t> config_reading::only_issuer(const config_origin& from) {
  if (has("issuers")) {
    refuse(from.key, from, {"is given together with issuers", "write it into that list"});
    return std::nullopt;
  }
  if (draft.issuers.empty()) draft.issuers.emplace_back();
  draft.one_issuer = true;
  return 0;
}

void config_reading::take(const config_key& key, const std::string& path, std::size_t item,
                          const config_origin& from, const std::string& text) {
  given[path] = from;
  failed.erase(path);
  if (auto flaw = assign(key, draft, item, text)) refuse(path, from, std::move(*flaw));
}

void config_reading::take(const config_key& key, const std::string& path, std::size_t item,
                          const config_origin& from, const std::vector<std::string>& list) {
  given[path] = from;
  failed.erase(path);
  if (auto flaw = assign(key, draft, item, list)) refuse(path, from, std::move(*flaw));
}

void config_reading::take(const config_key& key, const std::string& path, std::size_t item,
                          const config_origin& from, const text_map& map) {
  given[path] = from;
  failed.erase(path);
  if (auto flaw = assign(key, draft, item, map)) refuse(path, from, std::move(*flaw));
}

void config_reading::refuse(const std::string& path, const config_origin& from, config_flaw flaw) {
  failed.insert(path);
  errors.push_back({from.file, from.line, from.key, from.shown, std::move(flaw.rule), std::move(flaw.hint)});
}

void config_reading::refuse(const std::string& path, const std::string& file_name, config_flaw flaw) {
  config_origin from{file_name, 0, path, ""};
  if (auto found = given.find(path); found != given.end()) {
    from = found->second;
  } else if (auto above = given.find(path.substr(0, path.rfind('.'))); above != given.end()) {
    from = {above->second.file, above->second.line, path, ""};
  }
  refuse(path, from, std::move(flaw));
}

std::string concrete_path(std::string_view key_path, std::string_view name, std::size_t item) {
  std::string path(key_path);
  if (auto star = path.find('*'); star != std::string::npos) path.replace(star, 1, name);
  if (auto list = path.find("[]"); list != std::string::npos) path.insert(list + 1, std::to_string(item));
  return path;
}

}  // namespace mcp_oauth
