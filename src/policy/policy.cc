#include "policy/policy.h"

#include "base/text.h"
#include "mcp/folded.h"
#include "mcp/params.h"
#include "policy/hierarchy.h"
#include "policy/near_miss.h"
#include "policy/resource_uri.h"
#include "policy/rule_index.h"

#include <algorithm>
#include <array>

#include <boost/container/small_vector.hpp>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_traced = 64;

// What opens a conversation and keeps it, in every revision. It reaches no tool, resource or prompt.
constexpr std::array<std::string_view, 7> of_the_conversation = {"initialize",
                                                                 "ping",
                                                                 "server/discover",
                                                                 "notifications/initialized",
                                                                 "notifications/cancelled",
                                                                 "notifications/progress",
                                                                 "notifications/roots/list_changed"};

bool contains(std::span<const std::string> scopes, std::string_view scope) {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

struct needed_scope {
  std::string scope;
  std::vector<std::string> above;  // each of which gives it

  bool held_by(const caller& who) const {
    if (contains(who.scopes, scope)) return true;
    return std::any_of(above.begin(), above.end(), [&](const auto& s) { return contains(who.scopes, s); });
  }
};

struct compiled_rule {
  access_rule written;
  std::vector<needed_scope> scopes;
  bool has_star = false;
  bool reads_arguments = false;

  bool fits(std::string_view name) const {
    return has_star ? matches_wildcard(written.pattern, name) : written.pattern == name;
  }
  bool has_scopes(const caller& who) const {
    auto held = [&](const needed_scope& s) { return s.held_by(who); };
    if (written.needed == scopes_needed::all) return std::all_of(scopes.begin(), scopes.end(), held);
    return std::any_of(scopes.begin(), scopes.end(), held);
  }
};

std::vector<needed_scope> with_hierarchy(const std::vector<std::string>& scopes,
                                         const scope_hierarchy& hierarchy) {
  std::vector<needed_scope> needed;
  needed.reserve(scopes.size());
  for (const auto& scope : scopes) needed.push_back({scope, scopes_above(hierarchy, scope)});
  return needed;
}

struct section {
  std::string_view name;  // "tools"
  std::string_view item;  // "tool"
  bool given = false;
  bool of_uris = false;
  std::vector<compiled_rule> rules;
  rule_index index;
};

section compile(std::string_view name, std::string_view item, const rule_set& set,
                const scope_hierarchy& hierarchy) {
  section made;
  made.name = name;
  made.item = item;
  made.given = set.given;
  made.of_uris = name == "resources";
  for (const auto& rule : set.rules) {
    made.index.add(rule.pattern, static_cast<std::uint32_t>(made.rules.size()));
    compiled_rule one;
    one.written = rule;
    one.scopes = with_hierarchy(rule.scopes, hierarchy);
    one.has_star = rule.pattern.find('*') != std::string::npos;
    one.reads_arguments = std::any_of(rule.when.begin(), rule.when.end(), [](const rule_condition& c) {
      return c.of == rule_condition::source::argument;
    });
    made.rules.push_back(std::move(one));
  }
  return made;
}

bool read_arguments(const section& s) {
  return std::any_of(s.rules.begin(), s.rules.end(), [](const auto& r) { return r.reads_arguments; });
}

using places = boost::container::small_vector<std::uint32_t, 32>;

void find_matching(const section& of, std::string_view name, places& found) {
  of.index.each(name, [&](std::uint32_t at) {
    if (of.rules[at].fits(name)) found.push_back(at);
  });
}

std::string in_quotes(std::string_view name) { return "\"" + printable(name) + "\""; }

// The member of that name; an error where another one differs in case only, since servers disagree about
// which one counts.
result<const json::value*> only_member(const json::object& of, std::string_view name) {
  const json::value* found = nullptr;
  for (const auto& member : of) {
    std::string_view key(member.key().data(), member.key().size());
    if (key == name) {
      found = &member.value();
    } else if (equal_folded(name, key)) {
      return fail(errc::body_malformed, "a member differs from " + std::string(name) + " in case only");
    }
  }
  return found;
}

std::string_view text_of(const json::value* value) {
  if (value == nullptr || !value->is_string()) return {};
  return {value->as_string().data(), value->as_string().size()};
}

}  // namespace

