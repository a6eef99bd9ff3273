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

bool is_plain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

// Those are shown as they are, unlike every text, which was made fit to be kept.
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

bool is_token_letter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~' || c == '+' || c == '/' || c == '=' || c == '%';
}

std::size_t end_of_token(std::string_view text, std::size_t from) {
  while (from < text.size() && is_token_letter(text[from])) ++from;
  return from;
}

// Names whose value opens something. As parameters, members of JSON and header fields.
constexpr std::array<std::string_view, 18> secret_names = {
    "access_token",  "refresh_token",    "id_token",      "token",  "code",          "state",     "nonce",
    "password",      "passwd",           "client_secret", "secret", "code_verifier", "assertion", "api_key",
    "authorization", "client_assertion", "set-cookie",    "cookie"};
constexpr std::array<std::string_view, 3> schemes = {"bearer", "basic", "dpop"};
constexpr std::size_t shortest_secret = 16;  // a run of letters that is no word

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || (c >= '0' && c <= '9');
}

bool names_secret(std::string_view word) {
  return std::find(secret_names.begin(), secret_names.end(), word) != secret_names.end();
}

bool is_scheme(std::string_view word) {
  return std::find(schemes.begin(), schemes.end(), word) != schemes.end();
}

// Where the value ends that a secret name at `at` introduces with `=`, or with `:` and quotes; `at` if none.
std::size_t end_of_secret(std::string_view text, std::size_t name_end, std::size_t& begin) {
  auto at = name_end;
  if (at < text.size() && text[at] == '"') ++at;
  if (at >= text.size() || (text[at] != '=' && text[at] != ':')) return 0;
  bool is_colon = text[at] == ':';
  ++at;
  // A form has no blank behind `=`; what comes then is something else.
  while (is_colon && at < text.size() && text[at] == ' ') ++at;
  bool quoted = at < text.size() && (text[at] == '"' || text[at] == '\'');
  // "state: the login took longer" are words of ours
  if (is_colon && !quoted) {
    begin = at;
    auto end = end_of_token(text, at);
    return end - at >= shortest_secret ? end : 0;
  }
  if (quoted) {
    auto quote = text[at];
    begin = ++at;
    while (at < text.size() && text[at] != quote) ++at;
    // The name of the next secret is not the value of this one.
    if (names_secret(to_lower(text.substr(begin, at - begin)))) return 0;
    return at;
  }
  begin = at;
  auto end = end_of_token(text, at);
  // "authorization=Bearer …": the scheme is not the secret.
  while (is_scheme(to_lower(text.substr(at, end - at))) && end < text.size() && text[end] == ' ') {
    at = std::min(text.find_first_not_of(' ', end), text.size());
    end = end_of_token(text, at);
  }
  return end;
}

// Without control characters, those beyond ASCII too, and without those that turn the direction of a line.
std::string without_orders(std::string_view text) {
  auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  std::string clean;
  for (std::size_t i = 0; i < text.size(); ++i) {
    bool control = at(i) < 0x20 || at(i) == 0x7F;
    bool control_beyond = at(i) == 0xC2 && at(i + 1) >= 0x80 && at(i + 1) < 0xA0;
    bool turns = at(i) == 0xE2 && ((at(i + 1) == 0x80 && ((at(i + 2) >= 0xAA && at(i + 2) <= 0xAE) ||
                                                          at(i + 2) == 0x8E || at(i + 2) == 0x8F)) ||
                                   (at(i + 1) == 0x81 && at(i + 2) >= 0xA6 && at(i + 2) <= 0xA9));
    if (control || control_beyond || turns) {
      clean += ' ';
      i += turns ? 2 : control_beyond ? 1 : 0;
    } else {
      clean += text[i];
    }
  }
  return clean;
}

}  // namespace

std::string redact(std::string_view text) {
  auto given = text.substr(0, 4 * longest_text_of_a_story);
  std::string out;
  std::size_t at = 0;
  while (at < given.size()) {
    bool starts = is_name_letter(given[at]) && (at == 0 || !is_name_letter(given[at - 1]));
    if (!starts) {
      // A password in a URL: from the colon behind the user to the last @ of the authority.
      if (given.substr(at, 3) == "://") {
        auto end = given.find_first_of("/?# \"'", at + 3);
        auto authority = given.substr(at + 3, end == std::string_view::npos ? end : end - at - 3);
        auto sign = authority.rfind('@');
        if (sign != std::string_view::npos) {
          out += "://***";
          at += 3 + sign;
          continue;
        }
      }
      out += given[at++];
      continue;
    }
    auto name_end = at;
    while (name_end < given.size() && is_name_letter(given[name_end])) ++name_end;
    auto word = to_lower(given.substr(at, name_end - at));
    std::size_t begin = 0;
    auto end = names_secret(word) ? end_of_secret(given, name_end, begin) : 0;
    if (end > begin) {
      out += given.substr(at, begin - at);
      out += "***";
      at = end;
      continue;
    }
    if (is_scheme(word) && name_end < given.size() && given[name_end] == ' ') {
      auto token_end = end_of_token(given, name_end + 1);
      // "Bearer token" is a sentence.
      if (token_end > name_end + shortest_secret) {
        out += given.substr(at, name_end + 1 - at);
        out += "***";
        at = token_end;
        continue;
      }
    }
    auto token_end = end_of_token(given, at);
    auto token = given.substr(at, token_end - at);
    bool jwt = token.size() > 20 && token.starts_with("eyJ");
    if (jwt) {
      out += "***";
      at = token_end;
      continue;
    }
    out += given.substr(at, name_end - at);
    at = name_end;
  }
  auto clean = without_orders(out);
  if (clean.size() > longest_text_of_a_story) {
    clean.resize(longest_text_of_a_story - 3);
    while (!clean.empty() && (static_cast<unsigned char>(clean.back()) & 0xC0) == 0x80) clean.pop_back();
    if (!clean.empty() && static_cast<unsigned char>(clean.back()) >= 0xC0) clean.pop_back();
    clean += "...";
  }
  if (!is_valid_utf8(clean)) {
    for (char& c : clean) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return clean;
}

void make_fit(failure_story& story) {
  for (const auto& t : texts) {
    auto& value = story.*t.slot;
    if (!value.empty() && !t.is_ours) value = redact(value);
  }
  auto bound = [](auto& list, std::size_t most) {
    if (list.size() > most) list.resize(most);
  };
  bound(story.scopes, most_scopes_of_a_story);
  bound(story.rules, most_rules_of_a_story);
  for (auto& scope : story.scopes) scope = redact(scope);
  for (auto& r : story.rules) {
    r.pattern = redact(r.pattern);
    bound(r.missing_scopes, most_scopes_of_a_story);
    bound(r.unmet, most_scopes_of_a_story);
    for (auto& one : r.missing_scopes) one = redact(one);
    for (auto& one : r.unmet) one = redact(one);
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
  return story;
}

bool is_request_id(std::string_view text) {
  constexpr std::string_view letters = "0123456789abcdefghjkmnpqrstvwxyz";
  return text.size() == 13 && text.find_first_not_of(letters) == std::string_view::npos;
}

}  // namespace mcp_oauth
