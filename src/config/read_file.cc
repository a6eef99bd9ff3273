#include "base/text.h"
#include "config/reading.h"
#include "config/rule_reader.h"
#include "config/yaml.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

using kind = yaml_node::kind;

// Keys of the guides and of neighbouring products that mean something here, but
// not yet or not in this form.
struct foreign_key {
  std::string_view path;
  std::string_view rule;
  std::string_view hint;
};
constexpr foreign_key foreign_keys[] = {
    {"upstreams[].audience", "is not needed: its resource is the audience",
     "remove the line, or write resource"},
};

bool says_none(std::string_view text) {
  return text.empty() || equal_ignoring_case(text, "none") || equal_ignoring_case(text, "false");
}

// The part of `path` after `prefix` up to the next separator; "" when it lies
// elsewhere.
std::string_view next_name(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix)) return {};
  auto rest = path.substr(prefix.size());
  return rest.substr(0, rest.find_first_of(".["));
}

std::vector<std::string> names_under(std::string_view prefix) {
  std::vector<std::string> names;
  auto add = [&](std::string_view path) {
    auto name = next_name(path, prefix);
    if (name.empty() || name == "*") return;
    if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  };
  for (const auto& key : config_keys()) {
    add(key.path);
    for (const auto& other : split_words(key.also)) add(other);
  }
  return names;
}

class file_reader {
 public:
  file_reader(const config_input& input, config_reading& into) : input_(input), into_(into) {}

  void read(const yaml_node& root) {
    if (root.is == kind::null) return;
    if (root.is != kind::map) return refuse("", root.line, {"must be a map of keys to values"});
    const auto* providers = root.find("providers");
    providers_are_empty_ = providers != nullptr && providers->is == kind::null;
    group(root, "", "", 0);
  }

 private:
  // Every entry of a map. `pattern` is the prefix as the table writes it,
  // `path` as this file has it.
  void group(const yaml_node& map, const std::string& pattern, const std::string& path, std::size_t item) {
    for (std::size_t i = 0; i < map.items.size(); ++i) {
      entry(map.names[i], map.name_lines[i], map.items[i], pattern, path, item);
    }
  }

  void entry(const std::string& name, int line, const yaml_node& node, const std::string& pattern,
             const std::string& path, std::size_t item) {
    std::string key_pattern = pattern + name, here = path + displayed(name);
    if (name == "name" && (pattern == "providers.*.")) return;  // of the list form, already taken
    if (key_pattern == "providers") return providers(node, line);
    if (is_list_of_maps(key_pattern)) return list(name, node, line);
    // The word that neighbouring products have for "change nothing".
    if (name == "response_transform" && node.is == kind::scalar && says_none(node.text)) return;
    if (const auto* key = plain_name(name) ? find_config_key(key_pattern) : nullptr) {
      if (has_own_grammar(*key)) return table(*key, here, line, node, item);
      return value(*key, here, line, node, pattern, path, item);
    }
    if (plain_name(name) && !names_under(key_pattern + ".").empty()) {
      if (node.is == kind::null) return;
      if (node.is != kind::map) return refuse(here, line, wrong_kind(node, "a map"));
      return group(node, key_pattern + ".", here + ".", item);
    }
    if (pattern.empty() && node.is == kind::map && providers_are_empty_) {
      return refuse(
          here, line,
          {"is not a key of this version", "to be a provider, it has to be indented below providers"});
    }
    unknown(name, key_pattern, here, line, pattern);
  }

  static bool is_list_of_maps(std::string_view name) {
    return name == "upstreams" || name == "clients" || name == "issuers";
  }

  static bool plain_name(std::string_view name) {
    return name.find_first_of(".*[]") == std::string_view::npos;
  }

  void unknown(const std::string& name, const std::string& key_pattern, const std::string& here, int line,
               const std::string& pattern) {
    for (const auto& foreign : foreign_keys) {
      if (foreign.path == key_pattern)
        return refuse(here, line, {std::string(foreign.rule), std::string(foreign.hint)});
    }
    config_flaw flaw{"is not a key of this version"};
    auto names = names_under(pattern);
    if (pattern == "providers.*.") names.emplace_back("name");
    for (const auto& key : config_keys()) {
      if (flaw.hint.empty() && key.path.ends_with("." + name))
        flaw.hint = "it belongs here: " + std::string(key.path);
    }
    if (auto known = nearest_name(name, names); flaw.hint.empty() && !known.empty())
      flaw.hint = "did you mean " + known + "?";
    refuse(here, line, std::move(flaw));
  }