struct policy::compiled {
  explicit compiled(policy_rules rules)
      : base(with_hierarchy(rules.base_scopes, rules.hierarchy)),
        tools(compile("tools", "tool", rules.tools, rules.hierarchy)),
        methods(compile("methods", "method", rules.methods, rules.hierarchy)),
        resources(compile("resources", "resource", rules.resources, rules.hierarchy)),
        prompts(compile("prompts", "prompt", rules.prompts, rules.hierarchy)),
        filter_lists(rules.filter_lists) {
    reads_text = read_arguments(tools) || read_arguments(prompts) || resources.given || prompts.given;
  }

  bool wants_text_of(const envelope& m) const {
    if (m.method == "completion/complete") return resources.given || prompts.given;
    if (m.method == "subscriptions/listen") return resources.given;
    const auto* of = m.method == "tools/call" ? &tools : m.method == "prompts/get" ? &prompts : nullptr;
    if (of == nullptr || !m.has_name) return false;
    places found;
    find_matching(*of, m.name, found);
    return std::any_of(found.begin(), found.end(), [&](auto at) { return of->rules[at].reads_arguments; });
  }

  std::vector<needed_scope> base;
  section tools, methods, resources, prompts;
  bool filter_lists;
  bool reads_text = false;
  std::optional<error> closed;
};

// Judges one message, or all of a batch. Without `told` it stops at the first no, and costs nothing that a
// permitted call would not; with it, it gathers everything that is to be said.
class policy::judge {
 public:
  judge(const compiled& rules, const caller& who, refusal* told) : rules_(rules), who_(who), told_(told) {}

  bool base() {
    if (rules_.closed) return no(rules_.closed->code, rules_.closed->detail);
    bool yes = true;
    for (const auto& scope : rules_.base) {
      bool held = scope.held_by(who_);
      if (told_ != nullptr) need(scope.scope, held);
      yes = yes && held;
    }
    return yes || no(errc::scope_insufficient, {});
  }

  bool message(const envelope& m, const json::object* params) {
    if (m.kind != envelope::kind::response && m.method.empty())
      return no(errc::body_malformed, "no method is known");
    if (!m.complete && !m.has_name && name_of(m.method) != name_member::none)
      return no(errc::body_malformed, "the name of the call is not known yet");
    if (m.method.empty()) return true;
    bool yes = method(m.method);
    if (!yes && told_ == nullptr) return false;
    if (m.method == "tools/call") return named(rules_.tools, m, params) && yes;
    if (m.method == "prompts/get") return named(rules_.prompts, m, params) && yes;
    if (name_of(m.method) == name_member::uri) return named(rules_.resources, m, nullptr) && yes;
    if (m.method == "completion/complete") return completion(params) && yes;
    if (m.method == "subscriptions/listen") return subscriptions(params) && yes;
    return yes;
  }

  bool item(listed what, std::string_view name) {
    switch (what) {
      case listed::tool: return method("tools/call") && in(rules_.tools, name, nullptr, arguments::ignored);
      case listed::prompt:
        return method("prompts/get") && in(rules_.prompts, name, nullptr, arguments::ignored);
      case listed::resource:
        return method("resources/read") && in(rules_.resources, name, nullptr, arguments::ignored);
      case listed::resource_template: return method("resources/read") && uri_template(name);
    }
    return false;
  }

  // What is to be said, once everything was judged.
  void finish() {
    if (told_->code == errc::internal) told_->code = errc::policy_denied;
    if (told_->code == errc::scope_insufficient) {
      told_->scopes = std::move(needed_);
      told_->detail = "missing: " + join(missing_, " ") + case_hints(missing_, who_.scopes);
      told_->would_allow = "the scopes " + join(told_->scopes, " ");
    }
  }

 private:
  // Unreadable: neither an object nor null, so that no condition about them holds.
  enum class arguments { judged, ignored, unreadable };

  bool method(std::string_view name) {
    const auto& of = rules_.methods;
    if (!of.given) return true;
    if (contains_name(of_the_conversation, name)) {
      places found;
      find_matching(of, name, found);
      if (found.empty()) return true;
    }
    return in(of, name, nullptr, arguments::judged);
  }

  static bool contains_name(std::span<const std::string_view> names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  }

  bool named(const section& of, const envelope& m, const json::object* params) {
    if (!of.given) return true;
    if (!m.has_name) return no(errc::policy_denied, m.method + " without a name");
    const json::object* given = nullptr;
    auto how = arguments::judged;
    if (params != nullptr) {
      auto member = only_member(*params, "arguments");
      if (!member) return no(member.error().code, member.error().detail);
      if (*member != nullptr) given = (*member)->if_object();
      if (*member != nullptr && given == nullptr && !(*member)->is_null()) how = arguments::unreadable;
    }
    return in(of, m.name, given, how);
  }

