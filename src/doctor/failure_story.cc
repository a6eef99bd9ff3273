#include "doctor/failure_story.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace mcp_oauth {
namespace {

json::string_view view(std::string_view text) { return {text.data(), text.size()}; }

void put(json::object& o, std::string_view name, const std::string& value) {
  if (!value.empty()) o[view(name)] = view(value);
}

void put(json::object& o, std::string_view name, const std::vector<std::string>& values) {
  if (values.empty()) return;
  json::array list;
  for (const auto& one : values) list.emplace_back(view(one));
  o[view(name)] = std::move(list);
}

std::vector<std::string> list_member(const json::object& o, std::string_view name) {
  std::vector<std::string> list;
  (void)read(o, name, list);
  return list;
}

std::int64_t number_member(const json::object& o, std::string_view name) {
  std::int64_t value = 0;
  (void)read(o, name, value);
  return value;
}

bool flag_member(const json::object& o, std::string_view name) {
  bool value = false;
  (void)read(o, name, value);
  return value;
}

// The members that are one text, by their names.
struct text_member_of_story {
  std::string_view name;
  std::string failure_story::* slot;
  bool is_ours = false;  // made here, of letters that look like a token now and then
};
constexpr std::array texts = std::to_array<text_member_of_story>({
    {"id", &failure_story::id, true},
    {"code", &failure_story::code, true},
    {"detail", &failure_story::detail},
    {"cause", &failure_story::cause},
    {"fix", &failure_story::fix},
    {"action", &failure_story::action},
    {"method", &failure_story::method},
    {"path", &failure_story::path},
    {"client", &failure_story::client},
    {"user", &failure_story::user},
    {"client_id", &failure_story::client_id},
    {"issuer", &failure_story::issuer},
    {"provider", &failure_story::provider},
    {"grant", &failure_story::grant, true},
    {"mcp_method", &failure_story::mcp_method},
    {"mcp_name", &failure_story::mcp_name},
    {"upstream", &failure_story::upstream},
    {"would_allow", &failure_story::would_allow},
    {"login", &failure_story::login, true},
    {"ended_id", &failure_story::ended_id, true},
});

// Milliseconds that a time_point can have.
bool is_time(std::int64_t ms) { return ms >= 0 && ms < 9'000'000'000'000; }

bool holds_times(const failure_story& story) {
  return is_time(story.at) && is_time(story.last_at) && is_time(story.ended_at) &&
         std::all_of(story.before.begin(), story.before.end(), [](const auto& s) { return is_time(s.at); });
}

constexpr std::size_t longest_name = 128;

bool is_plain(std::string_view name) {
  return name.size() <= longest_name &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

// Those are shown as they are, unlike every text, which is made fit.
bool holds_plain_names(const failure_story& story) {
  bool plain = std::all_of(story.ids.begin(), story.ids.end(), is_plain);
  for (const auto& t : texts) plain = plain && (!t.is_ours || is_plain(story.*t.slot));
  for (const auto& s : story.before) plain = plain && is_plain(s.id) && is_plain(s.hop);
  for (const auto& r : story.rules) plain = plain && is_plain(r.section);
  return plain;
}

json::object to_json(const failure_story::rule& r) {
  json::object o;
  put(o, "section", r.section);
  put(o, "pattern", r.pattern);
  if (r.applies) o["applies"] = true;
  if (r.denied) o["denied"] = true;
  put(o, "missing", r.missing_scopes);
  put(o, "unmet", r.unmet);
  return o;
}

failure_story::rule rule_from(const json::object& o) {
  failure_story::rule r;
  r.section = text_member(o, "section");
  r.pattern = text_member(o, "pattern");
  r.applies = flag_member(o, "applies");
  r.denied = flag_member(o, "denied");
  r.missing_scopes = list_member(o, "missing");
  r.unmet = list_member(o, "unmet");
  return r;
}

json::object to_json(const failure_story::step& s) {
  json::object o;
  put(o, "hop", s.hop);
  put(o, "id", s.id);
  o["at"] = s.at;
  if (s.probable) o["probable"] = true;
  return o;
}

failure_story::step step_from(const json::object& o) {
  return {text_member(o, "hop"), text_member(o, "id"), number_member(o, "at"), flag_member(o, "probable")};
}

template <class Item, class Read>
void read_items(const json::object& o, std::string_view name, std::vector<Item>& into, Read item_from) {
  const auto* found = o.if_contains(view(name));
  if (found == nullptr || !found->is_array()) return;
  for (const auto& one : found->get_array()) {
    if (one.is_object()) into.push_back(item_from(one.get_object()));
  }
}

}  // namespace

namespace {

// Until there is nothing more to take out: what was cleaned may look like a credential only then.
std::string fit(std::string_view text) {
  auto clean = redact(text);
  for (int looks = 0; looks < 4; ++looks) {
    auto again = redact(clean);
    if (again == clean) return clean;
    clean = std::move(again);
  }
  return "***";
}

}  // namespace

void make_fit(failure_story& story) {
  story.path = path_without_secrets(story.path);
  for (const auto& t : texts) {
    auto& value = story.*t.slot;
    if (!value.empty() && !t.is_ours) value = fit(value);
  }
  auto bound = [](auto& list, std::size_t most) {
    if (list.size() > most) list.resize(most);
  };
  bound(story.scopes, most_scopes_of_a_story);
  bound(story.rules, most_rules_of_a_story);
  for (auto& scope : story.scopes) scope = fit(scope);
  for (auto& r : story.rules) {
    r.pattern = fit(r.pattern);
    bound(r.missing_scopes, most_scopes_of_a_story);
    bound(r.unmet, most_scopes_of_a_story);
    for (auto& one : r.missing_scopes) one = fit(one);
    for (auto& one : r.unmet) one = fit(one);
  }
  if (story.before.size() > most_steps_of_a_login) {
    auto extra = static_cast<std::ptrdiff_t>(story.before.size() - most_steps_of_a_login);
    story.before.erase(story.before.begin(), story.before.begin() + extra);
  }
  if (story.ids.size() > most_ids_of_a_story) {
    auto extra = static_cast<std::ptrdiff_t>(story.ids.size() - most_ids_of_a_story);
    story.ids.erase(story.ids.begin(), story.ids.begin() + extra);
  }
}

std::string to_data(const failure_story& story) {
  json::object o;
  for (const auto& t : texts) put(o, t.name, story.*t.slot);
  o["at"] = story.at;
  if (story.status != 0) o["status"] = story.status;
  if (story.finished) o["finished"] = true;
  put(o, "scopes", story.scopes);
  if (!story.rules.empty()) {
    json::array rules;
    for (const auto& r : story.rules) rules.emplace_back(to_json(r));
    o["rules"] = std::move(rules);
  }
  if (!story.before.empty()) {
    json::array steps;
    for (const auto& s : story.before) steps.emplace_back(to_json(s));
    o["before"] = std::move(steps);
  }
  if (story.count > 1) o["count"] = story.count;
  if (story.last_at != 0) o["last_at"] = story.last_at;
  put(o, "ids", story.ids);
  if (story.ended_at != 0) o["ended_at"] = story.ended_at;
  return json::serialize(o);
}

result<failure_story> story_from(std::string_view data) {
  auto read_data = parse_json_object(data);
  if (!read_data) return fail(errc::store_corrupt, "a story cannot be read");
  const auto& o = *read_data;
  failure_story story;
  for (const auto& t : texts) story.*t.slot = text_member(o, t.name);
  story.at = number_member(o, "at");
  story.status = static_cast<int>(number_member(o, "status"));
  story.finished = flag_member(o, "finished");
  story.scopes = list_member(o, "scopes");
  read_items(o, "rules", story.rules, rule_from);
  read_items(o, "before", story.before, step_from);
  auto count = number_member(o, "count");
  story.count = count < 1 ? 1 : static_cast<std::uint64_t>(count);
  story.last_at = number_member(o, "last_at");
  story.ids = list_member(o, "ids");
  story.ended_at = number_member(o, "ended_at");
  if (story.id.empty() || story.code.empty() || story.at == 0)
    return fail(errc::store_corrupt, "a story lacks its id, its time or its code");
  if (!holds_times(story)) return fail(errc::store_corrupt, "a story has a time that is none");
  if (!holds_plain_names(story)) return fail(errc::store_corrupt, "a story has names that are none of ours");
  // It was when it was kept; a record may have been edited since.
  make_fit(story);
  return story;
}

bool is_request_id(std::string_view text) {
  constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";
  return text.size() == 13 && text.find_first_not_of(letters) == std::string_view::npos;
}

std::vector<std::string> request_ids_in(std::string_view text) {
  constexpr std::array<std::string_view, 4> names = {"request_id", "request-id", "x-request-id", "request"};
  constexpr std::string_view word_letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
  constexpr std::size_t most_ids = 16;
  constexpr std::size_t most_between = 8;  // `": "`, or the blanks of a page
  std::vector<std::string> ids;
  std::string first;  // that stands without a name
  bool is_alone = true, is_named = false;
  std::size_t end = 0;
  while (ids.size() < most_ids) {
    auto at = text.find_first_of(word_letters, end);
    if (at == std::string_view::npos) break;
    is_named = is_named && at - end <= most_between;
    end = std::min(text.find_first_not_of(word_letters, at), text.size());
    auto word = end - at <= names[2].size() + 1 ? to_lower(text.substr(at, end - at)) : std::string();
    bool is_id = is_request_id(word);
    if (is_id && is_named && std::find(ids.begin(), ids.end(), word) == ids.end()) ids.push_back(word);
    is_alone = is_alone && is_id;
    // A word of letters may be one of any language, and one of digits a time.
    bool is_mixed = word.find_first_of("0123456789") != std::string::npos &&
                    word.find_first_not_of("0123456789") != std::string::npos;
    if (first.empty() && is_id && (is_alone || is_mixed)) first = word;
    is_named = std::find(names.begin(), names.end(), word) != names.end();
  }
  bool is_line = text.find('\n') == std::string_view::npos;
  if (ids.empty() && !first.empty() && (is_alone || is_line)) ids.push_back(first);
  return ids;
}

}  // namespace mcp_oauth