  void value(const config_key& key, const std::string& here, int line, const yaml_node& node,
             const std::string& pattern, const std::string& path, std::size_t item) {
    // The canonical path: a key may be written under another name.
    std::string canonical = pattern.empty() || !key.path.starts_with(pattern)
                                ? std::string(key.path)
                                : path + std::string(key.path.substr(pattern.size()));
    config_origin from{input_.file_name, line, here, ""};
    if (pattern.empty() && is_of_issuer(key)) {
      auto only = into_.only_issuer(from);
      if (!only) return;
      item = *only;
      canonical = concrete_path(key.path, "", item);
    }
    auto fail_here = [&](config_flaw flaw) {
      into_.given.emplace(canonical, from);
      into_.refuse(canonical, from, std::move(flaw));
    };
    if (node.is == kind::null) return fail_here({"has no value", "give one, or remove the line"});
    if (node.is == kind::map && is_map(key)) {
      auto map = pairs(node, here);
      if (!map) {
        into_.given.emplace(canonical, from);
        into_.failed.insert(canonical);
        return;
      }
      if (repeated(canonical, from)) return;
      return into_.take(key, canonical, item, from, *map);
    }
    if (node.is == kind::map || (node.is == kind::list && !is_list(key))) {
      return fail_here(wrong_kind(node, is_list(key) ? "a list" : is_map(key) ? "a map" : "a single value"));
    }
    if (node.is == kind::list) {
      auto words = elements(node, here);
      if (!words) {
        into_.given.emplace(canonical, from);
        into_.failed.insert(canonical);
        return;
      }
      from.shown = displayed(join(*words, ", "));
      if (repeated(canonical, from)) return;
      return into_.take(key, canonical, item, from, *words);
    }
    auto text = expand_variables(node.text, input_.environment);
    if (!text) return fail_here(text.error());
    if (!is_secret(key)) from.shown = displayed(*text);
    if (repeated(canonical, from)) return;
    into_.take(key, canonical, item, from, *text);
  }

  // One meaning under two names: refused unless both say the same.
  bool repeated(const std::string& canonical, const config_origin& from) {
    auto first = into_.given.find(canonical);
    if (first == into_.given.end()) return false;
    if (first->second.shown == from.shown) return true;
    into_.refuse(canonical, from,
                 {"means the same as " + first->second.key + " on line " +
                      std::to_string(first->second.line) + " and says something else",
                  "keep one of them"});
    return true;
  }

  // The elements of a list as text; nothing, and an error, when one is no
  // single value.
  std::optional<std::vector<std::string>> elements(const yaml_node& list, const std::string& here) {
    std::vector<std::string> words;
    bool ok = true;
    for (const auto& item : list.items) {
      if (item.is != kind::scalar) {
        refuse(here, item.line, wrong_kind(item, "a list of single values"));
        ok = false;
        continue;
      }
      auto text = expand_variables(item.text, input_.environment);
      if (text) {
        words.push_back(std::move(*text));
      } else {
        refuse(here, item.line, text.error());
        ok = false;
      }
    }
    if (!ok) return std::nullopt;
    return words;
  }

  // The entries of a map of single values; nothing, and an error, when one is none.
  std::optional<text_map> pairs(const yaml_node& map, const std::string& here) {
    text_map entries;
    bool ok = true;
    for (std::size_t i = 0; i < map.items.size(); ++i) {
      const auto& one = map.items[i];
      std::string there = here + "." + displayed(map.names[i]);
      auto text = one.is == kind::scalar ? expand_variables(one.text, input_.environment)
                                         : tl::unexpected(wrong_kind(one, "a single value"));
      if (text) {
        entries.emplace_back(map.names[i], std::move(*text));
      } else {
        refuse(there, map.name_lines[i], text.error());
        ok = false;
      }
    }
    if (!ok) return std::nullopt;
    return entries;
  }

  void providers(const yaml_node& node, int line) {
    if (node.is == kind::null) return;
    if (node.is == kind::list) {
      for (const auto& one : node.items) provider_of_list(one);
      return;
    }
    if (node.is != kind::map)
      return refuse("providers", line, wrong_kind(node, "a map from names to providers, or a list"));
    for (std::size_t i = 0; i < node.items.size(); ++i)
      provider(node.names[i], node.name_lines[i], node.items[i]);
  }