  // Every rule of the section that fits the name.
  bool in(const section& of, std::string_view name, const json::object* given, arguments how) {
    if (!of.given) return true;
    places found;
    find_matching(of, name, found);
    if (of.of_uris && !of_uri(of, name, found)) return false;
    if (found.empty()) return no_rule(of, name);
    if (told_ != nullptr) {
      std::sort(found.begin(), found.end());
      found.erase(std::unique(found.begin(), found.end()), found.end());
    }
    bool yes = true;
    for (auto at : found) {
      yes = satisfied(of, of.rules[at], given, how) && yes;
      if (!yes && told_ == nullptr) return false;
    }
    return yes;
  }

  // Rules for other spellings of the same place count as well.
  bool of_uri(const section& of, std::string_view uri, places& found) {
    if (!is_plain_uri(uri)) {
      bool exact = std::any_of(found.begin(), found.end(), [&](auto at) { return !of.rules[at].has_star; });
      if (!exact) {
        return no(errc::policy_denied,
                  "resource " + in_quotes(uri) +
                      " has dot segments, or is spelt so that servers read it differently");
      }
    }
    for (const auto& form : other_forms(uri)) find_matching(of, form, found);
    return true;
  }

  bool no_rule(const section& of, std::string_view name) {
    if (told_ == nullptr) return false;
    std::vector<std::string_view> known;
    for (const auto& rule : of.rules) {
      if (!rule.has_star) known.push_back(rule.written.pattern);
    }
    return no(errc::policy_denied,
              "no rule matches " + std::string(of.item) + " " + in_quotes(name) + near_names(name, known));
  }

  // Some URI that the template gives might be read.
  bool uri_template(std::string_view text) {
    const auto& of = rules_.resources;
    if (!of.given) return true;
    places covering;
    find_matching(of, text, covering);
    for (const auto& form : other_forms(text)) find_matching(of, form, covering);
    for (auto at : covering) {
      if (!satisfied(of, of.rules[at], nullptr, arguments::ignored)) return false;
    }
    bool some = std::any_of(of.rules.begin(), of.rules.end(), [&](const compiled_rule& rule) {
      return !rule.written.denied && may_expand_to(text, rule.written.pattern) &&
             satisfied(of, rule, nullptr, arguments::ignored);
    });
    return some || no_rule(of, text);
  }

  bool completion(const json::object* params) {
    if (!rules_.resources.given && !rules_.prompts.given) return true;
    if (params == nullptr) return no(errc::body_malformed, "completion/complete without params");
    auto ref = only_member(*params, "ref");
    if (!ref) return no(ref.error().code, ref.error().detail);
    if (*ref == nullptr || !(*ref)->is_object()) return no(errc::body_malformed, "a completion without ref");
    const auto& object = (*ref)->as_object();
    auto type = only_member(object, "type");
    if (!type) return no(type.error().code, type.error().detail);
    bool prompt = text_of(*type) == "ref/prompt", resource = text_of(*type) == "ref/resource";
    if (!prompt && !resource) return no(errc::policy_denied, "a completion for neither prompt nor resource");
    auto name = only_member(object, prompt ? "name" : "uri");
    if (!name) return no(name.error().code, name.error().detail);
    if (*name == nullptr || !(*name)->is_string())
      return no(errc::body_malformed, "a completion whose ref has no name");
    auto text = text_of(*name);
    if (prompt) return in(rules_.prompts, text, nullptr, arguments::ignored);
    if (text.find('{') == std::string_view::npos)
      return in(rules_.resources, text, nullptr, arguments::judged);
    auto values = known_values(*params);
    if (!values) return no(values.error().code, values.error().detail);
    // Both the template and what is left open of it, for the values that come are of URIs of the latter.
    bool yes = uri_template(text);
    if (!values->empty() && (yes || told_ != nullptr))
      yes = uri_template(fill_template(text, *values)) && yes;
    return yes;
  }

