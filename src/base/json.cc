#include "base/json.h"

#include "base/text.h"

#include <cmath>

#include <simdjson.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t deepest = 32;

json::string_view view(std::string_view s) { return {s.data(), s.size()}; }

result<json::value> convert(simdjson::dom::element element, std::size_t depth) {
  using type = simdjson::dom::element_type;
  if (depth > deepest) return fail(errc::json_malformed, "nested deeper than 32");
  switch (element.type()) {
    case type::ARRAY: {
      json::array out;
      for (auto item : simdjson::dom::array(element)) {
        auto value = convert(item, depth + 1);
        if (!value) return value;
        out.push_back(std::move(*value));
      }
      return json::value(std::move(out));
    }
    case type::OBJECT: {
      json::object out;
      for (auto [key, item] : simdjson::dom::object(element)) {
        auto value = convert(item, depth + 1);
        if (!value) return value;
        if (!out.emplace(view(key), std::move(*value)).second) {
          return fail(errc::json_malformed, "a member name stands twice");
        }
      }
      return json::value(std::move(out));
    }
    case type::INT64: return json::value(std::int64_t(element));
    case type::UINT64: return json::value(std::uint64_t(element));
    case type::DOUBLE: return json::value(double(element));
    case type::STRING: return json::value(view(std::string_view(element)));
    case type::BOOL: return json::value(bool(element));
    case type::NULL_VALUE: return json::value(nullptr);
  }
  return fail(errc::json_malformed, "unknown type");
}

const json::value* lookup(const json::object& o, std::string_view name) { return o.if_contains(view(name)); }

}  // namespace

result<json::value> parse_json(std::string_view text) {
  if (text.empty()) return fail(errc::json_malformed, "nothing there");  // simdjson copies from its address
  // Tokens are read all the time, and making a parser costs more than such a text; a large one is rare, and
  // its room is given back.
  constexpr std::size_t large = 64 * 1024;
  thread_local simdjson::dom::parser kept;
  std::optional<simdjson::dom::parser> own;
  auto& parser = text.size() <= large ? kept : own.emplace();
  simdjson::dom::element root;
  auto code = parser.parse(text.data(), text.size()).get(root);
  if (code != simdjson::SUCCESS) return fail(errc::json_malformed, simdjson::error_message(code));
  return convert(root, 1);
}

result<json::object> parse_json_object(std::string_view text) {
  auto value = parse_json(text);
  if (!value) return tl::unexpected<error>(value.error());
  if (!value->is_object()) return fail(errc::json_malformed, "not an object");
  return std::move(value->as_object());
}

member read(const json::object& o, std::string_view name, std::string& out) {
  const auto* v = lookup(o, name);
  if (v == nullptr) return member::absent;
  if (!v->is_string()) return member::wrong_type;
  out.assign(v->as_string().data(), v->as_string().size());
  return member::present;
}

member read(const json::object& o, std::string_view name, std::int64_t& out) {
  const auto* v = lookup(o, name);
  if (v == nullptr) return member::absent;
  if (v->is_int64()) {
    out = v->as_int64();
    return member::present;
  }
  constexpr double largest = 9007199254740992.0;  // 2^53: beyond it a double no longer counts seconds
  if (v->is_double() && std::fabs(v->as_double()) <= largest) {
    out = static_cast<std::int64_t>(std::floor(v->as_double()));
    return member::present;
  }
  return member::wrong_type;
}

member read(const json::object& o, std::string_view name, bool& out) {
  const auto* v = lookup(o, name);
  if (v == nullptr) return member::absent;
  if (!v->is_bool()) return member::wrong_type;
  out = v->as_bool();
  return member::present;
}

member read(const json::object& o, std::string_view name, std::vector<std::string>& out) {
  const auto* v = lookup(o, name);
  if (v == nullptr) return member::absent;
  if (!v->is_array()) return member::wrong_type;
  std::vector<std::string> items;
  for (const auto& item : v->as_array()) {
    if (!item.is_string()) return member::wrong_type;
    items.emplace_back(item.as_string().data(), item.as_string().size());
  }
  out = std::move(items);
  return member::present;
}

std::string text_member(const json::object& o, std::string_view name) {
  std::string out;
  read(o, name, out);
  return out;
}

}  // namespace mcp_oauth
