#include "gateway/client_address.h"

#include "base/text.h"

#include <algorithm>
#include <optional>

namespace mcp_oauth {
namespace {

constexpr std::string_view common_header = "X-Forwarded-For";
constexpr std::string_view standard_header = "Forwarded";

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "192.0.2.7", "2001:db8::1" and "[2001:db8::1]", the first and the last also with a port, as some proxies
// write them. In one spelling.
std::optional<std::string> address_in(std::string_view node) {
  if (node.starts_with('[')) {
    auto end = node.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    auto behind = node.substr(end + 1);
    if (!behind.empty() && !(behind.front() == ':' && is_port(behind.substr(1)))) return std::nullopt;
    node = node.substr(1, end - 1);
    if (node.find(':') == std::string_view::npos) return std::nullopt;
  } else if (auto colon = node.find(':'); colon != std::string_view::npos && colon == node.rfind(':')) {
    if (!is_port(node.substr(colon + 1))) return std::nullopt;
    node = node.substr(0, colon);
  }
  auto address = ip_address::parse(node);
  if (!address) return std::nullopt;
  return address->unmapped().to_string();
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    auto lower = to_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F; }

// Takes a quoted string off the front of `rest` and gives what it means (RFC 9110 §5.6.4).
std::optional<std::string> take_quoted(std::string_view& rest) {
  std::string meant;
  for (std::size_t at = 1; at < rest.size(); ++at) {
    if (rest[at] == '"') {
      rest.remove_prefix(at + 1);
      return meant;
    }
    if (rest[at] == '\\') ++at;
    if (at == rest.size() || is_control(rest[at])) return std::nullopt;
    meant += rest[at];
  }
  return std::nullopt;
}

// The same of a value without quotes. Proxies write "[::1]:80" and "host:80" like that, which are no tokens.
std::optional<std::string> take_bare(std::string_view& rest) {
  auto bare = trim(rest.substr(0, rest.find(';')));
  rest.remove_prefix(std::min(rest.find(';'), rest.size()));
  bool is_one_word = std::none_of(bare.begin(), bare.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '"' || c == '\\';
  });
  if (!is_one_word) return std::nullopt;
  return std::string(bare);
}

// The node that one element of Forwarded names (RFC 7239 §4, §6). Nothing where the element is none of that
// grammar, or names two: a part of it is a client's word then, put between quotes as it came.
std::optional<std::string> node_of(std::string_view element) {
  std::optional<std::string> node;
  for (auto rest = trim(element); !rest.empty(); rest = trim(rest)) {
    if (rest.front() == ';') {
      rest.remove_prefix(1);
      continue;
    }
    auto equals = rest.find('=');
    auto name = rest.substr(0, equals);
    if (equals == std::string_view::npos || !is_token(name)) return std::nullopt;
    rest.remove_prefix(equals + 1);
    auto value = rest.starts_with('"') ? take_quoted(rest) : take_bare(rest);
    rest = trim(rest);
    if (!value || (!rest.empty() && rest.front() != ';')) return std::nullopt;
    if (!equal_ignoring_case(name, "for")) continue;
    if (node) return std::nullopt;
    node = std::move(value);
  }
  return node;
}

// Where the last comma stands that is in no quoted string. Read from the end, which a proxy of ours wrote: a
// quote that a client left open before it changes nothing.
std::size_t last_comma(std::string_view list) {
  bool in_quotes = false;
  for (std::size_t at = list.size(); at-- > 0;) {
    if (list[at] == ',' && !in_quotes) return at;
    if (list[at] != '"') continue;
    // Before a quote that is part of what is quoted, backslashes are odd.
    auto before = list.substr(0, at);
    auto escapes = before.size() - (before.find_last_not_of('\\') + 1);
    if (!in_quotes || escapes % 2 == 0) in_quotes = !in_quotes;
  }
  return std::string_view::npos;
}

// All lines of that name as the one list they are, in their order (RFC 9110 §5.3).
std::string list_of(std::span<const field> fields, std::string_view name) {
  std::string list;
  for (const auto& f : fields) {
    if (!equal_ignoring_case(f.name, name)) continue;
    if (!list.empty()) list += ", ";
    list += f.value;
  }
  return list;
}

}  // namespace

client_address::client_address(const settings& conf)
    : trusted_(ranges_of(conf.trusted_proxies)),
      standard_(equal_ignoring_case(conf.trusted_proxy_header, standard_header)) {}

std::string client_address::of(const std::string& peer, std::span<const field> fields) const {
  if (trusted_.empty() || !is_trusted(peer)) return peer;
  auto list = list_of(fields, standard_ ? standard_header : common_header);
  // From the right: each proxy appends what it saw.
  std::string_view rest = list;
  while (!rest.empty()) {
    auto comma = standard_ ? last_comma(rest) : rest.rfind(',');
    auto hop = trim(comma == std::string_view::npos ? rest : rest.substr(comma + 1));
    auto node = standard_ ? node_of(hop) : std::string(hop);
    auto address = node ? address_in(*node) : std::nullopt;
    if (!address) return peer;
    if (!is_trusted(*address)) return *address;
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(0, comma);
  }
  return peer;
}

bool client_address::is_known(std::string_view peer, std::span<const field> fields) const {
  return !was_forwarded(fields) || is_trusted(peer);
}

bool client_address::is_trusted(std::string_view address) const {
  auto parsed = ip_address::parse(address);
  return parsed && std::any_of(trusted_.begin(), trusted_.end(),
                               [&](const address_range& r) { return r.contains(*parsed); });
}

bool was_forwarded(std::span<const field> fields) {
  return std::any_of(fields.begin(), fields.end(), [](const field& f) {
    return starts_with_ignoring_case(f.name, "x-forwarded-") || equal_ignoring_case(f.name, "forwarded") ||
           equal_ignoring_case(f.name, "x-real-ip") || equal_ignoring_case(f.name, "via");
  });
}

std::vector<address_range> ranges_of(const std::vector<std::string>& written) {
  std::vector<address_range> ranges;
  for (const auto& text : written) {
    if (auto range = address_range::parse(text)) ranges.push_back(*range);
  }
  return ranges;
}

}  // namespace mcp_oauth