  // What a completion says of the variables of its template. The one that is completed goes on behind its
  // value.
  static result<template_values> known_values(const json::object& params) {
    template_values values;
    auto add = [&](std::string_view name, std::string_view value, bool goes_on) -> result<void> {
      bool with_brace = (std::string(name) + std::string(value)).find_first_of("{}") != std::string::npos;
      if (value.empty() || with_brace) return {};
      std::string text(value);
      if (!is_plain_uri("x:/" + text + "/"))
        return fail(errc::policy_denied, "a completion with a value that servers read differently");
      values.emplace_back(name, goes_on ? text + "{" + std::string(name) + "}" : text);
      return {};
    };
    auto argument = only_member(params, "argument");
    if (!argument) return tl::unexpected<error>(argument.error());
    if (*argument != nullptr && (*argument)->is_object()) {
      auto name = only_member((*argument)->as_object(), "name");
      auto value = only_member((*argument)->as_object(), "value");
      if (!name || !value) return tl::unexpected<error>(name ? value.error() : name.error());
      auto added = add(text_of(*name), text_of(*value), true);
      if (!added) return tl::unexpected<error>(added.error());
    }
    auto context = only_member(params, "context");
    if (!context) return tl::unexpected<error>(context.error());
    if (*context == nullptr || !(*context)->is_object()) return values;
    auto known = only_member((*context)->as_object(), "arguments");
    if (!known) return tl::unexpected<error>(known.error());
    if (*known == nullptr || !(*known)->is_object()) return values;
    for (const auto& member : (*known)->as_object()) {
      auto added = add({member.key().data(), member.key().size()}, text_of(&member.value()), false);
      if (!added) return tl::unexpected<error>(added.error());
    }
    return values;
  }

  bool subscriptions(const json::object* params) {
    if (!rules_.resources.given || params == nullptr) return true;
    auto wanted = only_member(*params, "notifications");
    if (!wanted) return no(wanted.error().code, wanted.error().detail);
    if (*wanted == nullptr || (*wanted)->is_null()) return true;
    if (!(*wanted)->is_object()) return no(errc::body_malformed, "notifications is no object");
    auto uris = only_member((*wanted)->as_object(), "resourceSubscriptions");
    if (!uris) return no(uris.error().code, uris.error().detail);
    if (*uris == nullptr || (*uris)->is_null()) return true;
    if (!(*uris)->is_array()) return no(errc::body_malformed, "resourceSubscriptions is no list");
    bool yes = true;
    for (const auto& uri : (*uris)->as_array()) {
      if (!uri.is_string()) return no(errc::body_malformed, "a resource that is no text");
      yes = in(rules_.resources, text_of(&uri), nullptr, arguments::judged) && yes;
      if (!yes && told_ == nullptr) return false;
    }
    return yes;
  }

  bool satisfied(const section& of, const compiled_rule& rule, const json::object* given, arguments how) {
    auto meets = [&](const rule_condition& c) {
      bool of_argument = c.of == rule_condition::source::argument;
      if (of_argument && how != arguments::judged) return how == arguments::ignored;
      return holds(c, who_.claims, given);
    };
    if (told_ == nullptr) {
      return !rule.written.denied && rule.has_scopes(who_) &&
             std::all_of(rule.written.when.begin(), rule.written.when.end(), meets);
    }
    rule_trace seen{of.name, rule.written.pattern, rule.written.denied, {}, {}};
    gather_scopes(rule, seen);
    for (const auto& c : rule.written.when) {
      if (!meets(c)) seen.unmet.push_back(describe(c));
    }
    auto place = std::string(of.name) + "." + printable(rule.written.pattern);
    if (seen.denied) no(errc::policy_denied, place + " is denied to everybody");
    if (!seen.unmet.empty()) no(errc::policy_denied, place + " wants " + join(seen.unmet, ", "));
    if (!seen.missing_scopes.empty()) no(errc::scope_insufficient, {});
    bool yes = seen.allows();
    if (told_->trace.size() < most_traced) told_->trace.push_back(std::move(seen));
    return yes;
  }

  // A challenge names all that is needed at once. Of alternatives the one that the caller has, or else the
  // first: the configuration names the mildest first.
  void gather_scopes(const compiled_rule& rule, rule_trace& seen) {
    if (rule.written.needed == scopes_needed::all) {
      for (const auto& scope : rule.scopes) {
        bool held = scope.held_by(who_);
        need(scope.scope, held);
        if (!held) seen.missing_scopes.push_back(scope.scope);
      }
      return;
    }
    if (rule.scopes.empty()) {
      seen.denied = true;  // none of no scopes
      return;
    }
    auto held = std::find_if(rule.scopes.begin(), rule.scopes.end(),
                             [&](const needed_scope& s) { return s.held_by(who_); });
    bool any = held != rule.scopes.end();
    need(any ? held->scope : rule.scopes.front().scope, any);
    if (any) return;
    for (const auto& scope : rule.scopes) seen.missing_scopes.push_back(scope.scope);
  }

  void need(const std::string& scope, bool held) {
    if (!contains(needed_, scope)) needed_.push_back(scope);
    if (!held && !contains(missing_, scope)) missing_.push_back(scope);
  }

