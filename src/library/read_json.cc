#include "base/json.h"
#include "base/text.h"
#include "library/make_config.h"

#include <algorithm>
#include <array>
#include <variant>

MCP_OAUTH_BEGIN
namespace {

using text_list = std::vector<std::string>;

// Where one member goes. One table for parsing and for "did you mean".
using text_field = std::string options::*;
using list_field = text_list options::*;
using flag_field = bool options::*;
using size_field = std::size_t options::*;
using seconds_field = std::chrono::seconds options::*;
using rules_field = rule_table options::*;
using server_text = std::string trusted_server::*;
using server_list = text_list trusted_server::*;

struct own_member {
  std::string_view name;
  std::variant<text_field, list_field, flag_field, size_field, seconds_field, rules_field> to;
};
const std::array own_members = {
    own_member{"provider", &options::provider},
    own_member{"jwt_secret", &options::jwt_secret},
    own_member{"resource", &options::resource},
    own_member{"audiences", &options::audiences},
    own_member{"resource_name", &options::resource_name},
    own_member{"scopes", &options::scopes},
    own_member{"allowed_origins", &options::allowed_origins},
    own_member{"tools", &options::tools},
    own_member{"methods", &options::methods},
    own_member{"resources", &options::resources},
    own_member{"prompts", &options::prompts},
    own_member{"policy_url", &options::policy_url},
    own_member{"policy_token", &options::policy_token},
    own_member{"policy_refresh", &options::policy_refresh},
    own_member{"policy_max_age", &options::policy_max_age},
    own_member{"dpop", &options::dpop},
    own_member{"dpop_nonces", &options::dpop_nonces},
    own_member{"dpop_nonce_key", &options::dpop_nonce_key},
    own_member{"certificate_binding", &options::certificate_binding},
    own_member{"leeway", &options::leeway},
    own_member{"remember", &options::remember},
    own_member{"remember_introspection", &options::remember_introspection},
    own_member{"remembered_tokens", &options::remembered_tokens},
    own_member{"most_body_bytes", &options::most_body_bytes},
    own_member{"danger_allow_http", &options::danger_allow_http},
    own_member{"danger_any_audience", &options::danger_any_audience},
    own_member{"danger_id_tokens", &options::danger_id_tokens},
};

struct server_member {
  std::string_view name;
  std::variant<server_text, server_list> to;
};
const std::array server_members = {
    server_member{"issuer", &trusted_server::issuer},
    server_member{"jwks_url", &trusted_server::jwks_url},
    server_member{"keys", &trusted_server::keys},
    server_member{"introspection_url", &trusted_server::introspection_url},
    server_member{"introspection_client_id", &trusted_server::introspection_client_id},
    server_member{"introspection_client_secret", &trusted_server::introspection_client_secret},
    server_member{"validation_mode", &trusted_server::validation_mode},
    server_member{"algorithms", &trusted_server::algorithms},
    server_member{"scope_claims", &trusted_server::scope_claims},
};

std::string_view view(const json::string& s) { return {s.data(), s.size()}; }
std::string_view view(json::string_view s) { return {s.data(), s.size()}; }

class reader final {
 public:
  explicit reader(problem_list& problems) : problems_(problems) {}

  void read_options(const json::object& from, options& into) {
    for (const auto& member : from) {
      auto name = view(member.key());
      const auto& value = member.value();
      if (name == "audience") {  // the word for one, as most have
        std::string one;
        if (text(value, name, one)) into.audiences = {one};
      } else if (name == "more_servers") {
        read_servers(value, into);
      } else if (name == "required_claims") {
        read_claims(value, "required_claims", into.server);
      } else if (!read_own(name, value, into) && !read_server(name, name, value, into.server)) {
        unknown(name, name);
      }
    }
  }

  void read_rules_of(const json::value& value, std::string_view field, bool any, rule_table& into) {
    if (!value.is_object()) return wrong(field, "an object of pattern and scopes");
    into = {};
    for (const auto& member : value.get_object()) {
      auto pattern = view(member.key());
      auto place = std::string(field) + "[\"" + std::string(pattern) + "\"]";
      needed_scopes needed{text_list{}};
      needed.any = any;
      const json::value* scopes = &member.value();
      if (scopes->is_object()) {
        const auto& o = scopes->get_object();
        const auto* some = o.if_contains("any_of");
        const auto* all = o.if_contains("all_of");
        if (o.size() != 1 || (some == nullptr && all == nullptr)) {
          wrong(place, "a list of scopes, or {\"any_of\": […]}");
          continue;
        }
        needed.any = some != nullptr;
        scopes = some != nullptr ? some : all;
      }
      if (!list(*scopes, place, needed.scopes)) continue;
      if (needed.scopes.empty()) needed.any = false;
      into.add({std::string(pattern), std::move(needed)});
    }
  }

 private:
  void wrong(std::string_view field, std::string_view wanted) {
    problems_.add(std::string(field), "is not " + std::string(wanted));
  }