  void provider_of_list(const yaml_node& node) {
    if (node.is != kind::map) return refuse("providers", node.line, wrong_kind(node, "a list of maps"));
    const auto* name = node.find("name");
    if (!name || name->is != kind::scalar) {
      return refuse("providers", node.line, {"has an element without a name", "add name: corp"});
    }
    provider(name->text, name->line, node);
  }

  void provider(const std::string& name, int line, const yaml_node& node) {
    std::string here = "providers." + displayed(name);
    if (auto bad = checks::item_name(name)) return refuse(here, line, *bad);
    auto& all = into_.draft.providers;
    if (std::any_of(all.begin(), all.end(), [&](const auto& p) { return p.name == name; })) {
      return refuse(here, line, {"is given twice"});
    }
    all.emplace_back().name = name;
    into_.given[here] = {input_.file_name, line, here, ""};
    if (node.is == kind::null) return;
    if (node.is != kind::map) return refuse(here, line, wrong_kind(node, "a map"));
    group(node, "providers.*.", here + ".", all.size() - 1);
  }

  void list(const std::string& name, const yaml_node& node, int line) {
    if (node.is == kind::null) return;
    if (node.is != kind::list) return refuse(name, line, wrong_kind(node, "a list of maps"));
    into_.given[name] = {input_.file_name, line, name, ""};
    if (name == "issuers" && into_.draft.one_issuer) {
      return refuse(name, line,
                    {"is given together with an issuer at the top level", "write it into the list"});
    }
    for (const auto& one : node.items) {
      std::size_t item = name == "upstreams" ? into_.draft.upstreams.size()
                         : name == "issuers" ? into_.draft.issuers.size()
                                             : into_.draft.clients.size();
      std::string here = name + "[" + std::to_string(item) + "]";
      if (one.is != kind::map) {
        refuse(here, one.line, wrong_kind(one, "a map"));
        continue;
      }
      if (name == "upstreams") {
        into_.draft.upstreams.emplace_back();
      } else if (name == "issuers") {
        into_.draft.issuers.emplace_back();
      } else {
        into_.draft.clients.emplace_back();
      }
      into_.given[here] = {input_.file_name, one.line, here, ""};
      group(one, name + "[].", here + ".", item);
    }
  }

  // A section of rules, or the hierarchy of scopes.
  void table(const config_key& key, const std::string& where, int line, const yaml_node& node,
             std::size_t item) {
    const auto* section = std::get_if<rule_table>(&key.slot);
    if (node.is == kind::null) {
      return refuse(where, line,
                    {"has no value",
                     "remove the line" + std::string(section ? ", or write {} to deny everything" : "")});
    }
    if (node.is != kind::map)
      return refuse(
          where, line,
          wrong_kind(node, section ? "a map from names to scopes" : "a map from scopes to lists of them"));
    into_.given[where] = {input_.file_name, line, where, ""};
    rule_reader reader(&input_.environment, [this](const std::string& here, int at, const std::string& shown,
                                                   config_flaw flaw) {
      into_.refuse(here, config_origin{input_.file_name, at, here, shown}, std::move(flaw));
    });
    if (section == nullptr) return reader.hierarchy(node, where, into_.draft.access.hierarchy);
    auto place = section->at(into_.draft, item);
    place.given = true;
    reader.rules(node, where, section->takes_arguments, place.rules);
  }

  static config_flaw wrong_kind(const yaml_node& node, const std::string& wanted) {
    return {"must be " + wanted + ", and is " + std::string(kind_name(node))};
  }

  void refuse(const std::string& here, int line, config_flaw flaw) {
    into_.refuse(here, config_origin{input_.file_name, line, here, ""}, std::move(flaw));
  }

  const config_input& input_;
  config_reading& into_;
  bool providers_are_empty_ = false;
};

}  // namespace

void read_file(const config_input& input, config_reading& into) {
  if (!input.text) return;
  std::vector<yaml_fault> twice;
  auto root = parse_yaml(*input.text, &twice);
  if (!root) {
    into.errors.push_back({input.file_name, root.error().line, "", "",
                           "not valid YAML: " + root.error().reason, "", errc::config_malformed});
    return;
  }
  for (auto& fault : twice)
    into.errors.push_back({input.file_name, fault.line, "", "", std::move(fault.reason), "keep one of them"});
  file_reader(input, into).read(*root);
}

}  // namespace mcp_oauth