  // The gravest reason counts, and of those the first.
  bool no(errc code, std::string detail) {
    if (told_ == nullptr) return false;
    auto weight = [](errc c) {
      return c == errc::internal ? 0 : c == errc::scope_insufficient ? 1 : c == errc::policy_denied ? 2 : 3;
    };
    if (weight(code) > weight(told_->code)) {
      told_->code = code;
      told_->detail = std::move(detail);
    }
    return false;
  }

  const compiled& rules_;
  const caller& who_;
  refusal* told_;
  std::vector<std::string> needed_, missing_;
};

policy::policy(policy_rules rules) : is_(std::make_shared<const compiled>(std::move(rules))) {}

policy::policy(std::vector<access_rule> tools, bool tools_given, std::vector<std::string> base_scopes)
    : policy([&] {
        policy_rules rules;
        rules.tools = {tools_given, std::move(tools)};
        rules.base_scopes = std::move(base_scopes);
        return rules;
      }()) {}

policy policy::closed(errc code, std::string detail) {
  auto shut = std::make_shared<compiled>(policy_rules());
  shut->closed = error{code, std::move(detail)};
  return policy(std::move(shut));
}

bool policy::depends_on_message() const {
  return is_->tools.given || is_->methods.given || is_->resources.given || is_->prompts.given;
}

bool policy::filters_lists() const { return is_->filter_lists && (depends_on_message() || is_->closed); }

bool policy::wants_text(const envelope& message) const {
  if (!is_->reads_text) return false;
  if (message.kind != envelope::kind::batch) return is_->wants_text_of(message);
  return std::any_of(message.items.begin(), message.items.end(),
                     [&](const envelope& item) { return is_->wants_text_of(item); });
}

tl::expected<permit, refusal> authorize(const policy& rules, const caller& who, const envelope& message,
                                        std::string_view text) {
  bool batch = message.kind == envelope::kind::batch;
  auto malformed = [](std::string detail) {
    return tl::unexpected<refusal>(refusal{errc::body_malformed, {}, std::move(detail)});
  };
  if (batch && !message.complete) return malformed("the batch is not read to its end");
  std::optional<message_params> params;
  if (rules.wants_text(message)) {
    if (text.empty()) return malformed("a rule looks at arguments that are not read yet");
    auto read = message_params::read(text);
    if (!read) return malformed(read.error().detail);
    params.emplace(std::move(*read));
  }
  auto of = [&](std::size_t item) { return params ? params->of(item) : nullptr; };
  auto judged = [&](policy::judge& by, bool all) {
    bool yes = by.base();
    for (std::size_t i = 0; batch && (yes || all) && i < message.items.size(); ++i) {
      yes = by.message(message.items[i], of(i)) && yes;
    }
    if (!batch && (yes || all)) yes = by.message(message, of(0)) && yes;
    return yes;
  };
  policy::judge quick(*rules.is_, who, nullptr);
  if (judged(quick, false)) {
    return permit(who, batch ? std::string_view("batch") : std::string_view(message.method), message.name);
  }
  refusal told;
  policy::judge thorough(*rules.is_, who, &told);
  judged(thorough, true);
  thorough.finish();
  return tl::unexpected<refusal>(std::move(told));
}

tl::expected<permit, refusal> authorize_stream(const policy& rules, const caller& who) {
  policy::judge quick(*rules.is_, who, nullptr);
  if (quick.base()) return permit(who, "stream", "");
  refusal told;
  policy::judge thorough(*rules.is_, who, &told);
  thorough.base();
  thorough.finish();
  return tl::unexpected<refusal>(std::move(told));
}

std::vector<rule_trace> rules_for_others(const policy& rules, std::string_view method, std::string_view name,
                                         std::size_t most) {
  std::vector<rule_trace> others;
  auto add = [&](const section& of, std::string_view of_name) {
    for (const auto& rule : of.rules) {
      if (others.size() >= most) return;
      if (!rule.fits(of_name)) others.push_back({of.name, rule.written.pattern, rule.written.denied, {}, {}});
    }
  };
  const auto& is = *rules.is_;
  if (is.methods.given) add(is.methods, method);
  if (method == "tools/call") add(is.tools, name);
  if (method == "prompts/get") add(is.prompts, name);
  if (name_of(method) == name_member::uri) add(is.resources, name);
  return others;
}

bool may_list(const policy& rules, const caller& who, listed what, std::string_view name) {
  policy::judge quick(*rules.is_, who, nullptr);
  return quick.base() && quick.item(what, name);
}

}  // namespace mcp_oauth