  void unknown(std::string_view field, std::string_view name) {
    std::string_view nearest;
    std::size_t least = 4;
    auto consider = [&](std::string_view known) {
      auto d = edit_distance(name, known);
      if (d < least) least = d, nearest = known;
    };
    for (const auto& m : own_members) consider(m.name);
    for (const auto& m : server_members) consider(m.name);
    for (auto known : {"audience", "more_servers", "required_claims"}) consider(known);
    problems_.add(std::string(field), "unknown setting",
                  nearest.empty() ? "docs/library/configuration.md has all"
                                  : "did you mean " + std::string(nearest) + "?");
  }

  bool text(const json::value& value, std::string_view field, std::string& into) {
    if (!value.is_string()) {
      wrong(field, "a text");
      return false;
    }
    into = view(value.get_string());
    return true;
  }

  bool list(const json::value& value, std::string_view field, text_list& into) {
    bool good = value.is_array();
    text_list read;
    if (good) {
      for (const auto& item : value.get_array()) {
        if (item.is_string())
          read.emplace_back(view(item.get_string()));
        else
          good = false;
      }
    }
    if (good)
      into = std::move(read);
    else
      wrong(field, "a list of texts");
    return good;
  }

  std::optional<std::int64_t> number(const json::value& value, std::string_view field) {
    if (value.is_int64()) return value.get_int64();
    wrong(field, "a whole number");
    return std::nullopt;
  }

  void take(const json::value& value, std::string_view field, std::string& into) { text(value, field, into); }
  void take(const json::value& value, std::string_view field, text_list& into) { list(value, field, into); }
  void take(const json::value& value, std::string_view field, bool& into) {
    if (value.is_bool())
      into = value.get_bool();
    else
      wrong(field, "true or false");
  }
  void take(const json::value& value, std::string_view field, std::size_t& into) {
    if (auto n = number(value, field)) into = static_cast<std::size_t>(std::max<std::int64_t>(*n, 0));
  }
  void take(const json::value& value, std::string_view field, std::chrono::seconds& into) {
    if (auto n = number(value, field)) into = std::chrono::seconds(*n);
  }
  void take(const json::value& value, std::string_view field, rule_table& into) {
    read_rules_of(value, field, false, into);
  }

  bool read_own(std::string_view name, const json::value& value, options& into) {
    for (const auto& m : own_members) {
      if (m.name != name) continue;
      std::visit([&](auto to) { take(value, name, into.*to); }, m.to);
      return true;
    }
    return false;
  }

  bool read_server(std::string_view name, std::string_view field, const json::value& value,
                   trusted_server& into) {
    // Key sets are JSON themselves, and may stand there as such.
    if (name == "keys" && value.is_object()) {
      into.keys = json::serialize(value);
      return true;
    }
    for (const auto& m : server_members) {
      if (m.name != name) continue;
      std::visit([&](auto to) { take(value, field, into.*to); }, m.to);
      return true;
    }
    return false;
  }

  void read_servers(const json::value& value, options& into) {
    if (!value.is_array()) return wrong("more_servers", "a list of objects");
    into.more_servers.clear();
    for (const auto& item : value.get_array()) {
      auto place = "more_servers[" + std::to_string(into.more_servers.size()) + "]";
      trusted_server server;
      if (!item.is_object()) {
        wrong(place, "an object");
      } else {
        for (const auto& member : item.get_object()) {
          auto name = view(member.key());
          auto field = place + "." + std::string(name);
          if (name == "required_claims")
            read_claims(member.value(), field, server);
          else if (!read_server(name, field, member.value(), server))
            unknown(field, name);
        }
      }
      into.more_servers.push_back(std::move(server));
    }
  }

  void read_claims(const json::value& value, std::string_view field, trusted_server& into) {
    if (!value.is_object()) return wrong(field, "an object of claim and values");
    into.required_claims.clear();
    for (const auto& member : value.get_object()) {
      needed_claim claim;
      claim.name = view(member.key());
      if (list(member.value(), std::string(field) + "." + claim.name, claim.any_of)) {
        into.required_claims.push_back(std::move(claim));
      }
    }
  }

  problem_list& problems_;
};

}  // namespace

void read_json(std::string_view text, options& into, problem_list& problems) {
  auto object = parse_json_object(text);
  if (!object) {
    problems.add("config", "is no JSON object: " + object.error().detail);
    return;
  }
  reader(problems).read_options(*object, into);
}

void read_rules(std::string_view json_text, std::string_view field, bool any, rule_table& into,
                problem_list& problems) {
  auto object = parse_json_object(json_text);
  if (!object) {
    problems.add(std::string(field), "is no JSON object: " + object.error().detail,
                 R"(write {"tool": ["scope"]})");
    return;
  }
  reader(problems).read_rules_of(*object, field, any, into);
}

MCP_OAUTH_END
